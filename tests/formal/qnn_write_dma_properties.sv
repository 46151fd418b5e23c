// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_write_dma, with any stream and any memory that answers each burst once, when it is complete:
// bursts stay inside the window and within 128 bytes (so within 4 KiB) and have at most 16 beats,
// addresses and data stay until they are taken, wlast is at the last beat and nowhere else, word
// number n goes to address + 8 * n, no word that memory has not answered for lies below written_line_o,
// not even while it still counts the lines of the map before, and after stop_i the bus becomes quiet.

module qnn_write_dma_properties #(
  parameter  int unsigned Outstanding = 8,
  parameter  int unsigned Depth       = 64,
  parameter  int unsigned Room        = qnn_pkg::PACK_ROOM,
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
  logic        error_window, error_response, busy, all_begun, settled, room;
  logic        awvalid, wvalid, wlast, bready;
  logic [31:0] awaddr;
  logic [7:0]  awlen;
  logic [63:0] wdata;
  logic [24:0] written_line;
  qnn_write_dma #(
    .Outstanding(Outstanding), .Depth(Depth), .Room(Room)
  ) dut (
    .clk_i, .rst_i, .stop_i, .start_i, .address_i, .flush_i, .window_base_i, .window_last_i,
    .error_window_o(error_window), .error_response_o(error_response), .busy_o(busy),
    .begun_o(all_begun), .written_line_o(written_line), .settled_o(settled), .in_valid_i,
    .room_o(room), .in_data_i,
    .awvalid_o(awvalid), .awready_i, .awaddr_o(awaddr), .awlen_o(awlen),
    .wvalid_o(wvalid), .wready_i, .wdata_o(wdata), .wlast_o(wlast),
    .bvalid_i, .bready_o(bready), .bresp_i
  );

  // the environment
  logic        begun = 1'b0, started, stop_q, flushed;
  logic [24:0] base_q, last_q;
  logic        take, send;
  logic [3:0]  credit, credit_left;                  // words for which there was room
  assign take = in_valid_i;
  assign send = wvalid && wready_i;
  always_ff @(posedge clk_i) begin
    begun <= 1'b1;
    started <= !rst_i && (started || start_i);
    stop_q <= stop_i && !rst_i;
    flushed <= !rst_i && !start_i && (flushed || flush_i);
    {base_q, last_q} <= {window_base_i, window_last_i};
    credit_left <= rst_i ? '0 : credit - 4'(take);
  end
  assign credit = room ? 4'(Room) : credit_left;

  // Bursts on the bus, as they are seen there: the one whose beats come, or of which only the address is
  // missing, and the one behind it; a burst is there from the cycle on in which its address shows.
  typedef struct packed {
    logic [31:0] address;                            // of its next beat
    logic [4:0]  left;                               // beats
  } burst_t;
  burst_t     now, next, now_q, next_q;
  logic       aw_open, shows;                        // shows: an address for the first time
  logic [1:0] open;                                  // of these bursts
  assign shows = awvalid && !aw_open;
  always_comb begin
    {now, next} = {now_q, next_q};
    if (shows && now_q.left == '0) now = '{address: awaddr, left: 5'(awlen) + 5'd1};
    else if (shows) next = '{address: awaddr, left: 5'(awlen) + 5'd1};
  end
  assign send = wvalid && wready_i;
  assign open = next.left != '0 ? 2'd2 : 2'(now.left != '0 || awvalid);

  // memory: bursts that are complete and have no answer yet. Data may be taken before their address.
  logic [PendingW-1:0] unanswered;
  logic                complete, answer, over;       // over: the last beat
  assign over = send && now.left == 5'd1;
  assign complete = open == 2'd2 ? over
      : open == 2'd1 && (now.left == '0 || over) && (!awvalid || awready_i);
  assign answer = bvalid_i && bready;
  always_comb begin
    if (!begun) assume (rst_i);
    if (begun) begin
      assume (window_base_i == base_q && window_last_i == last_q);    // qnn_csr holds them
      if (stop_q) assume (stop_i);                                    // until the reset
    end
    // qnn_control starts a command when each word of the one before has a burst, and the next one is taken,
    // which qnn_datapath does when those from before are answered
    if (start_i) assume (address_i[2:0] == '0 && all_begun && settled && !in_valid_i);
    if (credit == '0) assume (!in_valid_i);
    if (!started || start_i || flush_i || flushed) assume (!in_valid_i);
    if (unanswered == '0) assume (!bvalid_i);
  end
  always_ff @(posedge clk_i) begin
    aw_open <= awvalid && !awready_i;
    {now_q, next_q} <= {now, next};
    if (send) begin
      now_q <= over ? next : '{address: now.address + 32'd8, left: now.left - 1'b1};
      if (over) next_q.left <= '0;
    end
    unanswered <= unanswered + PendingW'(complete) - PendingW'(answer);
    if (rst_i) begin
      aw_open <= 1'b0;
      now_q.left <= '0;
      next_q.left <= '0;
      unanswered <= '0;
    end
  end

  // one word and the place where it belongs; ahead: words that are sent before it
  logic              chosen, held;
  logic [63:0]       word;
  logic [31:0]       place, next_place;
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
  // it is sent, its burst not answered; earlier: bursts that are answered first. It is of the present map.
  logic                flying, own_open, present, ended_short;
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
    if (!chosen) present <= 1'b1;
    if (start_i) present <= 1'b0;
    // a burst ended before its line did: the last one of the map
    if (dut.begin_burst && dut.beats != dut.to_line) ended_short <= 1'b1;
    if (start_i || rst_i) ended_short <= 1'b0;
    if (rst_i) flying <= 1'b0;
  end
  // the line of a burst that is not answered, of which so many are before it
  logic [24:0] line_now, line_next, line_behind, line_flying, map_line;
  assign map_line = settled ? written_line : dut.first_line;
  function automatic logic [24:0] line_of(logic [PendingW-1:0] place_in_order);
    line_of = place_in_order < dut.earlier ? written_line + 25'(place_in_order)
        : map_line + 25'(place_in_order) - 25'(dut.earlier);
  endfunction
  assign line_now = line_of(unanswered);
  assign line_next = line_of(unanswered + 1'b1);
  assign line_behind = map_line + 25'(dut.pending) - 25'(dut.earlier);
  assign line_flying = line_of(earlier);
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
  // the word is one of the burst on the bus, of the one behind it, or of none
  logic [CountW-1:0] in_bursts;
  logic              in_now, in_next;
  assign in_bursts = CountW'(now.left) + CountW'(next.left);
  assign in_now = held && ahead < CountW'(now.left);
  assign in_next = held && !in_now && ahead < in_bursts;

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
      handshake_stored : assert (!wvalid || dut.count != '0);    // the bus is never held up
      bursts_data : assert (wvalid == (now.left != '0) && wlast == (now.left == 5'd1));
      bursts_known : assert (dut.left == now.left && dut.behind == next.left);
      bursts_order : assert (now.left != '0 || next.left == '0);
      bursts_length : assert (now.left <= 5'd16 && next.left <= 5'd16);
      bursts_open : assert (!aw_open || awvalid);
      // an address that waits is that of the last burst
      if (awvalid && next.left != '0) bursts_last : assert (next.address == awaddr
          && 8'(next.left) == awlen + 8'd1);
      if (awvalid && next.left == '0 && now.left != '0) bursts_first : assert (
          now.address + {24'b0, now.left, 3'b0} == awaddr + 32'(8 * (32'(awlen) + 1)));
      count_bound : assert (dut.count <= CountW'(Depth));
      count_room : assert (32'(dut.count) + 32'(credit) <= Depth);
      count_credit : assert (credit_left <= 4'(Room));
      count_stored : assert (in_bursts <= dut.count);
      count_parts : assert (in_step);
      count_waiting : assert (dut.waiting == dut.count - in_bursts);
      count_valid : assert (dut.stored == (dut.count != '0));
      if (dut.enough && !awvalid) begin                  // what may become a burst in this cycle
        ahead_beats : assert (dut.beats != '0 && CountW'(dut.beats) <= dut.waiting
            && dut.beats <= dut.to_line);
        ahead_short : assert (dut.beats == dut.to_line
            || (flushed && CountW'(dut.beats) == dut.waiting));
        ahead_window : assert (dut.allowed
            == (address[31:7] >= window_base_i && address[31:7] <= window_last_i));
      end
      count_places : assert (AddrW'(dut.u_words.gen_part[0].u_fifo.tail - head) == AddrW'(dut.count));
      answer_one : assert (dut.pending == unanswered + PendingW'(open));
      answer_bound : assert (32'(unanswered) + 32'(open) <= Outstanding);
      answer_before : assert (dut.earlier <= dut.pending);
      answer_settled : assert (settled == (dut.earlier == '0));
      busy_right : assert (busy == (open != '0 || unanswered != '0));
      begun_right : assert (all_begun == (dut.count == in_bursts));
      started_first : assert (started || (dut.count == '0 && !busy));
      if (started) begin
        place_line : assert (dut.to_line == 5'd16 - {1'b0, dut.place});
        place_next : assert (next_place == address + 32'(8 * dut.waiting));
        line_counted : assert (line_behind == 25'(dut.line + 25'(ended_short)));
        line_short : assert (!ended_short || (flushed && dut.waiting == '0));
      end
      // a burst lies in its line
      if (now.left != '0) begin
        line_of_now : assert (now.address[31:7] == line_now
            && 5'(now.address[6:3]) + now.left <= 5'd16 && now.address[2:0] == '0);
      end
      if (next.left != '0) begin
        line_of_next : assert (next.address[31:7] == line_next
            && 5'(next.address[6:3]) + next.left <= 5'd16 && next.address[2:0] == '0);
      end
      if (now.left == '0 && awvalid) begin
        line_of_address : assert (awaddr[31:7] == line_now);
      end
      line_started : assert ((!held && !flying) || (started && chosen && held != flying));
      if (flying) begin
        line_of_word : assert (place[31:7] == line_flying && present == (earlier >= dut.earlier));
        line_answers : assert (own_open ? open != '0 && unanswered == earlier : unanswered > earlier);
        // what the line says
        if (!present || settled) line_below : assert (place[31:7] - written_line < 25'(Outstanding));
        line_settled : assert (present || !settled);
      end
      if (held) begin
        order_ahead : assert (ahead < dut.count);
        order_word : assert (stored_word == word);
        order_present : assert (present == (in_now ? unanswered >= dut.earlier
            : !in_next || unanswered + 1'b1 >= dut.earlier));
        if (in_now) order_now : assert (place == now.address + 32'(8 * ahead));
        else if (in_next) begin
          order_next : assert (place == next.address + 32'(8 * (ahead - CountW'(now.left))));
        end else order_place : assert (next_place == place + 32'(8 * (dut.count - ahead)));
        if (ahead == '0) order_data : assert (wdata == word);
        if (ahead == '0 && wvalid) order_address : assert (now.address == place);
      end
      error_response_told : assert (error_response == failed);
      error_window_stops : assert (!error_window || !(awvalid && quiet_q));
      // from stop_i on nothing is added, so that each handshake brings the end nearer
      stop_none : assert (!(stop_q && quiet_q) || !awvalid);
    end
  end

  always_comb begin
    cover_chosen : cover (begun && held && ahead == '0 && over && awlen == 8'd2);
    cover_line : cover (begun && awvalid && awlen == 8'd15);
    cover_refused : cover (begun && error_window);
    cover_stopped : cover (begun && stop_q && !busy && chosen && !held);
    cover_second : cover (begun && awvalid && unanswered != '0);
    cover_behind : cover (begun && over && next.left != '0);
    cover_unsettled : cover (begun && !settled && awvalid && written_line != dut.first_line && present && held);
    cover_stalled : cover (begun && w_stalled && send);
    cover_data_first : cover (begun && aw_stalled && !wvalid);
  end
endmodule
