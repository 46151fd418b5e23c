// SPDX-License-Identifier: BSD-3-Clause
//
// The chain of qnn_pe_group with qnn_readout and qnn_pack behind streams: for each tile its weights
// and the pieces of its windows go in, its sums come out, two a word.
//
// The last product row of a group of pixels waits until the sums of the group before have left.

module rtl_matvec
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter int unsigned Pe          = 64,
  parameter int unsigned Pixels      = 4,
  parameter int unsigned AccW        = 32,
  parameter int unsigned WeightWords = 512
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
  localparam int unsigned PixelW = $clog2(Pixels);
  localparam int unsigned LaneW = $clog2(Pe);
  localparam int unsigned StepW = $clog2(Pixels + 1);
  localparam int unsigned Parts = result_parts(Groups);
  localparam int unsigned ResultW = Parts * GROUP_PE * CODE_W;

  command_t    command;
  logic        start, beat_valid, beat_ready, word_valid, word_room, busy;
  logic [63:0] beat, word;
  frame u_frame (
    .clk_i, .rst_i, .in_valid_i, .in_ready_o, .in_data_i, .in_last_i,
    .out_valid_o, .out_ready_i, .out_data_o, .out_last_o, .command_o(command), .start_o(start),
    .beat_valid_o(beat_valid), .beat_ready_i(beat_ready), .beat_data_o(beat),
    .word_valid_i(word_valid), .word_room_o(word_room), .word_data_i(word), .busy_i(busy)
  );

  // the weights of a tile, then its product rows
  logic                   loading, gather_ready, row_valid, row_ready, take, last;
  logic                   reading, stored, packing;
  logic [Pixels*SIMD-1:0] row;
  logic [11:0]            tile_words, address, base;     // of the word in its tile; of the tile
  logic [LaneW-1:0]       lane;
  logic [3:0]             plane;
  logic [19:0]            left;                          // pixels of the tile
  gather #(
    .Beats(Pixels)
  ) u_gather (
    .clk_i, .rst_i, .beats_i(StepW'(Pixels)), .beat_valid_i(beat_valid && !loading),
    .beat_ready_o(gather_ready), .beat_data_i(beat), .vector_valid_o(row_valid),
    .vector_ready_i(row_ready), .vector_o(row)
  );
  assign tile_words = command.tile_words;
  assign beat_ready = loading || gather_ready;
  assign last = address + 1'b1 == tile_words && plane == '0;
  assign row_ready = !last || !(reading || stored || packing);
  assign take = row_valid && row_ready;
  assign busy = row_valid || reading || stored || packing;

  always_ff @(posedge clk_i) begin
    if (beat_valid && loading) begin
      lane <= lane + 1'b1;
      if (lane == '1) address <= address + 1'b1;
      if (lane == '1 && address + 1'b1 == tile_words) begin
        address <= '0;
        loading <= 1'b0;
      end
    end
    if (take) begin
      address <= address + 1'b1;
      if (address + 1'b1 == tile_words) begin
        address <= '0;
        plane <= plane - 1'b1;
      end
      if (last) begin
        plane <= command.planes - 1'b1;
        left <= left - 20'(Pixels);
      end
    end
    if (start || (take && last && left <= 20'(Pixels))) begin
      loading <= 1'b1;
      base <= start ? '0 : base + tile_words;
      lane <= '0;
      address <= '0;
      plane <= command.planes - 1'b1;
      left <= command.conv_rows * command.conv_columns;
    end
  end

  // operands and flags come two cycles after the weight address
  group_ctrl_t [Groups:0] ctrl;
  logic [Groups:0][Pixels*SIMD-1:0] act;
  logic [Pixels*SIMD-1:0] row_q;
  logic [1:0]             valid, first, shift, finish;
  logic [Pixels-1:0]      present;
  logic [11:0]            weight_address;
  logic [Pe*AccW-1:0]     sums;
  logic [PixelW-1:0]      next_pixel;
  assign weight_address = (base + address) & 12'(WeightWords - 1);
  always_ff @(posedge clk_i) begin
    row_q <= row;
    act[0] <= row_q;
    valid <= {valid[0], take};
    first <= {first[0], address == '0 && plane == command.planes - 1'b1};
    shift <= {shift[0], address == '0};
    finish <= {finish[0], last};
    if (rst_i) valid <= '0;
  end
  assign ctrl[0] = '{
    weight_address: weight_address,
    acc_valid: valid[1], acc_first: first[1], acc_shift: shift[1], acc_last: finish[1],
    default: '0
  };
  for (genvar g = 0; g < Groups; g++) begin : gen_group
    qnn_pe_group #(
      .Pixels(Pixels), .AccW(AccW), .WeightWords(WeightWords), .ThresholdWords(2)
    ) u_group (
      .clk_i, .ctrl_i(ctrl[g]), .act_i(act[g]), .ctrl_o(ctrl[g+1]), .act_o(act[g+1]),
      .weights_o(), .word_i('0), .word_o(),
      .weight_we_i(GROUP_PE'(Pe'(beat_valid && loading) << lane >> g * GROUP_PE)),
      .weight_waddr_i(weight_address), .weight_data_i(beat),
      .threshold_we_i('0), .threshold_waddr_i('0), .threshold_high_i('0), .threshold_data_i('0),
      .pixel_i(next_pixel), .codes_o(), .sums_o(sums[g*GROUP_PE*AccW+:GROUP_PE*AccW]),
      .words_o()
    );
  end

  // sums of pixels that exist
  logic               result_present, oldest_ready;
  logic [Parts-1:0]   result_valid;                      // all at once
  logic [ResultW-1:0] result, oldest;
  for (genvar m = 0; m < Pixels; m++) begin : gen_present
    assign present[m] = 20'(m) < left;
  end
  qnn_readout #(
    .Pe(Pe), .Pixels(Pixels), .AccW(AccW), .ThresholdWords(2)
  ) u_readout (
    .clk_i, .rst_i, .run_start_i(start), .raw_i(1'b1), .requantise_i(1'b0), .thresholds_i('0), .short_i(1'b0),
    .words_i(1'b0), .requant_load_o(), .requant_valid_o(), .requant_last_o(), .requant_present_o(),
    .requant_sums_o(), .requant_valid_i(1'b0), .requant_present_i(1'b0), .requant_row_i('0),
    .requant_busy_i(1'b0),
    .finish_i(take && last), .present_i(present), .tile_last_i(1'b0), .threshold_address_o(),
    .compare_valid_o(), .compare_first_o(), .compare_high_o(), .compare_last_o(),
    .compare_code_o(), .copy_o(), .pixel_o(), .pixel_next_o(next_pixel),
    .codes_i('0), .sums_i(sums), .result_valid_o(result_valid),
    .result_present_o(result_present), .result_o(result), .tile_done_o(), .busy_o(reading)
  );
  qnn_fifo #(
    .Width(ResultW), .Depth(64)
  ) u_results (
    .clk_i, .rst_i, .push_i(result_valid == '1 && result_present), .data_i(result), .valid_o(stored),
    .pop_i(oldest_ready), .data_o(oldest), .count_o()
  );
  qnn_pack #(
    .Pe(Pe), .ResultW(ResultW)
  ) u_pack (
    .clk_i, .rst_i, .raw_i(1'b1), .planes_i(4'd1), .in_valid_i(stored), .in_ready_o(oldest_ready),
    .in_data_i(oldest), .in_row_end_i(1'b0), .out_valid_o(word_valid), .room_i(word_room),
    .out_data_o(word), .busy_o(packing)
  );
endmodule
