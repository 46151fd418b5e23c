// SPDX-License-Identifier: BSD-3-Clause
//
// A qnn_fifo of rows whose parts come one by one: several side by side. It shows its oldest row when that
// is whole; of no row does a part come after the last one.
//
// Contract and timing of each part are those of qnn_fifo; valid_o is that of the last one.

module qnn_row_fifo #(
  parameter int unsigned PartW = 64,
  parameter int unsigned Parts = 8,
  parameter int unsigned Depth = 32        // rows, a power of two
) (
  input  logic                   clk_i,
  input  logic                   rst_i,
  input  logic [Parts-1:0]       push_i,
  input  logic [Parts*PartW-1:0] data_i,   // part p is bits [p*PartW +: PartW]
  input  logic                   flag_i,   // belongs to part 0
  output logic                   valid_o,
  input  logic                   pop_i,
  output logic [Parts*PartW-1:0] data_o,   // likewise
  output logic                   flag_o
);
  logic [Parts-1:0]                        valid;
  logic [Parts-1:0][$clog2(Depth+1)-1:0]   count;
  for (genvar p = 0; p < Parts; p++) begin : gen_part
    localparam int unsigned OwnW = PartW + (p == 0 ? 1 : 0);
    logic [OwnW-1:0] oldest;
    qnn_fifo #(
      .Width(OwnW), .Depth(Depth)
    ) u_fifo (
      .clk_i, .rst_i, .push_i(push_i[p]), .data_i(OwnW'({flag_i, data_i[p*PartW+:PartW]})),
      .valid_o(valid[p]), .pop_i(pop_i && valid_o), .data_o(oldest), .count_o(count[p])
    );
    assign data_o[p*PartW+:PartW] = oldest[PartW-1:0];
    if (p == 0) begin : gen_flag
      assign flag_o = oldest[PartW];
    end
  end
  assign valid_o = valid[Parts-1];
endmodule
