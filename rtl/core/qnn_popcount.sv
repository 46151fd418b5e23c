// SPDX-License-Identifier: BSD-3-Clause
//
// Number of lanes where weight and activation are equal: popcount(~(w ^ x)) of 64 lanes.
//
// Three products become a two-bit count, seven bits of one weight a three-bit count; then two carry
// chains of four places, each for bits of two weights, and the sum of these.
// Timing: latency 2 cycles, one count a cycle; 0 in the cycle after clear_i.

module qnn_popcount
  import qnn_pkg::*;
(
  input  logic        clk_i,
  input  logic [63:0] w_i,
  input  logic [63:0] x_i,
  input  logic        clear_i,
  output logic [6:0]  count_o
);
  // bits of weight 1 and 2
  logic [20:0] one, two;
  logic        last;
  qnn_triples u_triples (.w_i, .x_i, .one_o(one), .two_o(two), .last_o(last));

  // counts of seven of each; count i is of lanes 7 * i to 7 * i + 6, and 21 and 42 lanes further on
  logic [2:0][2:0] ones_d, twos_d, ones, twos;
  logic            odd;
  for (genvar i = 0; i < 3; i++) begin : gen_seven
    qnn_count7 u_ones (.bits_i(one[i*7+:7]), .count_o(ones_d[i]));
    qnn_count7 u_twos (.bits_i(two[i*7+:7]), .count_o(twos_d[i]));
  end
  always_ff @(posedge clk_i) begin
    ones <= ones_d;
    twos <= twos_d;
    odd <= last;
  end

  // bits of weight 1 and 4 on one chain; on another those of weight 2 and 8, above a seventh of weight 2
  logic [3:0] of_1, of_2, of_4, of_8;
  logic [4:0] low;
  logic [5:0] high;
  always_comb begin
    of_1 = summands({ones[0][0], 2'b0, odd, ones[2][0], ones[1][0]});
    of_2 = summands({ones[0][1], 1'b0, twos[2][0], twos[1][0], ones[2][1], ones[1][1]});
    of_4 = summands({twos[2][1], twos[1][1], twos[0][1], ones[2][2], ones[1][2], ones[0][2]});
    of_8 = summands({twos[0][2], 3'b0, twos[2][2], twos[1][2]});
    low = 5'({of_4[3:2], of_1[3:2]}) + 5'({of_4[1:0], of_1[1:0]});
    high = 6'({of_8[3:2], of_2[3:2], twos[0][0]}) + 6'({of_8[1:0], of_2[1:0], twos[0][0]});
  end
  always_ff @(posedge clk_i) begin
    count_o <= clear_i ? '0 : {6'(low[4:1]) + 6'(high[5:1]), low[0]};
  end
endmodule
