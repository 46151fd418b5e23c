// SPDX-License-Identifier: BSD-3-Clause
//
// The whole accelerator: control registers, one or two 64-bit memory ports, interrupt. By the first
// port come the list and, from all channels or the first half of them, the parameters; results leave
// by it. The second one, only read, brings the other half and the input maps.
//
// See rtl/README.md for how it works and rtl/regs/README.md for how it is told what to do.

module qnn_engine
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter int unsigned Pe             = 64,      // output channels at a time: 8, 16, 32 or 64
  parameter int unsigned Pixels         = 4,       // output pixels at a time: 2, 4 or 8
  parameter int unsigned AccW           = 32,      // bits of wide sums
  parameter int unsigned WeightWords    = 512,     // powers of two, at most 4096
  parameter int unsigned ThresholdWords = 256,
  parameter int unsigned WindowWords    = 4096,
  parameter int unsigned PoolColumns    = 256,
  parameter int unsigned Commands       = 64,
  parameter int unsigned Ports          = 2,       // of memory: 1 (m_axi_read is idle) or 2
  parameter int unsigned Requantiser    = 1,       // 1: codes by multiplication, too
  parameter int unsigned DspPairs       = 1        // of Pixels / 2 pairs of sums, those in DSP blocks
) (
  input  logic        aclk,
  input  logic        aresetn,
  output logic        irq,
  // control, AXI4-Lite
  input  logic        s_axi_ctrl_awvalid,
  output logic        s_axi_ctrl_awready,
  input  logic [11:0] s_axi_ctrl_awaddr,
  input  logic [2:0]  s_axi_ctrl_awprot,
  input  logic        s_axi_ctrl_wvalid,
  output logic        s_axi_ctrl_wready,
  input  logic [31:0] s_axi_ctrl_wdata,
  input  logic [3:0]  s_axi_ctrl_wstrb,
  output logic        s_axi_ctrl_bvalid,
  input  logic        s_axi_ctrl_bready,
  output logic [1:0]  s_axi_ctrl_bresp,
  input  logic        s_axi_ctrl_arvalid,
  output logic        s_axi_ctrl_arready,
  input  logic [11:0] s_axi_ctrl_araddr,
  input  logic [2:0]  s_axi_ctrl_arprot,
  output logic        s_axi_ctrl_rvalid,
  input  logic        s_axi_ctrl_rready,
  output logic [31:0] s_axi_ctrl_rdata,
  output logic [1:0]  s_axi_ctrl_rresp,
  // memory, AXI4 with bursts that AXI3 has too
  output logic        m_axi_awvalid,
  input  logic        m_axi_awready,
  output logic [31:0] m_axi_awaddr,
  output logic [7:0]  m_axi_awlen,
  output logic [2:0]  m_axi_awsize,
  output logic [1:0]  m_axi_awburst,
  output logic [3:0]  m_axi_awcache,
  output logic [2:0]  m_axi_awprot,
  output logic        m_axi_wvalid,
  input  logic        m_axi_wready,
  output logic [63:0] m_axi_wdata,
  output logic [7:0]  m_axi_wstrb,
  output logic        m_axi_wlast,
  input  logic        m_axi_bvalid,
  output logic        m_axi_bready,
  input  logic [1:0]  m_axi_bresp,
  output logic        m_axi_arvalid,
  input  logic        m_axi_arready,
  output logic [31:0] m_axi_araddr,
  output logic [7:0]  m_axi_arlen,
  output logic [2:0]  m_axi_arsize,
  output logic [1:0]  m_axi_arburst,
  output logic [3:0]  m_axi_arcache,
  output logic [2:0]  m_axi_arprot,
  input  logic        m_axi_rvalid,
  output logic        m_axi_rready,
  input  logic [63:0] m_axi_rdata,
  input  logic [1:0]  m_axi_rresp,
  input  logic        m_axi_rlast,
  // memory, the second port
  output logic        m_axi_read_arvalid,
  input  logic        m_axi_read_arready,
  output logic [31:0] m_axi_read_araddr,
  output logic [7:0]  m_axi_read_arlen,
  output logic [2:0]  m_axi_read_arsize,
  output logic [1:0]  m_axi_read_arburst,
  output logic [3:0]  m_axi_read_arcache,
  output logic [2:0]  m_axi_read_arprot,
  input  logic        m_axi_read_rvalid,
  output logic        m_axi_read_rready,
  input  logic [63:0] m_axi_read_rdata,
  input  logic [1:0]  m_axi_read_rresp,
  input  logic        m_axi_read_rlast
);
  if (Pe != 8 && Pe != 16 && Pe != 32 && Pe != 64) begin : gen_bad_pe
    $fatal(1, "qnn_engine: Pe=%0d is not 8, 16, 32 or 64", Pe);
  end
  if (Pixels != 2 && Pixels != 4 && Pixels != 8) begin : gen_bad_pixels
    $fatal(1, "qnn_engine: Pixels=%0d is not 2, 4 or 8", Pixels);
  end
  if (DspPairs > Pixels / 2) begin : gen_bad_pairs
    $fatal(1, "qnn_engine: DspPairs=%0d with Pixels=%0d is not 0 to half of these", DspPairs, Pixels);
  end
  if (AccW < SUM_W || AccW > 32) begin : gen_bad_sums
    $fatal(1, "qnn_engine: AccW=%0d is not %0d to 32", AccW, SUM_W);
  end
  if (Ports != 1 && (Ports != 2 || Pe < 2 * GROUP_PE)) begin : gen_bad_ports
    $fatal(1, "qnn_engine: Ports=%0d with Pe=%0d is not 1, or 2 with at least 16", Ports, Pe);
  end
  if (Requantiser > 1 || (Requantiser == 1 && AccW != 32)) begin : gen_bad_requantiser
    $fatal(1, "qnn_engine: Requantiser=%0d with AccW=%0d is not 0, or 1 with 32", Requantiser, AccW);
  end

  logic clk, rst, clear;
  assign clk = aclk;
  assign rst = !aresetn;

  // control
  logic        start, start_resident, abort, soft_reset, busy, resident, ended, ended_silent;
  logic        resident_run, stop, run_start, command_start, flush, progress;
  logic [7:0]  ended_code, ended_index, list_count;
  logic [Ports*8-1:0]  weights_command, weights_loading;
  logic [Ports*64-1:0] weights_beat;
  logic [31:0] list_address, timeout, cycles, perf;
  logic [24:0] read_base, read_last, write_base, write_last;
  logic [8:0]  perf_address;
  command_t    command, next;
  logic        next_valid, next_taken;
  logic [24:0] written_line;

  qnn_csr #(
    .Lanes ({4'd15, 4'd8, 8'(Pixels), 8'(Pe), 8'(SIMD)}),
    .Stores({16'(ThresholdWords), 16'(WeightWords)}),
    .Limits({8'(AccW), 8'(Commands), 16'(WindowWords)}),
    .Shapes({8'(CODE_W), 8'(KERNEL_ROWS), 16'(PoolColumns)}),
    .Memory(Ports),
    .Features(Requantiser)
  ) u_csr (
    .clk_i(clk), .rst_i(rst),
    .awvalid_i(s_axi_ctrl_awvalid), .awready_o(s_axi_ctrl_awready), .awaddr_i(s_axi_ctrl_awaddr),
    .wvalid_i(s_axi_ctrl_wvalid), .wready_o(s_axi_ctrl_wready), .wdata_i(s_axi_ctrl_wdata),
    .wstrb_i(s_axi_ctrl_wstrb), .bvalid_o(s_axi_ctrl_bvalid), .bready_i(s_axi_ctrl_bready),
    .arvalid_i(s_axi_ctrl_arvalid), .arready_o(s_axi_ctrl_arready), .araddr_i(s_axi_ctrl_araddr),
    .rvalid_o(s_axi_ctrl_rvalid), .rready_i(s_axi_ctrl_rready), .rdata_o(s_axi_ctrl_rdata),
    .start_o(start), .start_resident_o(start_resident), .abort_o(abort), .reset_o(soft_reset),
    .list_address_o(list_address), .list_count_o(list_count), .timeout_o(timeout),
    .read_base_o(read_base), .read_last_o(read_last),
    .write_base_o(write_base), .write_last_o(write_last),
    .busy_i(busy), .resident_i(resident), .ended_i(ended), .ended_code_i(ended_code),
    .ended_index_i(ended_index), .ended_silent_i(ended_silent), .cycles_i(cycles),
    .perf_address_o(perf_address), .perf_i(perf), .irq_o(irq)
  );
  assign s_axi_ctrl_bresp = 2'b00;
  assign s_axi_ctrl_rresp = 2'b00;

  // who reads, of each port the last one its weight loader; a port hands on what it reads to all
  logic        list_valid, list_ready, list_data_valid, input_valid, input_ready, input_data_valid;
  logic [31:0] list_read_address, input_address;
  logic [4:0]  list_beats, input_beats;
  logic [Ports-1:0]    weights_valid;
  logic [Ports*32-1:0] weights_address;
  logic [Ports*5-1:0]  weights_beats;
  logic [Ports-1:0] weights_ready, weights_data_valid;
  logic [Ports*64-1:0] data;
  logic [Ports-1:0] read_window_error, read_response_error, read_error_of_weights, read_busy;
  logic write_window_error, write_response_error, write_busy, write_begun;
  logic settled, pack_valid, room;
  logic [63:0] pack_data;

  // the channels of the ports, the first one lowest
  logic [1:0]       arvalid, arready, rvalid, rready, rlast;
  logic [1:0][31:0] araddr;
  logic [1:0][7:0]  arlen;
  logic [1:0][63:0] rdata;
  logic [1:0][1:0]  rresp;
  assign {m_axi_read_arvalid, m_axi_arvalid} = arvalid;
  assign {m_axi_read_araddr, m_axi_araddr} = araddr;
  assign {m_axi_read_arlen, m_axi_arlen} = arlen;
  assign {m_axi_read_rready, m_axi_rready} = rready;
  assign arready = {m_axi_read_arready, m_axi_arready};
  assign rvalid = {m_axi_read_rvalid, m_axi_rvalid};
  assign rdata = {m_axi_read_rdata, m_axi_rdata};
  assign rresp = {m_axi_read_rresp, m_axi_rresp};
  assign rlast = {m_axi_read_rlast, m_axi_rlast};

  // the list comes by the first port, the input map by the last one
  logic [Ports-1:0] list_taken, list_comes, input_taken, input_comes;
  assign {list_ready, list_data_valid} = {list_taken[0], list_comes[0]};
  assign {input_ready, input_data_valid} = {input_taken[Ports-1], input_comes[Ports-1]};
  for (genvar p = 0; p < Ports; p++) begin : gen_port
    qnn_read_dma #(
      .Clients(3)
    ) u_read (
      .clk_i(clk), .rst_i(clear), .stop_i(stop),
      .window_base_i({write_base, read_base}), .window_last_i({write_last, read_last}),
      .error_window_o(read_window_error[p]), .error_response_o(read_response_error[p]),
      .error_client_o(read_error_of_weights[p]), .busy_o(read_busy[p]),
      .req_valid_i({weights_valid[p], input_valid && p == Ports - 1, list_valid && p == 0}),
      .req_ready_o({weights_ready[p], input_taken[p], list_taken[p]}),
      .req_address_i({weights_address[p*32+:32], input_address, list_read_address}),
      .req_beats_i({weights_beats[p*5+:5], input_beats, list_beats}),
      .data_valid_o({weights_data_valid[p], input_comes[p], list_comes[p]}),
      .data_o(data[p*64+:64]),
      .arvalid_o(arvalid[p]), .arready_i(arready[p]), .araddr_o(araddr[p]), .arlen_o(arlen[p]),
      .rvalid_i(rvalid[p]), .rready_o(rready[p]), .rdata_i(rdata[p]), .rresp_i(rresp[p]),
      .rlast_i(rlast[p])
    );
  end
  if (Ports == 1) begin : gen_idle
    assign {arvalid[1], araddr[1], arlen[1], rready[1]} = {1'b0, 32'b0, 8'b0, 1'b1};
  end
  qnn_write_dma u_write (
    .clk_i(clk), .rst_i(clear), .stop_i(stop),
    .start_i(command_start), .address_i(next.out_address), .flush_i(flush),
    .window_base_i(write_base), .window_last_i(write_last),
    .error_window_o(write_window_error), .error_response_o(write_response_error),
    .busy_o(write_busy), .begun_o(write_begun), .written_line_o(written_line),
    .settled_o(settled), .in_valid_i(pack_valid), .room_o(room), .in_data_i(pack_data),
    .awvalid_o(m_axi_awvalid), .awready_i(m_axi_awready), .awaddr_o(m_axi_awaddr),
    .awlen_o(m_axi_awlen), .wvalid_o(m_axi_wvalid), .wready_i(m_axi_wready),
    .wdata_o(m_axi_wdata), .wlast_o(m_axi_wlast), .bvalid_i(m_axi_bvalid),
    .bready_o(m_axi_bready), .bresp_i(m_axi_bresp)
  );
  assign m_axi_awsize = 3'd3;
  assign m_axi_awburst = 2'b01;
  assign m_axi_awcache = 4'b0011;
  assign m_axi_awprot = '0;
  assign m_axi_wstrb = '1;
  assign m_axi_arsize = 3'd3;
  assign m_axi_arburst = 2'b01;
  assign m_axi_arcache = 4'b0011;
  assign m_axi_arprot = '0;
  assign m_axi_read_arsize = 3'd3;
  assign m_axi_read_arburst = 2'b01;
  assign m_axi_read_arcache = 4'b0011;
  assign m_axi_read_arprot = '0;

  logic drained, issue, wait_weights, wait_input, wait_output, weights_resident, weights_start;
  qnn_control #(
    .Commands(Commands), .Pe(Pe), .Pixels(Pixels), .WeightWords(WeightWords),
    .ThresholdWords(ThresholdWords), .WindowWords(WindowWords), .PoolColumns(PoolColumns),
    .Ports(Ports), .Requantiser(Requantiser)
  ) u_control (
    .clk_i(clk), .rst_i(rst),
    .start_i(start), .start_resident_i(start_resident), .abort_i(abort), .reset_i(soft_reset),
    .list_address_i(list_address), .list_count_i(list_count), .timeout_i(timeout),
    .busy_o(busy), .resident_o(resident), .ended_o(ended), .ended_code_o(ended_code),
    .ended_index_o(ended_index), .ended_silent_o(ended_silent), .cycles_o(cycles),
    .perf_address_i(perf_address), .perf_o(perf),
    .req_valid_o(list_valid), .req_ready_i(list_ready), .req_address_o(list_read_address),
    .req_beats_o(list_beats), .data_valid_i(list_data_valid), .data_i(data[63:0]),
    .stop_o(stop), .bus_busy_i(read_busy != '0 || write_busy),
    .weights_start_o(weights_start), .weights_command_i(weights_command),
    .weights_loading_i(weights_loading),
    .weights_beat_o(weights_beat), .weights_resident_i(weights_resident),
    .resident_run_o(resident_run),
    .clear_o(clear), .run_start_o(run_start), .command_start_o(command_start),
    .command_o(command), .drained_i(drained), .begun_i(write_begun), .settled_i(settled),
    .written_i(write_begun && !write_busy),
    .next_valid_o(next_valid), .next_o(next), .next_taken_i(next_taken),
    .flush_o(flush), .progress_i(progress),
    .count_busy_i(issue), .count_weights_i(wait_weights), .count_input_i(wait_input),
    .count_output_i(wait_output),
    .error_read_window_i(read_window_error), .error_read_response_i(read_response_error),
    .error_of_weights_i(read_error_of_weights), .error_write_window_i(write_window_error),
    .error_write_response_i(write_response_error)
  );
  assign progress = issue || rvalid[Ports-1:0] != '0 || (arvalid & arready) != '0
      || (m_axi_wvalid && m_axi_wready) || (m_axi_awvalid && m_axi_awready) || m_axi_bvalid;

  qnn_datapath #(
    .Pe(Pe), .Pixels(Pixels), .AccW(AccW), .WeightWords(WeightWords),
    .ThresholdWords(ThresholdWords), .WindowWords(WindowWords), .PoolColumns(PoolColumns),
    .Ports(Ports), .Requantiser(Requantiser), .DspPairs(DspPairs)
  ) u_datapath (
    .clk_i(clk), .rst_i(clear), .run_start_i(run_start), .resident_run_i(resident_run),
    .next_valid_i(next_valid), .next_i(next), .next_taken_o(next_taken),
    .command_start_i(command_start), .command_i(command), .drained_o(drained),
    .written_line_i(written_line), .settled_i(settled),
    .weights_start_i(weights_start), .commands_i(list_count),
    .weights_command_o(weights_command), .weights_loading_o(weights_loading),
    .weights_beat_i(weights_beat), .weights_resident_o(weights_resident),
    .weights_valid_o(weights_valid), .weights_ready_i(weights_ready),
    .weights_address_o(weights_address), .weights_beats_o(weights_beats),
    .weights_data_valid_i(weights_data_valid),
    .input_valid_o(input_valid), .input_ready_i(input_ready),
    .input_address_o(input_address), .input_beats_o(input_beats),
    .input_data_valid_i(input_data_valid), .data_i(data),
    .out_valid_o(pack_valid), .room_i(room), .out_data_o(pack_data),
    .issue_o(issue), .wait_weights_o(wait_weights), .wait_input_o(wait_input),
    .wait_output_o(wait_output)
  );
endmodule
