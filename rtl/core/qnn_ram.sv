// SPDX-License-Identifier: BSD-3-Clause
//
// Block RAM with one write and one read port. Reading a word while it is written gives anything.
//
// Timing: rdata_o belongs to the raddr_i of the cycle before.

module qnn_ram #(
  parameter  int unsigned Width   = 64,
  parameter  int unsigned Depth   = 512,
  parameter  int unsigned Enables = 1,    // write enables; bit i is for bits [i*Width/Enables +: Width/Enables]
  localparam int unsigned AddrW   = $clog2(Depth)
) (
  input  logic               clk_i,
  input  logic [Enables-1:0] we_i,
  input  logic [AddrW-1:0]   waddr_i,
  input  logic [Width-1:0]   wdata_i,
  input  logic [AddrW-1:0]   raddr_i,
  output logic [Width-1:0]   rdata_o
);
  localparam int unsigned PartW = Width / Enables;

  (* ram_style = "block", no_rw_check *) logic [Width-1:0] mem [Depth];

  always_ff @(posedge clk_i) begin
    for (int unsigned i = 0; i < Enables; i++) begin
      if (we_i[i]) mem[waddr_i][i*PartW+:PartW] <= wdata_i[i*PartW+:PartW];
    end
    rdata_o <= mem[raddr_i];
  end
endmodule
