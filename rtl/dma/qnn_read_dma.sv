// SPDX-License-Identifier: BSD-3-Clause
//
// Reads bursts for Clients; of those that ask when one is chosen, the lowest index goes first. Answers
// come in the order of the requests.
//
// A client asks only for what it can take at once, so the bus is never held up. A burst has 1 to 16
// beats and stays within 128 bytes; it must lie inside a window, else error_window_o and neither it
// nor another goes out. After stop_i no burst begins; the answers still to come are counted, not
// handed on.
//
// Timing: a request is chosen, then looked at, then taken: at most one in three cycles.

module qnn_read_dma #(
  parameter  int unsigned Clients     = 3,
  parameter  int unsigned Outstanding = 8,     // a power of two
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

  logic [ClientW-1:0] chosen, asking;
  logic               any, asked, checked, allowed, good, room, may_begin, begin_burst;
  logic [Clients-1:0] ready;                       // checked and good, and it is this client's
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
    allowed = 1'b0;
    for (int i = 0; i < 2; i++) begin
      allowed = allowed
          || (address[31:7] >= window_base_i[i] && address[31:7] <= window_last_i[i]);
    end
  end
  assign may_begin = room && !stop_i && (!arvalid_o || arready_i);
  assign req_ready_o = may_begin ? ready : '0;
  assign begin_burst = checked && good && may_begin;

  logic               pending;
  logic [ClientW-1:0] client;
  logic [CountW-1:0]  outstanding;
  qnn_fifo #(
    .Width(ClientW), .Depth(Outstanding)
  ) u_order (
    .clk_i, .rst_i,
    .push_i (begin_burst),
    .data_i (asking),
    .valid_o(pending),
    .pop_i  (rvalid_i && rlast_i),
    .data_o (client),
    .count_o(outstanding)
  );
  assign room = !outstanding[CountW-1];
  assign busy_o = arvalid_o || pending;
  assign rready_o = 1'b1;

  always_ff @(posedge clk_i) begin
    error_window_o <= checked && !good;
    error_response_o <= rvalid_i && rresp_i[1];
    error_client_o <= (checked && !good) ? asking == ClientW'(Clients - 1)
        : client == ClientW'(Clients - 1);
    if (arready_i) arvalid_o <= 1'b0;
    if (!asked && any) begin
      asking <= chosen;
      address <= req_address_i[32'(chosen)*32+:32];
      beats <= req_beats_i[32'(chosen)*5+:5];
    end
    if (begin_burst) begin
      arvalid_o <= 1'b1;
      araddr_o <= address;
      arlen_o <= 8'(beats - 1'b1);
    end
    asked <= asked ? !begin_burst : any && !stop_i;
    checked <= asked && !begin_burst;
    good <= allowed;
    ready <= asked && !begin_burst && allowed ? Clients'(1) << asking : '0;
    data_valid_o <= '0;
    if (rvalid_i && pending && !stop_i) data_valid_o[client] <= 1'b1;
    data_o <= rdata_i;
    if (rst_i) begin
      arvalid_o <= 1'b0;
      asked <= 1'b0;
      checked <= 1'b0;
      ready <= '0;
      error_window_o <= 1'b0;
      error_response_o <= 1'b0;
      data_valid_o <= '0;
    end
  end
endmodule
