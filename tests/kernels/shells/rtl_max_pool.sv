// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_pool behind streams: codes of all tiles go in, eight a beat, and the pooled ones come out.

module rtl_max_pool
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter int unsigned Pe          = 64,
  parameter int unsigned PoolColumns = 256
) (
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
  localparam int unsigned Beats = Pe * CODE_W / 64;
  localparam int unsigned CountW = $clog2(Beats + 1);
  localparam int unsigned ResultW = (Pe * CODE_W > 256) ? Pe * CODE_W : 256;

  command_t    command;
  logic        start, beat_valid, beat_ready, word_valid, word_ready, busy;
  logic [63:0] beat, word;
  frame u_frame (
    .clk_i, .rst_i, .in_valid_i, .in_ready_o, .in_data_i, .in_last_i,
    .out_valid_o, .out_ready_i, .out_data_o, .out_last_o, .command_o(command), .start_o(start),
    .beat_valid_o(beat_valid), .beat_ready_i(beat_ready), .beat_data_o(beat),
    .word_valid_i(word_valid && word_ready), .word_room_o(word_ready), .word_data_i(word), .busy_i(busy)
  );

  logic                pixel_valid, pixel_pop, pooled_valid, pooled_ready;
  logic [Beats*64-1:0] pixel;
  logic [ResultW-1:0]  pooled;
  gather #(
    .Beats(Beats)
  ) u_gather (
    .clk_i, .rst_i, .beats_i(CountW'(Beats)), .beat_valid_i(beat_valid),
    .beat_ready_o(beat_ready), .beat_data_i(beat), .vector_valid_o(pixel_valid),
    .vector_ready_i(pixel_pop), .vector_o(pixel)
  );
  qnn_pool #(
    .Pe(Pe), .ResultW(ResultW), .Columns(PoolColumns)
  ) u_pool (
    .clk_i, .rst_i, .start_i(start), .command_i(command), .busy_o(busy),
    .in_valid_i(pixel_valid), .in_present_i(1'b1), .in_data_i(ResultW'(pixel)),
    .in_pop_o(pixel_pop), .out_valid_o(pooled_valid), .out_ready_i(pooled_ready),
    .out_data_o(pooled), .out_row_end_o()
  );
  scatter #(
    .Beats(Beats)
  ) u_scatter (
    .clk_i, .rst_i, .vector_valid_i(pooled_valid), .vector_ready_o(pooled_ready),
    .vector_i(pooled[Pe*CODE_W-1:0]), .beat_valid_o(word_valid), .beat_ready_i(word_ready),
    .beat_data_o(word)
  );
endmodule
