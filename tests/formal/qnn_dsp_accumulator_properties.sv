// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_dsp_accumulator of rtl/xilinx, on the model of the DSP48E1 that Yosys has, against
// core/qnn_accumulator.sv: from the first sum that begins or the first word on both show the same, for
// all flags, counts and words, in every cycle.
//
// Assumed, as qnn_accumulator asks for: counts_i are 0 where load_i was high in the cycle before, and
// word_i is 0 where it was not.

module qnn_dsp_accumulator_properties #(
  parameter int unsigned Width = 48
) (
  input logic             clk_i,
  input logic             valid_i,
  input logic             first_i,
  input logic             shift_i,
  input logic             load_i,
  input logic [1:0][6:0]  counts_i,
  input logic [Width-1:0] word_i
);
  logic [Width-1:0] acc, expected;
  qnn_dsp_accumulator #(
    .Width(Width)
  ) dut (
    .clk_i, .valid_i, .first_i, .shift_i, .load_i, .counts_i, .word_i, .acc_o(acc)
  );
  qnn_accumulator #(
    .Width(Width)
  ) reference (
    .clk_i, .valid_i, .first_i, .shift_i, .load_i, .counts_i, .word_i, .acc_o(expected)
  );

  logic begun = 1'b0;       // flags that came in
  logic valid, first, shift, load;
  logic known = 1'b0;       // something has begun
  always_ff @(posedge clk_i) begin
    begun <= 1'b1;
    {valid, first, shift, load} <= {valid_i, first_i, shift_i, load_i};
    known <= begun && (known || (valid && first) || load);
  end
  always_comb begin
    if (begun) begin
      if (load) assume (counts_i == '0);
      else assume (word_i == '0);
    end
  end

  always_comb begin
    if (known) begin
      sum_same : assert (acc == expected);
    end
    cover_doubled : cover (known && acc == Width'(64'h5000003) && shift && valid && !first);
    cover_word : cover (known && acc == Width'(64'h800000_7fffff) && !load && valid && !first);
  end
endmodule
