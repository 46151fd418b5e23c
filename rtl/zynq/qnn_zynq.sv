// SPDX-License-Identifier: BSD-3-Clause
//
// The top of a bitstream for a Zynq-7000 without the block design of Vivado: the processing system and
// qnn_fabric. It has no pins: those of the processing system are its own. Clock of everything is
// FCLK_CLK0, as the hardware description tells PYNQ to set it.

module qnn_zynq #(
  parameter int unsigned Pe             = 64,      // of the engine, see qnn_engine
  parameter int unsigned Pixels         = 4,
  parameter int unsigned WeightWords    = 512,
  parameter int unsigned ThresholdWords = 256,
  parameter int unsigned WindowWords    = 4096,
  parameter int unsigned PoolColumns    = 256,
  parameter int unsigned Commands       = 64,
  parameter int unsigned Ports          = 2,
  parameter int unsigned Requantiser    = 1,
  parameter int unsigned DspPairs       = 1,
  parameter logic [15:0] EngineWindow   = 16'h43C0,  // upper half of the addresses of the registers
  parameter logic [15:0] IntcWindow     = 16'h4180   // and of those of the interrupt controller
);
  logic [3:0] fclk, fclk_resetn;
  logic       clk, irq;
  BUFG u_clock (
    .I(fclk[0]), .O(clk)
  );

  logic gp0_awvalid, gp0_awready, gp0_wvalid, gp0_wready, gp0_wlast, gp0_bvalid, gp0_bready;
  logic gp0_arvalid, gp0_arready, gp0_rvalid, gp0_rready, gp0_rlast;
  logic [1:0] gp0_awsize, gp0_awburst, gp0_bresp, gp0_arsize, gp0_arburst, gp0_rresp;
  logic [3:0] gp0_awlen, gp0_wstrb, gp0_arlen;
  logic [11:0] gp0_awid, gp0_wid, gp0_bid, gp0_arid, gp0_rid;
  logic [31:0] gp0_awaddr, gp0_wdata, gp0_araddr, gp0_rdata;
  logic hp0_awvalid, hp0_awready, hp0_wvalid, hp0_wready, hp0_wlast, hp0_bvalid, hp0_bready;
  logic hp0_arvalid, hp0_arready, hp0_rvalid, hp0_rready, hp0_rlast;
  logic [1:0] hp0_awsize, hp0_awburst, hp0_bresp, hp0_arsize, hp0_arburst, hp0_rresp;
  logic [2:0] hp0_awprot, hp0_arprot;
  logic [3:0] hp0_awlen, hp0_awcache, hp0_arlen, hp0_arcache;
  logic [7:0] hp0_wstrb;
  logic [31:0] hp0_awaddr, hp0_araddr;
  logic [63:0] hp0_wdata, hp0_rdata;
  logic hp2_arvalid, hp2_arready, hp2_rvalid, hp2_rready, hp2_rlast;
  logic [1:0] hp2_arsize, hp2_arburst, hp2_rresp;
  logic [2:0] hp2_arprot;
  logic [3:0] hp2_arlen, hp2_arcache;
  logic [31:0] hp2_araddr;
  logic [63:0] hp2_rdata;

  qnn_fabric #(
    .Pe(Pe), .Pixels(Pixels), .WeightWords(WeightWords), .ThresholdWords(ThresholdWords),
    .WindowWords(WindowWords), .PoolColumns(PoolColumns), .Commands(Commands), .Ports(Ports),
    .Requantiser(Requantiser), .DspPairs(DspPairs),
    .EngineWindow(EngineWindow), .IntcWindow(IntcWindow)
  ) u_fabric (
    .clk_i(clk), .fclk_resetn_i(fclk_resetn[0]), .irq_o(irq),
    .gp0_awvalid, .gp0_awready, .gp0_awid, .gp0_awaddr, .gp0_awlen, .gp0_awsize, .gp0_awburst,
    .gp0_wvalid, .gp0_wready, .gp0_wid, .gp0_wdata, .gp0_wstrb, .gp0_wlast, .gp0_bvalid,
    .gp0_bready, .gp0_bid, .gp0_bresp, .gp0_arvalid, .gp0_arready, .gp0_arid, .gp0_araddr,
    .gp0_arlen, .gp0_arsize, .gp0_arburst, .gp0_rvalid, .gp0_rready, .gp0_rid, .gp0_rdata,
    .gp0_rresp, .gp0_rlast, .hp0_awvalid, .hp0_awready, .hp0_awaddr, .hp0_awlen, .hp0_awsize,
    .hp0_awburst, .hp0_awcache, .hp0_awprot, .hp0_wvalid, .hp0_wready, .hp0_wdata, .hp0_wstrb,
    .hp0_wlast, .hp0_bvalid, .hp0_bready, .hp0_bresp, .hp0_arvalid, .hp0_arready, .hp0_araddr,
    .hp0_arlen, .hp0_arsize, .hp0_arburst, .hp0_arcache, .hp0_arprot, .hp0_rvalid, .hp0_rready,
    .hp0_rdata, .hp0_rresp, .hp0_rlast, .hp2_arvalid, .hp2_arready, .hp2_araddr, .hp2_arlen,
    .hp2_arsize, .hp2_arburst, .hp2_arcache, .hp2_arprot, .hp2_rvalid, .hp2_rready, .hp2_rdata,
    .hp2_rresp, .hp2_rlast
  );

  // The fast and the private interrupts of the two cores, bits 19 to 16, stay off. Hp2 is not written.
  PS7 u_ps7 (
    .FCLKCLK(fclk), .FCLKRESETN(fclk_resetn), .IRQF2P({19'b0, irq}),
    .MAXIGP0ACLK(clk), .SAXIHP0ACLK(clk), .SAXIHP2ACLK(clk),
    .MAXIGP0AWVALID(gp0_awvalid), .MAXIGP0AWREADY(gp0_awready), .MAXIGP0AWID(gp0_awid),
    .MAXIGP0AWADDR(gp0_awaddr), .MAXIGP0AWLEN(gp0_awlen), .MAXIGP0AWSIZE(gp0_awsize),
    .MAXIGP0AWBURST(gp0_awburst), .MAXIGP0WVALID(gp0_wvalid), .MAXIGP0WREADY(gp0_wready),
    .MAXIGP0WID(gp0_wid), .MAXIGP0WDATA(gp0_wdata), .MAXIGP0WSTRB(gp0_wstrb),
    .MAXIGP0WLAST(gp0_wlast), .MAXIGP0BVALID(gp0_bvalid), .MAXIGP0BREADY(gp0_bready),
    .MAXIGP0BID(gp0_bid), .MAXIGP0BRESP(gp0_bresp), .MAXIGP0ARVALID(gp0_arvalid),
    .MAXIGP0ARREADY(gp0_arready), .MAXIGP0ARID(gp0_arid), .MAXIGP0ARADDR(gp0_araddr),
    .MAXIGP0ARLEN(gp0_arlen), .MAXIGP0ARSIZE(gp0_arsize), .MAXIGP0ARBURST(gp0_arburst),
    .MAXIGP0RVALID(gp0_rvalid), .MAXIGP0RREADY(gp0_rready), .MAXIGP0RID(gp0_rid),
    .MAXIGP0RDATA(gp0_rdata), .MAXIGP0RRESP(gp0_rresp), .MAXIGP0RLAST(gp0_rlast),
    .SAXIHP0AWVALID(hp0_awvalid), .SAXIHP0AWREADY(hp0_awready), .SAXIHP0AWADDR(hp0_awaddr),
    .SAXIHP0AWLEN(hp0_awlen), .SAXIHP0AWSIZE(hp0_awsize), .SAXIHP0AWBURST(hp0_awburst),
    .SAXIHP0AWCACHE(hp0_awcache), .SAXIHP0AWPROT(hp0_awprot), .SAXIHP0WVALID(hp0_wvalid),
    .SAXIHP0WREADY(hp0_wready), .SAXIHP0WDATA(hp0_wdata), .SAXIHP0WSTRB(hp0_wstrb),
    .SAXIHP0WLAST(hp0_wlast), .SAXIHP0BVALID(hp0_bvalid), .SAXIHP0BREADY(hp0_bready),
    .SAXIHP0BRESP(hp0_bresp), .SAXIHP0ARVALID(hp0_arvalid), .SAXIHP0ARREADY(hp0_arready),
    .SAXIHP0ARADDR(hp0_araddr), .SAXIHP0ARLEN(hp0_arlen), .SAXIHP0ARSIZE(hp0_arsize),
    .SAXIHP0ARBURST(hp0_arburst), .SAXIHP0ARCACHE(hp0_arcache), .SAXIHP0ARPROT(hp0_arprot),
    .SAXIHP0RVALID(hp0_rvalid), .SAXIHP0RREADY(hp0_rready), .SAXIHP0RDATA(hp0_rdata),
    .SAXIHP0RRESP(hp0_rresp), .SAXIHP0RLAST(hp0_rlast), .SAXIHP0AWID('0), .SAXIHP0WID('0),
    .SAXIHP0ARID('0), .SAXIHP0AWLOCK('0), .SAXIHP0ARLOCK('0), .SAXIHP0AWQOS('0), .SAXIHP0ARQOS('0),
    .SAXIHP0RDISSUECAP1EN('0), .SAXIHP0WRISSUECAP1EN('0), .SAXIHP2ARVALID(hp2_arvalid),
    .SAXIHP2ARREADY(hp2_arready), .SAXIHP2ARADDR(hp2_araddr), .SAXIHP2ARLEN(hp2_arlen),
    .SAXIHP2ARSIZE(hp2_arsize), .SAXIHP2ARBURST(hp2_arburst), .SAXIHP2ARCACHE(hp2_arcache),
    .SAXIHP2ARPROT(hp2_arprot), .SAXIHP2RVALID(hp2_rvalid), .SAXIHP2RREADY(hp2_rready),
    .SAXIHP2RDATA(hp2_rdata), .SAXIHP2RRESP(hp2_rresp), .SAXIHP2RLAST(hp2_rlast), .SAXIHP2AWID('0),
    .SAXIHP2WID('0), .SAXIHP2ARID('0), .SAXIHP2AWLOCK('0), .SAXIHP2ARLOCK('0), .SAXIHP2AWQOS('0),
    .SAXIHP2ARQOS('0), .SAXIHP2RDISSUECAP1EN('0), .SAXIHP2WRISSUECAP1EN('0), .SAXIHP2AWVALID('0),
    .SAXIHP2AWADDR('0), .SAXIHP2AWLEN('0), .SAXIHP2AWSIZE('0), .SAXIHP2AWBURST('0),
    .SAXIHP2AWCACHE('0), .SAXIHP2AWPROT('0), .SAXIHP2WVALID('0), .SAXIHP2WDATA('0),
    .SAXIHP2WSTRB('0), .SAXIHP2WLAST('0), .SAXIHP2BREADY(1'b1), .SAXIHP2AWREADY(),
    .SAXIHP2WREADY(), .SAXIHP2BVALID(), .SAXIHP2BRESP()
  );
endmodule
