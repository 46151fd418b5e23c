// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_csr: whatever the AXI4-Lite master does, one response for each request, soon, kept until it is
// taken; what a run depends on does not change while it runs; a run starts only when none does.

module qnn_csr_properties
  import qnn_regs_pkg::*;
(
  input logic        clk_i,
  input logic        rst_i,
  input logic        awvalid_i,
  input logic [11:0] awaddr_i,
  input logic        wvalid_i,
  input logic [31:0] wdata_i,
  input logic [3:0]  wstrb_i,
  input logic        bready_i,
  input logic        arvalid_i,
  input logic [11:0] araddr_i,
  input logic        rready_i,
  input logic        busy_i,
  input logic        resident_i,
  input logic        ended_i,
  input logic [7:0]  ended_code_i,
  input logic [7:0]  ended_index_i,
  input logic        ended_silent_i,
  input logic [31:0] cycles_i,
  input logic [31:0] perf_i
);
  logic        awready, wready, bvalid, arready, rvalid, start, start_resident, abort, reset, irq;
  logic [8:0]  perf_address;
  logic [31:0] rdata, list_address, timeout;
  logic [7:0]  list_count;
  logic [24:0] read_base, read_last, write_base, write_last;
  qnn_csr dut (
    .clk_i, .rst_i, .awvalid_i, .awready_o(awready), .awaddr_i, .wvalid_i, .wready_o(wready),
    .wdata_i, .wstrb_i, .bvalid_o(bvalid), .bready_i, .arvalid_i, .arready_o(arready), .araddr_i,
    .rvalid_o(rvalid), .rready_i, .rdata_o(rdata), .start_o(start),
    .start_resident_o(start_resident), .abort_o(abort), .reset_o(reset),
    .list_address_o(list_address), .list_count_o(list_count), .timeout_o(timeout),
    .read_base_o(read_base), .read_last_o(read_last), .write_base_o(write_base),
    .write_last_o(write_last), .busy_i, .resident_i, .ended_i, .ended_code_i, .ended_index_i,
    .ended_silent_i, .cycles_i, .perf_address_o(perf_address), .perf_i, .irq_o(irq)
  );

  logic [171:0] settings, settings_q;
  assign settings = {list_address, list_count, timeout, read_base, read_last, write_base,
                     write_last};
  logic        begun = 1'b0, in_reset, busy_q, b_waits, r_waits, r_looking;
  logic [31:0] rdata_q;
  logic        owed_b, owed_r;            // a request was taken and its response was not
  logic        take_w, take_r;
  assign take_w = awvalid_i && awready;
  assign take_r = arvalid_i && arready;
  always_ff @(posedge clk_i) begin
    begun <= 1'b1;
    in_reset <= rst_i;
    busy_q <= busy_i;
    b_waits <= bvalid && !bready_i && !rst_i;
    r_waits <= rvalid && !rready_i && !rst_i;
    r_looking <= take_r && !rst_i;
    {settings_q, rdata_q} <= {settings, rdata};
    if (bvalid && bready_i) owed_b <= 1'b0;
    if (take_w) owed_b <= 1'b1;
    if (rvalid && rready_i) owed_r <= 1'b0;
    if (take_r) owed_r <= 1'b1;
    if (rst_i) {owed_b, owed_r} <= '0;
  end
  always_comb if (!begun) assume (rst_i);

  always_comb begin
    if (begun) begin
      write_together : assert (awready == wready && (!awready || wvalid_i));
      write_taken : assert (owed_b || awready == (awvalid_i && wvalid_i));
      write_answer : assert (bvalid == owed_b && !(take_w && owed_b));
      write_stable : assert (!b_waits || bvalid);
      read_taken : assert (arready == !owed_r);
      read_answer : assert (rvalid == (owed_r && !r_looking));
      read_looking : assert (dut.looking == r_looking && (owed_r || !r_looking));
      read_stable : assert (!r_waits || (rvalid && rdata == rdata_q));
      run_settings : assert (!busy_q || in_reset || settings == settings_q);
      run_start : assert (!start || (take_w && awaddr_i == CTRL && !busy_i && !reset));
      status_one : assert (!(dut.done && dut.error));
      status_irq : assert (!irq || dut.done || dut.error);
    end
  end

  always_comb begin
    cover_write : cover (begun && !in_reset && !busy_q && settings != settings_q && bvalid);
    cover_read : cover (begun && r_waits && rready_i && rdata != '0);
    cover_start : cover (begun && start);
    cover_irq : cover (begun && irq && dut.error);
  end
endmodule
