// SPDX-License-Identifier: BSD-3-Clause
//
// Products of 16-bit words of one channel and one pixel, on four DSP48s, and their sum over a pass.
//
// The four products of a word are one chain of multiply-adds, each a cycle behind the one before it.
// The sum is made in halves, the upper one a cycle behind the lower one.
//
// Timing: with number 0 of a word at cycle 0, number j comes at cycle j, valid_i and first_i at cycle 5,
// last_i at cycle 7. sum_o shows the sum of a pass from cycle 9 of its last word to that of the next.

module qnn_word_sum
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  localparam int unsigned Numbers = SIMD / 16
) (
  input  logic              clk_i,
  input  logic              unsigned_i,
  input  logic              valid_i,
  input  logic              first_i,     // first word of a pass
  input  logic              last_i,      // last word of a pass
  input  logic [SIMD-1:0]   weight_i,    // number j is bits [16*j +: 16]
  input  logic [SIMD-1:0]   act_i,       // likewise
  output logic [SUM_W-1:0] sum_o
);
  localparam int unsigned ChainW = 35;            // four products of 16 and 17 bits
  localparam int unsigned LowW = WORD_ACC_W / 2;
  localparam int unsigned HighW = WORD_ACC_W - LowW;

  for (genvar j = 0; j < Numbers; j++) begin : gen_product
    logic signed [15:0] weight;
    logic signed [16:0] act;
    logic signed [32:0] product;
    logic signed [ChainW-1:0] chain;
    always_ff @(posedge clk_i) begin
      weight <= weight_i[16*j+:16];
      act <= {act_i[16*j+15] && !unsigned_i, act_i[16*j+:16]};
      product <= weight * act;
    end
    if (j == 0) begin : gen_head
      always_ff @(posedge clk_i) chain <= ChainW'(product);
    end else begin : gen_link
      always_ff @(posedge clk_i) chain <= gen_product[j-1].chain + ChainW'(product);
    end
  end
  logic [ChainW-1:0] chain;
  assign chain = gen_product[Numbers-1].chain;

  logic                    last, carry;
  logic [1:0]              valid, first;          // index: halves
  logic [LowW-1:0]         low;
  logic [LowW-1:WORD_SHIFT] low_late;
  logic [HighW-1:0]        high, high_added;      // two's complement
  always_ff @(posedge clk_i) begin
    valid <= {valid[0], valid_i};
    first <= {first[0], first_i};
    last <= last_i;
    if (valid[0]) {carry, low} <= {1'b0, chain[LowW-1:0]} + (first[0] ? '0 : {1'b0, low});
    low_late <= low[LowW-1:WORD_SHIFT];
    high_added <= HighW'($signed(chain[ChainW-1:LowW]));
    if (valid[1]) high <= high_added + (first[1] ? '0 : high) + HighW'(carry);
    if (last) sum_o <= {!high[HighW-1], high[HighW-2:0], low_late};
  end
endmodule
