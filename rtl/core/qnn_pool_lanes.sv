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
  function automatic logic [VectorW-1:0] larger(logic [VectorW-1:0] a, logic [VectorW-1:0] b);
    for (int unsigned c = 0; c < Channels; c++) begin
      larger[c*CODE_W+:CODE_W] =
          a[c*CODE_W+:CODE_W] > b[c*CODE_W+:CODE_W] ? a[c*CODE_W+:CODE_W] : b[c*CODE_W+:CODE_W];
    end
  endfunction

  // along the row
  logic               step, is_real, first, with_1, with_2;
  logic [VectorW-1:0] data, here, before_1, before_2, other, row;
  assign here = is_real ? data : '0;
  assign other = with_2 ? before_2 : with_1 ? before_1 : '0;
  always_ff @(posedge clk_i) begin
    {step, is_real, first, with_1, with_2} <= {step_i, real_i, first_i, with_1_i, with_2_i};
    data <= data_i;
    if (step) begin
      before_1 <= here;
      before_2 <= first ? here : larger(here, before_1);
    end
    row <= larger(here, other);
    row_o <= row;
  end

  // over the rows
  logic               use_above, again;
  logic [VectorW-1:0] so_far, upper;
  assign upper = again ? so_far : row_o;
  assign data_o = use_above ? larger(upper, above_i) : upper;
  always_ff @(posedge clk_i) begin
    {use_above, again} <= {use_i, again_i};
    so_far <= data_o;
  end
endmodule
