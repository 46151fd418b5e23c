// SPDX-License-Identifier: BSD-3-Clause
//
// The sum of one channel and one pixel of qnn_pe_group, and the last one that was complete. Every flag
// has a register here, so that it loads only these.
//
// Timing: flags come a cycle before count_i and word_i; at most one of count_i and word_i is not 0.
// capture_i comes in the cycle in which the last count or word does.

module qnn_sum
  import qnn_pkg::*;
#(
  parameter int unsigned AccW = 32
) (
  input  logic              clk_i,
  input  logic              valid_i,
  input  logic              first_i,     // first product of a sum
  input  logic              shift_i,     // double what is there
  input  logic              load_i,      // word_i alone
  input  logic              capture_i,
  input  logic [6:0]        count_i,
  input  logic [WORD_W-1:0] word_i,
  output logic [AccW-1:0]   sum_o
);
  logic            add, clear, shift, capture;
  logic [AccW-1:0] acc, base;
  assign base = clear ? '0 : shift ? {acc[AccW-2:0], 1'b0} : acc;
  always_ff @(posedge clk_i) begin
    add <= valid_i || load_i;
    clear <= first_i || load_i;
    {shift, capture} <= {shift_i, capture_i};
    // words cost no addition: counts where there are words
    if (add) acc <= AccW'(count_i) + (base | AccW'(word_i));
    if (capture) sum_o <= acc;
  end
endmodule
