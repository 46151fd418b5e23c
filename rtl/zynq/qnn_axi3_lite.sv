// SPDX-License-Identifier: BSD-3-Clause
//
// From an AXI3 master, such as M_AXI_GP0 of a Zynq-7000, to two AXI4-Lite slaves: bursts become single
// accesses, one after the other. Each slave has a window of 64 KiB; what lies in none is answered with
// DECERR and goes nowhere.
//
// One burst to write and one to read are on their way at a time, so answers come in order and carry the
// ID of their burst. A beat of another burst (its WID is not the AWID), or whose WLAST is not where the
// AWLEN has the last beat, is taken, not written, and makes the answer SLVERR: nothing here collects
// interleaved bursts, and the processing system sends none.

module qnn_axi3_lite #(
  parameter int unsigned IdW     = 12,
  parameter logic [15:0] Window0 = 16'h43C0,  // upper half of the addresses of m0_axi
  parameter logic [15:0] Window1 = 16'h4180   // and of m1_axi
) (
  input  logic           clk_i,
  input  logic           rst_i,
  // AXI3
  input  logic           s_axi_awvalid,
  output logic           s_axi_awready,
  input  logic [IdW-1:0] s_axi_awid,
  input  logic [31:0]    s_axi_awaddr,
  input  logic [3:0]     s_axi_awlen,
  input  logic [2:0]     s_axi_awsize,
  input  logic [1:0]     s_axi_awburst,
  input  logic           s_axi_wvalid,
  output logic           s_axi_wready,
  input  logic [IdW-1:0] s_axi_wid,
  input  logic [31:0]    s_axi_wdata,
  input  logic [3:0]     s_axi_wstrb,
  input  logic           s_axi_wlast,
  output logic           s_axi_bvalid,
  input  logic           s_axi_bready,
  output logic [IdW-1:0] s_axi_bid,
  output logic [1:0]     s_axi_bresp,
  input  logic           s_axi_arvalid,
  output logic           s_axi_arready,
  input  logic [IdW-1:0] s_axi_arid,
  input  logic [31:0]    s_axi_araddr,
  input  logic [3:0]     s_axi_arlen,
  input  logic [2:0]     s_axi_arsize,
  input  logic [1:0]     s_axi_arburst,
  output logic           s_axi_rvalid,
  input  logic           s_axi_rready,
  output logic [IdW-1:0] s_axi_rid,
  output logic [31:0]    s_axi_rdata,
  output logic [1:0]     s_axi_rresp,
  output logic           s_axi_rlast,
  // AXI4-Lite, the first slave
  output logic           m0_axi_awvalid,
  input  logic           m0_axi_awready,
  output logic [11:0]    m0_axi_awaddr,
  output logic [2:0]     m0_axi_awprot,
  output logic           m0_axi_wvalid,
  input  logic           m0_axi_wready,
  output logic [31:0]    m0_axi_wdata,
  output logic [3:0]     m0_axi_wstrb,
  input  logic           m0_axi_bvalid,
  output logic           m0_axi_bready,
  input  logic [1:0]     m0_axi_bresp,
  output logic           m0_axi_arvalid,
  input  logic           m0_axi_arready,
  output logic [11:0]    m0_axi_araddr,
  output logic [2:0]     m0_axi_arprot,
  input  logic           m0_axi_rvalid,
  output logic           m0_axi_rready,
  input  logic [31:0]    m0_axi_rdata,
  input  logic [1:0]     m0_axi_rresp,
  // AXI4-Lite, the second slave
  output logic           m1_axi_awvalid,
  input  logic           m1_axi_awready,
  output logic [11:0]    m1_axi_awaddr,
  output logic [2:0]     m1_axi_awprot,
  output logic           m1_axi_wvalid,
  input  logic           m1_axi_wready,
  output logic [31:0]    m1_axi_wdata,
  output logic [3:0]     m1_axi_wstrb,
  input  logic           m1_axi_bvalid,
  output logic           m1_axi_bready,
  input  logic [1:0]     m1_axi_bresp,
  output logic           m1_axi_arvalid,
  input  logic           m1_axi_arready,
  output logic [11:0]    m1_axi_araddr,
  output logic [2:0]     m1_axi_arprot,
  input  logic           m1_axi_rvalid,
  output logic           m1_axi_rready,
  input  logic [31:0]    m1_axi_rdata,
  input  logic [1:0]     m1_axi_rresp
);
  localparam logic [1:0] FIXED = 2'b00, WRAP = 2'b10;
  localparam logic [1:0] OKAY = 2'b00, SLVERR = 2'b10, DECERR = 2'b11;

  // which slave an address belongs to, one bit each
  function automatic logic [1:0] chosen(logic [15:0] upper);
    chosen = {upper == Window1, upper == Window0};
  endfunction

  // where the next beat goes; no burst crosses 4 KiB
  function automatic logic [11:0] following(
      logic [11:0] address, logic [3:0] len, logic [2:0] size, logic [1:0] burst);
    logic [11:0] step, wrapped, next;
    step = 12'd1 << size;
    wrapped = ((12'(len) + 12'd1) << size) - 12'd1;
    next = (address & ~(step - 12'd1)) + step;
    if (burst == FIXED) following = address;
    else if (burst == WRAP) following = (address & ~wrapped) | (next & wrapped);
    else following = next;
  endfunction

  typedef enum logic [2:0] {
    IDLE,    // no burst
    DATA,    // a beat comes from the master (of a write only)
    ACCESS,  // the slave is asked
    ANSWER,  // and answers
    RESPOND  // the master is answered
  } state_t;

  // writes
  state_t         w_state;
  logic [1:0]     w_slave, w_resp, w_burst;
  logic [IdW-1:0] w_id;
  logic [11:0]    w_address;
  logic [3:0]     w_len, w_left, w_strobes;
  logic [2:0]     w_size;
  logic [31:0]    w_data;
  logic           aw_waits, w_waits;  // the slave has not yet taken the address, the data
  logic           aw_taken, w_taken, b_comes;
  logic [1:0]     b_resp;
  assign aw_taken = w_slave[0] ? m0_axi_awready : m1_axi_awready;
  assign w_taken = w_slave[0] ? m0_axi_wready : m1_axi_wready;
  assign b_comes = w_slave[0] ? m0_axi_bvalid : m1_axi_bvalid;
  assign b_resp = w_slave[0] ? m0_axi_bresp : m1_axi_bresp;

  logic w_fits;
  assign w_fits = s_axi_wid == w_id && s_axi_wlast == (w_left == '0);

  assign s_axi_awready = w_state == IDLE;
  assign s_axi_wready = w_state == DATA;
  assign s_axi_bvalid = w_state == RESPOND;
  assign s_axi_bid = w_id;
  assign s_axi_bresp = w_resp;
  assign {m1_axi_awvalid, m0_axi_awvalid} = aw_waits ? w_slave : 2'b00;
  assign {m1_axi_wvalid, m0_axi_wvalid} = w_waits ? w_slave : 2'b00;
  assign {m1_axi_bready, m0_axi_bready} = w_state == ANSWER ? w_slave : 2'b00;
  assign {m1_axi_awaddr, m0_axi_awaddr} = {2{w_address}};
  assign {m1_axi_awprot, m0_axi_awprot} = '0;
  assign {m1_axi_wdata, m0_axi_wdata} = {2{w_data}};
  assign {m1_axi_wstrb, m0_axi_wstrb} = {2{w_strobes}};

  always_ff @(posedge clk_i) begin
    unique case (w_state)
      IDLE: if (s_axi_awvalid) begin
        w_state <= DATA;
        w_slave <= chosen(s_axi_awaddr[31:16]);
        w_resp <= chosen(s_axi_awaddr[31:16]) == 2'b00 ? DECERR : OKAY;
        {w_id, w_address} <= {s_axi_awid, s_axi_awaddr[11:0]};
        {w_len, w_left} <= {2{s_axi_awlen}};
        {w_size, w_burst} <= {s_axi_awsize, s_axi_awburst};
      end
      DATA: if (s_axi_wvalid) begin
        {w_data, w_strobes} <= {s_axi_wdata, s_axi_wstrb};
        if (!w_fits) w_resp <= w_resp | SLVERR;
        if (w_slave != 2'b00 && w_fits) begin
          w_state <= ACCESS;
          {aw_waits, w_waits} <= 2'b11;
        end else if (w_left == '0) begin
          w_state <= RESPOND;
        end else begin
          w_left <= w_left - 1'b1;
          w_address <= following(w_address, w_len, w_size, w_burst);
        end
      end
      ACCESS: begin
        if (aw_taken) aw_waits <= 1'b0;
        if (w_taken) w_waits <= 1'b0;
        if ((aw_taken || !aw_waits) && (w_taken || !w_waits)) w_state <= ANSWER;
      end
      ANSWER: if (b_comes) begin
        w_resp <= w_resp | b_resp;
        w_state <= w_left == '0 ? RESPOND : DATA;
        w_left <= w_left - 1'b1;
        w_address <= following(w_address, w_len, w_size, w_burst);
      end
      default: if (s_axi_bready) w_state <= IDLE;
    endcase
    if (rst_i) begin
      w_state <= IDLE;
      {aw_waits, w_waits} <= 2'b00;
    end
  end

  // reads
  state_t         r_state;
  logic [1:0]     r_slave, r_resp, r_burst;
  logic [IdW-1:0] r_id;
  logic [11:0]    r_address;
  logic [3:0]     r_len, r_left;
  logic [2:0]     r_size;
  logic [31:0]    r_data;
  logic           ar_taken, r_comes;
  assign ar_taken = r_slave[0] ? m0_axi_arready : m1_axi_arready;
  assign r_comes = r_slave[0] ? m0_axi_rvalid : m1_axi_rvalid;

  assign s_axi_arready = r_state == IDLE;
  assign s_axi_rvalid = r_state == RESPOND;
  assign s_axi_rid = r_id;
  assign s_axi_rdata = r_data;
  assign s_axi_rresp = r_resp;
  assign s_axi_rlast = r_left == '0;
  assign {m1_axi_arvalid, m0_axi_arvalid} = r_state == ACCESS ? r_slave : 2'b00;
  assign {m1_axi_rready, m0_axi_rready} = r_state == ANSWER ? r_slave : 2'b00;
  assign {m1_axi_araddr, m0_axi_araddr} = {2{r_address}};
  assign {m1_axi_arprot, m0_axi_arprot} = '0;

  always_ff @(posedge clk_i) begin
    unique case (r_state)
      IDLE: if (s_axi_arvalid) begin
        r_state <= chosen(s_axi_araddr[31:16]) == 2'b00 ? RESPOND : ACCESS;
        r_slave <= chosen(s_axi_araddr[31:16]);
        {r_resp, r_data} <= {DECERR, 32'b0};
        {r_id, r_address} <= {s_axi_arid, s_axi_araddr[11:0]};
        {r_len, r_left} <= {2{s_axi_arlen}};
        {r_size, r_burst} <= {s_axi_arsize, s_axi_arburst};
      end
      ACCESS: if (ar_taken) r_state <= ANSWER;
      ANSWER: if (r_comes) begin
        r_state <= RESPOND;
        r_data <= r_slave[0] ? m0_axi_rdata : m1_axi_rdata;
        r_resp <= r_slave[0] ? m0_axi_rresp : m1_axi_rresp;
      end
      default: if (s_axi_rready) begin
        r_left <= r_left - 1'b1;
        r_address <= following(r_address, r_len, r_size, r_burst);
        if (r_left == '0) r_state <= IDLE;
        else if (r_slave != 2'b00) r_state <= ACCESS;
      end
    endcase
    if (rst_i) r_state <= IDLE;
  end
endmodule
