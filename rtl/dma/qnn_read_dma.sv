// SPDX-License-Identifier: BSD-3-Clause
//
// Reads bursts for Clients; a lower index goes first. Answers come in the order of the requests.
//
// A client asks only for what it can take at once, so the bus is never held up. A burst has 1 to 16
// beats and stays within 128 bytes; it must lie inside a window, else error_window_o and nothing
// goes out. After stop_i no burst begins; the answers still to come are counted, not handed on.

module qnn_read_dma #(
  parameter  int unsigned Clients     = 3,
  parameter  int unsigned Outstanding = 8,
  localparam int unsigned ClientW     = $clog2(Clients)
) (
  input  logic                  clk_i,
  input  logic                  rst_i,
  input  logic                  stop_i,
  // windows: the first and the last 128-byte line, of two
  input  logic [1:0][24:0]      window_base_i,
  input  logic [1:0][24:0]      window_last_i,
  output logic                  error_window_o,
  output logic                  error_response_o,
  output logic                  error_client_o,    // ... it was for the last client
  output logic                  busy_o,
  // clients
  input  logic [Clients-1:0]    req_valid_i,
  output logic [Clients-1:0]    req_ready_o,
  input  logic [Clients*32-1:0] req_address_i,
  input  logic [Clients*5-1:0]  req_beats_i,       // 1..16
  output logic [Clients-1:0]    data_valid_o,
  output logic [63:0]           data_o,
  // AXI
  output logic                  arvalid_o,
  input  logic                  arready_i,
  output logic [31:0]           araddr_o,
  output logic [7:0]            arlen_o,
  input  logic                  rvalid_i,
  output logic                  rready_o,
  input  logic [63:0]           rdata_i,
  input  logic [1:0]            rresp_i,
  input  logic                  rlast_i
);
  localparam int unsigned CountW = $clog2(Outstanding + 1);

  logic [ClientW-1:0] chosen;
  logic               any, allowed, room, take;
  logic [31:0]        address;
  logic [4:0]         beats;
  always_comb begin
    chosen = '0;
    any = 1'b0;
    for (int i = int'(Clients) - 1; i >= 0; i--) begin
      if (req_valid_i[i]) begin
        chosen = ClientW'(i);
        any = 1'b1;
      end
    end
    address = req_address_i[32'(chosen)*32+:32];
    beats = req_beats_i[32'(chosen)*5+:5];
    allowed = 1'b0;
    for (int i = 0; i < 2; i++) begin
      allowed = allowed
          || (address[31:7] >= window_base_i[i] && address[31:7] <= window_last_i[i]);
    end
  end
  assign req_ready_o = take && allowed ? Clients'(1) << chosen : '0;
  assign take = any && room && !stop_i && (!arvalid_o || arready_i);

  logic               pending;
  logic [ClientW-1:0] client;
  logic [CountW-1:0]  outstanding;
  qnn_fifo #(
    .Width(ClientW), .Depth(Outstanding)
  ) u_order (
    .clk_i, .rst_i,
    .push_i (take && allowed),
    .data_i (chosen),
    .valid_o(pending),
    .pop_i  (rvalid_i && rlast_i),
    .data_o (client),
    .count_o(outstanding)
  );
  assign room = outstanding != CountW'(Outstanding);
  assign busy_o = arvalid_o || pending;
  assign rready_o = 1'b1;

  always_ff @(posedge clk_i) begin
    error_window_o <= take && !allowed;
    error_response_o <= rvalid_i && rresp_i[1];
    error_client_o <= (take && !allowed) ? chosen == ClientW'(Clients - 1)
        : client == ClientW'(Clients - 1);
    if (arready_i) arvalid_o <= 1'b0;
    if (take && allowed) begin
      arvalid_o <= 1'b1;
      araddr_o <= address;
      arlen_o <= 8'(beats - 1'b1);
    end
    data_valid_o <= '0;
    if (rvalid_i && pending && !stop_i) data_valid_o[client] <= 1'b1;
    data_o <= rdata_i;
    if (rst_i) begin
      arvalid_o <= 1'b0;
      error_window_o <= 1'b0;
      error_response_o <= 1'b0;
      data_valid_o <= '0;
    end
  end
endmodule
