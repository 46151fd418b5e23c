// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_write_dma, with any stream and any memory that answers each burst once, when it is complete:
// bursts stay inside the window and within 128 bytes (so within 4 KiB) and have at most 16 beats,
// addresses and data stay until they are taken, wlast is at the last beat and nowhere else, word
// number n goes to address + 8 * n, no word that memory has not answered for lies below written_line_o,
// and after stop_i the bus becomes quiet.

module qnn_write_dma_properties #(
  parameter  int unsigned Outstanding = 8,
  parameter  int unsigned Depth       = 64,
  localparam int unsigned CountW      = $clog2(Depth + 1),
  localparam int unsigned PendingW    = $clog2(Outstanding + 1),
  localparam int unsigned AddrW       = $clog2(Depth)
) (
  input logic        clk_i,
  input logic        rst_i,
  input logic        stop_i,
  input logic        start_i,
  input logic [31:0] address_i,
  input logic        flush_i,
  input logic [24:0] window_base_i,
  input logic [24:0] window_last_i,
  input logic        in_valid_i,
  input logic [63:0] in_data_i,
  input logic        awready_i,
  input logic        wready_i,
  input logic        bvalid_i,
  input logic [1:0]  bresp_i,
  input logic        choose_i       // this word, by the solver
);
  logic        error_window, error_response, busy, empty, in_ready;
  logic        awvalid, wvalid, wlast, bready;
  logic [31:0] awaddr;
  logic [7:0]  awlen;
  logic [63:0] wdata;
  logic [24:0] written_line;
  qnn_write_dma #(
    .Outstanding(Outstanding), .Depth(Depth)
  ) dut (
    .clk_i, .rst_i, .stop_i, .start_i, .address_i, .flush_i, .window_base_i, .window_last_i,
    .error_window_o(error_window), .error_response_o(error_response), .busy_o(busy),
    .empty_o(empty), .written_line_o(written_line), .in_valid_i, .in_ready_o(in_ready), .in_data_i,
    .awvalid_o(awvalid), .awready_i, .awaddr_o(awaddr), .awlen_o(awlen),
    .wvalid_o(wvalid), .wready_i, .wdata_o(wdata), .wlast_o(wlast),
    .bvalid_i, .bready_o(bready), .bresp_i
  );

  // the environment
  logic        begun = 1'b0, started, stop_q, flushed;
  logic [24:0] base_q, last_q;
  logic        take, accept, send;
  assign take = in_valid_i && in_ready;
  assign accept = awvalid && awready_i;
  assign send = wvalid && wready_i;
  always_ff @(posedge clk_i) begin
    begun <= 1'b1;
    started <= !rst_i && (started || start_i);
    stop_q <= stop_i && !rst_i;
    flushed <= !rst_i && !start_i && (flushed || flush_i);
    {base_q, last_q} <= {window_base_i, window_last_i};
  end

  // memory: bursts that are complete and have no answer yet; beats of the burst on the bus. Data may
  // be taken before their address.
  logic [PendingW-1:0] unanswered;
  logic [3:0]          length, sent;
  logic                open, complete, answer;
  assign open = awvalid || wvalid;
  assign complete = open && (!awvalid || awready_i) && (!wvalid || (wready_i && wlast));
  assign answer = bvalid_i && bready;
  always_comb begin
    if (!begun) assume (rst_i);
    if (begun) begin
      assume (window_base_i == base_q && window_last_i == last_q);    // qnn_csr holds them
      if (stop_q) assume (stop_i);                                    // until the reset
    end
    // qnn_control starts a command when all words of the one before are written
    if (start_i) assume (address_i[2:0] == '0 && empty && !busy);
    if (!started || start_i || flush_i || flushed) assume (!in_valid_i);
    if (unanswered == '0) assume (!bvalid_i);
  end
  always_ff @(posedge clk_i) begin
    if (accept) length <= awlen[3:0];
    if (send) sent <= wlast ? '0 : sent + 1'b1;
    unanswered <= unanswered + PendingW'(complete) - PendingW'(answer);
    if (rst_i) begin
      sent <= '0;
      unanswered <= '0;
    end
  end
  logic [7:0] beats;    // of the burst on the bus
  assign beats = (awvalid ? awlen : 8'(length)) + 8'd1;

  // one word and the place where it belongs; ahead: words that are sent before it
  logic              chosen, held;
  logic [63:0]       word;
  logic [31:0]       place, next_place, bus_place;
  logic [CountW-1:0] ahead;
  always_ff @(posedge clk_i) begin
    if (take) next_place <= next_place + 32'd8;
    if (start_i) next_place <= address_i;
  end
  followed #(
    .Width(96), .CountW(CountW)
  ) u_word (
    .clk_i, .rst_i, .push_i(take), .pop_i(send), .choose_i, .data_i({next_place, in_data_i}),
    .count_i(dut.count), .chosen_o(chosen), .held_o(held), .data_o({place, word}), .ahead_o(ahead)
  );
  // it is sent, its burst not answered; earlier: bursts that are answered first
  logic                flying, own_open, ended_short;
  logic [PendingW-1:0] earlier;
  always_ff @(posedge clk_i) begin
    if (held && send && ahead == '0) begin
      flying <= 1'b1;
      own_open <= !complete;
      earlier <= unanswered - PendingW'(answer);
    end else if (flying) begin
      if (complete) own_open <= 1'b0;
      if (answer && earlier == '0) flying <= 1'b0;
      else if (answer) earlier <= earlier - 1'b1;
    end
    // a burst ended before its line did: the last one
    if (dut.begin_burst && dut.beats != dut.to_line) ended_short <= 1'b1;
    if (start_i || rst_i) ended_short <= 1'b0;
    if (start_i || rst_i) flying <= 1'b0;
  end
  logic [31:0] address;                              // of the next word that is in no burst
  assign address = {dut.line, dut.place, 3'b0};
  // the parts of the FIFO are in step
  logic [AddrW-1:0] head, at;
  logic [63:0]      stored_word;
  logic             in_step;
  assign head = dut.u_words.gen_part[0].u_fifo.head;
  assign at = head + AddrW'(ahead);
  if (Depth == 64) begin : gen_parts
    assign in_step = dut.u_words.gen_part[1].u_fifo.head == head && dut.u_words.valid[1] == dut.stored
        && dut.u_words.gen_part[1].u_fifo.tail == dut.u_words.gen_part[0].u_fifo.tail
        && dut.u_words.count[1] == dut.count;
    assign stored_word = {dut.u_words.gen_part[1].u_fifo.mem[at],
        dut.u_words.gen_part[0].u_fifo.mem[at]};
  end else begin : gen_part
    assign in_step = 1'b1;
    assign stored_word = dut.u_words.gen_part[0].u_fifo.mem[at];
  end
  assign bus_place = awaddr + {25'b0, sent, 3'b0};   // of the beat on the bus

  // a cycle ago
  logic        aw_stalled, w_stalled, last_stalled, failed, quiet_q;
  logic [31:0] awaddr_q;
  logic [7:0]  awlen_q;
  logic [63:0] wdata_q;
  always_ff @(posedge clk_i) begin
    aw_stalled <= awvalid && !awready_i && !rst_i;
    w_stalled <= wvalid && !wready_i && !rst_i;
    {awaddr_q, awlen_q, wdata_q, last_stalled} <= {awaddr, awlen, wdata, wlast};
    failed <= answer && bresp_i[1] && !rst_i;
    quiet_q <= !awvalid && !rst_i;
  end

  always_comb begin
    if (begun) begin
      if (awvalid) begin
        window_inside : assert (awaddr[31:7] >= window_base_i && awaddr[31:7] <= window_last_i);
        burst_aligned : assert (awaddr[2:0] == '0);
        burst_length : assert (awlen <= 8'd15);
        burst_line : assert (8'(awaddr[6:3]) + awlen <= 8'd15);
      end
      handshake_address : assert (!aw_stalled
          || (awvalid && awaddr == awaddr_q && awlen == awlen_q));
      handshake_data : assert (!w_stalled
          || (wvalid && wdata == wdata_q && wlast == last_stalled));
      handshake_answer : assert (bready);
      handshake_stored : assert (!wvalid || !empty);    // the bus is never held up
      last_right : assert (!wvalid || wlast == (8'(sent) + 8'd1 == beats));
      last_left : assert (!wvalid || 8'(dut.left) + 8'(sent) == beats);
      last_between : assert (wvalid || sent == '0);
      last_length : assert (!wvalid || awvalid || awlen == 8'(length));
      count_bound : assert (dut.count <= CountW'(Depth));
      count_stored : assert (CountW'(dut.left) <= dut.count);
      count_parts : assert (in_step);
      count_room : assert (!in_ready || dut.count < CountW'(Depth));
      count_waiting : assert (dut.waiting == dut.count - CountW'(dut.left));
      count_valid : assert (dut.stored == (dut.count != '0));
      if (dut.enough && dut.left == '0) begin            // what may become a burst in this cycle
        ahead_beats : assert (dut.beats != '0 && CountW'(dut.beats) <= dut.waiting
            && dut.beats <= dut.to_line);
        ahead_window : assert (dut.allowed
            == (address[31:7] >= window_base_i && address[31:7] <= window_last_i));
      end
      count_places : assert (AddrW'(dut.u_words.gen_part[0].u_fifo.tail - head) == AddrW'(dut.count));
      answer_one : assert (dut.pending == unanswered + PendingW'(open));
      answer_bound : assert (32'(unanswered) + 32'(open) <= Outstanding);
      busy_right : assert (busy == (open || unanswered != '0));
      empty_right : assert (empty == (dut.count == '0));
      started_first : assert (started || (dut.count == '0 && !busy));
      if (started) begin
        place_line : assert (dut.to_line == 5'd16 - {1'b0, dut.place});
        place_next : assert (next_place == address + 32'(8 * (dut.count - CountW'(dut.left))));
        place_burst : assert (!open
            || address == awaddr + 32'(8 * (32'(awlen) + 1)));
      end
      if (started) begin
        line_counted : assert (25'(written_line + 25'(dut.pending))
            == 25'(dut.line + 25'(ended_short)));
        line_ended : assert (!open || ended_short == (dut.place != '0));
        line_burst : assert (!open || 8'(awaddr[6:3]) + awlen <= 8'd15);
        line_short : assert (!ended_short || (flushed && dut.count == CountW'(dut.left)));
      end
      line_started : assert ((!held && !flying) || (started && chosen && held != flying));
      if (flying) begin
        line_of_word : assert (place[31:7] == 25'(written_line + 25'(earlier)));
        line_answers : assert (own_open ? open && unanswered == earlier : unanswered > earlier);
      end
      if (held) begin
        line_of_held : assert (25'(place[31:7] - written_line) <= 25'(dut.pending) + 25'(Depth));
        order_ahead : assert (ahead < dut.count);
        order_word : assert (stored_word == word);
        order_place : assert (next_place == place + 32'(8 * (dut.count - ahead)));
        if (ahead == '0) order_data : assert (wdata == word);
        if (ahead == '0 && wvalid) order_address : assert (bus_place == place);
      end
      error_response_told : assert (error_response == failed);
      error_window_stops : assert (!error_window || !(awvalid && quiet_q));
      // from stop_i on nothing is added, so that each handshake brings the end nearer
      stop_none : assert (!(stop_q && quiet_q) || !awvalid);
    end
  end

  always_comb begin
    cover_chosen : cover (begun && held && ahead == '0 && send && wlast && awlen == 8'd2);
    cover_line : cover (begun && awvalid && awlen == 8'd15);
    cover_refused : cover (begun && error_window);
    cover_stopped : cover (begun && stop_q && !busy && chosen && !held);
    cover_second : cover (begun && awvalid && unanswered != '0);
    cover_stalled : cover (begun && w_stalled && send);
    cover_data_first : cover (begun && aw_stalled && !wvalid);
  end
endmodule
