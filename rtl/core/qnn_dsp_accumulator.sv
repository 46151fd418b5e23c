// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_accumulator, for a DSP block of the device: this is what any tool can read.
// rtl/xilinx/qnn_dsp_accumulator.sv has its place where the device is one of Xilinx.

module qnn_dsp_accumulator #(
  parameter int unsigned Width = 48
) (
  input  logic             clk_i,
  input  logic             valid_i,
  input  logic             first_i,
  input  logic             shift_i,
  input  logic             load_i,
  input  logic [1:0][6:0]  counts_i,
  input  logic [Width-1:0] word_i,
  output logic [Width-1:0] acc_o
);
  qnn_accumulator #(
    .Width(Width)
  ) u_acc (
    .clk_i, .valid_i, .first_i, .shift_i, .load_i, .counts_i, .word_i, .acc_o
  );
endmodule
