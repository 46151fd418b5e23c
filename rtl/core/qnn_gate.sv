// SPDX-License-Identifier: BSD-3-Clause
//
// Not busy_i, or all of ends_i: one LUT. Where many things load one, each of several has some of them; in a
// module of its own, and kept, none is merged with another of the same inputs.
//
// Timing: combinational.

module qnn_gate (
  input  logic       busy_i,
  input  logic [1:0] ends_i,
  output logic       free_o
);
  (* keep = "true" *) logic free;
  assign free = !busy_i || ends_i == '1;
  assign free_o = free;
endmodule
