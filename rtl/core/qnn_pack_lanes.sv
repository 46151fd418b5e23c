// SPDX-License-Identifier: BSD-3-Clause
//
// Eight columns of the words of qnn_pack: what it stores, with registers of its own for what says so.
//
// Timing: sums_i and codes_i come a cycle after load_i and mine_i, and show in the next one; a cycle after
// shift_i the words move on, unless others are stored.

module qnn_pack_lanes
  import qnn_pkg::*;
#(
  localparam int unsigned Columns = 8
) (
  input  logic                           clk_i,
  input  logic                           raw_i,
  input  logic                           load_i,
  input  logic                           mine_i,    // else these columns get 0
  input  logic                           shift_i,
  input  logic [3:0][Columns-1:0]        sums_i,    // of words 0..3, where raw_i
  input  logic [CODE_W-1:0][Columns-1:0] codes_i,   // of words 0..7, one a plane
  output logic [Columns-1:0]             column_o   // of the first word
);
  logic                           raw, load, mine, move;   // move: either of both
  logic                           load_last;               // a copy, for the last word
  qnn_copy u_load_last (.clk_i, .data_i(load_i), .data_o(load_last));
  logic [CODE_W-1:0][Columns-1:0] stored;
  logic [CODE_W-1:0][Columns-1:0] words;
  assign column_o = words[0];
  always_ff @(posedge clk_i) begin
    {raw, load, mine} <= {raw_i, load_i, mine_i};
    move <= load_i || shift_i;
    if (move) words[CODE_W-2:0] <= load ? stored[CODE_W-2:0] : words[CODE_W-1:1];
    if (load_last) words[CODE_W-1] <= stored[CODE_W-1];
  end
  always_comb begin
    stored = mine ? codes_i : '0;
    if (raw) stored[3:0] = sums_i;
  end
endmodule
