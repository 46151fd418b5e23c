// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_input_loader, qnn_sequencer and qnn_window behind streams: the map goes in, the 64-bit pieces of
// the windows come out, Pixels for each product row.
//
// The sequencer waits for input rows only before a group of pixels. So rows are shown to it when all
// pieces of a group have room.

module rtl_window
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter int unsigned Pe          = 64,
  parameter int unsigned Pixels      = 4,
  parameter int unsigned WindowWords = 4096
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
  localparam int unsigned WordW = $clog2(WindowWords);
  localparam int unsigned Depth = 4096;                  // product rows
  localparam int unsigned CountW = $clog2(Depth + 1);

  command_t    command;
  logic        start, beat_valid, word_valid, word_ready, loading, sequencing, stored, row_pop;
  logic [63:0] beat, word;
  logic [CountW-1:0] count;
  logic [4:0]  asked;                                    // beats that the loader waits for
  frame u_frame (
    .clk_i, .rst_i, .in_valid_i, .in_ready_o, .in_data_i, .in_last_i,
    .out_valid_o, .out_ready_i, .out_data_o, .out_last_o, .command_o(command), .start_o(start),
    .beat_valid_o(beat_valid), .beat_ready_i(asked != '0), .beat_data_o(beat),
    .word_valid_i(word_valid && word_ready), .word_room_o(word_ready), .word_data_i(word),
    .busy_i(loading || sequencing || stored)
  );

  logic             req_valid;
  logic [4:0]       req_beats;
  logic [15:0]      rows_loaded, rows_done;
  logic [7:0]       even_we, odd_we;
  logic [WordW-2:0] even_waddr, odd_waddr;
  logic [63:0]      wdata;
  qnn_input_loader #(
    .Pe(Pe), .WindowWords(WindowWords)
  ) u_input_loader (
    .clk_i, .rst_i, .start_i(start), .command_i(command), .upper_half_i(1'b0),
    .rows_loaded_o(rows_loaded), .rows_done_i(rows_done), .busy_o(loading),
    .limited_i(1'b0), .limit_i('0), .req_valid_o(req_valid), .req_ready_i(asked == '0), .req_address_o(), .req_beats_o(req_beats),
    .data_valid_i(beat_valid && asked != '0), .data_i(beat),
    .even_we_o(even_we), .odd_we_o(odd_we), .even_waddr_o(even_waddr), .odd_waddr_o(odd_waddr),
    .wdata_o(wdata)
  );
  always_ff @(posedge clk_i) begin
    if (req_valid && asked == '0) asked <= req_beats;
    if (beat_valid && asked != '0) asked <= asked - 1'b1;
    if (rst_i) asked <= '0;
  end

  // results are taken at once
  logic              issue, last, room;
  logic [7:0]        results;
  logic [15:0]       steps;
  logic [Pixels-1:0] present;
  logic [Pixels*WordW-1:0] window_word;
  logic [Pixels*4-1:0]     window_nibble;
  logic [Pixels*5-1:0]     window_low, window_high;
  assign steps = command.planes * command.tile_words;
  assign room = 32'(count) + 32'(steps) + 8 <= Depth;    // 8: rows on their way
  always_ff @(posedge clk_i) begin
    results <= results - 8'(results != '0);
    if (issue && last) results <= 8'(command.raw ? Pe / GROUP_PE * Pixels : Pixels);
    if (rst_i) results <= '0;
  end
  qnn_sequencer #(
    .Pe(Pe), .Pixels(Pixels), .WeightWords(4096), .WindowWords(WindowWords), .ResultDepth(64)
  ) u_sequencer (
    .clk_i, .rst_i, .run_start_i(start), .start_i(start), .command_i(command), .upper_half_i(1'b0),
    .busy_o(sequencing), .rows_loaded_i(room ? rows_loaded : '1), .rows_done_o(rows_done),
    .tile_ready_i(1'b1), .tile_take_o(), .result_taken_i(results != '0),
    .issue_o(issue), .first_o(), .shift_o(), .last_o(last), .pass_last_o(), .present_o(present), .tile_last_o(),
    .weight_address_o(), .window_word_o(window_word), .window_nibble_o(window_nibble),
    .window_low_o(window_low), .window_high_o(window_high),
    .wait_weights_o(), .wait_input_o(), .wait_output_o()
  );

  // what a pixel beyond the map reads means nothing: zeros here
  logic [2:0]             valid;
  logic [2:0][Pixels-1:0] exists;
  logic [Pixels*SIMD-1:0] pieces, row;
  always_ff @(posedge clk_i) begin
    valid <= {valid[1:0], issue};
    exists <= {exists[1:0], present};
    if (rst_i) valid <= '0;
  end
  for (genvar m = 0; m < Pixels; m++) begin : gen_window
    logic [SIMD-1:0] piece;
    qnn_window #(
      .Words(WindowWords)
    ) u_window (
      .clk_i,
      .even_we_i(even_we), .odd_we_i(odd_we), .even_waddr_i(even_waddr),
      .odd_waddr_i(odd_waddr), .wdata_i(wdata),
      .word_i(window_word[m*WordW+:WordW]), .nibble_i(window_nibble[m*4+:4]),
      .low_i(window_low[m*5+:5]), .high_i(window_high[m*5+:5]), .piece_o(piece)
    );
    assign pieces[m*SIMD+:SIMD] = exists[2][m] ? piece : '0;
  end
  qnn_fifo #(
    .Width(Pixels * SIMD), .Depth(Depth)
  ) u_rows (
    .clk_i, .rst_i, .push_i(valid[2]), .data_i(pieces), .valid_o(stored), .pop_i(row_pop),
    .data_o(row), .count_o(count)
  );
  scatter #(
    .Beats(Pixels)
  ) u_scatter (
    .clk_i, .rst_i, .vector_valid_i(stored), .vector_ready_o(row_pop), .vector_i(row),
    .beat_valid_o(word_valid), .beat_ready_i(word_ready), .beat_data_o(word)
  );
endmodule
