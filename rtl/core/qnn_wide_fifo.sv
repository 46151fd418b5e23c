// SPDX-License-Identifier: BSD-3-Clause
//
// A qnn_fifo of any width: several side by side, so that no pointer has to reach many LUT RAMs.
//
// Contract and timing are those of qnn_fifo; count_o and valid_o are those of the first.

module qnn_wide_fifo #(
  parameter  int unsigned Width  = 64,
  parameter  int unsigned Depth  = 32,   // a power of two
  localparam int unsigned CountW = $clog2(Depth + 1)
) (
  input  logic              clk_i,
  input  logic              rst_i,
  input  logic              push_i,
  input  logic [Width-1:0]  data_i,
  output logic              valid_o,
  input  logic              pop_i,
  output logic [Width-1:0]  data_o,
  output logic [CountW-1:0] count_o
);
  // a LUT RAM of 32 words has 6 bits, one of 64 has 3, and each of them 3 read addresses
  localparam int unsigned PartW = Depth > 32 ? 60 * 64 / Depth : 120;
  localparam int unsigned Parts = (Width + PartW - 1) / PartW;

  logic [Parts-1:0]             valid;
  logic [Parts-1:0][CountW-1:0] count;
  for (genvar p = 0; p < Parts; p++) begin : gen_part
    localparam int unsigned First = p * PartW;
    localparam int unsigned Own = Width - First < PartW ? Width - First : PartW;
    qnn_fifo #(
      .Width(Own), .Depth(Depth)
    ) u_fifo (
      .clk_i, .rst_i, .push_i, .data_i(data_i[First+:Own]), .valid_o(valid[p]), .pop_i,
      .data_o(data_o[First+:Own]), .count_o(count[p])
    );
  end
  assign valid_o = valid[0];
  assign count_o = count[0];
endmodule
