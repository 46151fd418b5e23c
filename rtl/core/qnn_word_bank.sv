// SPDX-License-Identifier: BSD-3-Clause
//
// Products of 16-bit words, on DSP48s: eight output channels by Pixels output pixels, four products
// of each a cycle. A word of weights or of a window is four numbers, number j is bits [16*j +: 16].
//
//     acc[c][m] = over the words of a pass: sum of weight[c][j] * act[m][j], exact to WORD_ACC_W bits
//     sum[c][m] = (acc[c][m] >> WORD_SHIFT) + 2^(SUM_W-1), SUM_W bits          (arithmetic shift)
//
// Weights are two's complement, and so are the numbers of a window unless unsigned_i.
//
// The passes over one group of pixels are for one group of channels after the other.
//
// Timing, for weights_i and act_i at cycle 0: a pass that ends there shows its sums from cycle 10 on,
// two pixels a cycle. A pass has at least Pixels words; between its words may be any gap. Without
// valid_o sums_o is 0, but in the cycle after a reset has begun. unsigned_i stays as it is from a cycle
// before a word on.

module qnn_word_bank
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Pixels = 4,     // even
  localparam int unsigned Pairs  = Pixels / 2,
  localparam int unsigned PairW  = (Pairs > 1) ? $clog2(Pairs) : 1,
  localparam int unsigned WordsW = GROUP_PE * 2 * SUM_W
) (
  input  logic                       clk_i,
  input  logic                       rst_i,
  input  logic                       unsigned_i,
  input  logic                       valid_i,
  input  logic                       first_i,     // first word of a pass
  input  logic                       last_i,      // last word of a pass
  input  logic                       end_i,       // ... of the last pass
  input  logic [GROUP_PE*SIMD-1:0]   weights_i,   // channel c is bits [c*SIMD +: SIMD]
  input  logic [Pixels*SIMD-1:0]     act_i,       // pixel m is bits [m*SIMD +: SIMD]
  output logic                       valid_o,
  output logic [2:0]                 group_o,     // passes of these pixels before this one
  output logic [PairW-1:0]           pair_o,      // pixels 2 * pair_o and the next
  output logic                       last_o,      // the last sums of these pixels
  output logic [WordsW-1:0]          sums_o       // both pixels of channel 0, of channel 1, ...
);
  localparam int unsigned Numbers = SIMD / 16;
  localparam int unsigned Latency = Numbers + 2;  // from the operands to the end of the chain

  logic [Latency-2:0] valid, first;
  logic [Latency+1:0] last, ending;
  always_ff @(posedge clk_i) begin
    valid <= {valid[Latency-3:0], valid_i};
    first <= {first[Latency-3:0], first_i};
    last <= {last[Latency:0], last_i && valid_i};
    ending <= {ending[Latency:0], end_i};
    if (rst_i) last <= '0;
  end

  // number j of a word is j cycles late, so that its product meets the sum of those before it
  logic [GROUP_PE*SIMD-1:0] weights;
  logic [Pixels*SIMD-1:0]   act;
  for (genvar c = 0; c < GROUP_PE; c++) begin : gen_weight
    qnn_skew u_skew (.clk_i, .data_i(weights_i[c*SIMD+:SIMD]), .data_o(weights[c*SIMD+:SIMD]));
  end
  for (genvar m = 0; m < Pixels; m++) begin : gen_act
    qnn_skew u_skew (.clk_i, .data_i(act_i[m*SIMD+:SIMD]), .data_o(act[m*SIMD+:SIMD]));
  end

  // two pixels a cycle: which, for each channel
  logic             reading, reading_next, at_end, last_pair;
  logic [PairW-1:0] pair, pair_next;
  logic [2:0]       group;
  assign last_pair = pair == PairW'(Pairs - 1);
  always_comb begin
    {reading_next, pair_next} = {reading && !last_pair, pair};
    if (reading) pair_next = pair + 1'b1;
    if (last[Latency+1]) {reading_next, pair_next} = {1'b1, PairW'(0)};
    if (rst_i) reading_next = 1'b0;
  end
  always_ff @(posedge clk_i) begin
    {reading, pair} <= {reading_next, pair_next};
    if (reading && last_pair) group <= at_end ? '0 : group + 1'b1;
    if (last[Latency+1]) at_end <= ending[Latency+1];
    if (rst_i) group <= '0;
    valid_o <= reading && !rst_i;
    group_o <= group;
    pair_o <= pair;
    last_o <= at_end && last_pair;
  end

  for (genvar c = 0; c < GROUP_PE; c++) begin : gen_channel
    logic [Pixels-1:0][SUM_W-1:0] sums;
    logic                         own_unsigned;
    qnn_copy u_unsigned (.clk_i, .data_i(unsigned_i), .data_o(own_unsigned));
    for (genvar m = 0; m < Pixels; m++) begin : gen_pixel
      qnn_word_sum u_sum (
        .clk_i, .unsigned_i(own_unsigned), .valid_i(valid[Latency-2]), .first_i(first[Latency-2]),
        .last_i(last[Latency]), .weight_i(weights[c*SIMD+:SIMD]), .act_i(act[m*SIMD+:SIMD]),
        .sum_o(sums[m])
      );
    end
    logic             own_reading;
    logic [PairW-1:0] own_pair;
    qnn_copy #(
      .Width(1 + PairW)
    ) u_pair (
      .clk_i, .data_i({reading_next, pair_next}), .data_o({own_reading, own_pair})
    );
    logic [Pairs-1:0][2*SUM_W-1:0] pairs;
    assign pairs = sums;
    always_ff @(posedge clk_i) sums_o[c*2*SUM_W+:2*SUM_W] <= own_reading ? pairs[own_pair] : '0;
  end
endmodule
