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
// Sums have SUM_W bits; where ctrl_i.wide AccW bits, but only those of even pixels, and nothing is said
// of the odd ones.
//
// Where ctrl_i.words the sums are made elsewhere (qnn_word_bank): they come down the chain, eight
// channels of two pixels at a time, and each group takes those that are its own. word_i is 0 else.
//
// Timing, for act_i at cycle 0: its weight_address at cycle -2, its acc_* at cycle 0. The sum can
// be compared by a compare_valid from cycle 2 on. copy in the cycle after the last compare moves
// the codes to codes_o 4 cycles later, which show those of the read_pixel of the cycle before; sums_o
// shows a sum from cycle 5 to that of the next one, of the pixel_i of the cycle before. word_i comes with
// its word_* flags; with word_last at cycle 0 the sums can be compared from cycle 0 on. weights_o and act_o
// belong together.

module qnn_pe_group
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Pixels          = 4,     // even
  parameter  int unsigned AccW            = 32,
  parameter  int unsigned WeightWords     = 1024,
  parameter  int unsigned ThresholdWords  = 512,
  parameter  bit          WholeThresholds = 1,     // see qnn_threshold
  parameter  int unsigned DspPairs        = 0,     // of pixels, the last ones: sums in DSP blocks
  localparam int unsigned Pairs           = Pixels / 2,
  localparam int unsigned PixelW          = $clog2(Pixels),
  localparam int unsigned WordsW          = GROUP_PE * 2 * SUM_W
) (
  input  logic                       clk_i,
  input  group_ctrl_t                ctrl_i,
  input  logic [Pixels*SIMD-1:0]     act_i,              // pixel m is bits [m*SIMD +: SIMD]
  output group_ctrl_t                ctrl_o,             // to the next group
  output logic [Pixels*SIMD-1:0]     act_o,
  output logic [GROUP_PE*SIMD-1:0]   weights_o,          // channel c is bits [c*SIMD +: SIMD]
  input  logic [WordsW-1:0]          word_i,             // two pixels of channel 0, of channel 1, ...
  output logic [WordsW-1:0]          word_o,
  // parameters: weights of one channel a beat; parts of four thresholds, as qnn_threshold takes them
  input  logic [GROUP_PE-1:0]        weight_we_i,
  input  logic [11:0]                weight_waddr_i,
  input  logic [63:0]                weight_data_i,
  input  logic [GROUP_PE/4-1:0]      threshold_we_i,
  input  logic [11:0]                threshold_waddr_i,
  input  logic                       threshold_high_i,
  input  logic [4*SHORT_W-1:0]       threshold_data_i,
  // results of one pixel
  output logic [GROUP_PE*CODE_W-1:0] codes_o,            // channel c is bits [c*CODE_W +: CODE_W]
  input  logic [PixelW-1:0]          pixel_i,            // of the sums of the next cycle
  output logic [GROUP_PE*AccW-1:0]   sums_o,             // channel c is bits [c*AccW +: AccW]
  // the threshold words of 3 cycles ago
  output logic [GROUP_PE*AccW-1:0]   words_o             // channel c is bits [c*AccW +: AccW]
);
  localparam int unsigned WeightAddrW = $clog2(WeightWords);

  group_ctrl_t            ctrl;
  logic [Pixels*SIMD-1:0] act;
  logic [2:0]             valid, last;                    // index: age in cycles
  logic [1:0]             first, shift;
  logic [WordsW-1:0]      word;
  logic [Pairs-1:0]       load;                           // take the words of these pixels
  always_ff @(posedge clk_i) begin
    ctrl <= ctrl_i;
    ctrl.word_group <= ctrl_i.word_group - 1'b1;
    act <= act_i;
    word <= word_i;
    {valid[2:1], last[2:1]} <= {valid[1:0], last[1:0]};
    {first[1], shift[1]} <= {first[0], shift[0]};
  end
  always_comb begin
    for (int unsigned m = 0; m < Pairs; m++) begin
      load[m] = ctrl_i.word_valid && ctrl_i.word_group == '0 && ctrl_i.word_pair == 2'(m);
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

  logic [GROUP_PE*Pairs*(AccW+SUM_W)-1:0]     sums;    // as qnn_threshold takes them
  logic [GROUP_PE-1:0][Pixels-1:0][AccW-1:0]  sum;     // each
  for (genvar c = 0; c < GROUP_PE; c++) begin : gen_channel
    logic [SIMD-1:0] weight_read, weight;
    qnn_ram #(
      .Width(SIMD), .Depth(WeightWords)
    ) u_weights (
      .clk_i,
      .we_i   (weight_we_i[c]),
      .waddr_i(weight_waddr_i[WeightAddrW-1:0]),
      .wdata_i(weight_data_i),
      .raddr_i(ctrl.weight_address[WeightAddrW-1:0]),
      .rdata_o(weight_read)
    );
    always_ff @(posedge clk_i) weight <= weight_read;
    logic no_even, no_odd;
    qnn_copy u_no_even (.clk_i, .data_i(ctrl_i.words), .data_o(no_even));
    qnn_copy u_no_odd (.clk_i, .data_i(ctrl_i.words || ctrl_i.wide), .data_o(no_odd));
    assign weights_o[c*SIMD+:SIMD] = weight;

    for (genvar m = 0; m < Pairs; m++) begin : gen_pair
      logic [1:0][6:0] counts;
      for (genvar k = 0; k < 2; k++) begin : gen_pixel
        qnn_popcount u_popcount (
          .clk_i, .w_i(weight), .x_i(act[(2*m+k)*SIMD+:SIMD]), .clear_i(k == 0 ? no_even : no_odd),
          .count_o(counts[k])
        );
      end

      logic [AccW-1:0]  even;
      logic [SUM_W-1:0] odd;
      qnn_sum_pair #(
        .AccW(AccW), .Dsp(m + DspPairs >= Pairs)
      ) u_sums (
        .clk_i, .wide_i(ctrl.wide), .valid_i(valid[1]), .first_i(first[1]), .shift_i(shift[1]),
        .load_i(load[m]), .capture_i(capture), .counts_i(counts),
        .words_i(word[c*2*SUM_W+:2*SUM_W]), .even_o(even), .odd_o(odd)
      );
      assign sums[(c*Pairs+m)*(AccW+SUM_W)+:AccW+SUM_W] = {odd, even};
      assign sum[c][2*m] = even;
      assign sum[c][2*m+1] = AccW'(odd);
    end
  end

  logic [GROUP_PE-1:0][Pixels-1:0][CODE_W-1:0] code;
  qnn_threshold #(
    .Pixels(Pixels), .AccW(AccW), .ThresholdWords(ThresholdWords), .Whole(WholeThresholds)
  ) u_threshold (
    .clk_i, .ctrl_i(ctrl), .threshold_we_i, .threshold_waddr_i, .threshold_high_i, .threshold_data_i,
    .sums_i(sums), .codes_o(code), .words_o
  );

  logic [GROUP_PE/2-1:0][PixelW-1:0] pixel;          // of two channels each
  for (genvar c = 0; c < GROUP_PE / 2; c++) begin : gen_pixel
    qnn_copy #(
      .Width(PixelW)
    ) u_pixel (.clk_i, .data_i(pixel_i), .data_o(pixel[c]));
  end
  for (genvar c = 0; c < GROUP_PE; c++) begin : gen_result
    logic [PixelW-1:0] read_pixel;
    qnn_copy #(
      .Width(PixelW)
    ) u_read_pixel (.clk_i, .data_i(ctrl_i.read_pixel[PixelW-1:0]), .data_o(read_pixel));
    assign codes_o[c*CODE_W+:CODE_W] = code[c][read_pixel];
    assign sums_o[c*AccW+:AccW] = sum[c][pixel[c/2]];
  end
endmodule
