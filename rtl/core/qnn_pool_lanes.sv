// SPDX-License-Identifier: BSD-3-Clause
//
// Maxima of some channels, for qnn_pool: along a row in a shift register, then over the rows before,
// whose maxima along the row come from outside. Every flag has a register here, so that it loads only
// what these channels need.
//
// Timing, for step_i and data_i at cycle 0: row_o shows the maximum along the row at cycle 3, when
// above_i is the same of a row before. data_o shows, in the same cycle, the maximum of both where
// use_i was high at cycle 2, else row_o. Where again_i was high at cycle 3, data_o of cycle 4 is the same
// of data_o of cycle 3 in the place of row_o: with a second row before.

module qnn_pool_lanes
  import qnn_pkg::*;
#(
  parameter  int unsigned Channels = 4,
  localparam int unsigned VectorW  = Channels * CODE_W
) (
  input  logic               clk_i,
  input  logic               step_i,      // a position
  input  logic               real_i,      // data_i is its code; else it is 0
  input  logic               first_i,     // of its row
  input  logic               with_1_i,    // the larger of it and the one before
  input  logic               with_2_i,    // ... and the two before
  input  logic               use_i,
  input  logic               again_i,
  input  logic [VectorW-1:0] data_i,      // channel c is bits [c*CODE_W +: CODE_W]
  input  logic [VectorW-1:0] above_i,     // likewise
  output logic [VectorW-1:0] row_o,       // likewise
  output logic [VectorW-1:0] data_o       // likewise
);
  // along the row; of each channel, is the code here at least as large as the one before, as the other one,
  // and is the maximum so far at least that above
  logic               step, is_real, first, with_1, with_2;
  logic [VectorW-1:0] data, here, before_1, before_2, other, row;
  logic [Channels-1:0] over_before, over_other, over_above;
  assign here = is_real ? data : '0;
  assign other = with_2 ? before_2 : with_1 ? before_1 : '0;
  always_ff @(posedge clk_i) begin
    {step, is_real, first, with_1, with_2} <= {step_i, real_i, first_i, with_1_i, with_2_i};
    data <= data_i;
    if (step) before_1 <= here;
    row_o <= row;
  end

  // over the rows
  logic               use_above, again;
  logic [VectorW-1:0] so_far, upper;
  assign upper = again ? so_far : row_o;
  always_ff @(posedge clk_i) begin
    {use_above, again} <= {use_i, again_i};
    so_far <= data_o;
  end

  for (genvar c = 0; c < Channels; c++) begin : gen_channel
    localparam int unsigned At = c * CODE_W;
    qnn_at_least #(
      .Width(CODE_W)
    ) u_before (
      .a_i(here[At+:CODE_W]), .b_i(before_1[At+:CODE_W]), .at_least_o(over_before[c])
    );
    qnn_at_least #(
      .Width(CODE_W)
    ) u_other (
      .a_i(here[At+:CODE_W]), .b_i(other[At+:CODE_W]), .at_least_o(over_other[c])
    );
    qnn_at_least #(
      .Width(CODE_W)
    ) u_above (
      .a_i(upper[At+:CODE_W]), .b_i(above_i[At+:CODE_W]), .at_least_o(over_above[c])
    );
    always_ff @(posedge clk_i) begin
      if (step) begin
        before_2[At+:CODE_W] <= first || over_before[c] ? here[At+:CODE_W] : before_1[At+:CODE_W];
      end
      row[At+:CODE_W] <= over_other[c] ? here[At+:CODE_W] : other[At+:CODE_W];
    end
    assign data_o[At+:CODE_W] =
        use_above && !over_above[c] ? above_i[At+:CODE_W] : upper[At+:CODE_W];
  end
endmodule
