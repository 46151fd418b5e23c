// SPDX-License-Identifier: BSD-3-Clause
//
// A register. Where many things load one, each of several copies has some of them; in a module of its
// own, and kept, none is merged with another that holds the same.
//
// Timing: latency 1.

module qnn_copy #(
  parameter int unsigned Width = 1
) (
  input  logic             clk_i,
  input  logic [Width-1:0] data_i,
  output logic [Width-1:0] data_o
);
  (* keep = "true" *) logic [Width-1:0] data;
  always_ff @(posedge clk_i) data <= data_i;
  assign data_o = data;
endmodule
