// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_popcount behind streams. A frame is pairs of beats, weight and activation; a word each comes out.

module rtl_popcount (
  input  logic        clk_i,
  input  logic        rst_i,
  input  logic        in_valid_i,
  output logic        in_ready_o,
  input  logic [63:0] in_data_i,
  input  logic        in_last_i,
  output logic        out_valid_o,
  input  logic        out_ready_i,
  output logic [63:0] out_data_o,
  output logic        out_last_o
);
  localparam int unsigned Depth = 8;
  localparam int unsigned CountW = $clog2(Depth + 1);

  logic        beat_valid, beat_ready, word_valid, word_ready, pair_valid, pair_ready;
  logic [63:0] beat;
  logic [127:0] pair;
  logic [6:0]  found, word;
  logic [CountW-1:0] count;
  frame #(
    .Bare(1'b1)
  ) u_frame (
    .clk_i, .rst_i, .in_valid_i, .in_ready_o, .in_data_i, .in_last_i,
    .out_valid_o, .out_ready_i, .out_data_o, .out_last_o, .command_o(), .start_o(),
    .beat_valid_o(beat_valid), .beat_ready_i(beat_ready), .beat_data_o(beat),
    .word_valid_i(word_valid && word_ready), .word_room_o(word_ready), .word_data_i(64'(word)),
    .busy_i(pair_valid || word_valid)
  );
  gather #(
    .Beats(2)
  ) u_gather (
    .clk_i, .rst_i, .beats_i(2'd2), .beat_valid_i(beat_valid), .beat_ready_o(beat_ready),
    .beat_data_i(beat), .vector_valid_o(pair_valid), .vector_ready_i(pair_ready), .vector_o(pair)
  );

  // a pair is taken when there is room for it and for those on their way
  logic [1:0] valid;
  assign pair_ready = count <= CountW'(Depth - 3);
  always_ff @(posedge clk_i) begin
    valid <= {valid[0], pair_valid && pair_ready};
    if (rst_i) valid <= '0;
  end
  qnn_popcount u_popcount (
    .clk_i, .w_i(pair[63:0]), .x_i(pair[127:64]), .clear_i(1'b0), .count_o(found)
  );
  qnn_fifo #(
    .Width(7), .Depth(Depth)
  ) u_found (
    .clk_i, .rst_i, .push_i(valid[1]), .data_i(found), .valid_o(word_valid), .pop_i(word_ready),
    .data_o(word), .count_o(count)
  );
endmodule
