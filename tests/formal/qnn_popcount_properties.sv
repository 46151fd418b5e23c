// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_popcount equals a plain loop over the lanes, for all 2^128 operands, and is 0 after clear_i.
//
// The loop counts into three numbers, one for the lanes of each pair of counts of seven, as the proof
// needs a place to meet in: 21 lanes against one pair, then three numbers and a lane against the sum.

module qnn_popcount_properties (
  input logic        clk_i,
  input logic [63:0] w_i,
  input logic [63:0] x_i,
  input logic        clear_i
);
  logic [6:0] count;
  qnn_popcount dut (.clk_i, .w_i, .x_i, .clear_i, .count_o(count));

  // the twin
  logic [2:0][6:0] part, part_q;
  logic [6:0]      total;
  logic            odd;
  always_comb begin
    part = '0;
    for (int triple = 0; triple < 21; triple++) begin
      for (int third = 0; third < 3; third++) begin
        part[triple/7] += 7'(w_i[triple+21*third] == x_i[triple+21*third]);
      end
    end
  end
  always_ff @(posedge clk_i) begin
    part_q <= part;
    odd <= w_i[63] == x_i[63];
    total <= clear_i ? '0 : part_q[0] + part_q[1] + part_q[2] + 7'(odd);
  end

  logic [1:0] age = '0;
  always_ff @(posedge clk_i) if (age != 2'd2) age <= age + 1'b1;

  for (genvar i = 0; i < 3; i++) begin : gen_column
    always_comb begin
      if (age != '0) begin
        column_equal : assert (part_q[i] == 7'(dut.ones[i]) + 2 * 7'(dut.twos[i]));
      end
    end
  end
  always_comb if (age != '0) odd_equal : assert (odd == dut.odd);
  always_comb begin
    if (age == 2'd2) count_equal : assert (count == total);
    cover_all : cover (age == 2'd2 && count == 7'd64);
    cover_none : cover (age == 2'd2 && count == '0);
    cover_most : cover (age == 2'd2 && count == 7'd63);
  end
endmodule
