// SPDX-License-Identifier: BSD-3-Clause
//
// Brings an input map into the window buffer, row by row; a ring of ring_rows rows, where the row
// that is needed no longer makes room for a new one. In the buffer each plane of a row is one string
// of bits, all channels of a pixel side by side. In memory a map is
//
//   tight rows      just so: plane after plane, row after row
//   channel blocks  block_bytes apart, Pe channels each, as qnn_pack writes them; bytes of the first
//                   and the last block that belong to other groups of channels are left out, and
//                   where drop_lowest a plane more, the lowest
//
// Timing: a beat a cycle for tight rows and for maps of one block, else a pixel a cycle; a beat of the
// plane that is left out takes one.

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
  output logic [15:0]      rows_loaded_o,          // counted from start
  input  logic [15:0]      rows_done_i,
  output logic             busy_o,
  // bus
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
  output logic [63:0]      even_wdata_o,
  output logic [63:0]      odd_wdata_o
);
  localparam int unsigned Chunk = Pe / 8;          // bytes of one pixel in one beat
  localparam int unsigned Share = 64 / Pe;         // pixels in one beat
  localparam int unsigned ShareW = $clog2(Share);
  localparam int unsigned CountW = $clog2(Depth + 1);

  // asking: map after map (one for each tile where reload), row after row, block after block
  logic        asking;
  logic [7:0]  ask_map, ask_block;
  logic [9:0]  ask_row;
  logic [31:0] row_address, block_address, address;
  logic [12:0] beats_left;
  logic [CountW-1:0] room;
  logic [4:0]  to_line;
  logic [7:0]  blocks, maps;
  logic [31:0] row_bytes;
  assign blocks = command_i.tight ? 8'd1 : command_i.blocks;
  assign maps = command_i.reload ? command_i.tiles : 8'd1;
  assign row_bytes = {16'b0, command_i.row_beats, 3'b0};
  assign to_line = 5'd16 - {1'b0, address[6:3]};
  assign req_beats_o = beats_left < 13'(to_line) ? 5'(beats_left) : to_line;
  assign req_address_o = address;
  assign req_valid_o = asking && room >= CountW'(req_beats_o);

  always_ff @(posedge clk_i) begin
    if (asking && req_valid_o && req_ready_i) begin
      address <= address + {24'b0, req_beats_o, 3'b0};
      beats_left <= beats_left - 13'(req_beats_o);
      if (beats_left == 13'(req_beats_o)) begin
        beats_left <= command_i.row_beats;
        if (ask_block + 1'b1 != blocks) begin
          ask_block <= ask_block + 1'b1;
          address <= block_address + command_i.block_bytes;
          block_address <= block_address + command_i.block_bytes;
        end else begin
          ask_block <= '0;
          if (ask_row + 1'b1 != command_i.in_rows) begin
            ask_row <= ask_row + 1'b1;
            address <= row_address + row_bytes;
            block_address <= row_address + row_bytes;
            row_address <= row_address + row_bytes;
          end else begin
            ask_row <= '0;
            address <= command_i.in_address;
            block_address <= command_i.in_address;
            row_address <= command_i.in_address;
            ask_map <= ask_map + 1'b1;
            if (ask_map + 1'b1 == maps) asking <= 1'b0;
          end
        end
      end
    end
    if (start_i) begin
      asking <= 1'b1;
      ask_map <= '0;
      ask_row <= '0;
      ask_block <= '0;
      address <= command_i.in_address;
      block_address <= command_i.in_address;
      row_address <= command_i.in_address;
      beats_left <= command_i.row_beats;
    end
    if (rst_i) asking <= 1'b0;
  end

  // placing
  logic        placing, beat_valid, beat_end, place;
  logic [63:0] beat;
  logic [CountW-1:0] stored;
  qnn_fifo #(
    .Width(64), .Depth(Depth)
  ) u_beats (
    .clk_i, .rst_i,
    .push_i (data_valid_i),
    .data_i (data_i),
    .valid_o(beat_valid),
    .pop_i  (place && beat_end),
    .data_o (beat),
    .count_o(stored)
  );
  always_ff @(posedge clk_i) begin
    room <= room - (req_valid_o && req_ready_i ? CountW'(req_beats_o) : '0)
        + CountW'(place && beat_end);
    if (rst_i) room <= CountW'(Depth);
  end

  logic [7:0]  map, block;
  logic [9:0]  row;
  logic [12:0] ring;                               // ring position of the row
  logic [9:0]  column;                             // of the first pixel of the beat
  logic [3:0]  plane;
  logic [12:0] plane_offset, beat_index;
  logic [2:0]  share;                              // pixel of the beat
  // what follows from the command alone, from a register
  logic        whole;                              // map of one block: all pixels of a beat at once
  logic [12:0] advance;                            // bytes from what is placed to what comes next
  logic [3:0]  tail_bytes;                         // of the pixels in the last beat of a row (whole)
  logic signed [16:0] byte_first, byte_here;       // of the beat's first pixel and of this one
  logic signed [16:0] block_byte;
  logic        last_share, last_plane, last_column, last_block, last_row, block_end, row_end;
  logic        dropped;
  assign last_share = whole || dropped || share == 3'(Share - 1)
      || column + 10'(share) + 1'b1 == command_i.in_columns;
  assign dropped = command_i.drop_lowest && plane == '0;
  assign last_plane = plane == (command_i.drop_lowest ? command_i.planes : command_i.planes - 1'b1);
  assign last_column = column + 10'(Share) >= command_i.in_columns;
  assign last_block = block + 1'b1 == blocks;
  assign last_row = row + 1'b1 == command_i.in_rows;
  assign beat_end = command_i.tight || last_share;
  assign block_end = command_i.tight ? beat_index + 1'b1 == command_i.row_words
      : last_share && last_plane && last_column;
  assign row_end = block_end && last_block;

  logic row_room;
  logic signed [15:0] rows_held;                   // less than 0: rows that are skipped
  assign rows_held = $signed(rows_loaded_o - rows_done_i);
  assign row_room = rows_held < $signed({6'b0, command_i.ring_rows});
  assign place = placing && beat_valid && row_room;
  assign busy_o = asking || placing;

  // bytes that are left out lie before the pixel; where all pixels of a beat are placed, they are gone
  logic               single;
  logic [ShareW:0]    tail;                        // pixels in the last beat of a row
  logic signed [16:0] skipped;
  assign single = !command_i.tight && command_i.blocks == 8'd1;
  assign tail = {command_i.in_columns[ShareW-1:0] == '0, command_i.in_columns[ShareW-1:0]};
  assign skipped = single ? '0 : -$signed({14'b0, command_i.first_skip});

  logic [13:0] ring_next;
  assign ring_next = 14'(ring) + 14'(command_i.row_words);

  always_ff @(posedge clk_i) begin
    if (place) begin
      if (beat_end) beat_index <= beat_index + 1'b1;
      if (!command_i.tight) begin
        share <= share + 1'b1;
        byte_here <= byte_here + $signed({4'b0, advance});
        if (last_share) begin
          share <= '0;
          byte_here <= byte_first;
          plane <= plane + 1'b1;
          if (!dropped) plane_offset <= plane_offset + command_i.plane_words;
          if (last_plane) begin
            plane <= '0;
            plane_offset <= '0;
            column <= column + 10'(Share);
            byte_first <= byte_here + $signed({4'b0, advance});
            byte_here <= byte_here + $signed({4'b0, advance});
          end
        end
      end
      if (block_end) begin
        beat_index <= '0;
        column <= '0;
        block <= block + 1'b1;
        block_byte <= block_byte + 17'(Chunk);
        byte_first <= block_byte + 17'(Chunk);
        byte_here <= block_byte + 17'(Chunk);
      end
      if (row_end) begin
        block <= '0;
        block_byte <= skipped;
        byte_first <= skipped;
        byte_here <= skipped;
        rows_loaded_o <= rows_loaded_o + 1'b1;
        ring <= ring_next >= 14'(command_i.ring_words) ? 13'(ring_next - 14'(command_i.ring_words))
            : 13'(ring_next);
        row <= row + 1'b1;
        if (last_row) begin
          row <= '0;
          map <= map + 1'b1;
          if (map + 1'b1 == maps) placing <= 1'b0;
        end
      end
    end
    if (start_i) begin
      placing <= 1'b1;
      map <= '0;
      row <= '0;
      block <= '0;
      column <= '0;
      plane <= '0;
      plane_offset <= '0;
      share <= '0;
      beat_index <= '0;
      ring <= '0;
      whole <= single;
      advance <= single ? 13'(command_i.pixel_bytes) << ShareW : 13'(command_i.pixel_bytes);
      tail_bytes <= 4'(tail) * 4'(command_i.pixel_bytes);
      block_byte <= skipped;
      byte_first <= skipped;
      byte_here <= skipped;
      rows_loaded_o <= '0;
    end
    if (rst_i) placing <= 1'b0;
  end

  // bytes to place: those of one pixel, or of all pixels of the beat side by side
  logic [7:0][7:0] packed_bytes, string_bytes;
  logic [7:0]      used;
  always_comb begin
    packed_bytes = '0;
    for (int unsigned size = 1; size <= Chunk; size++) begin
      for (int unsigned i = 0; i < Share * size; i++) begin
        if (command_i.pixel_bytes == 12'(size)) begin
          packed_bytes[i] = beat[(i / size * Chunk + i % size + 32'(command_i.first_skip)) % 8 * 8+:8];
        end
      end
    end
    string_bytes = whole ? packed_bytes : beat >> (32'(share) * Pe);
    for (int unsigned i = 0; i < 8; i++) begin
      if (whole) begin
        used[i] = !dropped && i < (last_column ? 32'(tail_bytes) : 32'(advance));
      end else begin
        used[i] = !dropped && i < Chunk && !(block == '0 && i < 32'(command_i.first_skip))
            && !(last_block && i >= 32'(command_i.last_bytes));
      end
    end
  end

  // sixteen byte lanes: the word and the one after it; byte i goes to lane (byte_here mod 8) + i
  logic [12:0]  word;
  logic [15:0]  enable;
  logic [127:0] lanes;
  always_comb begin
    if (command_i.tight) begin
      enable = 16'h00ff;
      lanes = {64'b0, beat};
      word = ring + beat_index;
    end else begin
      enable = 16'(used) << byte_here[2:0];
      for (int unsigned l = 0; l < 16; l++) begin
        lanes[l*8+:8] = string_bytes[3'(l) - byte_here[2:0]];
      end
      word = ring + plane_offset + 13'(byte_here >>> 3);
    end
  end
  logic [12:0] word_after;
  assign word_after = word + 1'b1;
  always_ff @(posedge clk_i) begin
    even_we_o <= !place ? '0 : (word[0] ? enable[15:8] : enable[7:0]);
    odd_we_o <= !place ? '0 : (word[0] ? enable[7:0] : enable[15:8]);
    even_wdata_o <= word[0] ? lanes[127:64] : lanes[63:0];
    odd_wdata_o <= word[0] ? lanes[63:0] : lanes[127:64];
    even_waddr_o <= word_after[BankW:1];
    odd_waddr_o <= word[BankW:1];
  end
endmodule
