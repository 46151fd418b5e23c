// SPDX-License-Identifier: BSD-3-Clause
//
// The sums of one channel and two neighbouring pixels of qnn_pe_group, and the last ones that were
// complete. Both are one number, that of the odd pixel from bit SUM_W on: as long as neither needs more
// bits, none reaches the other. Where wide_i the odd pixel counts nothing, and the even one has AccW bits.
//
// Timing: flags come a cycle before counts and words; at most one of both is not 0. capture_i comes in
// the cycle in which the last count or word does.

module qnn_sum_pair
  import qnn_regs_pkg::*;
#(
  parameter int unsigned AccW = 32,      // at most 2 * SUM_W
  parameter bit          Dsp  = 0        // in a DSP block
) (
  input  logic               clk_i,
  input  logic               wide_i,
  input  logic               valid_i,
  input  logic               first_i,    // first product of a sum
  input  logic               shift_i,    // double what is there
  input  logic               load_i,     // words alone
  input  logic               capture_i,
  input  logic [1:0][6:0]    counts_i,   // even pixel first
  input  logic [2*SUM_W-1:0] words_i,    // likewise
  output logic [AccW-1:0]    even_o,
  output logic [SUM_W-1:0]   odd_o
);
  logic [2*SUM_W-1:0] acc;
  if (Dsp) begin : gen_dsp
    qnn_dsp_accumulator #(
      .Width(2 * SUM_W)
    ) u_acc (
      .clk_i, .valid_i, .first_i, .shift_i, .load_i, .counts_i, .word_i(words_i), .acc_o(acc)
    );
  end else begin : gen_lut
    qnn_accumulator #(
      .Width(2 * SUM_W)
    ) u_acc (
      .clk_i, .valid_i, .first_i, .shift_i, .load_i, .counts_i, .word_i(words_i), .acc_o(acc)
    );
  end

  logic capture, narrow;
  always_ff @(posedge clk_i) begin
    capture <= capture_i;
    narrow <= !wide_i;
    if (capture) {odd_o, even_o[SUM_W-1:0]} <= acc;
    if (narrow) even_o[AccW-1:SUM_W] <= '0;
    else if (capture) even_o[AccW-1:SUM_W] <= acc[AccW-1:SUM_W];
  end
endmodule
