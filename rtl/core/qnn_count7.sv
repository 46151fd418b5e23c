// SPDX-License-Identifier: BSD-3-Clause
//
// How many of seven bits are 1, on a carry chain.
//
// Six of them are the summands of qnn_pkg; the seventh enters from a place below, which adds it to itself.
// So four bits fewer cost two LUTs.
// Timing: combinational.

module qnn_count7
  import qnn_pkg::*;
(
  input  logic [6:0] bits_i,
  output logic [2:0] count_o
);
  logic [3:0] of_six, sum;
  assign of_six = summands(bits_i[5:0]);
  assign sum = 4'({of_six[3:2], bits_i[6]}) + 4'({of_six[1:0], bits_i[6]});
  assign count_o = sum[3:1];
endmodule
