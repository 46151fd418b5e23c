// SPDX-License-Identifier: BSD-3-Clause
//
// The registers of rtl/regs/README.md behind an AXI4-Lite port.
//
// Timing: one write or one read at a time, two cycles each. A write to any other address does
// nothing; a read gives 0. Both are answered with OKAY.

module qnn_csr
  import qnn_regs_pkg::*;
#(
  parameter logic [31:0] Lanes  = '0,
  parameter logic [31:0] Stores = '0,
  parameter logic [31:0] Limits = '0,
  parameter logic [31:0] Shapes = '0,
  parameter logic [31:0] Memory = '0,
  parameter logic [31:0] Features = '0
) (
  input  logic        clk_i,
  input  logic        rst_i,
  // AXI4-Lite
  input  logic        awvalid_i,
  output logic        awready_o,
  input  logic [11:0] awaddr_i,
  input  logic        wvalid_i,
  output logic        wready_o,
  input  logic [31:0] wdata_i,
  input  logic [3:0]  wstrb_i,
  output logic        bvalid_o,
  input  logic        bready_i,
  input  logic        arvalid_i,
  output logic        arready_o,
  input  logic [11:0] araddr_i,
  output logic        rvalid_o,
  input  logic        rready_i,
  output logic [31:0] rdata_o,
  // to the engine
  output logic        start_o,           // pulses
  output logic        start_resident_o,
  output logic        abort_o,
  output logic        reset_o,
  output logic [31:0] list_address_o,
  output logic [7:0]  list_count_o,
  output logic [31:0] timeout_o,
  output logic [24:0] read_base_o,       // 128-byte lines
  output logic [24:0] read_last_o,
  output logic [24:0] write_base_o,
  output logic [24:0] write_last_o,
  // from the engine
  input  logic        busy_i,
  input  logic        resident_i,
  input  logic        ended_i,           // pulse: a run has ended
  input  logic [7:0]  ended_code_i,
  input  logic [7:0]  ended_index_i,
  input  logic        ended_silent_i,    // by CTRL.reset: leave STATUS clear
  input  logic [31:0] cycles_i,
  output logic [8:0]  perf_address_o,
  input  logic [31:0] perf_i,            // one cycle later
  output logic        irq_o
);
  logic        done, error, refused, irq_enable;
  logic [7:0]  code, index;
  assign irq_o = irq_enable && (done || error);

  logic write;
  assign write = awvalid_i && wvalid_i && !bvalid_o;
  assign awready_o = write;
  assign wready_o = write;

  function automatic logic [31:0] merged(logic [31:0] old);
    for (int i = 0; i < 4; i++) merged[i*8+:8] = wstrb_i[i] ? wdata_i[i*8+:8] : old[i*8+:8];
  endfunction

  logic [6:0]  ones;                     // low bits of the last byte of a window: not stored
  assign ones = '1;
  logic control;
  assign control = write && awaddr_i == CTRL && wstrb_i[0];
  assign start_o = control && wdata_i[0] && !busy_i && !wdata_i[3];
  assign start_resident_o = wdata_i[1];
  assign abort_o = control && wdata_i[2];
  assign reset_o = control && wdata_i[3];

  always_ff @(posedge clk_i) begin
    if (bready_i) bvalid_o <= 1'b0;
    if (write) begin
      bvalid_o <= 1'b1;
      unique case (awaddr_i)
        STATUS: if (wstrb_i[0]) begin
          if (wdata_i[1]) done <= 1'b0;
          if (wdata_i[2]) error <= 1'b0;
          if (wdata_i[3]) refused <= 1'b0;
        end
        IRQ_ENABLE: if (wstrb_i[0]) irq_enable <= wdata_i[0];
        default: ;
      endcase
      // what a run depends on stays as it was when the run began
      if (!busy_i) unique case (awaddr_i)
        LIST_ADDRESS: list_address_o <= merged(list_address_o);
        LIST_COUNT: if (wstrb_i[0]) list_count_o <= wdata_i[7:0];
        TIMEOUT: timeout_o <= merged(timeout_o);
        READ_BASE: read_base_o <= 25'(merged({read_base_o, 7'b0}) >> 7);
        READ_LAST: read_last_o <= 25'(merged({read_last_o, ones}) >> 7);
        WRITE_BASE: write_base_o <= 25'(merged({write_base_o, 7'b0}) >> 7);
        WRITE_LAST: write_last_o <= 25'(merged({write_last_o, ones}) >> 7);
        default: ;
      endcase
    end
    if (control && wdata_i[0] && busy_i) refused <= 1'b1;
    if (start_o) begin
      done <= 1'b0;
      error <= 1'b0;
      code <= '0;
      index <= '0;
    end
    if (ended_i && !ended_silent_i) begin
      done <= ended_code_i == ERROR_NONE;
      error <= ended_code_i != ERROR_NONE;
      code <= ended_code_i;
      index <= ended_index_i;
    end
    if (reset_o) begin
      done <= 1'b0;
      error <= 1'b0;
      refused <= 1'b0;
      code <= '0;
      index <= '0;
    end
    if (rst_i) begin
      bvalid_o <= 1'b0;
      done <= 1'b0;
      error <= 1'b0;
      refused <= 1'b0;
      irq_enable <= 1'b0;
      code <= '0;
      index <= '0;
      list_address_o <= '0;
      list_count_o <= '0;
      timeout_o <= TIMEOUT_RESET;
      read_base_o <= '1;                 // empty windows: nothing is allowed
      read_last_o <= '0;
      write_base_o <= '1;
      write_last_o <= '0;
    end
  end

  // reads: the address in one cycle, the data in the next
  logic        looking;
  logic [1:0][11:0] address;             // copies, for half of the bits each
  logic [31:0] counter;
  assign counter = address[0] >= PERF && address[0] < PERF + 12'h800 ? perf_i : '0;
  for (genvar i = 0; i < 2; i++) begin : gen_address
    qnn_copy #(
      .Width(12)
    ) u_address (.clk_i, .data_i(araddr_i), .data_o(address[i]));
    always_ff @(posedge clk_i) begin
      if (looking) rdata_o[16*i+:16] <= 16'(register_at(address[i]) >> 16 * i);
    end
  end
  assign arready_o = !looking && !rvalid_o;
  assign perf_address_o = 9'((araddr_i - PERF) >> 2);
  function automatic logic [31:0] register_at(logic [11:0] place);
    unique case (place)
      ID: register_at = ID_VALUE;
      VERSION: register_at = {VERSION_MAJOR, VERSION_MINOR};
      LANES: register_at = Lanes;
      STORES: register_at = Stores;
      LIMITS: register_at = Limits;
      SHAPES: register_at = Shapes;
      MEMORY: register_at = Memory;
      FEATURES: register_at = Features;
      STATUS: register_at = {8'b0, index, code, 3'b0, resident_i, refused, error, done, busy_i};
      IRQ_ENABLE: register_at = {31'b0, irq_enable};
      LIST_ADDRESS: register_at = list_address_o;
      LIST_COUNT: register_at = {24'b0, list_count_o};
      TIMEOUT: register_at = timeout_o;
      CYCLES: register_at = cycles_i;
      READ_BASE: register_at = {read_base_o, 7'b0};
      READ_LAST: register_at = {read_last_o, ones};
      WRITE_BASE: register_at = {write_base_o, 7'b0};
      WRITE_LAST: register_at = {write_last_o, ones};
      default: register_at = counter;
    endcase
  endfunction
  always_ff @(posedge clk_i) begin
    if (rready_i) rvalid_o <= 1'b0;
    looking <= arvalid_i && arready_o;
    if (looking) rvalid_o <= 1'b1;
    if (rst_i) begin
      rvalid_o <= 1'b0;
      looking <= 1'b0;
    end
  end
endmodule
