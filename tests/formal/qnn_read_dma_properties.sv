// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_read_dma, with any clients that keep a request until it is taken and any memory that answers
// each burst once, in order: bursts stay inside a window and within 128 bytes (so within 4 KiB) and
// have at most 16 beats, an address stays until it is taken, each burst's data go to the client that
// asked for it, and after stop_i the bus becomes quiet.

module qnn_read_dma_properties #(
  parameter  int unsigned Clients     = 3,
  parameter  int unsigned Outstanding = 8,
  localparam int unsigned ClientW     = $clog2(Clients),
  localparam int unsigned CountW      = $clog2(Outstanding + 1),
  localparam int unsigned AddrW       = $clog2(Outstanding)
) (
  input logic                  clk_i,
  input logic                  rst_i,
  input logic                  stop_i,
  input logic [1:0][24:0]      window_base_i,
  input logic [1:0][24:0]      window_last_i,
  input logic [Clients-1:0]    req_valid_i,
  input logic [Clients*32-1:0] req_address_i,
  input logic [Clients*5-1:0]  req_beats_i,
  input logic                  arready_i,
  input logic                  rvalid_i,
  input logic [63:0]           rdata_i,
  input logic [1:0]            rresp_i,
  input logic                  rlast_i,
  input logic                  choose_i      // this burst, by the solver
);
  logic               error_window, error_response, error_client, busy, arvalid, rready;
  logic [Clients-1:0] req_ready, data_valid;
  logic [63:0]        data;
  logic [31:0]        araddr;
  logic [7:0]         arlen;
  qnn_read_dma #(
    .Clients(Clients), .Outstanding(Outstanding)
  ) dut (
    .clk_i, .rst_i, .stop_i, .window_base_i, .window_last_i,
    .error_window_o(error_window), .error_response_o(error_response),
    .error_client_o(error_client), .busy_o(busy),
    .req_valid_i, .req_ready_o(req_ready), .req_address_i, .req_beats_i,
    .data_valid_o(data_valid), .data_o(data),
    .arvalid_o(arvalid), .arready_i, .araddr_o(araddr), .arlen_o(arlen),
    .rvalid_i, .rready_o(rready), .rdata_i, .rresp_i, .rlast_i
  );

  logic begun = 1'b0;
  always_ff @(posedge clk_i) begun <= 1'b1;
  always_comb if (!begun) assume (rst_i);

  // clients: a request is legal and stays until it is taken, or stopped
  logic                  stop_q, quiet_q;
  logic [Clients-1:0]    waiting;
  logic [Clients*32-1:0] address_q;
  logic [Clients*5-1:0]  beats_q;
  logic [1:0][24:0]      base_q, last_q;
  always_ff @(posedge clk_i) begin
    stop_q <= stop_i && !rst_i;
    waiting <= rst_i ? '0 : req_valid_i & ~req_ready;
    {address_q, beats_q, base_q, last_q} <= {req_address_i, req_beats_i, window_base_i, window_last_i};
  end
  for (genvar i = 0; i < Clients; i++) begin : gen_client
    logic [31:0] address;
    logic [4:0]  beats;
    assign address = req_address_i[i*32+:32];
    assign beats = req_beats_i[i*5+:5];
    always_comb begin
      if (req_valid_i[i]) begin
        assume (address[2:0] == '0 && beats != '0 && 6'(address[6:3]) + 6'(beats) <= 6'd16);
      end
      if (begun && waiting[i] && !stop_i) begin
        assume (req_valid_i[i] && address == address_q[i*32+:32] && beats == beats_q[i*5+:5]);
      end
    end
  end
  always_comb begin
    if (begun) begin
      assume (window_base_i == base_q && window_last_i == last_q);   // qnn_csr holds them
      if (stop_q) assume (stop_i);                                   // until the reset
    end
  end

  // memory: lengths of the accepted bursts, the oldest first; beats given of that
  logic [Outstanding-1:0][3:0] lengths;
  logic [CountW-1:0]           accepted;
  logic [3:0]                  given;
  logic                        accept, give, finish;
  assign accept = arvalid && arready_i;
  assign give = rvalid_i && rready;
  assign finish = give && rlast_i;
  always_comb begin
    if (rvalid_i) assume (accepted != '0 && rlast_i == (given == lengths[0]));
  end
  always_ff @(posedge clk_i) begin
    if (finish) lengths <= lengths >> 4;
    if (accept) lengths[AddrW'(accepted - CountW'(finish))] <= arlen[3:0];
    accepted <= accepted + CountW'(accept) - CountW'(finish);
    if (give) given <= rlast_i ? '0 : given + 1'b1;
    if (rst_i) begin
      accepted <= '0;
      given <= '0;
    end
  end

  // one burst, as it was asked for; ahead: bursts that are answered before it
  logic               chosen, held;
  logic [ClientW-1:0] client;
  logic [31:0]        address;
  logic [4:0]         beats;
  logic [CountW-1:0]  ahead;
  logic [ClientW-1:0] asking;
  always_comb begin
    asking = '0;
    for (int i = 0; i < int'(Clients); i++) if (req_ready[i]) asking = ClientW'(i);
  end
  followed #(
    .Width(ClientW + 37), .CountW(CountW)
  ) u_burst (
    .clk_i, .rst_i, .push_i(|req_ready), .pop_i(finish), .choose_i,
    .data_i({asking, req_address_i[32'(asking)*32+:32], req_beats_i[32'(asking)*5+:5]}),
    .count_i(dut.outstanding), .chosen_o(chosen), .held_o(held),
    .data_o({client, address, beats}), .ahead_o(ahead)
  );
  logic at_front;
  assign at_front = held && ahead == '0;

  // a cycle ago
  logic        stalled, gave, gave_chosen, failed, refused_q, was_last;
  logic [31:0] araddr_q;
  logic [7:0]  arlen_q;
  logic [63:0] rdata_q;
  logic [Clients-1:0] receiver_q;
  always_ff @(posedge clk_i) begin
    stalled <= arvalid && !arready_i && !rst_i;
    {araddr_q, arlen_q, rdata_q} <= {araddr, arlen, rdata_i};
    gave <= give && !stop_i && !rst_i;
    gave_chosen <= give && at_front && !stop_i && !rst_i;
    receiver_q <= Clients'(1) << client;
    failed <= give && rresp_i[1] && !rst_i;
    quiet_q <= !arvalid && !rst_i;
  end

  logic known;   // all that is in the order is a client
  always_comb begin
    known = 1'b1;
    for (int unsigned i = 0; i < Outstanding; i++) begin
      known = known && (CountW'(i) >= dut.outstanding
          || 32'(dut.u_order.mem[AddrW'(dut.u_order.head + AddrW'(i))]) < Clients);
    end
  end

  function automatic logic inside_window(logic [31:0] place);
    inside_window = 1'b0;
    for (int i = 0; i < 2; i++) begin
      inside_window = inside_window
          || (place[31:7] >= window_base_i[i] && place[31:7] <= window_last_i[i]);
    end
  endfunction

  always_comb begin
    if (begun) begin
      if (arvalid) begin
        window_inside : assert (inside_window(araddr));
        burst_aligned : assert (araddr[2:0] == '0);
        burst_length : assert (arlen <= 8'd15);
        burst_line : assert (8'(araddr[6:3]) + arlen <= 8'd15);
      end
      handshake_stable : assert (!stalled
          || (arvalid && araddr == araddr_q && arlen == arlen_q));
      handshake_data : assert (rready);
      request_one : assert ($onehot0(req_ready));
      request_valid : assert ((req_ready & ~req_valid_i) == '0);
      request_kept : assert (!dut.asked || stop_i || (req_valid_i[dut.asking]
          && dut.address == req_address_i[32'(dut.asking)*32+:32]
          && dut.beats == req_beats_i[32'(dut.asking)*5+:5]));
      request_legal : assert (!dut.asked || (dut.address[2:0] == '0 && dut.beats != '0
          && 6'(dut.address[6:3]) + 6'(dut.beats) <= 6'd16));
      request_client : assert (!dut.asked || 32'(dut.asking) < Clients);
      request_ready : assert (dut.ready
          == (dut.checked && dut.good ? Clients'(1) << dut.asking : '0));
      request_checked : assert (!dut.checked || (dut.asked && dut.good == inside_window(dut.address)));
      count_bound : assert (dut.outstanding <= CountW'(Outstanding));
      count_right : assert (32'(dut.outstanding) == 32'(accepted) + 32'(arvalid));
      count_given : assert (accepted == '0 ? given == '0 : given <= lengths[0]);
      count_pending : assert (dut.pending == (dut.outstanding != '0));
      count_places : assert (AddrW'(dut.u_order.tail - dut.u_order.head)
          == AddrW'(dut.outstanding));
      busy_right : assert (busy == (arvalid || accepted != '0));
      order_known : assert (known);
      if (held) begin
        order_ahead : assert (ahead < dut.outstanding);
        order_client : assert (dut.u_order.mem[AddrW'(dut.u_order.head + AddrW'(ahead))] == client);
        order_length : assert (ahead == accepted
            ? arvalid && araddr == address && arlen == 8'(beats) - 8'd1
            : 5'(lengths[AddrW'(ahead)]) + 5'd1 == beats);
        order_legal : assert (beats != '0 && beats <= 5'd16);
        order_beats : assert (!(at_front && finish) || 5'(given) + 5'd1 == beats);
      end
      data_one : assert ($onehot0(data_valid) && (data_valid != '0) == gave);
      data_client : assert (!gave_chosen || data_valid == receiver_q);
      data_value : assert (!gave || data == rdata_q);
      error_response_told : assert (error_response == failed);
      error_window_told : assert (!error_window || !(arvalid && quiet_q));
      error_window_stops : assert (!(dut.checked && !dut.good) || req_ready == '0);
      // from stop_i on nothing is added, so that each handshake brings the end nearer
      stop_none : assert (!stop_i || req_ready == '0);
      stop_no_address : assert (!(stop_q && quiet_q) || !arvalid);
    end
  end

  always_comb begin
    cover_full : cover (begun && accepted == CountW'(Outstanding));
    cover_chosen : cover (begun && at_front && finish && beats == 5'd3 && client == ClientW'(2));
    cover_last_beat : cover (begun && arvalid && arlen == 8'd15);
    cover_refused : cover (begun && error_window);
    cover_back_to_back : cover (begun && accept && finish);
    cover_stopped : cover (begun && stop_q && !busy && chosen);
    cover_stop_between : cover (begun && stop_q && give && !data_valid[0] && stalled);
  end
endmodule
