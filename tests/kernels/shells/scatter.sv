// SPDX-License-Identifier: BSD-3-Clause
//
// A vector beat after beat, the lowest one first.

module scatter #(
  parameter int unsigned Beats = 4
) (
  input  logic                clk_i,
  input  logic                rst_i,
  input  logic                vector_valid_i,
  output logic                vector_ready_o,        // with the last beat
  input  logic [Beats*64-1:0] vector_i,
  output logic                beat_valid_o,
  input  logic                beat_ready_i,
  output logic [63:0]         beat_data_o
);
  localparam int unsigned CountW = $clog2(Beats + 1);
  logic [CountW-1:0] count;
  assign beat_valid_o = vector_valid_i;
  assign beat_data_o = vector_i[32'(count)*64+:64];
  assign vector_ready_o = beat_ready_i && count == CountW'(Beats - 1);

  always_ff @(posedge clk_i) begin
    if (vector_valid_i && beat_ready_i) count <= vector_ready_o ? '0 : count + 1'b1;
    if (rst_i) count <= '0;
  end
endmodule
