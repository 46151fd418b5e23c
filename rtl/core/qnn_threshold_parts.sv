// SPDX-License-Identifier: BSD-3-Clause
//
// Thresholds on their way into the stores of qnn_threshold: four, which come in two beats of two, become
// two words, their low SHORT_W bits, then the bits above these.
//
// Timing: the first word comes in the cycle after the second beat, the other one in the next cycle.

module qnn_threshold_parts
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Channels = 8,            // a power of two, at least 8
  localparam int unsigned LaneW    = $clog2(Channels / 2)
) (
  input  logic                  clk_i,
  input  logic                  rst_i,
  input  logic                  valid_i,           // a beat
  input  logic [LaneW-1:0]      lane_i,            // it is of channels 2 * lane_i, the lower half, and + 1
  input  logic [11:0]           address_i,         // of the threshold
  input  logic [63:0]           data_i,
  output logic [Channels/4-1:0] we_o,              // bit i: of channels 4 * i to 4 * i + 3
  output logic [11:0]           waddr_o,
  output logic                  high_o,
  output logic [4*SHORT_W-1:0]  data_o             // the k-th one is bits [k*SHORT_W +: SHORT_W]
);
  localparam int unsigned HighW = 32 - SHORT_W;

  logic [63:0]           first;
  logic [3:0][31:0]      four;
  logic [3:0][HighW-1:0] high;
  logic                  complete;
  logic [1:0]            low_now;                  // for two thresholds each
  assign complete = valid_i && lane_i[0];
  for (genvar i = 0; i < 2; i++) begin : gen_low
    qnn_copy u_low (.clk_i, .data_i(complete && !rst_i), .data_o(low_now[i]));
  end
  assign four = {data_i, first};
  always_ff @(posedge clk_i) begin
    if (valid_i && !lane_i[0]) first <= data_i;
    for (int unsigned k = 0; k < 4; k++) begin
      high[k] <= four[k][31:SHORT_W];
      data_o[k*SHORT_W+:SHORT_W] <= low_now[k/2] ? SHORT_W'(high[k]) : four[k][SHORT_W-1:0];
    end
    high_o <= low_now[0];
    if (!low_now[0]) we_o <= '0;
    if (complete) we_o <= (Channels / 4)'(1) << (lane_i >> 1);
    if (!low_now[0]) waddr_o <= address_i;           // means something for two words only
    if (rst_i) we_o <= '0;
  end
endmodule
