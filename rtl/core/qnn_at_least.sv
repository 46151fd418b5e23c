// SPDX-License-Identifier: BSD-3-Clause
//
// a_i >= b_i, unsigned, on a carry chain: two bits of both numbers take a place of it.
//
// A place generates a carry where its bits of a_i are more, and passes one on where they are the same:
// two functions of four bits, one LUT with two outputs.
// Timing: combinational.

module qnn_at_least #(
  parameter int unsigned Width = 32      // even
) (
  input  logic [Width-1:0] a_i,
  input  logic [Width-1:0] b_i,
  output logic             at_least_o
);
  localparam int unsigned Places = Width / 2;

  logic [Places-1:0] more, enough;
  logic [Places+1:0] sum;
  always_comb begin
    for (int unsigned p = 0; p < Places; p++) begin
      more[p] = a_i[2*p+:2] > b_i[2*p+:2];
      enough[p] = a_i[2*p+:2] >= b_i[2*p+:2];
    end
    sum = (Places + 2)'({more, 1'b1}) + (Places + 2)'({enough, 1'b1});
  end
  assign at_least_o = sum[Places+1];
endmodule
