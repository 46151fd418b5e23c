// SPDX-License-Identifier: BSD-3-Clause
//
// Products of 64 lanes, three and three together: how many of lanes i, i + 21 and i + 42 are equal.
//
//     two_o[i] * 2 + one_o[i] = number of them with w_i == x_i;   last_o = (w_i[63] == x_i[63])
//
// Each bit of these counts is a six-input LUT. It is a module so that synthesis leaves them so: it would
// spread them over the counts behind, which costs a third more.
// Timing: combinational.

module qnn_triples (
  input  logic [63:0] w_i,
  input  logic [63:0] x_i,
  output logic [20:0] one_o,
  output logic [20:0] two_o,
  output logic        last_o
);
  logic [20:0] a, b, c;
  assign {last_o, c, b, a} = ~(w_i ^ x_i);
  assign one_o = a ^ b ^ c;
  assign two_o = (a & b) | (a & c) | (b & c);
endmodule
