// SPDX-License-Identifier: BSD-3-Clause
//
// Writes a stream of 64-bit words to consecutive addresses, in bursts of up to 16 beats.
//
// A burst begins only when all its words are here, so the bus is never held up; it stays within 128
// bytes and must lie inside the window, else error_window_o and nothing goes out. After stop_i no
// burst begins; one that has begun is finished. A line is written by one burst, so lines come into memory
// one by one: what lies below written_line_o is there.
//
// start_i comes only while begun_o and settled_o. Bursts from before it may still be on the bus or unanswered:
// as long as one is, settled_o is low, and written_line_o goes on to count their lines; then it begins at
// address_i.
//
// Timing: awvalid_o comes 3 cycles after the last word of a burst, while the data of the burst before are on
// the bus. Words come only where there was room for Room of them, and no more than these.

module qnn_write_dma #(
  parameter int unsigned Outstanding = 8,
  parameter int unsigned Depth       = 64,           // words stored, at least 32
  parameter int unsigned Room        = qnn_pkg::PACK_ROOM
) (
  input  logic        clk_i,
  input  logic        rst_i,
  input  logic        stop_i,
  input  logic        start_i,                       // at address_i, a multiple of 8
  input  logic [31:0] address_i,
  input  logic        flush_i,                       // no word is to come: write short bursts too
  input  logic [24:0] window_base_i,                 // first and last 128-byte line
  input  logic [24:0] window_last_i,
  output logic        error_window_o,
  output logic        error_response_o,
  output logic        busy_o,                        // a transfer is on the bus
  output logic        begun_o,                       // so has a burst for each word that is stored
  output logic [24:0] written_line_o,
  output logic        settled_o,
  input  logic        in_valid_i,
  output logic        room_o,                        // for Room words
  input  logic [63:0] in_data_i,
  // AXI
  output logic        awvalid_o,
  input  logic        awready_i,
  output logic [31:0] awaddr_o,
  output logic [7:0]  awlen_o,
  output logic        wvalid_o,
  input  logic        wready_i,
  output logic [63:0] wdata_o,
  output logic        wlast_o,
  input  logic        bvalid_i,
  output logic        bready_o,
  input  logic [1:0]  bresp_i
);
  localparam int unsigned CountW = $clog2(Depth + 1);
  localparam int unsigned PendingW = $clog2(Outstanding + 1);

  logic stored;
  logic [CountW-1:0] count;
  qnn_wide_fifo #(
    .Width(64), .Depth(Depth)
  ) u_words (
    .clk_i, .rst_i,
    .push_i (in_valid_i),
    .data_i (in_data_i),
    .valid_o(stored),
    .pop_i  (wvalid_o && wready_i),
    .data_o (wdata_o),
    .count_o(count)
  );

  // The next burst, looked at a cycle ahead: while none begins, words that are in no burst only become
  // more. In the cycle after one begins, when these are still those of that burst, awvalid_o is high.
  logic [24:0]         line, first_line;
  logic [3:0]          place;                        // of the next word in its line
  logic [CountW-1:0]   waiting;                      // words in no burst
  logic [4:0]          to_line, beats;
  logic [4:0]          left, behind;                 // beats of the burst on the bus, of the one behind it
  logic [PendingW-1:0] pending, earlier;             // bursts not answered; of these from before start_i
  logic                allowed, enough, ready, begin_burst, answered, ends;
  assign ready = enough && behind == '0 && !awvalid_o && pending != PendingW'(Outstanding) && !stop_i;
  assign begin_burst = ready && allowed;
  assign wvalid_o = left != '0;
  assign wlast_o = left == 5'd1;
  assign ends = left == '0 || (wlast_o && wready_i);
  assign bready_o = 1'b1;
  assign answered = bvalid_i && pending != '0;
  assign busy_o = awvalid_o || wvalid_o || pending != '0;
  assign begun_o = waiting == '0;

  always_ff @(posedge clk_i) begin
    room_o <= count < CountW'(Depth - Room);
    waiting <= waiting + CountW'(in_valid_i) - (begin_burst ? CountW'(beats) : '0);
    enough <= waiting != '0 && (flush_i || waiting >= CountW'(to_line));
    beats <= waiting >= CountW'(to_line) ? to_line : 5'(waiting);
    allowed <= line >= window_base_i && line <= window_last_i;
    error_window_o <= ready && !allowed;
    error_response_o <= bvalid_i && bresp_i[1];
    if (awready_i) awvalid_o <= 1'b0;
    if (ends) begin
      left <= begin_burst ? beats : behind;
      behind <= '0;
    end else begin
      if (wready_i) left <= left - 1'b1;
      if (begin_burst) behind <= beats;
    end
    if (!awvalid_o) begin                  // so it is where a burst begins
      awaddr_o <= {line, place, 3'b0};
      awlen_o <= 8'(beats - 1'b1);
    end
    if (begin_burst) begin
      awvalid_o <= 1'b1;
      place <= place + 4'(beats);
      to_line <= to_line - beats;
      if (beats == to_line) begin
        line <= line + 1'b1;
        to_line <= 5'd16;
      end
    end
    pending <= pending + PendingW'(begin_burst) - PendingW'(answered);
    if (answered) begin
      written_line_o <= earlier == PendingW'(1) ? first_line : written_line_o + 1'b1;
      if (earlier != '0) earlier <= earlier - 1'b1;
      if (earlier == PendingW'(1)) settled_o <= 1'b1;
    end
    if (start_i) begin
      {line, place} <= address_i[31:3];
      to_line <= 5'd16 - {1'b0, address_i[6:3]};
      earlier <= pending - PendingW'(answered);
      settled_o <= pending == PendingW'(answered);
      if (pending == PendingW'(answered)) written_line_o <= address_i[31:7];
    end
    if (start_i || rst_i) first_line <= address_i[31:7];   // at a reset so that start_i has fewer loads
    if (rst_i) begin
      room_o <= 1'b0;
      waiting <= '0;
      enough <= 1'b0;
      awvalid_o <= 1'b0;
      left <= '0;
      behind <= '0;
      pending <= '0;
      earlier <= '0;
      settled_o <= 1'b1;
      error_window_o <= 1'b0;
      error_response_o <= 1'b0;
    end
  end
endmodule
