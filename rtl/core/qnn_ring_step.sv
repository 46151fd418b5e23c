// SPDX-License-Identifier: BSD-3-Clause
//
// ring_step of qnn_pkg. It is a module so that synthesis leaves it apart from what chooses between it and
// others, which comes late.
//
// Timing: combinational.

module qnn_ring_step
  import qnn_pkg::*;
(
  input  logic [12:0] position_i,
  input  logic [12:0] step_i,
  input  logic [12:0] words_i,
  output logic [12:0] position_o
);
  assign position_o = ring_step(position_i, step_i, words_i);
endmodule
