// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_axi3_lite: whatever the slaves do, every burst of an AXI3 master is as many accesses as it has
// beats, to the addresses that the AXI specification gives them, of one slave, one after the other; its
// answer comes after all of them, with its ID, and stays until it is taken.

module qnn_axi3_lite_properties #(
  parameter int unsigned IdW = 2
) (
  input  logic           clk_i,
  input  logic           rst_i,
  input  logic           awvalid_i,
  input  logic [IdW-1:0] awid_i,
  input  logic [31:0]    awaddr_i,
  input  logic [3:0]     awlen_i,
  input  logic [2:0]     awsize_i,
  input  logic [1:0]     awburst_i,
  input  logic           wvalid_i,
  input  logic [IdW-1:0] wid_i,
  input  logic [31:0]    wdata_i,
  input  logic [3:0]     wstrb_i,
  input  logic           wlast_i,
  input  logic           bready_i,
  input  logic           arvalid_i,
  input  logic [IdW-1:0] arid_i,
  input  logic [31:0]    araddr_i,
  input  logic [3:0]     arlen_i,
  input  logic [2:0]     arsize_i,
  input  logic [1:0]     arburst_i,
  input  logic           rready_i,
  input  logic [1:0]     m_awready_i,
  input  logic [1:0]     m_wready_i,
  input  logic [1:0]     m_bvalid_i,
  input  logic [3:0]     m_bresp_i,
  input  logic [1:0]     m_arready_i,
  input  logic [1:0]     m_rvalid_i,
  input  logic [63:0]    m_rdata_i,
  input  logic [3:0]     m_rresp_i
);
  logic           awready, wready, bvalid, arready, rvalid, rlast;
  logic [IdW-1:0] bid, rid;
  logic [1:0]     bresp, rresp, m_awvalid, m_wvalid, m_bready, m_arvalid, m_rready;
  logic [31:0]    rdata;
  logic [1:0][11:0] m_awaddr, m_araddr;
  logic [1:0][31:0] m_wdata;
  logic [1:0][3:0]  m_wstrb;
  logic [1:0][2:0]  m_awprot, m_arprot;
  qnn_axi3_lite #(
    .IdW(IdW)
  ) dut (
    .clk_i, .rst_i,
    .s_axi_awvalid(awvalid_i), .s_axi_awready(awready), .s_axi_awid(awid_i),
    .s_axi_awaddr(awaddr_i), .s_axi_awlen(awlen_i), .s_axi_awsize(awsize_i),
    .s_axi_awburst(awburst_i), .s_axi_wvalid(wvalid_i), .s_axi_wready(wready), .s_axi_wid(wid_i),
    .s_axi_wdata(wdata_i), .s_axi_wstrb(wstrb_i), .s_axi_wlast(wlast_i), .s_axi_bvalid(bvalid),
    .s_axi_bready(bready_i), .s_axi_bid(bid), .s_axi_bresp(bresp), .s_axi_arvalid(arvalid_i),
    .s_axi_arready(arready), .s_axi_arid(arid_i), .s_axi_araddr(araddr_i), .s_axi_arlen(arlen_i),
    .s_axi_arsize(arsize_i), .s_axi_arburst(arburst_i), .s_axi_rvalid(rvalid),
    .s_axi_rready(rready_i), .s_axi_rid(rid), .s_axi_rdata(rdata), .s_axi_rresp(rresp),
    .s_axi_rlast(rlast),
    .m0_axi_awvalid(m_awvalid[0]), .m0_axi_awready(m_awready_i[0]), .m0_axi_awaddr(m_awaddr[0]),
    .m0_axi_awprot(m_awprot[0]), .m0_axi_wvalid(m_wvalid[0]), .m0_axi_wready(m_wready_i[0]),
    .m0_axi_wdata(m_wdata[0]), .m0_axi_wstrb(m_wstrb[0]), .m0_axi_bvalid(m_bvalid_i[0]),
    .m0_axi_bready(m_bready[0]), .m0_axi_bresp(m_bresp_i[1:0]), .m0_axi_arvalid(m_arvalid[0]),
    .m0_axi_arready(m_arready_i[0]), .m0_axi_araddr(m_araddr[0]), .m0_axi_arprot(m_arprot[0]),
    .m0_axi_rvalid(m_rvalid_i[0]), .m0_axi_rready(m_rready[0]), .m0_axi_rdata(m_rdata_i[31:0]),
    .m0_axi_rresp(m_rresp_i[1:0]),
    .m1_axi_awvalid(m_awvalid[1]), .m1_axi_awready(m_awready_i[1]), .m1_axi_awaddr(m_awaddr[1]),
    .m1_axi_awprot(m_awprot[1]), .m1_axi_wvalid(m_wvalid[1]), .m1_axi_wready(m_wready_i[1]),
    .m1_axi_wdata(m_wdata[1]), .m1_axi_wstrb(m_wstrb[1]), .m1_axi_bvalid(m_bvalid_i[1]),
    .m1_axi_bready(m_bready[1]), .m1_axi_bresp(m_bresp_i[3:2]), .m1_axi_arvalid(m_arvalid[1]),
    .m1_axi_arready(m_arready_i[1]), .m1_axi_araddr(m_araddr[1]), .m1_axi_arprot(m_arprot[1]),
    .m1_axi_rvalid(m_rvalid_i[1]), .m1_axi_rready(m_rready[1]), .m1_axi_rdata(m_rdata_i[63:32]),
    .m1_axi_rresp(m_rresp_i[3:2])
  );

  localparam logic [1:0] FIXED = 2'b00, WRAP = 2'b10, DECERR = 2'b11;
  localparam logic [2:0] IDLE = 3'd0, DATA = 3'd1, ACCESS = 3'd2;  // of state_t

  typedef struct packed {
    logic [IdW-1:0] id;
    logic [31:0]    address;
    logic [3:0]     len;
    logic [2:0]     size;
    logic [1:0]     burst;
  } burst_t;

  // a burst that AXI3 has: 4 bytes at most; of those that wrap, 2, 4, 8 or 16 beats from an aligned
  // place; none crosses 4 KiB
  function automatic logic allowed(burst_t b);
    logic [31:0] step;
    step = 32'd1 << b.size;
    allowed = b.size <= 3'd2 && b.burst != 2'b11;
    if (b.burst == WRAP) begin
      allowed = allowed && (b.len == 4'd1 || b.len == 4'd3 || b.len == 4'd7 || b.len == 4'd15)
          && (b.address & (step - 1)) == '0;
    end
  endfunction

  // lower 12 bits of the address of beat n, in closed form
  function automatic logic [11:0] place(burst_t b, logic [4:0] n);
    logic [11:0] start, aligned, offset, block;
    start = b.address[11:0];
    aligned = (start >> b.size) << b.size;
    offset = 12'(n) << b.size;
    block = ((12'(b.len) + 12'd1) << b.size) - 12'd1;  // of a burst that wraps, less 1
    if (b.burst == FIXED || n == '0) place = start;
    else if (b.burst == WRAP) place = (start & ~block) | ((aligned + offset) & block);
    else place = aligned + offset;
  endfunction

  function automatic logic [1:0] owner(burst_t b);
    owner = {b.address[31:16] == 16'h4180, b.address[31:16] == 16'h43C0};
  endfunction

  burst_t     asked_w, asked_r, w, r;
  logic       begun = 1'b0, w_open, r_open, w_bad;
  logic [4:0] w_taken, r_given;      // beats that came from the master, and that went to it
  logic [1:0] w_asked, r_asked;      // requests of the beat that wait: the address, the data
  assign asked_w = {awid_i, awaddr_i, awlen_i, awsize_i, awburst_i};
  assign asked_r = {arid_i, araddr_i, arlen_i, arsize_i, arburst_i};
  logic bad_beat;
  assign bad_beat = wid_i != w.id || wlast_i != (w_taken == 5'(w.len));

  logic           b_waits, r_waits;
  logic [1:0]     aw_waits, data_waits, ar_waits, bresp_q, rresp_q;
  logic [IdW-1:0] bid_q;
  logic [31:0]    rdata_q;
  logic [23:0]    awaddr_q, araddr_q;
  logic [71:0]    beat_q;
  always_ff @(posedge clk_i) begin
    begun <= 1'b1;
    b_waits <= bvalid && !bready_i && !rst_i;
    r_waits <= rvalid && !rready_i && !rst_i;
    aw_waits <= rst_i ? '0 : m_awvalid & ~m_awready_i;
    data_waits <= rst_i ? '0 : m_wvalid & ~m_wready_i;
    ar_waits <= rst_i ? '0 : m_arvalid & ~m_arready_i;
    {bresp_q, rresp_q, bid_q, rdata_q} <= {bresp, rresp, bid, rdata};
    {awaddr_q, araddr_q, beat_q} <= {m_awaddr, m_araddr, m_wdata, m_wstrb};
    if (awvalid_i && awready) begin
      {w_open, w, w_taken, w_bad} <= {1'b1, asked_w, 5'd0, 1'b0};
    end
    if (wvalid_i && wready) begin
      w_taken <= w_taken + 1'b1;
      w_bad <= w_bad || bad_beat;
    end
    if (bvalid && bready_i) w_open <= 1'b0;
    if (arvalid_i && arready) {r_open, r, r_given} <= {1'b1, asked_r, 5'd0};
    if (rvalid && rready_i) begin
      r_given <= r_given + 1'b1;
      if (rlast) r_open <= 1'b0;
    end
    if (rst_i) {w_open, r_open} <= '0;
  end
  always_comb begin
    if (!begun) assume (rst_i);
    assume (!awvalid_i || allowed(asked_w));
    assume (!arvalid_i || allowed(asked_r));
  end

  // the beat that the slave is busy with, or that comes next
  logic [4:0] w_beat;
  logic       w_busy;
  assign w_busy = m_awvalid != '0 || m_wvalid != '0 || m_bready != '0;
  assign w_beat = w_busy ? w_taken - 5'd1 : w_taken;

  always_comb begin
    if (begun) begin
      write_allowed : assert (!w_open || allowed(w));
      read_allowed : assert (!r_open || allowed(r));
      write_one : assert (awready == !w_open);
      write_state : assert (w_open == (dut.w_state != IDLE));
      write_beats : assert (!w_open || w_taken <= 5'(w.len) + 5'd1);
      write_wants : assert (!wready || (w_open && !w_busy && w_taken <= 5'(w.len)));
      write_begun : assert (!w_busy || w_taken != '0);
      write_last : assert (!bvalid || (w_taken == 5'(w.len) + 5'd1 && !w_busy));
      write_moves : assert (!w_open || wready || bvalid || w_busy);
      write_left : assert (!w_open || bvalid || dut.w_left == w.len - 4'(w_beat));
      write_place : assert (!w_open || bvalid || dut.w_address == place(w, w_beat));
      write_same : assert (!w_open || (dut.w_slave == owner(w) && dut.w_id == w.id
          && dut.w_len == w.len && dut.w_size == w.size && dut.w_burst == w.burst));
      write_id : assert (!bvalid || bid == w.id);
      write_nowhere : assert (!w_open || owner(w) != '0 || (!w_busy && dut.w_resp == DECERR));
      write_error : assert (!w_open || !w_bad || dut.w_resp[1]);
      write_stable : assert (!b_waits || (bvalid && bid == bid_q && bresp == bresp_q));
      slave_own : assert ((m_awvalid | m_wvalid | m_bready) == '0
          || (m_awvalid | m_wvalid | m_bready) == owner(w));
      slave_answer : assert (m_bready == '0 || (m_awvalid == '0 && m_wvalid == '0));
      slave_address : assert (m_awvalid == '0 || (m_awaddr[0] == place(w, w_taken - 5'd1)
          && m_awaddr[1] == m_awaddr[0]));
      slave_stable_aw : assert ((aw_waits & ~m_awvalid) == '0
          && (aw_waits == '0 || m_awaddr == awaddr_q));
      slave_stable_w : assert ((data_waits & ~m_wvalid) == '0
          && (data_waits == '0 || {m_wdata, m_wstrb} == beat_q));
      slave_state : assert ((dut.w_state == ACCESS) == (dut.aw_waits || dut.w_waits));
      read_one : assert (arready == !r_open);
      read_state : assert (r_open == (dut.r_state != IDLE) && dut.r_state != DATA);
      read_left : assert (!r_open || (r_given <= 5'(r.len) && dut.r_left == r.len - 4'(r_given)));
      read_last : assert (!rvalid || rlast == (r_given == 5'(r.len)));
      read_id : assert (!rvalid || rid == r.id);
      read_same : assert (!r_open || (dut.r_slave == owner(r) && dut.r_id == r.id
          && dut.r_len == r.len && dut.r_size == r.size && dut.r_burst == r.burst));
      read_place : assert (!r_open || dut.r_address == place(r, r_given));
      read_own : assert ((m_arvalid | m_rready) == '0 || (m_arvalid | m_rready) == owner(r));
      read_address : assert (m_arvalid == '0 || m_araddr[0] == place(r, r_given));
      read_moves : assert (!r_open || rvalid || m_arvalid != '0 || m_rready != '0);
      read_nowhere : assert (!r_open || owner(r) != '0
          || (rvalid && rresp == DECERR && rdata == '0));
      read_stable : assert (!r_waits || (rvalid && rresp == rresp_q && rdata == rdata_q));
      read_stable_ar : assert ((ar_waits & ~m_arvalid) == '0
          && (ar_waits == '0 || m_araddr == araddr_q));
    end
  end

  always_comb begin
    cover_write : cover (begun && bvalid && w.len == 4'd1 && w_taken == 5'd2 && bresp == '0);
    cover_nowhere : cover (begun && bvalid && bresp == DECERR);
    cover_bad : cover (begun && bvalid && w_bad && owner(w) == 2'b10);
    cover_read : cover (begun && rvalid && rlast && r_given == 5'd1 && owner(r) == 2'b01);
    cover_wrap : cover (begun && m_arvalid[1] && r.burst == WRAP && m_araddr[0] < r.address[11:0]);
    cover_both : cover (begun && rvalid && bvalid && r_waits && b_waits);
  end
endmodule
