// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_pack behind streams: codes go in, eight a beat, or sums, two a beat; words of memory come out.

module rtl_pack
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter int unsigned Pe = 64
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
  localparam int unsigned ResultW = (Pe * CODE_W > 256) ? Pe * CODE_W : 256;
  localparam int unsigned Beats = ResultW / 64;
  localparam int unsigned CountW = $clog2(Beats + 1);

  command_t    command;
  logic        start, beat_valid, beat_ready, word_valid, word_room, busy;
  logic [63:0] beat, word;
  frame u_frame (
    .clk_i, .rst_i, .in_valid_i, .in_ready_o, .in_data_i, .in_last_i,
    .out_valid_o, .out_ready_i, .out_data_o, .out_last_o, .command_o(command), .start_o(start),
    .beat_valid_o(beat_valid), .beat_ready_i(beat_ready), .beat_data_o(beat),
    .word_valid_i(word_valid), .word_room_o(word_room), .word_data_i(word), .busy_i(busy)
  );

  // a pixel of codes, or eight sums
  logic               result_valid, result_ready, row_end, packing;
  logic [ResultW-1:0] result;
  logic [9:0]         column;
  gather #(
    .Beats(Beats)
  ) u_gather (
    .clk_i, .rst_i, .beats_i(CountW'(command.raw ? GROUP_PE / 2 : Pe * CODE_W / 64)),
    .beat_valid_i(beat_valid), .beat_ready_o(beat_ready), .beat_data_i(beat),
    .vector_valid_o(result_valid), .vector_ready_i(result_ready), .vector_o(result)
  );
  assign row_end = column + 1'b1 == command.out_columns;
  assign busy = result_valid || packing;
  always_ff @(posedge clk_i) begin
    if (result_valid && result_ready) column <= row_end ? '0 : column + 1'b1;
    if (start) column <= '0;
  end
  qnn_pack #(
    .Pe(Pe), .ResultW(ResultW)
  ) u_pack (
    .clk_i, .rst_i, .raw_i(command.raw), .planes_i(command.out_planes), .in_valid_i(result_valid),
    .in_ready_o(result_ready), .in_data_i(result), .in_row_end_i(row_end),
    .out_valid_o(word_valid), .room_i(word_room), .out_data_o(word), .busy_o(packing)
  );
endmodule
