// SPDX-License-Identifier: BSD-3-Clause
//
// All of the programmable logic of a Zynq-7000, with what its processing system has to connect:
//
//   gp0 (AXI3) > qnn_axi3_lite > registers of qnn_engine, qnn_intc
//   m_axi of qnn_engine > hp0 (AXI3), m_axi_read > hp2 (AXI3, only read)
//   irq of qnn_engine > qnn_intc > irq_o
//
// What AXI4 has over AXI3, the engine does not use: its bursts have at most 16 beats, of one ID, and
// its data come in the order of their addresses. So the lengths lose their upper bits, which are 0,
// and that is all. Reset ends when fclk_resetn_i has been high for 16 cycles.

module qnn_fabric #(
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
) (
  input  logic        clk_i,
  input  logic        fclk_resetn_i,
  output logic        irq_o,
  input  logic        gp0_awvalid,
  output logic        gp0_awready,
  input  logic [11:0] gp0_awid,
  input  logic [31:0] gp0_awaddr,
  input  logic [3:0]  gp0_awlen,
  input  logic [1:0]  gp0_awsize,
  input  logic [1:0]  gp0_awburst,
  input  logic        gp0_wvalid,
  output logic        gp0_wready,
  input  logic [11:0] gp0_wid,
  input  logic [31:0] gp0_wdata,
  input  logic [3:0]  gp0_wstrb,
  input  logic        gp0_wlast,
  output logic        gp0_bvalid,
  input  logic        gp0_bready,
  output logic [11:0] gp0_bid,
  output logic [1:0]  gp0_bresp,
  input  logic        gp0_arvalid,
  output logic        gp0_arready,
  input  logic [11:0] gp0_arid,
  input  logic [31:0] gp0_araddr,
  input  logic [3:0]  gp0_arlen,
  input  logic [1:0]  gp0_arsize,
  input  logic [1:0]  gp0_arburst,
  output logic        gp0_rvalid,
  input  logic        gp0_rready,
  output logic [11:0] gp0_rid,
  output logic [31:0] gp0_rdata,
  output logic [1:0]  gp0_rresp,
  output logic        gp0_rlast,
  output logic        hp0_awvalid,
  input  logic        hp0_awready,
  output logic [31:0] hp0_awaddr,
  output logic [3:0]  hp0_awlen,
  output logic [1:0]  hp0_awsize,
  output logic [1:0]  hp0_awburst,
  output logic [3:0]  hp0_awcache,
  output logic [2:0]  hp0_awprot,
  output logic        hp0_wvalid,
  input  logic        hp0_wready,
  output logic [63:0] hp0_wdata,
  output logic [7:0]  hp0_wstrb,
  output logic        hp0_wlast,
  input  logic        hp0_bvalid,
  output logic        hp0_bready,
  input  logic [1:0]  hp0_bresp,
  output logic        hp0_arvalid,
  input  logic        hp0_arready,
  output logic [31:0] hp0_araddr,
  output logic [3:0]  hp0_arlen,
  output logic [1:0]  hp0_arsize,
  output logic [1:0]  hp0_arburst,
  output logic [3:0]  hp0_arcache,
  output logic [2:0]  hp0_arprot,
  input  logic        hp0_rvalid,
  output logic        hp0_rready,
  input  logic [63:0] hp0_rdata,
  input  logic [1:0]  hp0_rresp,
  input  logic        hp0_rlast,
  output logic        hp2_arvalid,
  input  logic        hp2_arready,
  output logic [31:0] hp2_araddr,
  output logic [3:0]  hp2_arlen,
  output logic [1:0]  hp2_arsize,
  output logic [1:0]  hp2_arburst,
  output logic [3:0]  hp2_arcache,
  output logic [2:0]  hp2_arprot,
  input  logic        hp2_rvalid,
  output logic        hp2_rready,
  input  logic [63:0] hp2_rdata,
  input  logic [1:0]  hp2_rresp,
  input  logic        hp2_rlast
);
  logic [15:0] high;
  logic        rst;
  always_ff @(posedge clk_i) begin
    high <= {high[14:0], fclk_resetn_i};
    rst <= high != '1;
  end

  logic control_awvalid, control_awready, control_wvalid, control_wready, control_bvalid;
  logic control_bready, control_arvalid, control_arready, control_rvalid, control_rready;
  logic [1:0] control_bresp, control_rresp;
  logic [2:0] control_awprot, control_arprot;
  logic [3:0] control_wstrb;
  logic [11:0] control_awaddr, control_araddr;
  logic [31:0] control_wdata, control_rdata;
  logic intc_awvalid, intc_awready, intc_wvalid, intc_wready, intc_bvalid, intc_bready;
  logic intc_arvalid, intc_arready, intc_rvalid, intc_rready;
  logic [1:0] intc_bresp, intc_rresp;
  logic [2:0] intc_awprot, intc_arprot;
  logic [3:0] intc_wstrb;
  logic [11:0] intc_awaddr, intc_araddr;
  logic [31:0] intc_wdata, intc_rdata;

  qnn_axi3_lite #(
    .Window0(EngineWindow), .Window1(IntcWindow)
  ) u_bridge (
    .clk_i, .rst_i(rst),
    .s_axi_awvalid(gp0_awvalid), .s_axi_awready(gp0_awready), .s_axi_awid(gp0_awid),
    .s_axi_awaddr(gp0_awaddr), .s_axi_awlen(gp0_awlen), .s_axi_awsize({1'b0, gp0_awsize}),
    .s_axi_awburst(gp0_awburst), .s_axi_wvalid(gp0_wvalid), .s_axi_wready(gp0_wready),
    .s_axi_wid(gp0_wid), .s_axi_wdata(gp0_wdata), .s_axi_wstrb(gp0_wstrb), .s_axi_wlast(gp0_wlast),
    .s_axi_bvalid(gp0_bvalid), .s_axi_bready(gp0_bready), .s_axi_bid(gp0_bid),
    .s_axi_bresp(gp0_bresp), .s_axi_arvalid(gp0_arvalid), .s_axi_arready(gp0_arready),
    .s_axi_arid(gp0_arid), .s_axi_araddr(gp0_araddr), .s_axi_arlen(gp0_arlen),
    .s_axi_arsize({1'b0, gp0_arsize}), .s_axi_arburst(gp0_arburst), .s_axi_rvalid(gp0_rvalid),
    .s_axi_rready(gp0_rready), .s_axi_rid(gp0_rid), .s_axi_rdata(gp0_rdata),
    .s_axi_rresp(gp0_rresp), .s_axi_rlast(gp0_rlast), .m0_axi_awvalid(control_awvalid),
    .m0_axi_awready(control_awready), .m0_axi_awaddr(control_awaddr),
    .m0_axi_awprot(control_awprot), .m0_axi_wvalid(control_wvalid), .m0_axi_wready(control_wready),
    .m0_axi_wdata(control_wdata), .m0_axi_wstrb(control_wstrb), .m0_axi_bvalid(control_bvalid),
    .m0_axi_bready(control_bready), .m0_axi_bresp(control_bresp), .m0_axi_arvalid(control_arvalid),
    .m0_axi_arready(control_arready), .m0_axi_araddr(control_araddr),
    .m0_axi_arprot(control_arprot), .m0_axi_rvalid(control_rvalid), .m0_axi_rready(control_rready),
    .m0_axi_rdata(control_rdata), .m0_axi_rresp(control_rresp), .m1_axi_awvalid(intc_awvalid),
    .m1_axi_awready(intc_awready), .m1_axi_awaddr(intc_awaddr), .m1_axi_awprot(intc_awprot),
    .m1_axi_wvalid(intc_wvalid), .m1_axi_wready(intc_wready), .m1_axi_wdata(intc_wdata),
    .m1_axi_wstrb(intc_wstrb), .m1_axi_bvalid(intc_bvalid), .m1_axi_bready(intc_bready),
    .m1_axi_bresp(intc_bresp), .m1_axi_arvalid(intc_arvalid), .m1_axi_arready(intc_arready),
    .m1_axi_araddr(intc_araddr), .m1_axi_arprot(intc_arprot), .m1_axi_rvalid(intc_rvalid),
    .m1_axi_rready(intc_rready), .m1_axi_rdata(intc_rdata), .m1_axi_rresp(intc_rresp)
  );

  logic irq;
  qnn_intc u_intc (
    .clk_i, .rst_i(rst), .irq_i(irq), .irq_o,
    .s_axi_awvalid(intc_awvalid), .s_axi_awready(intc_awready), .s_axi_awaddr(intc_awaddr),
    .s_axi_wvalid(intc_wvalid), .s_axi_wready(intc_wready), .s_axi_wdata(intc_wdata),
    .s_axi_wstrb(intc_wstrb), .s_axi_bvalid(intc_bvalid), .s_axi_bready(intc_bready),
    .s_axi_bresp(intc_bresp), .s_axi_arvalid(intc_arvalid), .s_axi_arready(intc_arready),
    .s_axi_araddr(intc_araddr), .s_axi_rvalid(intc_rvalid), .s_axi_rready(intc_rready),
    .s_axi_rdata(intc_rdata), .s_axi_rresp(intc_rresp)
  );

  // of AXI4 only: 16 beats have lengths of 4 bits, 8 bytes sizes of 2
  logic [2:0][3:0] more_beats;
  logic [2:0]      more_bytes;
  qnn_engine #(
    .Pe(Pe), .Pixels(Pixels), .WeightWords(WeightWords), .ThresholdWords(ThresholdWords),
    .WindowWords(WindowWords), .PoolColumns(PoolColumns), .Commands(Commands), .Ports(Ports),
    .Requantiser(Requantiser), .DspPairs(DspPairs)
  ) u_engine (
    .aclk(clk_i), .aresetn(!rst), .irq(irq),
    .s_axi_ctrl_awvalid(control_awvalid), .s_axi_ctrl_awready(control_awready),
    .s_axi_ctrl_awaddr(control_awaddr), .s_axi_ctrl_awprot(control_awprot),
    .s_axi_ctrl_wvalid(control_wvalid), .s_axi_ctrl_wready(control_wready),
    .s_axi_ctrl_wdata(control_wdata), .s_axi_ctrl_wstrb(control_wstrb),
    .s_axi_ctrl_bvalid(control_bvalid), .s_axi_ctrl_bready(control_bready),
    .s_axi_ctrl_bresp(control_bresp), .s_axi_ctrl_arvalid(control_arvalid),
    .s_axi_ctrl_arready(control_arready), .s_axi_ctrl_araddr(control_araddr),
    .s_axi_ctrl_arprot(control_arprot), .s_axi_ctrl_rvalid(control_rvalid),
    .s_axi_ctrl_rready(control_rready), .s_axi_ctrl_rdata(control_rdata),
    .s_axi_ctrl_rresp(control_rresp), .m_axi_awvalid(hp0_awvalid), .m_axi_awready(hp0_awready),
    .m_axi_awaddr(hp0_awaddr), .m_axi_awlen({more_beats[0], hp0_awlen}),
    .m_axi_awsize({more_bytes[0], hp0_awsize}), .m_axi_awburst(hp0_awburst),
    .m_axi_awcache(hp0_awcache), .m_axi_awprot(hp0_awprot), .m_axi_wvalid(hp0_wvalid),
    .m_axi_wready(hp0_wready), .m_axi_wdata(hp0_wdata), .m_axi_wstrb(hp0_wstrb),
    .m_axi_wlast(hp0_wlast), .m_axi_bvalid(hp0_bvalid), .m_axi_bready(hp0_bready),
    .m_axi_bresp(hp0_bresp), .m_axi_arvalid(hp0_arvalid), .m_axi_arready(hp0_arready),
    .m_axi_araddr(hp0_araddr), .m_axi_arlen({more_beats[1], hp0_arlen}),
    .m_axi_arsize({more_bytes[1], hp0_arsize}), .m_axi_arburst(hp0_arburst),
    .m_axi_arcache(hp0_arcache), .m_axi_arprot(hp0_arprot), .m_axi_rvalid(hp0_rvalid),
    .m_axi_rready(hp0_rready), .m_axi_rdata(hp0_rdata), .m_axi_rresp(hp0_rresp),
    .m_axi_rlast(hp0_rlast), .m_axi_read_arvalid(hp2_arvalid), .m_axi_read_arready(hp2_arready),
    .m_axi_read_araddr(hp2_araddr), .m_axi_read_arlen({more_beats[2], hp2_arlen}),
    .m_axi_read_arsize({more_bytes[2], hp2_arsize}), .m_axi_read_arburst(hp2_arburst),
    .m_axi_read_arcache(hp2_arcache), .m_axi_read_arprot(hp2_arprot),
    .m_axi_read_rvalid(hp2_rvalid), .m_axi_read_rready(hp2_rready), .m_axi_read_rdata(hp2_rdata),
    .m_axi_read_rresp(hp2_rresp), .m_axi_read_rlast(hp2_rlast)
  );
endmodule
