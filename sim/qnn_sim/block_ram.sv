// SPDX-License-Identifier: BSD-3-Clause
//
// Block RAMs of the 7 series as Yosys uses them for qnn_ram: in simple dual-port mode, as wide as
// they go, with byte enables and without output registers (7 Series Memory Resources, UG473).
//
// Timing: a word is there one clock after its address. A read of a word that is being written gives
// the old one: both ports have one clock, and the writing one reads first.
// A cell that is set to anything else does not compile; one that is driven otherwise stops the run.

module qnn_block_ram #(
  parameter int unsigned AddrW = 9,
  parameter int unsigned Bytes = 8   // of 9 bits, each with an enable
) (
  input  logic               clk_i,
  input  logic [Bytes-1:0]   we_i,
  input  logic [AddrW-1:0]   waddr_i,
  input  logic [9*Bytes-1:0] wdata_i,
  input  logic [AddrW-1:0]   raddr_i,
  output logic [9*Bytes-1:0] rdata_o
);
  logic [9*Bytes-1:0] mem [2**AddrW];

  always_ff @(posedge clk_i) begin
    for (int unsigned i = 0; i < Bytes; i++) begin
      if (we_i[i]) mem[waddr_i][9*i+:9] <= wdata_i[9*i+:9];
    end
    rdata_o <= mem[raddr_i];
  end
endmodule

`define QNN_BLOCK_RAM(NAME, ADDR_W, BYTES, TOP) \
module NAME #( \
  parameter int DOA_REG = 0, DOB_REG = 0, \
  parameter int READ_WIDTH_A = 0, READ_WIDTH_B = 0, WRITE_WIDTH_A = 0, WRITE_WIDTH_B = 0, \
  parameter RAM_MODE = "TDP", WRITE_MODE_A = "WRITE_FIRST", WRITE_MODE_B = "WRITE_FIRST", \
  parameter RAM_EXTENSION_A = "NONE", RAM_EXTENSION_B = "NONE" \
) ( \
  input  logic CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB, \
  input  logic RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB, \
  input  logic [ADDR_W-1:0] ADDRARDADDR, ADDRBWRADDR, \
  input  logic [4*BYTES-1:0] DIADI, DIBDI, \
  input  logic [BYTES/2-1:0] DIPADIP, DIPBDIP, WEA, \
  input  logic [BYTES-1:0] WEBWE, \
  output logic [4*BYTES-1:0] DOADO, DOBDO, \
  output logic [BYTES/2-1:0] DOPADOP, DOPBDOP \
); \
  if (RAM_MODE != "SDP" || READ_WIDTH_A != 9 * BYTES || WRITE_WIDTH_B != 9 * BYTES \
      || READ_WIDTH_B != 0 || WRITE_WIDTH_A != 0 || WRITE_MODE_B != "READ_FIRST" \
      || DOA_REG != 0 || DOB_REG != 0 || RAM_EXTENSION_A != "NONE") \
    $error("a mode that this model does not have"); \
  logic [8*BYTES-1:0] in, out; \
  logic [BYTES-1:0] in_parity, out_parity; \
  logic [9*BYTES-1:0] wdata, rdata; \
  assign in = {DIBDI, DIADI}, in_parity = {DIPBDIP, DIPADIP}; \
  assign {DOBDO, DOADO} = out, {DOPBDOP, DOPADOP} = out_parity; \
  always_ff @(posedge CLKBWRCLK) begin \
    if (CLKARDCLK != CLKBWRCLK || !ENARDEN || !ENBWREN || RSTRAMARSTRAM || WEA != '0) \
      $fatal(1, "a port is driven as this model does not have it"); \
  end \
  for (genvar i = 0; i < BYTES; i++) begin : gen_byte \
    assign wdata[9*i+:9] = {in_parity[i], in[8*i+:8]}; \
    assign {out_parity[i], out[8*i+:8]} = rdata[9*i+:9]; \
  end \
  qnn_block_ram #(.AddrW(9), .Bytes(BYTES)) u_ram ( \
    .clk_i(CLKBWRCLK), .we_i(WEBWE), .waddr_i(ADDRBWRADDR[TOP-:9]), .wdata_i(wdata), \
    .raddr_i(ADDRARDADDR[TOP-:9]), .rdata_o(rdata) \
  ); \
endmodule

`QNN_BLOCK_RAM(RAMB18E1, 14, 4, 13)
`QNN_BLOCK_RAM(RAMB36E1, 16, 8, 14)
