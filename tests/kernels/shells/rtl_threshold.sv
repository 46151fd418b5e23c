// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_threshold, one for eight channels, with qnn_readout behind streams: for each tile its thresholds
// and its sums go in, two a beat; its codes come out, eight a word. One pixel at a time. Where the
// command says requantise, the codes are those of qnn_requant.

module rtl_threshold
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter int unsigned Pe             = 64,
  parameter int unsigned AccW           = 32,
  parameter int unsigned ThresholdWords = 256
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
  localparam int unsigned Groups = Pe / GROUP_PE;
  localparam int unsigned Pairs = Pe / 2;
  localparam int unsigned LaneW = $clog2(Pairs);
  localparam int unsigned CountW = $clog2(Pairs + 1);
  localparam int unsigned Parts = result_parts(Groups);
  localparam int unsigned ResultW = Parts * GROUP_PE * CODE_W;

  command_t    command;
  logic        start, beat_valid, beat_ready, word_valid, word_ready, busy;
  logic [63:0] beat, word;
  frame u_frame (
    .clk_i, .rst_i, .in_valid_i, .in_ready_o, .in_data_i, .in_last_i,
    .out_valid_o, .out_ready_i, .out_data_o, .out_last_o, .command_o(command), .start_o(start),
    .beat_valid_o(beat_valid), .beat_ready_i(beat_ready), .beat_data_o(beat),
    .word_valid_i(word_valid && word_ready), .word_room_o(word_ready), .word_data_i(word), .busy_i(busy)
  );

  // the thresholds of a tile, then its sums
  logic                loading, gather_ready, pixel_valid, pixel_ready, take, tile_last;
  logic                finish, reading, stored;
  logic [Pairs*64-1:0] pixel;
  logic [7:0]          level;
  logic [11:0]         base;
  logic [LaneW-1:0]    lane;
  logic [19:0]         left;                             // pixels of the tile
  gather #(
    .Beats(Pairs)
  ) u_gather (
    .clk_i, .rst_i, .beats_i(CountW'(Pairs)), .beat_valid_i(beat_valid && !loading),
    .beat_ready_o(gather_ready), .beat_data_i(beat), .vector_valid_o(pixel_valid),
    .vector_ready_i(pixel_ready), .vector_o(pixel)
  );
  assign beat_ready = loading || gather_ready;
  assign pixel_ready = !(finish || reading || stored);
  assign take = pixel_valid && pixel_ready;
  assign tile_last = left == 20'd1;
  assign busy = pixel_valid || finish || reading || stored;

  logic [Pe*AccW-1:0] sums;
  logic               finish_tile;
  always_ff @(posedge clk_i) begin
    if (beat_valid && loading) begin
      lane <= lane + 1'b1;
      if (lane == '1) level <= level + 1'b1;
      if (lane == '1 && level + 1'b1 == command.thresholds) loading <= 1'b0;
    end
    if (take) begin
      for (int unsigned c = 0; c < Pe; c++) sums[c*AccW+:AccW] <= pixel[c*32+:AccW];
      left <= left - 1'b1;
    end
    if (start || (take && tile_last)) begin
      loading <= 1'b1;
      base <= start ? '0 : base + 12'(command.thresholds);
      lane <= '0;
      level <= '0;
      left <= command.conv_rows * command.conv_columns;
    end
    finish <= take && !rst_i;
    finish_tile <= tile_last;
  end

  group_ctrl_t          ctrl;
  logic [11:0]          threshold_address, threshold_waddr;
  logic                 compare_valid, compare_first, compare_high, compare_last, copy;
  logic [7:0]           compare_code;
  logic [Pe*CODE_W-1:0] codes;
  assign ctrl = '{
    threshold_address: threshold_address, compare_valid: compare_valid,
    compare_first: compare_first, compare_high: compare_high, compare_last: compare_last,
    compare_code: compare_code,
    copy: copy, default: '0
  };
  logic                 threshold_high;
  logic [Pe/4-1:0]      threshold_we;
  logic [4*SHORT_W-1:0] threshold_data;
  qnn_threshold_parts #(
    .Channels(Pe)
  ) u_parts (
    .clk_i, .rst_i, .valid_i(beat_valid && loading), .lane_i(lane),
    .address_i((base + 12'(level)) & 12'(ThresholdWords - 1)), .data_i(beat), .we_o(threshold_we),
    .waddr_o(threshold_waddr), .high_o(threshold_high), .data_o(threshold_data)
  );
  for (genvar g = 0; g < Groups; g++) begin : gen_group
    // the sum is that of the even pixel of a pair
    logic [GROUP_PE-1:0][SUM_W+AccW-1:0] pairs;
    logic [GROUP_PE-1:0][2*CODE_W-1:0]   both;
    for (genvar c = 0; c < GROUP_PE; c++) begin : gen_channel
      assign pairs[c] = {SUM_W'(0), sums[(g*GROUP_PE+c)*AccW+:AccW]};
      assign codes[(g*GROUP_PE+c)*CODE_W+:CODE_W] = both[c][CODE_W-1:0];
    end
    qnn_threshold #(
      .Pixels(2), .AccW(AccW), .ThresholdWords(ThresholdWords), .Whole(g == 0)
    ) u_threshold (
      .clk_i, .ctrl_i(ctrl),
      .threshold_we_i(threshold_we[g*GROUP_PE/4+:GROUP_PE/4]), .threshold_waddr_i(threshold_waddr),
      .threshold_high_i(threshold_high), .threshold_data_i(threshold_data),
      .sums_i(pairs), .codes_o(both), .words_o(words[g])
    );
  end

  logic [Groups-1:0][GROUP_PE*AccW-1:0] words;
  logic                     requant_in_valid, requant_last, requant_out_valid, requant_busy;
  logic [REQUANT_WORDS-1:0] requant_load;
  logic [GROUP_PE*32-1:0]   requant_sums;
  logic [Pe*CODE_W-1:0]     requant_row;
  logic               oldest_ready;
  logic [Parts-1:0]   result_valid;
  logic [ResultW-1:0] result, oldest;
  // in the accelerator a cycle passes before the store is asked
  logic [GROUP_PE*AccW-1:0] words_q;
  always_ff @(posedge clk_i) words_q <= words[0];
  qnn_requant #(
    .Pe(Pe), .Pixels(1)
  ) u_requant (
    .clk_i, .rst_i, .planes_i(command.out_planes), .load_i(requant_load),
    .params_i((GROUP_PE * 32)'(words_q)), .valid_i(requant_in_valid), .last_i(requant_last),
    .present_i(1'b1), .sums_i(requant_sums), .valid_o(requant_out_valid), .present_o(),
    .row_o(requant_row), .busy_o(requant_busy)
  );
  qnn_readout #(
    .Pe(Pe), .Pixels(1), .AccW(AccW), .ThresholdWords(ThresholdWords)
  ) u_readout (
    .clk_i, .rst_i, .run_start_i(start), .raw_i(1'b0), .requantise_i(command.requantise),
    .thresholds_i(command.thresholds), .short_i(command.short_sums), .words_i(1'b0), .finish_i(finish), .present_i(1'b1),
    .tile_last_i(finish_tile),
    .threshold_address_o(threshold_address), .compare_valid_o(compare_valid),
    .compare_first_o(compare_first), .compare_high_o(compare_high), .compare_last_o(compare_last), .compare_code_o(compare_code),
    .copy_o(copy), .pixel_o(), .pixel_next_o(),
    .codes_i(codes), .sums_i(sums), .requant_load_o(requant_load),
    .requant_valid_o(requant_in_valid), .requant_last_o(requant_last), .requant_present_o(),
    .requant_sums_o(requant_sums), .requant_valid_i(requant_out_valid), .requant_present_i(1'b1),
    .requant_row_i(requant_row), .requant_busy_i(requant_busy),
    .result_valid_o(result_valid), .result_present_o(), .result_o(result), .tile_done_o(), .busy_o(reading)
  );
  qnn_row_fifo #(
    .PartW(ResultW / Parts), .Parts(Parts), .Depth(2)
  ) u_results (
    .clk_i, .rst_i, .push_i(result_valid), .data_i(result), .flag_i(1'b0), .valid_o(stored),
    .pop_i(oldest_ready), .data_o(oldest), .flag_o()
  );
  scatter #(
    .Beats(Pe / 8)
  ) u_scatter (
    .clk_i, .rst_i, .vector_valid_i(stored), .vector_ready_o(oldest_ready),
    .vector_i(oldest[Pe*CODE_W-1:0]), .beat_valid_o(word_valid), .beat_ready_i(word_ready),
    .beat_data_o(word)
  );
endmodule
