// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_accumulator in one DSP48E1, without its multiplier: it adds C, and P once or twice, or A:B. In the
// place of core/qnn_dsp_accumulator.sv where a device of Xilinx is meant, and proven to do the same.

module qnn_dsp_accumulator #(
  parameter int unsigned Width = 48      // even, at most 48
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
  // as UG479 names what the multiplexers select
  localparam logic [1:0] X0 = 2'b00, XP = 2'b10, XAb = 2'b11;
  localparam logic [1:0] YC = 2'b11;
  localparam logic [2:0] Z0 = 3'b000, ZP = 3'b010;

  logic        add;
  logic [1:0]  x;
  logic [47:0] counts, word, p;
  assign x = load_i ? XAb : shift_i && !first_i ? XP : X0;
  assign counts = 48'({(Width / 2)'(counts_i[1]), (Width / 2)'(counts_i[0])});
  assign word = 48'(word_i);
  assign acc_o = p[Width-1:0];
  always_ff @(posedge clk_i) add <= valid_i || load_i;

  DSP48E1 #(
    .ACASCREG(0), .ADREG(0), .ALUMODEREG(0), .AREG(0), .BCASCREG(0), .BREG(0), .CARRYINREG(0),
    .CARRYINSELREG(0), .CREG(0), .DREG(0), .INMODEREG(0), .MREG(0), .OPMODEREG(1), .PREG(1),
    .USE_MULT("NONE")
  ) u_dsp (
    .CLK(clk_i), .A(word[47:18]), .B(word[17:0]), .C(counts), .D('0), .P(p),
    .OPMODE({first_i || load_i ? Z0 : ZP, YC, x}), .ALUMODE('0), .INMODE('0), .CARRYINSEL('0),
    .CARRYIN(1'b0), .ACIN('0), .BCIN('0), .PCIN('0), .CARRYCASCIN(1'b0), .MULTSIGNIN(1'b0),
    .CEP(add), .CECTRL(1'b1), .CEA1(1'b0), .CEA2(1'b0), .CEAD(1'b0), .CEALUMODE(1'b0), .CEB1(1'b0),
    .CEB2(1'b0), .CEC(1'b0), .CECARRYIN(1'b0), .CED(1'b0), .CEINMODE(1'b0), .CEM(1'b0),
    .RSTA(1'b0), .RSTALLCARRYIN(1'b0), .RSTALUMODE(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTCTRL(1'b0),
    .RSTD(1'b0), .RSTINMODE(1'b0), .RSTM(1'b0), .RSTP(1'b0)
  );
endmodule
