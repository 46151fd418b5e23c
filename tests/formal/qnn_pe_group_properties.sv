// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_pe_group, of one channel and one pixel, any: what is compared of weights and activations is what
// was written and what came in; the sum is that of the counts of its words, doubled at each lower
// significance, or the words from elsewhere; captured after the last of them, it shows at the outputs
// of its pixel until the next one. Control and operands reach the next group a cycle later.
//
// What qnn_popcount counts is any number here, and what qnn_threshold makes of a sum is in its own
// proof: with these two it follows that sums and codes equal their formula.
//
// Assumed: ctrl_i.words stays as it is; with it no bits are counted and accumulated, without it the
// words are 0; a weight is not read while it is written.

module qnn_pe_group_properties
  import qnn_pkg::*;
#(
  parameter  int unsigned Channel = 0,
  parameter  int unsigned Pixels  = 2,
  localparam int unsigned AccW    = 32,
  localparam int unsigned PixelW  = (Pixels > 1) ? $clog2(Pixels) : 1,
  localparam int unsigned Pixel   = Pixels - 1
) (
  input logic                       clk_i,
  input group_ctrl_t                ctrl_i,
  input logic [Pixels*SIMD-1:0]     act_i,
  input logic [GROUP_PE*WORD_W-1:0] word_i,
  input logic [GROUP_PE-1:0]        weight_we_i,
  input logic [11:0]                weight_waddr_i,
  input logic [63:0]                data_i,
  input logic [PixelW-1:0]          pixel_i,
  input logic                       words_i,           // any, the same in all cycles
  input logic [1:0]                 place_i            // likewise
);
  group_ctrl_t                ctrl;
  logic [Pixels*SIMD-1:0]     act;
  logic [GROUP_PE*SIMD-1:0]   weights;
  logic [GROUP_PE*WORD_W-1:0] word;
  logic [GROUP_PE*AccW-1:0]   sums;
  qnn_pe_group #(
    .Pixels(Pixels), .AccW(AccW), .WeightWords(4), .ThresholdWords(2)
  ) dut (
    .clk_i, .ctrl_i, .act_i, .ctrl_o(ctrl), .act_o(act), .weights_o(weights), .word_i,
    .word_o(word), .weight_we_i, .weight_waddr_i, .threshold_we_i('0), .threshold_waddr_i('0),
    .data_i, .pixel_i, .codes_o(), .sums_o(sums), .words_o()
  );
  logic [6:0] count;
  assign count = dut.gen_channel[Channel].gen_pixel[Pixel].count;

  logic [2:0] age = '0;
  always_ff @(posedge clk_i) if (age != 3'd7) age <= age + 1'b1;

  logic       words;
  logic [1:0] place;
  always_ff @(posedge clk_i) if (age == '0) {words, place} <= {words_i, place_i};
  always_comb begin
    assume (ctrl_i.words == (age == '0 ? words_i : words));
    if (ctrl_i.words) assume (!ctrl_i.acc_valid && count == '0);
    else assume (!ctrl_i.word_valid && word_i == '0);
    assume (!(weight_we_i[Channel] && weight_waddr_i[1:0] == ctrl.weight_address[1:0]));
  end

  // to the next group, a cycle later
  group_ctrl_t                ctrl_1, ctrl_2, ctrl_3;
  logic [Pixels*SIMD-1:0]     act_1;
  logic [GROUP_PE*WORD_W-1:0] word_1;
  logic                       load;
  always_ff @(posedge clk_i) begin
    ctrl_1 <= ctrl_i;
    ctrl_1.word_group <= ctrl_i.word_group - 1'b1;
    ctrl_2 <= ctrl_1;
    ctrl_3 <= ctrl_2;
    act_1 <= act_i;
    word_1 <= word_i;
    load <= ctrl_i.word_valid && ctrl_i.word_group == '0 && ctrl_i.word_pixel == 3'(Pixel);
  end

  // a weight that was written, three cycles behind its address
  logic        known = 1'b0, read_2 = 1'b0, read_3 = 1'b0;
  logic [63:0] stored, read_word_2, read_word_3;
  always_ff @(posedge clk_i) begin
    if (weight_we_i[Channel] && weight_waddr_i[1:0] == place) stored <= data_i;
    known <= age != '0
        && (known || (weight_we_i[Channel] && weight_waddr_i[1:0] == place));
    read_2 <= known && age >= 3'd1 && ctrl_1.weight_address[1:0] == place;
    read_3 <= read_2;
    read_word_2 <= stored;
    read_word_3 <= read_word_2;
  end

  // the sum: as the formula has it
  logic            begun = 1'b0, shown = 1'b0;
  logic [AccW-1:0] total, result;
  always_ff @(posedge clk_i) begin
    if (load && age >= 3'd3) begin
      total <= word_1[Channel*WORD_W+:WORD_W];
      begun <= 1'b1;
    end else if (ctrl_3.acc_valid && age >= 3'd3) begin
      if (ctrl_3.acc_first) total <= AccW'(count);
      else if (ctrl_3.acc_shift) total <= 2 * total + AccW'(count);
      else total <= total + AccW'(count);
      if (ctrl_3.acc_first) begun <= 1'b1;
    end
  end

  // captured in the cycle after the last count, or after the last word
  logic capture;
  always_ff @(posedge clk_i) begin
    capture <= age >= 3'd3 && (words ? ctrl_1.word_valid && ctrl_1.word_last
        : ctrl_3.acc_valid && ctrl_3.acc_last);
    if (capture) begin
      result <= total;
      shown <= begun;
    end
    if (age < 3'd4) shown <= 1'b0;
  end

  logic add, clear, shift, captures;   // registers of the sum
  assign add = dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.add;
  assign clear = dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.clear;
  assign shift = dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.shift;
  assign captures = dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.capture;

  always_comb begin
    if (age >= 3'd1) begin
      next_ctrl : assert (ctrl == ctrl_1);
      next_act : assert (act == act_1);
      next_word : assert (word == word_1);
      next_load : assert (!load || (add && clear));
      words_stay : assert (ctrl_1.words == words);
      words_alone : assert (words ? !ctrl_1.acc_valid : !ctrl_1.word_valid && !load && word_1 == '0);
    end
    if (age >= 3'd2) begin
      same_2 : assert ({dut.valid[1], dut.first[1], dut.shift[1], dut.last[1]}
          == {ctrl_2.acc_valid, ctrl_2.acc_first, ctrl_2.acc_shift, ctrl_2.acc_last});
      words_alone_2 : assert (!(words && ctrl_2.acc_valid));
    end
    if (age >= 3'd3) begin
      same_3 : assert ({dut.valid[2], dut.last[2]} == {ctrl_3.acc_valid, ctrl_3.acc_last});
      same_flags : assert ({add, clear, shift}
          == {ctrl_3.acc_valid || load, ctrl_3.acc_first || load, ctrl_3.acc_shift});
      words_alone_3 : assert (!(words && ctrl_3.acc_valid));
    end
    if (age >= 3'd4) same_capture : assert (captures == capture);
    operands : assert (
        dut.gen_channel[Channel].gen_pixel[Pixel].u_popcount.w_i == weights[Channel*SIMD+:SIMD]
        && dut.gen_channel[Channel].gen_pixel[Pixel].u_popcount.x_i == act[Pixel*SIMD+:SIMD]
        && dut.gen_channel[Channel].gen_pixel[Pixel].u_popcount.clear_i == ctrl.words);
    if (known) weight_held : assert (dut.gen_channel[Channel].u_weights.mem[place] == stored);
    if (read_2) weight_read : assert (dut.gen_channel[Channel].weight_read == read_word_2);
    if (read_3) weight_right : assert (weights[Channel*SIMD+:SIMD] == read_word_3);
    if (begun) sum_counts : assert (dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.acc == total);
    if (shown) begin
      sum_late : assert (age > 3'd4);
      sum_held : assert (dut.gen_channel[Channel].gen_pixel[Pixel].sum == result);
      if (pixel_i == PixelW'(Pixel)) sum_shown : assert (sums[Channel*AccW+:AccW] == result);
    end
    if (begun) begun_late : assert (age > 3'd3);
    cover_sum : cover (shown && !words && result == 32'd77);
    cover_word : cover (shown && words && result == 32'h80000001);
    cover_weight : cover (read_3 && weights[Channel*SIMD+:SIMD] == 64'h123456789);
  end
endmodule
