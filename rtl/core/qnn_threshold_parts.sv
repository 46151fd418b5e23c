// SPDX-License-Identifier: BSD-3-Clause
//
// Four thresholds, which come in two beats of two, as two words of the threshold store: their low
// SHORT_W bits, then the bits above these.
//
// Timing: the first word comes in the cycle after the second beat, the other one in the next cycle.

module qnn_threshold_parts
  import qnn_regs_pkg::*;
(
  input  logic                 clk_i,
  input  logic                 rst_i,
  input  logic                 valid_i,      // two thresholds, the first one lower
  input  logic                 second_i,     // of two beats
  input  logic [63:0]          data_i,
  output logic                 low_valid_o,
  output logic                 high_valid_o,
  output logic [4*SHORT_W-1:0] data_o        // threshold k is bits [k*SHORT_W +: SHORT_W]
);
  localparam int unsigned HighW = 32 - SHORT_W;

  logic [63:0]         first;
  logic [3:0][31:0]    four;
  logic [3:0][HighW-1:0] high;
  logic                low_next;
  logic [1:0]          low_now;               // low_valid_o, for two thresholds each
  assign low_next = valid_i && second_i && !rst_i;
  for (genvar i = 0; i < 2; i++) begin : gen_low
    qnn_copy u_low (.clk_i, .data_i(low_next), .data_o(low_now[i]));
  end
  assign low_valid_o = low_now[0];
  assign four = {data_i, first};
  always_ff @(posedge clk_i) begin
    if (valid_i && !second_i) first <= data_i;
    high_valid_o <= low_valid_o && !rst_i;
    for (int unsigned k = 0; k < 4; k++) begin
      if (valid_i && second_i) high[k] <= four[k][31:SHORT_W];
      data_o[k*SHORT_W+:SHORT_W] <= low_now[k/2] ? SHORT_W'(high[k]) : four[k][SHORT_W-1:0];
    end
  end
endmodule
