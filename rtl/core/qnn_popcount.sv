// SPDX-License-Identifier: BSD-3-Clause
//
// Number of lanes where weight and activation are equal: popcount(~(w ^ x)) of 64 lanes.
//
// Written as the compressors that a six-input LUT can be: three products become a two-bit count,
// six bits of one weight become a three-bit count. Bit i of one vector below is the i-th of many
// compressors of a kind.
// Timing: latency 2 cycles, one count a cycle; 0 in the cycle after clear_i.

module qnn_popcount (
  input  logic        clk_i,
  input  logic [63:0] w_i,
  input  logic [63:0] x_i,
  input  logic        clear_i,
  output logic [6:0]  count_o
);
  function automatic logic [3:0] ones8(logic [7:0] v);
    ones8 = 4'(v[0]) + 4'(v[1]) + 4'(v[2]) + 4'(v[3]) + 4'(v[4]) + 4'(v[5]) + 4'(v[6]) + 4'(v[7]);
  endfunction

  logic [63:0] equal;
  assign equal = ~(w_i ^ x_i);

  // 21 triples and lane 63: bits of weight 1 and 2
  logic [23:0] one, two;
  logic [20:0] a, b, c;
  assign {c, b, a} = equal[62:0];
  assign one = {2'b0, equal[63], a ^ b ^ c};
  assign two = {3'b0, (a & b) | (a & c) | (b & c)};

  // four sixes of each: bits of weight 1, 2, 4 and 2, 4, 8
  logic [3:0] one_1, one_2, one_4, two_1, two_2, two_4;
  always_ff @(posedge clk_i) begin
    for (int i = 0; i < 4; i++) begin
      {one_4[i], one_2[i], one_1[i]} <= 3'(one[i]) + 3'(one[i+4]) + 3'(one[i+8])
          + 3'(one[i+12]) + 3'(one[i+16]) + 3'(one[i+20]);
      {two_4[i], two_2[i], two_1[i]} <= 3'(two[i]) + 3'(two[i+4]) + 3'(two[i+8])
          + 3'(two[i+12]) + 3'(two[i+16]) + 3'(two[i+20]);
    end
    count_o <= 7'(ones8({4'b0, one_1})) + {2'b0, ones8({one_2, two_1}), 1'b0}
        + {1'b0, ones8({one_4, two_2}), 2'b0} + {ones8({4'b0, two_4}), 3'b0};
    if (clear_i) count_o <= '0;
  end
endmodule
