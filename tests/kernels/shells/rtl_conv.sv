// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_datapath behind streams: one command with its parameters and its input map go in, the output
// map comes out. Order: for each tile its thresholds and weights; after those of the first tile, or
// of each where command.reload, the map.

module rtl_conv
  import qnn_regs_pkg::*;
#(
  parameter int unsigned Pe             = 64,
  parameter int unsigned Pixels         = 4,
  parameter int unsigned AccW           = 32,
  parameter int unsigned WeightWords    = 512,
  parameter int unsigned ThresholdWords = 256,
  parameter int unsigned WindowWords    = 4096,
  parameter int unsigned PoolColumns    = 256
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
  command_t    command;
  logic        start, beat_valid, beat_ready, word_valid, word_room, busy;
  logic [63:0] beat, word;
  frame #(
    .Quiet(1)                          // what drained_o says is so at once
  ) u_frame (
    .clk_i, .rst_i, .in_valid_i, .in_ready_o, .in_data_i, .in_last_i,
    .out_valid_o, .out_ready_i, .out_data_o, .out_last_o, .command_o(command), .start_o(start),
    .beat_valid_o(beat_valid), .beat_ready_i(beat_ready), .beat_data_o(beat),
    .word_valid_i(word_valid), .word_room_o(word_room), .word_data_i(word), .busy_i(busy)
  );

  // whose beats come, and how many; a loader gets those that it has asked for
  logic        of_map, weights_valid, map_valid, weights_take, map_take;
  logic [4:0]  weights_beats, map_beats, weights_asked, map_asked;
  logic [31:0] left, tile_beats, map_total;
  assign tile_beats = 32'(command.thresholds) * 32'(Pe / 2)
      + 32'(command.tile_words) * (command.word_products ? 32'd8 : 32'(Pe));
  assign map_total = command.in_rows * 32'(command.tight ? 8'd1 : command.blocks) * command.row_beats;
  assign weights_take = beat_valid && !of_map && weights_asked != '0;
  assign map_take = beat_valid && of_map && map_asked != '0;
  assign beat_ready = of_map ? map_asked != '0 : weights_asked != '0;

  logic first;
  always_ff @(posedge clk_i) begin
    if (weights_valid && weights_asked == '0) weights_asked <= weights_beats;
    else weights_asked <= weights_asked - 5'(weights_take);
    if (map_valid && map_asked == '0) map_asked <= map_beats;
    else map_asked <= map_asked - 5'(map_take);
    if (weights_take || map_take) begin
      left <= left - 1'b1;
      if (left == 32'd1) begin
        of_map <= !of_map && (first || command.reload);
        first <= 1'b0;
        left <= !of_map && (first || command.reload) ? map_total : tile_beats;
      end
    end
    if (start) begin
      of_map <= 1'b0;
      first <= 1'b1;
      left <= tile_beats;
    end
    if (start || rst_i) begin
      weights_asked <= '0;
      map_asked <= '0;
    end
  end

  // the command is the next one until its map is on the way, and then is the one that runs
  logic drained, waiting, taken, command_start;
  assign busy = !drained || waiting || command_start;
  always_ff @(posedge clk_i) begin
    waiting <= !rst_i && (start || (waiting && !taken));
    command_start <= !rst_i && waiting && taken;
  end
  qnn_datapath #(
    .Pe(Pe), .Pixels(Pixels), .AccW(AccW), .WeightWords(WeightWords),
    .ThresholdWords(ThresholdWords), .WindowWords(WindowWords), .PoolColumns(PoolColumns),
    .Requantiser(1)
  ) u_datapath (
    .clk_i, .rst_i, .run_start_i(start), .resident_run_i(1'b0),
    .next_valid_i(waiting), .next_i(command), .next_taken_o(taken),
    .command_start_i(command_start), .command_i(command), .drained_o(drained),
    .written_line_i('1), .settled_i(1'b1),
    .weights_start_i(start), .commands_i(8'd1), .weights_command_o(), .weights_loading_o(),
    .weights_beat_i(command[127:64]), .weights_resident_o(),
    .weights_valid_o(weights_valid), .weights_ready_i(weights_asked == '0),
    .weights_address_o(), .weights_beats_o(weights_beats), .weights_data_valid_i(weights_take),
    .input_valid_o(map_valid), .input_ready_i(map_asked == '0), .input_address_o(),
    .input_beats_o(map_beats), .input_data_valid_i(map_take), .data_i(beat),
    .out_valid_o(word_valid), .room_i(word_room), .out_data_o(word),
    .issue_o(), .wait_weights_o(), .wait_input_o(), .wait_output_o()
  );
endmodule
