// SPDX-License-Identifier: BSD-3-Clause
//
// Any one thing that goes into a queue, by the solver's choice, until it comes out: what it is, and how
// many come out before it.

module followed #(
  parameter int unsigned Width  = 64,
  parameter int unsigned CountW = 6
) (
  input  logic              clk_i,
  input  logic              rst_i,
  input  logic              push_i,
  input  logic              pop_i,
  input  logic              choose_i,  // this one
  input  logic [Width-1:0]  data_i,
  input  logic [CountW-1:0] count_i,   // in the queue
  output logic              chosen_o,  // there has been one
  output logic              held_o,    // it is in the queue
  output logic [Width-1:0]  data_o,
  output logic [CountW-1:0] ahead_o
);
  always_ff @(posedge clk_i) begin
    if (push_i && choose_i && !chosen_o) begin
      chosen_o <= 1'b1;
      held_o <= 1'b1;
      data_o <= data_i;
      ahead_o <= count_i - CountW'(pop_i);
    end else if (held_o && pop_i) begin
      if (ahead_o == '0) held_o <= 1'b0;
      else ahead_o <= ahead_o - 1'b1;
    end
    if (rst_i) begin
      chosen_o <= 1'b0;
      held_o <= 1'b0;
    end
  end
endmodule
