// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_pe_group, of one channel and two neighbouring pixels, any: what is compared of weights and
// activations is what was written and what came in; both sums are those of the counts of their words,
// doubled at each lower significance, or the words from elsewhere; captured after the last of them,
// they go to the thresholds and show at the outputs of their pixels until the next ones. Control and
// operands reach the next group a cycle later.
//
// That of the even pixel holds as long as it needs no more than SUM_W bits; where ctrl_i.wide it holds
// modulo 2^AccW, and nothing is said of the odd one. That of the odd pixel holds modulo 2^SUM_W.
//
// What qnn_popcount counts is any number here, and what qnn_threshold makes of a sum is in its own
// proof: with these two it follows that sums and codes equal their formula.
//
// Assumed: ctrl_i.words and ctrl_i.wide stay as they are, at most one of them is high; with words no
// bits are counted and accumulated, without it the words are 0; with wide none of the odd pixel are
// counted; a weight is not read while it is written.

module qnn_pe_group_properties
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Channel         = 0,
  parameter  int unsigned Pixels          = 2,
  parameter  bit          WholeThresholds = 1,
  parameter  int unsigned DspPairs        = 0,
  localparam int unsigned AccW            = 32,
  localparam int unsigned PixelW          = $clog2(Pixels),
  localparam int unsigned Pairs           = Pixels / 2,
  localparam int unsigned Pair            = Pairs - 1,     // the last one
  localparam int unsigned Even            = 2 * Pair,
  localparam int unsigned Odd             = 2 * Pair + 1,
  localparam int unsigned WordsW          = GROUP_PE * 2 * SUM_W
) (
  input logic                       clk_i,
  input group_ctrl_t                ctrl_i,
  input logic [Pixels*SIMD-1:0]     act_i,
  input logic [WordsW-1:0]          word_i,
  input logic [GROUP_PE-1:0]        weight_we_i,
  input logic [11:0]                weight_waddr_i,
  input logic [63:0]                weight_data_i,
  input logic [GROUP_PE/4-1:0]      threshold_we_i,
  input logic [11:0]                threshold_waddr_i,
  input logic                       threshold_high_i,
  input logic [4*SHORT_W-1:0]       threshold_data_i,
  input logic [PixelW-1:0]          pixel_i,
  input logic                       words_i,           // any, the same in all cycles
  input logic                       wide_i,            // likewise
  input logic [1:0]                 place_i            // likewise
);
  group_ctrl_t                ctrl;
  logic [Pixels*SIMD-1:0]     act;
  logic [GROUP_PE*SIMD-1:0]   weights;
  logic [WordsW-1:0]          word;
  logic [GROUP_PE*CODE_W-1:0] codes;
  logic [GROUP_PE*AccW-1:0]   sums;
  qnn_pe_group #(
    .Pixels(Pixels), .AccW(AccW), .WeightWords(4), .ThresholdWords(2),
    .WholeThresholds(WholeThresholds), .DspPairs(DspPairs)
  ) dut (
    .clk_i, .ctrl_i, .act_i, .ctrl_o(ctrl), .act_o(act), .weights_o(weights), .word_i,
    .word_o(word), .weight_we_i, .weight_waddr_i, .weight_data_i, .threshold_we_i,
    .threshold_waddr_i, .threshold_high_i, .threshold_data_i, .pixel_i, .codes_o(codes), .sums_o(sums), .words_o()
  );
  logic [1:0][6:0]    counts;         // even pixel first
  logic [2*SUM_W-1:0] acc;            // likewise
  assign counts = dut.gen_channel[Channel].gen_pair[Pair].counts;
  assign acc = dut.gen_channel[Channel].gen_pair[Pair].u_sums.acc;

  logic [2:0] age = '0;
  always_ff @(posedge clk_i) if (age != 3'd7) age <= age + 1'b1;

  logic [PixelW-1:0] asked, pixel;    // whose codes show, and whose sums
  always_ff @(posedge clk_i) {asked, pixel} <= {ctrl_i.read_pixel[PixelW-1:0], pixel_i};

  logic       words, wide;
  logic [1:0] place;
  always_ff @(posedge clk_i) if (age == '0) {words, wide, place} <= {words_i, wide_i, place_i};
  always_comb begin
    assume (!(words_i && wide_i));
    assume (ctrl_i.words == (age == '0 ? words_i : words));
    assume (ctrl_i.wide == (age == '0 ? wide_i : wide));
    if (ctrl_i.words) assume (!ctrl_i.acc_valid && counts == '0);
    else assume (!ctrl_i.word_valid && word_i == '0);
    if (ctrl_i.wide) assume (counts[1] == '0);
    assume (!(weight_we_i[Channel] && weight_waddr_i[1:0] == ctrl.weight_address[1:0]));
  end

  // to the next group, a cycle later
  group_ctrl_t            ctrl_1, ctrl_2, ctrl_3;
  logic [Pixels*SIMD-1:0] act_1;
  logic [WordsW-1:0]      word_1;
  logic                   load;
  always_ff @(posedge clk_i) begin
    ctrl_1 <= ctrl_i;
    ctrl_1.word_group <= ctrl_i.word_group - 1'b1;
    ctrl_2 <= ctrl_1;
    ctrl_3 <= ctrl_2;
    act_1 <= act_i;
    word_1 <= word_i;
    load <= ctrl_i.word_valid && ctrl_i.word_group == '0 && ctrl_i.word_pair == 2'(Pair);
  end

  // a weight that was written, three cycles behind its address
  logic        known = 1'b0, read_2 = 1'b0, read_3 = 1'b0;
  logic [63:0] stored, read_word_2, read_word_3;
  always_ff @(posedge clk_i) begin
    if (weight_we_i[Channel] && weight_waddr_i[1:0] == place) stored <= weight_data_i;
    known <= age != '0
        && (known || (weight_we_i[Channel] && weight_waddr_i[1:0] == place));
    read_2 <= known && age >= 3'd1 && ctrl_1.weight_address[1:0] == place;
    read_3 <= read_2;
    read_word_2 <= stored;
    read_word_3 <= read_word_2;
  end

  // the sums: as the formula has them
  logic             begun = 1'b0, shown = 1'b0;
  logic [AccW-1:0]  even_total, even_result;
  logic [SUM_W-1:0] odd_total, odd_result;
  logic [AccW:0]    even_base, even_next;
  logic [SUM_W-1:0] odd_base;
  logic             adds;
  assign adds = ctrl_3.acc_valid && age >= 3'd3;
  always_comb begin
    even_base = (AccW + 1)'(even_total);
    odd_base = odd_total;
    if (ctrl_3.acc_first) {even_base, odd_base} = '0;
    else if (ctrl_3.acc_shift) begin
      even_base = 2 * even_base;
      odd_base = 2 * odd_base;
    end
    even_next = even_base + (AccW + 1)'(counts[0]);
    if (adds && begun && !wide) assume (even_next[AccW:SUM_W] == '0);
  end
  always_ff @(posedge clk_i) begin
    if (load && age >= 3'd3) begin
      even_total <= AccW'(word_1[(2*Channel)*SUM_W+:SUM_W]);
      odd_total <= word_1[(2*Channel+1)*SUM_W+:SUM_W];
      begun <= 1'b1;
    end else if (adds) begin
      even_total <= even_next[AccW-1:0];
      odd_total <= odd_base + SUM_W'(counts[1]);
      if (ctrl_3.acc_first) begun <= 1'b1;
    end
  end

  // captured in the cycle after the last count, or after the last word
  logic capture;
  always_ff @(posedge clk_i) begin
    capture <= age >= 3'd3 && (words ? ctrl_1.word_valid && ctrl_1.word_last
        : ctrl_3.acc_valid && ctrl_3.acc_last);
    if (capture) begin
      {even_result, odd_result} <= {even_total, odd_total};
      shown <= begun;
    end
    if (age < 3'd4) shown <= 1'b0;
  end

  logic add, clear, shift, captures, narrow;   // registers of the sums
  if (Pair + DspPairs >= Pairs) begin : gen_dsp
    assign add = dut.gen_channel[Channel].gen_pair[Pair].u_sums.gen_dsp.u_acc.u_acc.add;
    assign clear = dut.gen_channel[Channel].gen_pair[Pair].u_sums.gen_dsp.u_acc.u_acc.clear;
    assign shift = dut.gen_channel[Channel].gen_pair[Pair].u_sums.gen_dsp.u_acc.u_acc.shift;
  end else begin : gen_lut
    assign add = dut.gen_channel[Channel].gen_pair[Pair].u_sums.gen_lut.u_acc.add;
    assign clear = dut.gen_channel[Channel].gen_pair[Pair].u_sums.gen_lut.u_acc.clear;
    assign shift = dut.gen_channel[Channel].gen_pair[Pair].u_sums.gen_lut.u_acc.shift;
  end
  assign captures = dut.gen_channel[Channel].gen_pair[Pair].u_sums.capture;
  assign narrow = dut.gen_channel[Channel].gen_pair[Pair].u_sums.narrow;

  // the sums of both pixels as qnn_threshold takes them
  logic [SUM_W+AccW-1:0] compared;
  assign compared = dut.u_threshold.sums_i[(Channel*Pairs+Pair)*(AccW+SUM_W)+:AccW+SUM_W];

  always_comb begin
    if (age >= 3'd1) begin
      next_ctrl : assert (ctrl == ctrl_1);
      next_act : assert (act == act_1);
      next_word : assert (word == word_1);
      next_load : assert (!load || (add && clear));
      next_threshold : assert (dut.u_threshold.ctrl_i == ctrl_1);
      words_stay : assert (ctrl_1.words == words && ctrl_1.wide == wide && !(words && wide));
      words_alone : assert (words ? !ctrl_1.acc_valid : !ctrl_1.word_valid && !load && word_1 == '0);
    end
    if (age >= 3'd2) begin
      same_2 : assert ({dut.valid[1], dut.first[1], dut.shift[1], dut.last[1]}
          == {ctrl_2.acc_valid, ctrl_2.acc_first, ctrl_2.acc_shift, ctrl_2.acc_last});
      same_narrow : assert (narrow == !wide);
      words_alone_2 : assert (!(words && ctrl_2.acc_valid));
    end
    if (age >= 3'd3) begin
      same_3 : assert ({dut.valid[2], dut.last[2]} == {ctrl_3.acc_valid, ctrl_3.acc_last});
      same_flags : assert ({add, clear, shift}
          == {ctrl_3.acc_valid || load, ctrl_3.acc_first || load, ctrl_3.acc_shift});
      words_alone_3 : assert (!(words && ctrl_3.acc_valid));
    end
    if (age >= 3'd4) same_capture : assert (captures == capture);
    operands_even : assert (
        dut.gen_channel[Channel].gen_pair[Pair].gen_pixel[0].u_popcount.w_i
            == weights[Channel*SIMD+:SIMD]
        && dut.gen_channel[Channel].gen_pair[Pair].gen_pixel[0].u_popcount.x_i == act[Even*SIMD+:SIMD]
        && dut.gen_channel[Channel].gen_pair[Pair].gen_pixel[0].u_popcount.clear_i == ctrl.words);
    operands_odd : assert (
        dut.gen_channel[Channel].gen_pair[Pair].gen_pixel[1].u_popcount.w_i
            == weights[Channel*SIMD+:SIMD]
        && dut.gen_channel[Channel].gen_pair[Pair].gen_pixel[1].u_popcount.x_i == act[Odd*SIMD+:SIMD]
        && dut.gen_channel[Channel].gen_pair[Pair].gen_pixel[1].u_popcount.clear_i
            == (ctrl.words || ctrl.wide));
    if (known) weight_held : assert (dut.gen_channel[Channel].u_weights.mem[place] == stored);
    if (read_2) weight_read : assert (dut.gen_channel[Channel].weight_read == read_word_2);
    if (read_3) weight_right : assert (weights[Channel*SIMD+:SIMD] == read_word_3);
    if (begun) begin
      sum_counts : assert (wide ? acc[AccW-1:0] == even_total
          : acc == {odd_total, even_total[SUM_W-1:0]});
      sum_narrow : assert (wide || even_total[AccW-1:SUM_W] == '0);
      begun_late : assert (age > 3'd3);
    end
    if (shown) begin
      sum_late : assert (age > 3'd4);
      sum_result : assert (wide || even_result[AccW-1:SUM_W] == '0);
      sum_held : assert (compared[AccW-1:0] == even_result);
      if (!wide) sum_held_odd : assert (compared[AccW+:SUM_W] == odd_result);
      if (pixel == PixelW'(Even)) begin
        sum_shown : assert (sums[Channel*AccW+:AccW] == even_result);
      end
      if (pixel == PixelW'(Odd) && !wide) begin
        sum_shown_odd : assert (sums[Channel*AccW+:AccW] == AccW'(odd_result));
      end
    end
    if (age != '0 && asked == PixelW'(Even)) begin
      code_shown : assert (codes[Channel*CODE_W+:CODE_W]
          == dut.u_threshold.codes_o[(Channel*Pixels+Even)*CODE_W+:CODE_W]);
    end
    if (age != '0 && asked == PixelW'(Odd)) begin
      code_shown_odd : assert (codes[Channel*CODE_W+:CODE_W]
          == dut.u_threshold.codes_o[(Channel*Pixels+Odd)*CODE_W+:CODE_W]);
    end
    cover_sum : cover (shown && !words && !wide && even_result == 32'd77 && odd_result == 24'd99);
    cover_wide : cover (shown && wide && even_result == 32'd78);
    cover_word : cover (shown && words && even_result == 32'h800001 && odd_result == 24'h800002);
    cover_weight : cover (read_3 && weights[Channel*SIMD+:SIMD] == 64'h123456789);
  end
endmodule
