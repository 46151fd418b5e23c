// SPDX-License-Identifier: BSD-3-Clause
//
// The four numbers of a word, 16 bits each, one cycle behind each other.
//
// Timing: number j comes j cycles later.

module qnn_skew
  import qnn_pkg::*;
(
  input  logic            clk_i,
  input  logic [SIMD-1:0] data_i,   // number j is bits [16*j +: 16]
  output logic [SIMD-1:0] data_o    // likewise
);
  assign data_o[15:0] = data_i[15:0];
  for (genvar j = 1; j < SIMD / 16; j++) begin : gen_number
    logic [16*j-1:0] line;
    always_ff @(posedge clk_i) line <= (16 * j)'({line, data_i[16*j+:16]});
    assign data_o[16*j+:16] = line[16*j-1-:16];
  end
endmodule
