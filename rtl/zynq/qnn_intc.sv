// SPDX-License-Identifier: BSD-3-Clause
//
// Interrupt controller with one input, a level, whose registers are those of Xilinx's axi_intc as
// PG099 has them: PYNQ finds interrupts through nothing else, and drives this one like that.
//
//   0x00 ISR  what came and was not acknowledged    0x10 SIE  1: enable
//   0x04 IPR  of these, what is enabled             0x14 CIE  1: disable
//   0x08 IER  enabled                               0x18 IVR  0 where IPR is 1, else 2^32 - 1
//   0x0c IAR  1: acknowledge                        0x1c MER  bit 0: output on; bit 1: input on, stays
//
// An input that is still there when it is acknowledged comes again at once. ISR cannot be written.

module qnn_intc (
  input  logic        clk_i,
  input  logic        rst_i,
  input  logic        irq_i,
  output logic        irq_o,
  input  logic        s_axi_awvalid,
  output logic        s_axi_awready,
  input  logic [11:0] s_axi_awaddr,
  input  logic        s_axi_wvalid,
  output logic        s_axi_wready,
  input  logic [31:0] s_axi_wdata,
  input  logic [3:0]  s_axi_wstrb,
  output logic        s_axi_bvalid,
  input  logic        s_axi_bready,
  output logic [1:0]  s_axi_bresp,
  input  logic        s_axi_arvalid,
  output logic        s_axi_arready,
  input  logic [11:0] s_axi_araddr,
  output logic        s_axi_rvalid,
  input  logic        s_axi_rready,
  output logic [31:0] s_axi_rdata,
  output logic [1:0]  s_axi_rresp
);
  localparam logic [11:0] ISR = 12'h00, IPR = 12'h04, IER = 12'h08, IAR = 12'h0C;
  localparam logic [11:0] SIE = 12'h10, CIE = 12'h14, IVR = 12'h18, MER = 12'h1C;

  logic pending, enabled, master, hardware, write, read;
  assign irq_o = master && pending && enabled;
  assign write = s_axi_awvalid && s_axi_wvalid && !s_axi_bvalid;
  assign s_axi_awready = write;
  assign s_axi_wready = write;
  assign s_axi_arready = !s_axi_rvalid;
  assign read = s_axi_arvalid && s_axi_arready;
  assign {s_axi_bresp, s_axi_rresp} = '0;

  always_ff @(posedge clk_i) begin
    if (s_axi_bready) s_axi_bvalid <= 1'b0;
    if (write) begin
      s_axi_bvalid <= 1'b1;
      if (s_axi_wstrb[0]) case (s_axi_awaddr)
        IER: enabled <= s_axi_wdata[0];
        IAR: if (s_axi_wdata[0]) pending <= 1'b0;
        SIE: if (s_axi_wdata[0]) enabled <= 1'b1;
        CIE: if (s_axi_wdata[0]) enabled <= 1'b0;
        MER: {hardware, master} <= {hardware || s_axi_wdata[1], s_axi_wdata[0]};
        default: ;
      endcase
    end
    if (irq_i && hardware) pending <= 1'b1;

    if (s_axi_rready) s_axi_rvalid <= 1'b0;
    if (read) begin
      s_axi_rvalid <= 1'b1;
      case (s_axi_araddr)
        ISR: s_axi_rdata <= 32'(pending);
        IPR: s_axi_rdata <= 32'(pending && enabled);
        IER: s_axi_rdata <= 32'(enabled);
        IVR: s_axi_rdata <= pending && enabled ? '0 : '1;
        MER: s_axi_rdata <= {30'b0, hardware, master};
        default: s_axi_rdata <= '0;
      endcase
    end
    if (rst_i) begin
      {pending, enabled, master, hardware, s_axi_bvalid, s_axi_rvalid} <= '0;
    end
  end
endmodule
