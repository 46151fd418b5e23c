// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_pack: for each 64/Pe pixels (or the rest of a row) as many words as there are planes, for raw
// sums four, a word a cycle; each of them is the right one; there are never more than there was room for.

module qnn_pack_properties
  import qnn_pkg::*;
#(
  parameter  int unsigned Pe      = 16,
  parameter  int unsigned ResultW = 256,
  localparam int unsigned Share   = 64 / Pe
) (
  input logic               clk_i,
  input logic               rst_i,
  input logic               raw_i,
  input logic [3:0]         planes_i,
  input logic               in_valid_i,
  input logic [ResultW-1:0] in_data_i,
  input logic               in_row_end_i,
  input logic               room_i,
  input logic [2:0]         word_i       // the word that is looked at, by the solver
);
  logic        in_ready, out_valid, busy;
  logic [63:0] out_data;
  qnn_pack #(
    .Pe(Pe), .ResultW(ResultW)
  ) dut (
    .clk_i, .rst_i, .raw_i, .planes_i, .in_valid_i, .in_ready_o(in_ready), .in_data_i,
    .in_row_end_i, .room_i, .out_valid_o(out_valid), .out_data_o(out_data), .busy_o(busy)
  );

  logic       begun = 1'b0, raw_q, in_reset;
  logic [3:0] planes_q;
  logic [2:0] word_q;
  always_ff @(posedge clk_i) begin
    begun <= 1'b1;
    in_reset <= rst_i;
    {raw_q, planes_q, word_q} <= {raw_i, planes_i, word_i};
  end
  always_comb begin
    if (!begun) assume (rst_i);
    assume (planes_i >= 4'd1 && planes_i <= 4'd8);
    if (begun) assume (word_i == word_q);
    // a command, and with it its format, begins with all written or with a reset
    if (begun && busy) assume (raw_i == raw_q && planes_i == planes_q);
  end

  logic [3:0] total;       // words in this format
  logic       relevant;    // word_i is one of them
  assign total = raw_i ? 4'd4 : planes_i;
  assign relevant = 4'(word_i) < total;

  // the model: pixels taken, words still to send, what word_i must be. What is taken is stored in the
  // next cycle (_d), and sent from the one after on where it is the last.
  logic [3:0]         gathered, gathered_d, to_send, sent;
  logic [63:0]        expected, gathering;
  logic [ResultW-1:0] data_d;
  logic               take, take_d, complete, complete_d;
  assign take = in_valid_i && in_ready;
  assign complete = raw_i || in_row_end_i || gathered == 4'(Share - 1);
  always_comb begin
    gathering = gathered_d == '0 ? '0 : expected;   // pixels beyond the end of a row are 0
    for (int unsigned p = 0; p < Share; p++) begin
      for (int unsigned c = 0; c < Pe; c++) begin
        if (gathered_d == 4'(p)) gathering[p*Pe+c] = data_d[32'(c*CODE_W)+32'(word_i)];
      end
    end
  end
  always_ff @(posedge clk_i) begin
    {take_d, complete_d} <= rst_i ? '0 : {take, take && complete};
    {gathered_d, data_d} <= {gathered, in_data_i};
    if (take) gathered <= complete ? '0 : gathered + 1'b1;
    if (take_d) expected <= raw_i ? data_d[32'(word_i[1:0])*64+:64] : gathering;
    if (out_valid) begin
      to_send <= to_send - 1'b1;
      sent <= sent + 1'b1;
    end
    if (complete_d) begin
      to_send <= total;
      sent <= '0;
    end
    if (rst_i) begin
      gathered <= '0;
      to_send <= '0;
    end
  end

  // word_i of what is stored, as it is gathered and as it is sent, and the flags that all lanes have
  logic [63:0] word_here, word_moved;
  logic [7:0]  lane_flags;
  for (genvar l = 0; l < 8; l++) begin : gen_lanes
    localparam int unsigned Pixel = l * 8 / Pe;
    logic mine, flag;
    assign mine = dut.gen_lanes[l].u_lanes.mine;
    assign flag = dut.gen_lanes[l].u_lanes.move == (dut.gen_lanes[l].u_lanes.load || to_send != '0)
        && dut.gen_lanes[l].u_lanes.load == (take_d && (raw_i || gathered_d == '0 || mine))
        && (!take_d || (dut.gen_lanes[l].u_lanes.raw == raw_i
            && mine == (raw_i || gathered_d == 4'(Pixel))));
    assign lane_flags[l] = flag;
    assign word_here[l*8+:8] = dut.gen_lanes[l].u_lanes.words[word_i];
    assign word_moved[l*8+:8] = dut.gen_lanes[l].u_lanes.words[3'(4'(word_i) - sent)];
  end
  logic [3:0] placed;      // pixels in the words
  assign placed = take_d ? gathered_d : gathered;

  // words that may still come of the last cycle in which there was room, and those that will
  logic [3:0] credit, credit_left;
  logic [4:0] on_their_way;
  assign credit = room_i ? 4'(PACK_ROOM) : credit_left;
  assign on_their_way = 5'(to_send) + (complete_d ? 5'(total) : '0);
  always_ff @(posedge clk_i) begin
    credit_left <= credit - 4'(out_valid);
    if (rst_i) credit_left <= '0;
  end

  always_comb begin
    if (begun) begin
      handshake_ready : assert (in_ready == (room_i
          && (complete_d ? total == 4'd1 : to_send <= 4'd2)));
      handshake_room : assert (!out_valid || credit != '0);
      handshake_credit : assert (5'(credit_left) >= on_their_way);
      count_valid : assert (out_valid == (to_send != '0));
      count_left : assert (to_send == '0 || 4'(dut.left) + 4'd1 == to_send);
      count_total : assert (to_send == '0 || (to_send <= total && sent == total - to_send));
      count_pixels : assert (4'(dut.pixel) == gathered && gathered < 4'(Share));
      count_stored : assert (!take_d || gathered == (complete_d ? '0 : gathered_d + 1'b1));
      count_reset : assert (!in_reset || (to_send == '0 && gathered == '0 && !take_d));
      count_begun : assert (!take_d || gathered_d < 4'(Share));
      count_phase : assert (to_send == '0 || placed == '0);
      count_last : assert (!take_d || to_send <= 4'd1);
      count_between : assert (take_d || to_send == '0 || gathered == '0);
      count_complete : assert (dut.complete == complete_d && (!complete_d || take_d));
      count_raw : assert ((gathered == '0 && !(take_d && gathered_d != '0)) || !raw_i);
      busy_right : assert (busy == (to_send != '0 || gathered != '0 || complete_d));
      content_flags : assert (in_reset || lane_flags == '1);
      content_taken : assert (!take_d || dut.data == data_d);
      if (relevant && placed != '0) content_gathered : assert (word_here == expected);
      if (relevant && to_send != '0 && 4'(word_i) >= sent) begin
        content_sending : assert (word_moved == expected);
        if (4'(word_i) == sent) content_out : assert (out_data == expected);
      end
    end
  end

  always_comb begin
    cover_raw : cover (begun && raw_i && out_valid && sent == 4'd3);
    cover_planes : cover (begun && !raw_i && out_valid && sent == 4'd2 && planes_i == 4'd3 && expected != '0);
    cover_short : cover (begun && !raw_i && take && in_row_end_i && gathered == '0 && Share > 1);
    cover_again : cover (begun && to_send == 4'd1 && sent == 4'd1 && take_d);
    cover_no_room : cover (begun && in_valid_i && !room_i && out_valid && sent == 4'd1);
  end
endmodule
