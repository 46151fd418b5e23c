// SPDX-License-Identifier: BSD-3-Clause
//
// Beats side by side in a vector, the first one low.

module gather #(
  parameter  int unsigned Beats  = 4,                // at most
  localparam int unsigned CountW = $clog2(Beats + 1)
) (
  input  logic                clk_i,
  input  logic                rst_i,
  input  logic [CountW-1:0]   beats_i,               // of a vector
  input  logic                beat_valid_i,
  output logic                beat_ready_o,
  input  logic [63:0]         beat_data_i,
  output logic                vector_valid_o,
  input  logic                vector_ready_i,
  output logic [Beats*64-1:0] vector_o
);
  logic [CountW-1:0] count;
  assign vector_valid_o = count == beats_i;
  assign beat_ready_o = !vector_valid_o;

  always_ff @(posedge clk_i) begin
    if (vector_valid_o && vector_ready_i) count <= '0;
    if (beat_valid_i && beat_ready_o) begin
      vector_o[32'(count)*64+:64] <= beat_data_i;
      count <= count + 1'b1;
    end
    if (rst_i) count <= '0;
  end
endmodule
