// SPDX-License-Identifier: BSD-3-Clause
//
// Packs results into 64-bit words of memory.
//
// Codes: 64/Pe pixels of a row share a word; the words of plane 0, 1, ... of the same pixels
// follow each other. Bit p*Pe + c is channel c of pixel p. Raw sums: two a word, the first one low.
//
// Timing: one result a cycle while words are gathered, then one word a cycle.

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
  input  logic               out_ready_i,
  output logic [63:0]        out_data_o,
  output logic               busy_o
);
  localparam int unsigned Share = 64 / Pe;               // pixels in a word
  localparam int unsigned ShareW = (Share > 1) ? $clog2(Share) : 1;

  logic [7:0][63:0]  words;      // of each plane, or pairs of sums
  logic              sending;
  logic [ShareW-1:0] pixel;
  logic [2:0]        left;       // words to send after this one
  logic [CODE_W-1:0][Pe-1:0] planes;
  always_comb begin
    for (int unsigned c = 0; c < Pe; c++) begin
      for (int unsigned k = 0; k < CODE_W; k++) planes[k][c] = in_data_i[c*CODE_W+k];
    end
  end

  assign in_ready_o = !sending;
  assign out_valid_o = sending;
  assign out_data_o = words[0];
  assign busy_o = sending || pixel != '0;

  always_ff @(posedge clk_i) begin
    if (sending && out_ready_i) begin
      words <= {64'b0, words[7:1]};
      left <= left - 1'b1;
      if (left == '0) sending <= 1'b0;
    end
    if (in_valid_i && in_ready_o) begin
      if (raw_i) begin
        words[3:0] <= in_data_i[255:0];
        left <= 3'd3;
        sending <= 1'b1;
      end else begin
        for (int unsigned k = 0; k < CODE_W; k++) begin
          if (pixel == '0) words[k] <= 64'(planes[k]);
          else words[k][32'(pixel)*Pe+:Pe] <= planes[k];
        end
        left <= 3'(planes_i - 1'b1);
        pixel <= pixel + 1'b1;
        if (pixel == ShareW'(Share - 1) || in_row_end_i) begin
          pixel <= '0;
          sending <= 1'b1;
        end
      end
    end
    if (rst_i) begin
      sending <= 1'b0;
      pixel <= '0;
    end
  end
endmodule
