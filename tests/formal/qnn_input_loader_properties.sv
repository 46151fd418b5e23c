// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_input_loader, with any command, any bus that answers what it was asked, and anybody who gives
// rows back: requests stay until they are taken, stay within a line of 128 bytes and within the row of
// the block that they are for; no beat is lost; no row is written where one that is needed still lies;
// words of a tight row follow each other; a block of several begins block_used bytes behind the one
// before, and no byte is written that does not count; rows count as loaded when their last byte is
// written; no line is asked for that the limit keeps back.
// Not proven here, but shown by its bench: where each row begins in memory, and which byte of a beat
// goes to which place.
//
// Assumed of the command: what qnn_command_check has. Rows are given back in order, at most 1023 at a
// time, and are not 16384 ahead of, or behind, those that come.

module qnn_input_loader_properties
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Pe          = 32,
  parameter  int unsigned WindowWords = 64,
  parameter  int unsigned Depth       = 32,
  localparam int unsigned BankW       = $clog2(WindowWords) - 1
) (
  input logic        clk_i,
  input logic        rst_i,
  input logic        start_i,
  input command_t    command_i,
  input logic        upper_half_i,
  input logic [15:0] rows_done_i,
  input logic        limited_i,
  input logic [24:0] limit_i,
  input logic        req_ready_i,
  input logic        data_valid_i,
  input logic [63:0] data_i
);
  localparam int unsigned Chunk = Pe / 8, Share = 64 / Pe;

  logic [15:0]      rows_loaded;
  logic             busy, req_valid;
  logic [31:0]      req_address;
  logic [4:0]       req_beats;
  logic [7:0]       even_we, odd_we;
  logic [BankW-1:0] even_waddr, odd_waddr;
  logic [63:0]      wdata;
  qnn_input_loader #(
    .Pe(Pe), .WindowWords(WindowWords), .Depth(Depth)
  ) dut (
    .clk_i, .rst_i, .start_i, .command_i, .upper_half_i, .rows_loaded_o(rows_loaded), .rows_done_i,
    .busy_o(busy), .limited_i, .limit_i, .req_valid_o(req_valid), .req_ready_i, .req_address_o(req_address),
    .req_beats_o(req_beats), .data_valid_i, .data_i, .even_we_o(even_we), .odd_we_o(odd_we),
    .even_waddr_o(even_waddr), .odd_waddr_o(odd_waddr), .wdata_o(wdata)
  );

  // one command, as long as it takes
  logic     begun = 1'b0, begun_q = 1'b0;
  command_t command_q;
  logic     half_q, limited_q;
  logic [24:0] limit_q;
  always_ff @(posedge clk_i) begin
    {begun_q, begun} <= {begun, 1'b1};
    {command_q, half_q} <= {command_i, upper_half_i};
    {limited_q, limit_q} <= {limited_i, limit_i};
  end
  always_comb begin
    if (!begun) assume (rst_i);
    if (begun) assume (command_i == command_q && upper_half_i == half_q);
    if (begun && limited_i) assume (limited_q ? limit_i >= limit_q : !dut.request);
    assume (command_i.in_rows != '0 && command_i.in_columns != '0 && command_i.tiles != '0);
    assume (command_i.planes != '0 && command_i.planes <= 4'd8 && command_i.row_beats != '0);
    assume (command_i.in_address[2:0] == '0 && command_i.block_bytes[2:0] == '0);
    assume (command_i.plane_words != '0 && command_i.row_words >= command_i.plane_words
        && command_i.ring_words >= command_i.row_words
        && 32'(command_i.ring_words) <= WindowWords);
    if (command_i.tight) begin
      assume (command_i.row_beats == command_i.row_words && !command_i.drop_lowest);
    end else begin
      assume (command_i.blocks != '0 && command_i.pixel_bytes != '0
          && command_i.block_used != '0 && 32'(command_i.block_used) <= Chunk
          && 4'(command_i.first_skip) < command_i.block_used && command_i.last_bytes != '0
          && command_i.last_bytes <= command_i.block_used);
    end
  end

  logic [7:0] waits;                                 // beats asked for that did not come

  // a start finds nothing under way; age: cycles since
  logic        started;
  logic [1:0]  age;
  logic [15:0] done_1, done_2;                       // rows_done_i, so many cycles ago
  logic [15:0] held;
  always_ff @(posedge clk_i) begin
    if (age != '1) age <= age + 1'b1;
    if (start_i) age <= '0;
    started <= !rst_i && (started || start_i);
    if (rst_i) age <= '0;
    {done_2, done_1} <= {done_1, rows_done_i};
  end
  assign held = dut.rows_placed - rows_done_i;
  always_comb begin
    if (!begun_q) assume (!start_i);
    if (start_i) assume (!busy && waits == '0 && dut.count == '0 && !dut.beat_valid && !dut.request);
    if (started && !start_i) begin
      assume (age == '0 ? rows_done_i == '0 : rows_done_i - done_1 <= 16'd1023);
      assume ($signed(held) > -16'sd16384 && $signed(held) < 16'sd16384);
    end
  end

  always_ff @(posedge clk_i) begin
    waits <= waits + (dut.sent ? 8'(req_beats) : '0) - 8'(data_valid_i);
    if (rst_i) waits <= '0;
  end
  always_comb if (data_valid_i) assume (waits != '0);

  // the row of a block that is asked for, and a cycle ago
  logic [31:0] run_base, run_bytes, address_q;
  logic [4:0]  beats_q;
  logic        stalled;
  assign run_bytes = {16'b0, command_i.row_beats, 3'b0};
  always_ff @(posedge clk_i) begin
    if (dut.take) run_base <= dut.block_address;
    stalled <= req_valid && !req_ready_i && !rst_i && !start_i;
    {address_q, beats_q} <= {req_address, req_beats};
  end

  // of several blocks: bytes that count in any, in the first and in the last, and the blocks so far
  logic [7:0]  inner, first, last, blocks_placed;
  logic [16:0] blocks_bytes;                         // that those so far take up
  assign inner = 8'((9'd1 << command_i.block_used) - 9'd1);
  assign first = inner & ~8'((9'd1 << command_i.first_skip) - 9'd1);
  assign last = 8'((9'd1 << command_i.last_bytes) - 9'd1);
  assign blocks_placed = dut.blocks_less - dut.blocks_left;
  assign blocks_bytes = 17'(blocks_placed) * 17'(command_i.block_used);

  // what was placed last
  logic first_q, last_q, dropped_q;
  always_ff @(posedge clk_i) {first_q, last_q, dropped_q} <= {dut.first_block, dut.last_block, dut.dropped};

  logic known;                                       // what follows from the command is in registers
  assign known = dut.whole == (command_i.tight || command_i.blocks == 8'd1)
      && dut.words_less == command_i.row_words - 1'b1
      && dut.blocks_less == (command_i.tight ? '0 : command_i.blocks - 1'b1)
      && dut.columns_less == command_i.in_columns - 1'b1
      && dut.rows_less == command_i.in_rows - 1'b1
      && dut.planes_less == command_i.planes - 4'(!command_i.drop_lowest)
      && dut.plane_step == (command_i.tight ? 13'd1 : command_i.plane_words)
      && dut.inner == inner && dut.first == first && dut.last == last
      && dut.skipped == (dut.whole ? 17'd0 : -17'(command_i.first_skip))
      && dut.wrap == $signed({1'b0, command_i.row_words} - {1'b0, command_i.ring_words});

  always_comb begin
    if (begun_q) command_known : assert (known);
    if (begun) begin
      state_begun : assert (begun_q || !started);
      state_idle : assert (started || (!dut.asking && !dut.request && !dut.placing
          && dut.placed == '0 && !dut.beat_valid && dut.count == '0 && waits == '0));
      state_first : assert (!started || age > 2'd1 || (waits == '0 && dut.count == '0
          && !dut.beat_valid && (age != '0 || !dut.request)));
      if (req_valid) begin
        request_beats : assert (req_beats != '0 && 6'(req_address[6:3]) + 6'(req_beats) <= 6'd16);
        request_aligned : assert (req_address[2:0] == '0);
        request_inside : assert (req_address - run_base < run_bytes
            && run_base + run_bytes - req_address >= {24'b0, req_beats, 3'b0});
      end
      request_below : assert (!req_valid || !limited_i || req_address[31:7] < limit_i);
      request_limit : assert (!dut.below || (dut.request
          && (!limited_i || dut.address[31:7] < limit_i)));
      request_kept : assert (!stalled
          || (req_valid && req_address == address_q && req_beats == beats_q));
      request_line : assert (!dut.request || (dut.beats != '0
          && 6'(dut.address[6:3]) + 6'(dut.beats) <= 6'd16 && dut.address[2:0] == '0));
      request_left : assert (!dut.request || (dut.beats_left != '0
          && 13'(dut.beats) <= dut.beats_left && dut.beats_left <= command_i.row_beats
          && dut.address + {16'b0, dut.beats_left, 3'b0} == run_base + run_bytes));
      request_last : assert (!dut.request
          || (dut.request_last ? 13'(dut.beats) == dut.beats_left
              : 6'(dut.address[6:3]) + 6'(dut.beats) == 6'd16 && 13'(dut.beats) < dut.beats_left));
      request_places : assert (dut.block_address[2:0] == '0 && dut.row_address[2:0] == '0
          || !dut.asking);
      row_last : assert ((dut.row_placed & ~dut.placed) == '0);
      beats_room : assert (9'(dut.room) + 9'(waits) + 9'(dut.count) == 9'(Depth));
      beats_kept : assert (!data_valid_i || 32'(dut.count) < Depth);
      beats_valid : assert (dut.stored_valid == (dut.count != '0));
      beats_places : assert (dut.u_beats.gen_part[0].u_fifo.tail
          - dut.u_beats.gen_part[0].u_fifo.head == dut.count[4:0]
          && 32'(dut.count) <= Depth);
      if (started) begin
        ring_place : assert (!dut.placing || dut.ring < command_i.ring_words);
        row_left : assert (!dut.placing || (dut.rows_left <= dut.rows_less
            && dut.blocks_left <= dut.blocks_less && (command_i.tight
                ? dut.words_left <= dut.words_less : dut.planes_left <= dut.planes_less)));
        row_first : assert (!dut.placing
            || dut.first_block == (dut.blocks_left == dut.blocks_less));
        plane_dropped : assert (!dut.placing || dut.dropped
            == (command_i.drop_lowest && dut.planes_left == dut.planes_less));
        row_allowed : assert (age == '0 || dut.rows_allowed == done_1 + 16'(command_i.ring_rows));
        row_room : assert (age < 2'd2 || !dut.row_room
            || $signed(dut.rows_placed - done_2 - 16'(command_i.ring_rows)) < 0);
        row_kept : assert (!dut.place || $signed(held) < $signed({6'b0, command_i.ring_rows}));
        row_counts : assert (dut.rows_placed
            == rows_loaded + 16'(dut.row_placed[1]) + 16'(dut.row_placed[2]));
        block_place : assert (!dut.placing || dut.whole
            || dut.block_byte == dut.skipped + blocks_bytes);
        block_bytes : assert (!dut.placed[1] || dut.whole || dut.used_1
            == (dropped_q ? '0 : inner & (first_q ? first : '1) & (last_q ? last : '1)));
        tight_place : assert (!dut.placing || !command_i.tight
            || dut.base == dut.ring + (dut.words_less - dut.words_left));
        busy_until : assert (busy || (even_we == '0 && odd_we == '0) || dut.placed == '0);
      end
    end
  end

  always_comb begin
    cover_tight : cover (begun_q && command_i.tight && rows_loaded == 16'd2);
    cover_blocks : cover (begun_q && !command_i.tight && command_i.blocks == 8'd2
        && rows_loaded == 16'd1);
    cover_part : cover (begun_q && !command_i.tight && command_i.blocks == 8'd2
        && command_i.block_used == 4'd3 && command_i.pixel_bytes == 12'd6
        && command_i.first_skip == '0 && even_we == 8'h38);
    cover_whole : cover (begun_q && !command_i.tight && command_i.blocks == 8'd1
        && command_i.drop_lowest && even_we == 8'h0f && odd_we == '0);
    cover_both : cover (begun_q && even_we == 8'h03 && odd_we == 8'hc0);
    cover_full : cover (begun_q && dut.beat_valid && dut.placing && !dut.row_room);
    cover_line : cover (begun_q && dut.sent && !dut.request_last);
    cover_limit : cover (begun_q && limited_i && dut.sent);
    cover_held : cover (begun_q && limited_q && dut.request && !dut.below && limit_i > limit_q);
  end
endmodule
