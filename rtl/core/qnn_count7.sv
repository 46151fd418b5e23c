// SPDX-License-Identifier: BSD-3-Clause
//
// How many of seven bits are 1, on a carry chain.
//
// Five of them are q0 + 2 * (c1 + c2); {c2, f} + {c1, q0} + g adds the other two. A place of the chain
// takes the exclusive or of both summands and one of them: of the upper place two functions of the same
// five bits, so one LUT with two outputs; of the lower place the parity of six, and f itself. g enters
// from a place below, which adds it to itself. So four bits fewer cost two LUTs.
// Timing: combinational.

module qnn_count7 (
  input  logic [6:0] bits_i,
  output logic [2:0] count_o
);
  function automatic logic majority(logic a, logic b, logic c);
    majority = (a & b) | (a & c) | (b & c);
  endfunction

  logic       half, c1, c2, q0, f, g;
  logic [3:0] sum;
  always_comb begin
    half = bits_i[0] ^ bits_i[1] ^ bits_i[2];
    c1 = majority(bits_i[0], bits_i[1], bits_i[2]);
    c2 = majority(half, bits_i[3], bits_i[4]);
    q0 = half ^ bits_i[3] ^ bits_i[4];
    {g, f} = bits_i[6:5];
    sum = 4'({c2, f, g}) + 4'({c1, q0, g});
  end
  assign count_o = sum[3:1];
endmodule
