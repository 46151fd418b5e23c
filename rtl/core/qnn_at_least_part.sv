// SPDX-License-Identifier: BSD-3-Clause
//
// One part of a_i >= b_i, unsigned, on a carry chain: first the low PartW bits, with below_i high, then
// the bits above them, with what came out of the low ones.
//
//     at_least_o = high_i ? (a_i >> PartW) - b_i + below_i > 0 : a_i mod 2^PartW - b_i + below_i > 0
//
// Where both parts have a bit of a_i, this and that of b_i take a place of the chain, else two bits of both
// do: two functions of at most five bits, one LUT with two outputs (see qnn_at_least).
// Timing: combinational.

module qnn_at_least_part #(
  parameter int unsigned Width = 32,     // more than PartW, at most 2 * PartW; even
  parameter int unsigned PartW = 18      // even
) (
  input  logic [Width-1:0] a_i,
  input  logic             high_i,
  input  logic [PartW-1:0] b_i,          // of the part; the bits above those of a_i are 0
  input  logic             below_i,
  output logic             at_least_o
);
  localparam int unsigned Both = Width - PartW;
  localparam int unsigned Places = Both + (PartW - Both) / 2;

  logic [Places-1:0] more, enough;
  logic [Places+1:0] sum;
  logic [1:0]        a;
  always_comb begin
    for (int unsigned p = 0; p < Places; p++) begin
      if (p < Both) begin
        a = {1'b0, high_i ? a_i[PartW+p] : a_i[p]};
        more[p] = a[0] && !b_i[p];
        enough[p] = a[0] || !b_i[p];
      end else begin
        a = high_i ? 2'b00 : a_i[2*p-Both+:2];
        more[p] = a > b_i[2*p-Both+:2];
        enough[p] = a >= b_i[2*p-Both+:2];
      end
    end
    sum = (Places + 2)'({more, below_i}) + (Places + 2)'({enough, below_i});
  end
  assign at_least_o = sum[Places+1];
endmodule
