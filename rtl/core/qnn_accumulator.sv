// SPDX-License-Identifier: BSD-3-Clause
//
// Adds up two counts side by side, the second one from the middle on, and doubles what is there where
// it is told to.
//
//     acc = (first ? 0 : shift ? 2 * acc : acc) + counts[0] + counts[1] * 2^(Width/2)     where valid_i
//     acc = word                                                                        where load_i
//
// Modulo 2^Width. Every flag has a register here, so that it loads only this number.
//
// Timing: flags come a cycle before counts_i and word_i; acc_o has these in the cycle after. counts_i are 0
// where load_i was high, and word_i is 0 where it was not.

module qnn_accumulator #(
  parameter int unsigned Width = 48
) (
  input  logic             clk_i,
  input  logic             valid_i,
  input  logic             first_i,
  input  logic             shift_i,
  input  logic             load_i,
  input  logic [1:0][6:0]  counts_i,
  input  logic [Width-1:0] word_i,
  output logic [Width-1:0] acc_o
);
  logic             add, clear, shift;
  logic [Width-1:0] base, counts;
  assign base = clear ? '0 : shift ? {acc_o[Width-2:0], 1'b0} : acc_o;
  assign counts = {(Width / 2)'(counts_i[1]), (Width / 2)'(counts_i[0])};
  always_ff @(posedge clk_i) begin
    add <= valid_i || load_i;
    clear <= first_i || load_i;
    shift <= shift_i;
    // words cost no addition: nothing is there where they come
    if (add) acc_o <= counts + (base | word_i);
  end
endmodule
