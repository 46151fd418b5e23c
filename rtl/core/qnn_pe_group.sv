// SPDX-License-Identifier: BSD-3-Clause
//
// Eight output channels by Pixels output pixels: products, sums, thresholds. Groups form a chain;
// each hands its operands and its control to the next one cycle later, so that no net is wide.
//
//     sum[c][m]  = over words of: popcount(~(weight[c] ^ act[m])), doubled at each lower significance
//     code[c][m] = number of thresholds of channel c that are <= sum[c][m]         (qnn_threshold)
//
// In counting equal bits, sum = acc + constant of the channel, where acc is the canonical
// accumulator: see rtl/README.md. Thresholds are moved by the same constant when they are packed.
//
// Where ctrl_i.words the sums are made elsewhere (qnn_word_bank): they come down the chain, eight
// channels of one pixel at a time, and each group takes those that are its own. word_i is 0 else.
//
// Timing, for act_i at cycle 0: its weight_address at cycle -2, its acc_* at cycle 0. The sum can
// be compared by a compare_valid from cycle 2 on. copy in the cycle after the last compare moves
// the codes to codes_o, which show it 4 cycles later; sums_o shows a sum from cycle 5 to that of the
// next one. word_i comes with its word_* flags; with word_last at cycle 0 the sums can be compared from
// cycle 0 on. weights_o and act_o belong together.

module qnn_pe_group
  import qnn_pkg::*;
#(
  parameter  int unsigned Pixels         = 4,
  parameter  int unsigned AccW           = 32,
  parameter  int unsigned WeightWords    = 1024,
  parameter  int unsigned ThresholdWords = 512,
  localparam int unsigned PixelW         = (Pixels > 1) ? $clog2(Pixels) : 1
) (
  input  logic                       clk_i,
  input  group_ctrl_t                ctrl_i,
  input  logic [Pixels*SIMD-1:0]     act_i,              // pixel m is bits [m*SIMD +: SIMD]
  output group_ctrl_t                ctrl_o,             // to the next group
  output logic [Pixels*SIMD-1:0]     act_o,
  output logic [GROUP_PE*SIMD-1:0]   weights_o,          // channel c is bits [c*SIMD +: SIMD]
  input  logic [GROUP_PE*WORD_W-1:0] word_i,             // channel c is bits [c*WORD_W +: WORD_W]
  output logic [GROUP_PE*WORD_W-1:0] word_o,
  // parameters: weights of one channel, or thresholds of two, a beat
  input  logic [GROUP_PE-1:0]        weight_we_i,
  input  logic [11:0]                weight_waddr_i,
  input  logic [GROUP_PE/2-1:0]      threshold_we_i,     // bit i: channels 2*i (low half) and 2*i+1
  input  logic [11:0]                threshold_waddr_i,
  input  logic [63:0]                data_i,
  // results of one pixel
  input  logic [PixelW-1:0]          pixel_i,
  output logic [GROUP_PE*CODE_W-1:0] codes_o,            // channel c is bits [c*CODE_W +: CODE_W]
  output logic [GROUP_PE*AccW-1:0]   sums_o,             // channel c is bits [c*AccW +: AccW]
  // the threshold words of 3 cycles ago
  output logic [GROUP_PE*AccW-1:0]   words_o             // channel c is bits [c*AccW +: AccW]
);
  localparam int unsigned WeightAddrW = $clog2(WeightWords);

  group_ctrl_t            ctrl;
  logic [Pixels*SIMD-1:0] act;
  logic [2:0]             valid, last;                    // index: age in cycles
  logic [1:0]             first, shift;
  logic [GROUP_PE*WORD_W-1:0] word;
  logic [Pixels-1:0]      load;                           // take the words of this pixel
  always_ff @(posedge clk_i) begin
    ctrl <= ctrl_i;
    ctrl.word_group <= ctrl_i.word_group - 1'b1;
    act <= act_i;
    word <= word_i;
    {valid[2:1], last[2:1]} <= {valid[1:0], last[1:0]};
    {first[1], shift[1]} <= {first[0], shift[0]};
  end
  always_comb begin
    for (int unsigned m = 0; m < Pixels; m++) begin
      load[m] = ctrl_i.word_valid && ctrl_i.word_group == '0 && ctrl_i.word_pixel == 3'(m);
    end
  end
  assign valid[0] = ctrl.acc_valid;
  assign first[0] = ctrl.acc_first;
  assign shift[0] = ctrl.acc_shift;
  assign last[0] = ctrl.acc_last;
  assign ctrl_o = ctrl;
  assign act_o = act;
  assign word_o = word;

  // the sum is complete one cycle after its last count
  logic capture;
  assign capture = (valid[2] && last[2]) || (ctrl.word_valid && ctrl.word_last);

  logic [GROUP_PE*Pixels*AccW-1:0] sums;      // of channel c, pixel m: element c*Pixels + m
  for (genvar c = 0; c < GROUP_PE; c++) begin : gen_channel
    logic [SIMD-1:0] weight_read, weight;
    qnn_ram #(
      .Width(SIMD), .Depth(WeightWords)
    ) u_weights (
      .clk_i,
      .we_i   (weight_we_i[c]),
      .waddr_i(weight_waddr_i[WeightAddrW-1:0]),
      .wdata_i(data_i),
      .raddr_i(ctrl.weight_address[WeightAddrW-1:0]),
      .rdata_o(weight_read)
    );
    always_ff @(posedge clk_i) weight <= weight_read;
    logic words;
    qnn_copy u_words (.clk_i, .data_i(ctrl_i.words), .data_o(words));
    assign weights_o[c*SIMD+:SIMD] = weight;

    for (genvar m = 0; m < Pixels; m++) begin : gen_pixel
      logic [6:0] count;
      qnn_popcount u_popcount (
        .clk_i, .w_i(weight), .x_i(act[m*SIMD+:SIMD]), .clear_i(words), .count_o(count)
      );

      logic [AccW-1:0] sum;
      qnn_sum #(
        .AccW(AccW)
      ) u_sum (
        .clk_i, .valid_i(valid[1]), .first_i(first[1]), .shift_i(shift[1]), .load_i(load[m]),
        .capture_i(capture), .count_i(count), .word_i(word[c*WORD_W+:WORD_W]), .sum_o(sum)
      );
      assign sums[(c*Pixels+m)*AccW+:AccW] = sum;
    end
  end

  logic [GROUP_PE*Pixels*CODE_W-1:0] codes;
  qnn_threshold #(
    .Pixels(Pixels), .AccW(AccW), .ThresholdWords(ThresholdWords)
  ) u_threshold (
    .clk_i, .ctrl_i(ctrl), .threshold_we_i, .threshold_waddr_i, .data_i,
    .sums_i(sums), .codes_o(codes), .words_o
  );

  always_comb begin
    for (int unsigned c = 0; c < GROUP_PE; c++) begin
      codes_o[c*CODE_W+:CODE_W] = '0;
      sums_o[c*AccW+:AccW] = '0;
      for (int unsigned m = 0; m < Pixels; m++) begin
        if (pixel_i == PixelW'(m)) begin
          codes_o[c*CODE_W+:CODE_W] = codes[(c*Pixels+m)*CODE_W+:CODE_W];
          sums_o[c*AccW+:AccW] = sums[(c*Pixels+m)*AccW+:AccW];
        end
      end
    end
  end
endmodule
