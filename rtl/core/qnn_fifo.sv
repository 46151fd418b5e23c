// SPDX-License-Identifier: BSD-3-Clause
//
// First in, first out, in LUT RAM; shows its oldest word without being asked.
//
// The writer must look at count_o or keep its own account: a push into a full FIFO is lost.
// Timing: a word pushed in one cycle shows in the next.

module qnn_fifo #(
  parameter  int unsigned Width  = 64,
  parameter  int unsigned Depth  = 32,   // a power of two
  localparam int unsigned CountW = $clog2(Depth + 1)
) (
  input  logic              clk_i,
  input  logic              rst_i,
  input  logic              push_i,
  input  logic [Width-1:0]  data_i,
  output logic              valid_o,
  input  logic              pop_i,
  output logic [Width-1:0]  data_o,
  output logic [CountW-1:0] count_o
);
  localparam int unsigned AddrW = $clog2(Depth);

  (* ram_style = "distributed" *) logic [Width-1:0] mem [Depth];
  logic [AddrW-1:0] head, tail;
  logic push, pop;
  assign push = push_i && !count_o[CountW-1];        // that is Depth
  assign pop = pop_i && valid_o;
  assign data_o = mem[head];

  always_ff @(posedge clk_i) begin
    if (push) mem[tail] <= data_i;
    if (push) tail <= tail + 1'b1;
    if (pop) head <= head + 1'b1;
    if (push != pop) begin
      count_o <= count_o + (push ? CountW'(1) : '1);
      valid_o <= push || count_o != CountW'(1);
    end
    if (rst_i) begin
      head <= '0;
      tail <= '0;
      count_o <= '0;
      valid_o <= 1'b0;
    end
  end
endmodule
