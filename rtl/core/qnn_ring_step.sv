// SPDX-License-Identifier: BSD-3-Clause
//
// A position in a ring of words_i, step_i words further on; step_i is at most words_i. It is a module so that
// synthesis leaves it apart from what chooses between it and others, which comes late.
//
// Timing: combinational.

module qnn_ring_step (
  input  logic [12:0] position_i,
  input  logic [12:0] step_i,
  input  logic [12:0] words_i,
  output logic [12:0] position_o
);
  logic [13:0] sum;
  assign sum = 14'(position_i) + 14'(step_i);
  assign position_o = sum >= {1'b0, words_i} ? 13'(sum - {1'b0, words_i}) : 13'(sum);
endmodule
