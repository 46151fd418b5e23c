// SPDX-License-Identifier: BSD-3-Clause
//
// First in, first out, of rows whose parts come one by one, in LUT RAM; shows its oldest row when that
// is whole, without being asked. Of no row does a part come after the last one.
//
// The writer keeps its own account: nothing may come while there are Depth rows.
// Timing: a row whose last part is pushed in one cycle shows in the next.

module qnn_row_fifo #(
  parameter int unsigned PartW = 64,
  parameter int unsigned Parts = 8,
  parameter int unsigned Depth = 32      // rows, a power of two
) (
  input  logic                   clk_i,
  input  logic                   rst_i,
  input  logic [Parts-1:0]       push_i,
  input  logic [Parts*PartW-1:0] data_i,   // part p is bits [p*PartW +: PartW]
  input  logic                   flag_i,   // belongs to part 0
  output logic                   valid_o,
  input  logic                   pop_i,
  output logic [Parts*PartW-1:0] data_o,   // likewise
  output logic                   flag_o
);
  localparam int unsigned AddrW = $clog2(Depth);
  localparam int unsigned CountW = $clog2(Depth + 1);

  logic              push, pop;
  logic [CountW-1:0] count;              // whole rows
  logic [AddrW-1:0]  head, next_head;
  assign push = push_i[Parts-1];
  assign pop = pop_i && valid_o;
  assign next_head = rst_i ? '0 : head + AddrW'(pop);
  always_ff @(posedge clk_i) begin
    head <= next_head;
    if (push != pop) begin
      count <= count + (push ? CountW'(1) : '1);
      valid_o <= push || count != CountW'(1);
    end
    if (rst_i) begin
      count <= '0;
      valid_o <= 1'b0;
    end
  end

  for (genvar p = 0; p < Parts; p++) begin : gen_part
    localparam int unsigned OwnW = PartW + (p == 0 ? 1 : 0);
    (* ram_style = "distributed" *) logic [OwnW-1:0] mem [Depth];
    logic [AddrW-1:0] own_head, tail;
    logic [OwnW-1:0]  oldest;
    qnn_copy #(
      .Width(AddrW)
    ) u_head (.clk_i, .data_i(next_head), .data_o(own_head));
    always_ff @(posedge clk_i) begin
      if (push_i[p]) begin
        mem[tail] <= OwnW'({flag_i, data_i[p*PartW+:PartW]});
        tail <= tail + 1'b1;
      end
      if (rst_i) tail <= '0;
    end
    assign oldest = mem[own_head];
    assign data_o[p*PartW+:PartW] = oldest[PartW-1:0];
    if (p == 0) begin : gen_flag
      assign flag_o = oldest[PartW];
    end
  end
endmodule
