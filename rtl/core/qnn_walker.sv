// SPDX-License-Identifier: BSD-3-Clause
//
// Walks over the output pixels of a convolution in raster order, tile after tile, and gathers them
// into groups of Pixels; where wide_sums of half as many, at the even places. A group may cross the ends
// of rows; only the last one of a tile may be incomplete.
//
// Handshake: a group is taken in a cycle with group_valid_o and group_take_i.
// Timing: a group every Pixels + 1 cycles, or half of Pixels and one.

module qnn_walker
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter int unsigned Pixels = 4
) (
  input  logic                        clk_i,
  input  logic                        rst_i,
  input  logic                        start_i,
  input  command_t                    command_i,
  output logic                        busy_o,            // groups are left
  output logic                        group_valid_o,
  input  logic                        group_take_i,
  output pixel_t [Pixels-1:0]         group_pixels_o,
  output logic [Pixels-1:0]           group_present_o,   // pixels that exist
  output logic [15:0]                 group_need_o,      // rows that must be loaded, counted from start
  output logic [15:0]                 group_done_o,      // rows no longer needed
  output logic                        group_tile_last_o  // last group of its tile
);
  localparam int unsigned FillW = $clog2(Pixels + 1);

  logic        active, full, tile_over;
  logic        group_last;             // last group of all
  logic [FillW-1:0] fill;
  logic [7:0]  tile;
  logic [9:0]  row, column;
  logic signed [11:0] in_row;          // input row of the top of the window
  logic [12:0] ring, ring_tile;        // ring position of that row, and of that at the tile's start
  logic signed [16:0] edge_first;      // left edge of the window, in nibbles
  logic [15:0] base;                   // rows loaded for the tiles before

  // 0..in_rows: rows of padding are neither waited for nor given back
  function automatic logic signed [11:0] clamped(logic signed [11:0] in_rows);
    if (in_rows < 0) clamped = '0;
    else if (in_rows > $signed({2'b0, command_i.in_rows})) clamped = $signed({2'b0, command_i.in_rows});
    else clamped = in_rows;
  endfunction

  // the window against the borders of the map
  pixel_t      pixel;
  logic signed [17:0] right;
  logic signed [11:0] bottom, below;
  always_comb begin
    right = $signed({2'b0, command_i.row_nibbles}) - 18'(edge_first);
    pixel.row = ring;
    pixel.first = edge_first;
    pixel.low = edge_first < 0 ? 14'(-edge_first) : '0;
    if (right < 0) pixel.high = '0;
    else if (right < $signed({4'b0, command_i.window_nibbles})) pixel.high = right[13:0];
    else pixel.high = command_i.window_nibbles;
    below = $signed({2'b0, command_i.in_rows}) - in_row;
    pixel.row_low = in_row < 0 ? 5'(-in_row) : '0;
    if (below < 0) pixel.row_high = '0;
    else if (below < $signed({7'b0, command_i.kernel_rows})) pixel.row_high = below[4:0];
    else pixel.row_high = command_i.kernel_rows;
    bottom = in_row + $signed({7'b0, command_i.kernel_rows});
    bottom = clamped(bottom);
  end

  logic [12:0] tile_after;               // where the ring begins for the next tile
  assign tile_after = ring_step(ring_tile, command_i.pass_step, command_i.ring_words);

  logic row_end, map_end, tile_end;
  logic [9:0] last_row, last_column;
  logic [7:0] last_tile;
  always_ff @(posedge clk_i) begin
    last_row <= command_i.conv_rows - 1'b1;
    last_column <= command_i.conv_columns - 1'b1;
    last_tile <= command_i.tiles - 1'b1;
  end
  assign row_end = column == last_column;
  assign map_end = row_end && row == last_row;
  assign tile_end = tile == last_tile;

  logic        fill_step;
  assign fill_step = active && !full;
  assign group_valid_o = full;
  assign busy_o = active;

  always_ff @(posedge clk_i) begin
    // a part also while nothing is walked over, and nobody looks: no enable has many loads
    if (!full && !tile_over) begin
      group_pixels_o[fill[FillW-2:0]].row <= pixel.row;
      group_pixels_o[fill[FillW-2:0]].first <= pixel.first;
    end
    if (fill_step && !tile_over) begin
      group_pixels_o[fill[FillW-2:0]].low <= pixel.low;
      group_pixels_o[fill[FillW-2:0]].high <= pixel.high;
      group_pixels_o[fill[FillW-2:0]].row_low <= pixel.row_low;
      group_pixels_o[fill[FillW-2:0]].row_high <= pixel.row_high;
      if (fill == '0) begin
        group_done_o <= base + 16'(clamped(in_row));
      end
      group_need_o <= base + 16'(bottom);
    end
    if (fill_step) group_present_o[fill[FillW-2:0]] <= !tile_over;

    if (fill_step && !tile_over) begin
      if (row_end) begin
        column <= '0;
        edge_first <= 17'($signed(command_i.first_nibble));
        row <= row + 1'b1;
        in_row <= in_row + $signed({9'b0, command_i.stride});
        ring <= ring_step(ring, command_i.stride_words, command_i.ring_words);
      end else begin
        column <= column + 1'b1;
        edge_first <= edge_first + $signed({3'b0, command_i.step_nibbles});
      end
    end
    if (fill_step) fill <= fill + (command_i.wide_sums ? FillW'(2) : FillW'(1));
    if (fill_step && map_end) tile_over <= 1'b1;
    if (fill_step && fill >= (command_i.wide_sums ? FillW'(Pixels - 2) : FillW'(Pixels - 1))) begin
      full <= 1'b1;
      group_tile_last_o <= tile_over || map_end;
      group_last <= (tile_over || map_end) && tile_end;
      if (tile_over || map_end) begin
        tile <= tile + 1'b1;
        tile_over <= 1'b0;
        row <= '0;
        column <= '0;
        edge_first <= 17'($signed(command_i.first_nibble));
        in_row <= -$signed({8'b0, command_i.top});
        ring <= tile_after;
        ring_tile <= tile_after;
        if (command_i.reload) base <= base + 16'(command_i.in_rows);
      end
    end
    if (full && group_take_i) begin
      full <= 1'b0;
      fill <= '0;
      if (group_last) active <= 1'b0;
    end
    if (!active) begin                 // so it is at start_i, which has fewer loads so
      tile <= '0;
      row <= '0;
      column <= '0;
      base <= '0;
    end
    if (start_i) begin
      active <= 1'b1;
      full <= 1'b0;
      fill <= '0;
      group_present_o <= '0;
      tile_over <= 1'b0;
      edge_first <= 17'($signed(command_i.first_nibble));
      in_row <= -$signed({8'b0, command_i.top});
      ring <= command_i.ring_start;
      ring_tile <= command_i.ring_start;
    end
    if (rst_i) begin
      active <= 1'b0;
      full <= 1'b0;
    end
  end
endmodule
