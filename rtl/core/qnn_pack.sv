// SPDX-License-Identifier: BSD-3-Clause
//
// Packs results into 64-bit words of memory.
//
// Codes: 64/Pe pixels of a row share a word; the words of plane 0, 1, ... of the same pixels
// follow each other. Bit p*Pe + c is channel c of pixel p. Raw sums: two a word, the first one low.
//
// Timing: one result a cycle while words are gathered; then, from the second cycle after the last one, one
// word a cycle. The next result may come as many cycles after the last one as it has words, so that words
// follow each other. A result is taken only where there is room for PACK_ROOM words, which is as many as
// come of what is taken by then: no word ever waits.

module qnn_pack
  import qnn_pkg::*;
#(
  parameter int unsigned Pe      = 32,
  parameter int unsigned ResultW = 256
) (
  input  logic               clk_i,
  input  logic               rst_i,
  input  logic               raw_i,
  input  logic [3:0]         planes_i,
  input  logic               in_valid_i,
  output logic               in_ready_o,
  input  logic [ResultW-1:0] in_data_i,
  input  logic               in_row_end_i,
  output logic               out_valid_o,
  input  logic               room_i,            // for PACK_ROOM words
  output logic [63:0]        out_data_o,
  output logic               busy_o
);
  localparam int unsigned Share = 64 / Pe;               // pixels in a word
  localparam int unsigned ShareW = (Share > 1) ? $clog2(Share) : 1;

  logic              sending, complete, shift;           // complete: sending begins
  logic [ShareW-1:0] pixel;
  logic [2:0]        words_less_1, left;                 // left: words to send after this one
  logic              take, ends, free;                   // free: for a result, when it is stored
  assign out_valid_o = sending;
  assign free = complete ? words_less_1 == '0 : !sending || left <= 3'd1;
  assign in_ready_o = room_i && free;
  assign take = in_valid_i && in_ready_o;
  assign ends = raw_i || in_row_end_i || pixel == ShareW'(Share - 1);
  assign words_less_1 = raw_i ? 3'd3 : 3'(planes_i - 1'b1);
  assign shift = complete || (sending && left != '0);
  assign busy_o = sending || complete || pixel != '0;

  logic [ResultW-1:0] data;
  always_ff @(posedge clk_i) begin
    data <= in_data_i;
    complete <= take && ends;
    if (take) pixel <= ends ? '0 : pixel + 1'b1;
    sending <= shift;
    left <= complete ? words_less_1 : left - 1'b1;
    if (rst_i) begin
      sending <= 1'b0;
      complete <= 1'b0;
      pixel <= '0;
    end
  end

  for (genvar l = 0; l < 8; l++) begin : gen_lanes
    localparam int unsigned Pixel = l * 8 / Pe, Channel = l * 8 % Pe;
    logic [3:0][7:0]        sums;
    logic [CODE_W-1:0][7:0] codes;
    logic                   mine;
    assign mine = raw_i || pixel == ShareW'(Pixel);
    always_comb begin
      for (int unsigned k = 0; k < 4; k++) sums[k] = data[k*64+l*8+:8];
      for (int unsigned k = 0; k < CODE_W; k++) begin
        for (int unsigned c = 0; c < 8; c++) codes[k][c] = data[(Channel+c)*CODE_W+k];
      end
    end
    qnn_pack_lanes u_lanes (
      .clk_i, .raw_i, .load_i(take && (mine || pixel == '0)), .mine_i(mine), .shift_i(shift),
      .sums_i(sums), .codes_i(codes), .column_o(out_data_o[l*8+:8])
    );
  end
endmodule
