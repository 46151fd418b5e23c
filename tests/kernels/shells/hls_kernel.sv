// SPDX-License-Identifier: BSD-3-Clause
//
// Any of the HLS kernels behind the ports of the RTL shells; +kernel=<name> tells which one. The C++
// runs when the last beat of a frame has come in (hls_kernels/dpi/hls_kernel.cpp); it knows of no
// cycles, so the streams alone are timed.

module hls_kernel (
  input  logic        clk_i,
  input  logic        rst_i,
  input  logic        in_valid_i,
  output logic        in_ready_o,
  input  logic [63:0] in_data_i,
  input  logic        in_last_i,
  output logic        out_valid_o,
  input  logic        out_ready_i,
  output logic [63:0] out_data_o,
  output logic        out_last_o
);
  import "DPI-C" function chandle hls_open(input string name);
  import "DPI-C" function void hls_reset(input chandle handle);
  import "DPI-C" function int hls_push(
    input chandle handle, input bit [63:0] data, input bit last);
  import "DPI-C" function int hls_pop(
    input chandle handle, output bit [63:0] data, output bit last);

  chandle handle;
  bit     begun;                     // before the first reset what comes in means nothing
  string  name;
  initial begin
    if ($value$plusargs("kernel=%s", name) == 0) $fatal(1, "hls_kernel: +kernel=<name> is missing");
    handle = hls_open(name);
    begun = 1'b0;
  end

  assign in_ready_o = !out_valid_o || out_ready_i;
  always_ff @(posedge clk_i) begin
    bit [63:0] data;
    bit        last;
    if (rst_i) begin
      hls_reset(handle);
      begun <= 1'b1;
      out_valid_o <= 1'b0;
    end else if (begun) begin
      if (in_valid_i && in_ready_o && hls_push(handle, in_data_i, in_last_i) == 0) begin
        $fatal(1, "hls_kernel: %s failed", name);
      end
      if (in_ready_o) begin
        out_valid_o <= hls_pop(handle, data, last) != 0;
        out_data_o <= data;
        out_last_o <= last;
      end
    end
  end
endmodule
