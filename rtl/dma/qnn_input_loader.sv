// SPDX-License-Identifier: BSD-3-Clause
//
// Brings an input map into the window buffer, row by row; a ring of ring_rows rows, where the row
// that is needed no longer makes room for a new one. In the buffer each plane of a row is one string
// of bits, all channels of a pixel side by side. In memory a map is
//
//   tight rows      just so: plane after plane, row after row
//   channel blocks  block_bytes apart, Pe channels each, as qnn_pack writes them; of each the first
//                   block_used bytes, but bytes of the first and the last block that belong to other
//                   groups of channels are left out, and where drop_lowest a plane more, the lowest
//
// While limited_i, only lines of 128 bytes below limit_i are asked for: others may not be written yet.
//
// Timing: a beat a cycle for tight rows and for maps of one block, else a pixel a cycle; a beat of the
// plane that is left out takes one. command_i is there from the cycle before start_i on. The first
// request follows 2 cycles after start_i, while limited_i a cycle later each, and what a beat has is
// written 5 cycles after data_valid_i.

module qnn_input_loader
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Pe          = 32,
  parameter  int unsigned WindowWords = 4096,
  parameter  int unsigned Depth       = 128,       // beats stored
  localparam int unsigned BankW       = $clog2(WindowWords) - 1
) (
  input  logic             clk_i,
  input  logic             rst_i,
  input  logic             start_i,
  input  command_t         command_i,
  input  logic             upper_half_i,           // of the window buffer is for it
  output logic [15:0]      rows_loaded_o,          // counted from start
  input  logic [15:0]      rows_done_i,
  output logic             busy_o,
  // bus
  input  logic             limited_i,              // may begin while nothing is asked for
  input  logic [24:0]      limit_i,                // does not fall meanwhile
  output logic             req_valid_o,
  input  logic             req_ready_i,
  output logic [31:0]      req_address_o,
  output logic [4:0]       req_beats_o,
  input  logic             data_valid_i,
  input  logic [63:0]      data_i,
  // window buffer
  output logic [7:0]       even_we_o,
  output logic [7:0]       odd_we_o,
  output logic [BankW-1:0] even_waddr_o,
  output logic [BankW-1:0] odd_waddr_o,
  output logic [63:0]      wdata_o                 // for both banks
);
  localparam int unsigned Chunk = Pe / 8;          // bytes of one pixel in one beat
  localparam int unsigned Share = 64 / Pe;         // pixels in one beat
  localparam int unsigned CountW = $clog2(Depth + 1);

  // What follows from the command alone; `less`: by one, for what counts down to 0.
  logic               whole;                       // all bytes of a beat at once
  logic [7:0]         maps_less, blocks_less;
  logic [9:0]         rows_less, columns_less;
  logic [12:0]        words_less;
  logic [3:0]         planes_less;
  logic [12:0]        advance;                     // bytes from what is placed to what comes next
  logic [12:0]        plane_step;                  // words from a beat to the next one, or from a plane
  logic signed [13:0] wrap;                        // of the ring: words from a row to the first row
  logic signed [16:0] skipped;                     // byte of the first pixel: what is left out precedes
  logic [7:0][2:0]    pick_whole;                  // which byte of the beat comes to which place
  logic [7:0]         full, tail;                  // bytes that are used: of a beat, of a row's last one
  logic [7:0]         inner, first, last;          // ... of any block, of the first, of the last one
  always_ff @(posedge clk_i) begin
    whole <= command_i.tight || command_i.blocks == 8'd1;
    maps_less <= command_i.reload ? command_i.tiles - 1'b1 : '0;
    blocks_less <= command_i.tight ? '0 : command_i.blocks - 1'b1;
    rows_less <= command_i.in_rows - 1'b1;
    columns_less <= command_i.in_columns - 1'b1;
    words_less <= command_i.row_words - 1'b1;
    planes_less <= command_i.planes - 4'(!command_i.drop_lowest);
    plane_step <= command_i.tight ? 13'd1 : command_i.plane_words;
    wrap <= $signed({1'b0, command_i.row_words} - {1'b0, command_i.ring_words});
    if (command_i.tight) advance <= '0;
    else if (command_i.blocks == 8'd1) advance <= 13'(command_i.pixel_bytes) * 13'(Share);
    else advance <= 13'(command_i.pixel_bytes);
    skipped <= command_i.tight || command_i.blocks == 8'd1 ? '0
        : -$signed({14'b0, command_i.first_skip});
    for (int unsigned i = 0; i < 8; i++) begin
      pick_whole[i] <= 3'(i);
      full[i] <= command_i.tight;
      tail[i] <= command_i.tight;
      for (int unsigned size = 1; size <= Chunk; size++) begin
        if (!command_i.tight && command_i.pixel_bytes == 12'(size)) begin
          pick_whole[i] <= 3'(i / size * Chunk + i % size + 32'(command_i.first_skip));
          full[i] <= i < size * Share;
          tail[i] <= i < size * Share && i / size <= (32'(command_i.in_columns) - 1) % Share;
        end
      end
      inner[i] <= i < 32'(command_i.block_used);
      first[i] <= i < 32'(command_i.block_used) && i >= 32'(command_i.first_skip);
      last[i] <= i < 32'(command_i.last_bytes);
    end
  end

  // asking: map after map (one for each tile where reload), row after row, block after block
  logic        asking;
  logic [7:0]  ask_maps, ask_blocks;               // left behind this one
  logic [9:0]  ask_rows;
  logic [31:0] row_address, block_address, row_after;
  logic        take;                               // the beats of a row in a block become requests
  logic        taken;                              // ... have: what comes next is worked out
  logic [1:0]  no_row;                             // ask_rows is 0: copies, a cycle late, for `taken` is rare
  for (genvar i = 0; i < 2; i++) begin : gen_no_row
    qnn_copy u_no_row (.clk_i, .data_i(ask_rows == '0), .data_o(no_row[i]));
  end
  assign row_after = row_address + {16'b0, command_i.row_beats, 3'b0};

  always_ff @(posedge clk_i) begin
    taken <= take && !rst_i;
    if (taken) begin
      if (ask_blocks != '0) begin
        ask_blocks <= ask_blocks - 1'b1;
        block_address <= block_address + command_i.block_bytes;
      end else begin
        ask_blocks <= blocks_less;
        block_address <= no_row[0] ? command_i.in_address : row_after;
        row_address <= no_row[1] ? command_i.in_address : row_after;
        if (ask_rows != '0) begin
          ask_rows <= ask_rows - 1'b1;
        end else begin
          ask_rows <= rows_less;
          ask_maps <= ask_maps - 1'b1;
          if (ask_maps == '0) asking <= 1'b0;
        end
      end
    end
    // that it is so at start_i, too, is enough: it has fewer loads so
    if (!asking) begin
      ask_maps <= maps_less;
      ask_rows <= rows_less;
      ask_blocks <= blocks_less;
      block_address <= command_i.in_address;
    end
    if (start_i || rst_i) row_address <= command_i.in_address;
    if (start_i) asking <= 1'b1;
    if (rst_i) asking <= 1'b0;
  end

  // requests: to the end of the line of 16 beats, then line after line
  logic        request, request_last, sent;
  logic        below;                              // the limit
  logic [31:0] address;
  logic [4:0]  beats, to_line;
  logic [12:0] beats_left, beats_after;            // with those of the request, and without
  logic [CountW-1:0] room;                         // for beats that are not asked for yet
  assign to_line = 5'd16 - {1'b0, block_address[6:3]};
  assign beats_after = beats_left - 13'(beats);
  assign req_valid_o = request && room >= CountW'(16) && (below || !limited_i);
  assign req_address_o = address;
  assign req_beats_o = beats;
  assign sent = req_valid_o && req_ready_i;
  assign take = asking && !taken && (!request || (sent && request_last));

  always_ff @(posedge clk_i) begin
    below <= request && !sent && address[31:7] < limit_i;
    if (sent) begin
      address <= {address[31:7] + 1'b1, 7'b0};
      beats <= beats_after < 13'd16 ? beats_after[4:0] : 5'd16;
      beats_left <= beats_after;
      request_last <= beats_after <= 13'd16;
      if (request_last) request <= 1'b0;
    end
    if (take) begin
      request <= 1'b1;
      address <= block_address;
      beats <= command_i.row_beats < 13'(to_line) ? command_i.row_beats[4:0] : to_line;
      beats_left <= command_i.row_beats;
      request_last <= command_i.row_beats <= 13'(to_line);
    end
    if (rst_i) {request, below} <= '0;
  end

  // beats, the oldest one in a register
  logic        stored_valid, pop, beat_valid, place;
  logic        last_share;                         // of the beat that is being placed
  logic [63:0] stored, beat;
  logic [CountW-1:0] count;
  qnn_wide_fifo #(
    .Width(64), .Depth(Depth)
  ) u_beats (
    .clk_i, .rst_i,
    .push_i (data_valid_i),
    .data_i (data_i),
    .valid_o(stored_valid),
    .pop_i  (pop),
    .data_o (stored),
    .count_o(count)
  );
  assign pop = stored_valid && (!beat_valid || (place && last_share));
  always_ff @(posedge clk_i) begin
    // half of it also where nothing is stored: then it is no beat
    if (pop) beat[31:0] <= stored[31:0];
    if (!beat_valid || (place && last_share)) beat[63:32] <= stored[63:32];
    beat_valid <= stored_valid || (beat_valid && !(place && last_share));
    room <= room - (sent ? CountW'(beats) : '0) + CountW'(pop);
    if (rst_i) begin
      beat_valid <= 1'b0;
      room <= CountW'(Depth);
    end
  end

  // placing
  logic        placing, row_room;
  logic [7:0]  maps_left, blocks_left;             // behind this one
  logic [9:0]  rows_left, columns_left;            // columns: behind the first pixel of the beat
  logic [12:0] words_left;                         // of a tight row
  logic [3:0]  planes_left;
  logic        first_block, dropped;               // dropped: a beat of the plane that is left out
  logic [2:0]  share;                              // pixel of the beat
  logic [12:0] ring, base;                         // first word of the row, and of its plane
  logic signed [13:0] ring_wrapped;
  logic [12:0] ring_after;
  logic signed [16:0] byte_first, byte_here;       // of the beat's first pixel and of this one
  logic signed [16:0] block_byte, block_after, byte_after;
  logic        last_plane, last_column, last_block, block_end, row_end;
  assign last_column = columns_left < 10'(Share);
  assign last_share = Share == 1 || whole || dropped || share == 3'(Share - 1) || 10'(share) == columns_left;
  assign last_plane = !command_i.tight && planes_left == '0;
  assign last_block = blocks_left == '0;
  assign block_end = command_i.tight ? words_left == '0 : last_share && last_plane && last_column;
  assign row_end = block_end && last_block;
  assign ring_wrapped = $signed({1'b0, ring}) + wrap;
  assign ring_after = ring_wrapped >= 0 ? 13'(ring_wrapped) : ring + command_i.row_words;
  assign byte_after = byte_here + $signed({4'b0, advance});
  assign block_after = block_byte + $signed({13'b0, command_i.block_used});
  assign place = placing && beat_valid && row_room;

  // A row has room where less than ring_rows are held. Fewer than none are: rows that are skipped.
  // What the last command left in these registers is gone before the first beat comes.
  logic [15:0] rows_placed, rows_allowed, over;      // over: less than 0 where there is room
  assign over = rows_placed - rows_allowed;
  always_ff @(posedge clk_i) begin
    rows_allowed <= rows_done_i + {6'b0, command_i.ring_rows};
    row_room <= over[15] && !(place && row_end && over == '1);
  end

  always_ff @(posedge clk_i) begin
    if (place) begin
      words_left <= words_left - 1'b1;
      share <= share + 1'b1;
      byte_here <= byte_after;
      if (last_share) begin
        share <= '0;
        byte_here <= byte_first;
        planes_left <= planes_left - 1'b1;
        dropped <= 1'b0;
        if (!dropped) base <= base + plane_step;
        if (last_plane) begin
          planes_left <= planes_less;
          dropped <= command_i.drop_lowest;
          base <= ring;
          columns_left <= columns_left - 10'(Share);
          byte_first <= byte_after;
          byte_here <= byte_after;
        end
      end
      if (block_end) begin
        words_left <= words_less;
        columns_left <= columns_less;
        first_block <= 1'b0;
        blocks_left <= blocks_left - 1'b1;
        block_byte <= block_after;
        byte_first <= block_after;
        byte_here <= block_after;
      end
      if (row_end) begin
        first_block <= 1'b1;
        blocks_left <= blocks_less;
        block_byte <= skipped;
        byte_first <= skipped;
        byte_here <= skipped;
        ring <= ring_after;
        base <= ring_after;
        rows_placed <= rows_placed + 1'b1;
        rows_left <= rows_left - 1'b1;
        if (rows_left == '0) begin
          rows_left <= rows_less;
          maps_left <= maps_left - 1'b1;
          if (maps_left == '0) placing <= 1'b0;
        end
      end
    end
    if (!placing) begin                  // as while nothing is asked for
      maps_left <= maps_less;
      rows_left <= rows_less;
      blocks_left <= blocks_less;
      words_left <= words_less;
      planes_left <= planes_less;
      dropped <= command_i.drop_lowest;
      first_block <= 1'b1;
      share <= '0;
      columns_left <= columns_less;
      ring <= '0;
      base <= '0;
    end
    if (start_i) begin
      placing <= 1'b1;
      block_byte <= skipped;
      byte_first <= skipped;
      byte_here <= skipped;
    end
    if (start_i || rst_i) rows_placed <= '0;
    if (rst_i) placing <= 1'b0;
  end

  // Which byte of the beat comes to which lane: byte i of those side by side to lane
  // (byte_here mod 8) + i, where the lanes are those of a word and of the next one.
  logic [2:1]          placed, row_placed;         // index: age in cycles
  logic [7:0][7:0]     beat_1, beat_2;
  logic [7:0][2:0]     pick_1, pick_2;             // of the bytes, of the lanes
  logic [7:0]          used_1, used_2;
  logic [12:0]         base_1, word_2;
  logic signed [16:0]  byte_1;
  logic [2:0]          turn_2;
  logic [15:0]         enable;
  logic [12:0]         word_after;
  always_ff @(posedge clk_i) begin
    placed <= {placed[1], place};
    row_placed <= {row_placed[1], place && row_end};
    beat_1 <= beat;
    beat_2 <= beat_1;
    base_1 <= base;
    byte_1 <= byte_here;
    for (int unsigned i = 0; i < 8; i++) begin
      pick_1[i] <= whole ? pick_whole[i] : 3'(i + 32'(share) * Chunk);
      pick_2[i] <= pick_1[3'(i) - byte_1[2:0]];
      used_1[i] <= !dropped && (whole ? (last_column ? tail[i] : full[i])
          : (first_block ? first[i] : inner[i]) && (!last_block || last[i]));
    end
    used_2 <= used_1;
    word_2 <= base_1 + 13'(byte_1 >>> 3);
    turn_2 <= byte_1[2:0];
    if (rst_i) begin
      placed <= '0;
      row_placed <= '0;
    end
  end
  assign enable = placed[2] ? 16'(used_2) << turn_2 : '0;
  assign word_after = word_2 + 1'b1;
  always_ff @(posedge clk_i) begin
    even_we_o <= word_2[0] ? enable[15:8] : enable[7:0];
    odd_we_o <= word_2[0] ? enable[7:0] : enable[15:8];
    for (int unsigned l = 0; l < 8; l++) begin
      wdata_o[l*8+:8] <= beat_2[pick_2[l]];
    end
    even_waddr_o <= {word_after[BankW] ^ upper_half_i, word_after[BankW-1:1]};
    odd_waddr_o <= {word_2[BankW] ^ upper_half_i, word_2[BankW-1:1]};
    rows_loaded_o <= rows_loaded_o + 16'(row_placed[2]);
    if (start_i) rows_loaded_o <= '0;
  end
  assign busy_o = asking || placing || placed != '0;
endmodule
