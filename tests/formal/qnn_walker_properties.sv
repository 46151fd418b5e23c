// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_walker visits every output pixel of every tile once, in raster order, whatever the sizes: all
// groups are full but the last of a tile, which ends with the last pixel; where wide_sums they have
// pixels at their even places only, and none is present at an odd one. What it says of a pixel
// (window, padding, place in the ring, rows needed and no longer needed) is right. It ends.
//
// A command is one that makes sense: conv_rows * stride is at most 1,040, and no window begins 16,384
// nibbles or more before its row.

module qnn_walker_properties
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter int unsigned Pixels = 2
) (
  input logic        clk_i,
  input logic        rst_i,
  input logic        start_i,
  input command_t    command_i,
  input logic        take_i,
  input logic [13:0] nibble_i    // of a window, by the solver
);
  logic                busy, valid, tile_last;
  pixel_t [Pixels-1:0] pixels;
  logic [Pixels-1:0]   present;
  logic [15:0]         need, done;
  qnn_walker #(
    .Pixels(Pixels)
  ) dut (
    .clk_i, .rst_i, .start_i, .command_i, .busy_o(busy), .group_valid_o(valid),
    .group_take_i(take_i), .group_pixels_o(pixels), .group_present_o(present),
    .group_need_o(need), .group_done_o(done), .group_tile_last_o(tile_last)
  );

  logic        begun = 1'b0;
  command_t    command_q;
  logic [13:0] nibble_q;
  always_ff @(posedge clk_i) begin
    begun <= 1'b1;
    {command_q, nibble_q} <= {command_i, nibble_i};
  end
  always_comb begin
    if (!begun) assume (rst_i);
    if (begun) assume (nibble_i == nibble_q);
    if (begun && !start_i) assume (command_i == command_q);
    if (start_i) assume (!busy);
    // what qnn_command_check lets pass
    assume (command_i.conv_rows != '0 && command_i.conv_columns != '0 && command_i.tiles != '0);
    assume (command_i.stride >= 3'd1 && command_i.stride <= 3'd4);
    assume (command_i.kernel_rows <= 5'(KERNEL_ROWS));
    assume (command_i.stride_words < command_i.ring_words);
    assume (command_i.pass_step < command_i.ring_words);
    assume (command_i.ring_start < command_i.ring_words);
    assume (32'(command_i.conv_rows) * 32'(command_i.stride) <= 32'd1040);
  end

  // a pixel of the map; over: it is beyond the last one
  typedef struct packed {
    logic               over;
    logic [9:0]         row, column;
    logic signed [16:0] left;          // nibble of the left edge of its window
    logic signed [11:0] top;           // row of the top edge
    logic [13:0]        ring;          // where that row lies
  } place_t;

  function automatic logic [13:0] around(logic [13:0] position);   // in a ring of ring_words
    around = position < 14'(command_i.ring_words) ? position
        : position - 14'(command_i.ring_words);
  endfunction

  function automatic place_t first(logic [13:0] ring);
    first = '0;
    first.left = 17'($signed(command_i.first_nibble));
    first.top = 12'(-32'(command_i.top));
    first.ring = ring;
  endfunction

  function automatic place_t after(place_t place);
    after = place;
    if (!place.over) begin
      after.column = place.column + 1'b1;
      after.left = place.left + 17'(command_i.step_nibbles);
      if (after.column == command_i.conv_columns) begin
        after.column = '0;
        after.left = 17'($signed(command_i.first_nibble));
        after.row = place.row + 1'b1;
        after.top = place.top + 12'(command_i.stride);
        after.ring = around(place.ring + 14'(command_i.stride_words));
        after.over = after.row == command_i.conv_rows;
      end
    end
  endfunction

  // the model: in every cycle without a group to take it visits a pixel and keeps it in a slot
  logic         running;
  logic [7:0]   tile;
  logic [15:0]  base;           // rows of the tiles before
  logic [13:0]  tile_ring;
  place_t       here, last;     // the next pixel, and the latest one that exists
  place_t       slot [Pixels];
  int unsigned  filled, step;   // slots, with those that stay empty
  place_t       next;
  logic         take, fill, tile_end;
  logic         ended, ended_all;      // the group is the last one of its tile, and of all
  logic [15:0]  group_base;
  assign take = valid && take_i;
  assign fill = running && !valid;
  assign next = after(here);
  assign step = command_i.wide_sums ? 2 : 1;
  assign tile_end = fill && filled == Pixels - step && next.over;
  always_ff @(posedge clk_i) begin
    if (fill) begin
      for (int unsigned m = 0; m < Pixels; m++) if (filled == m) slot[m] <= here;
      filled <= filled + step;
      if (!here.over) last <= here;
      here <= next;
      group_base <= base;
      ended <= tile_end;
      ended_all <= tile_end && tile + 1'b1 == command_i.tiles;
      if (tile_end) begin
        tile <= tile + 1'b1;
        here <= first(around(tile_ring + 14'(command_i.pass_step)));
        tile_ring <= around(tile_ring + 14'(command_i.pass_step));
        if (command_i.reload) base <= base + 16'(command_i.in_rows);
      end
    end
    if (take) begin
      filled <= 0;
      if (ended_all) running <= 1'b0;
    end
    if (start_i) begin
      running <= 1'b1;
      filled <= 0;
      tile <= '0;
      base <= '0;
      here <= first(14'(command_i.ring_start));
      tile_ring <= 14'(command_i.ring_start);
    end
    if (rst_i) running <= 1'b0;
  end

  // pixels of small maps, counted
  logic       small_map;
  logic [6:0] visited;
  assign small_map = command_i.conv_rows < 10'd8 && command_i.conv_columns < 10'd8;
  always_ff @(posedge clk_i) begin
    if (fill && !here.over) visited <= visited + 1'b1;
    if (start_i || tile_end) visited <= '0;
  end

  function automatic logic [15:0] rows_inside(logic signed [11:0] row);   // 0..in_rows
    if (row < 0) rows_inside = '0;
    else if (16'(row) > 16'(command_i.in_rows)) rows_inside = 16'(command_i.in_rows);
    else rows_inside = 16'(row);
  endfunction

  // is what the module says of slot m right?
  logic               presents, rings, edges, margins, rows_ok, full;
  logic signed [17:0] nibble;           // nibble_i of the window, in the row
  logic signed [11:0] window_row;
  always_comb begin
    presents = 1'b1;
    edges = 1'b1;
    rings = 1'b1;
    margins = 1'b1;
    rows_ok = 1'b1;
    full = 1'b1;
    nibble = '0;
    window_row = '0;
    for (int unsigned m = 0; m < Pixels; m++) begin
      if (m % step == 0) begin
        full = full && !slot[m].over;
        if (m < filled) presents = presents && present[m] == !slot[m].over;
      end else begin
        presents = presents && !present[m];
      end
      if (m % step == 0 && m < filled && !slot[m].over) begin
        edges = edges && pixels[m].first == slot[m].left;
        rings = rings && 14'(pixels[m].row) == slot[m].ring;
        nibble = 18'(slot[m].left) + $signed({4'b0, nibble_i});
        if (nibble_i < command_i.window_nibbles && slot[m].left > -17'sd16384) begin
          margins = margins && (nibble_i >= pixels[m].low && nibble_i < pixels[m].high)
              == (nibble >= 0 && nibble < $signed({2'b0, command_i.row_nibbles}));
        end
        for (int k = 0; k < int'(KERNEL_ROWS); k++) begin
          window_row = slot[m].top + 12'(k);
          rows_ok = rows_ok && (5'(k) >= pixels[m].row_low && 5'(k) < pixels[m].row_high)
              == (5'(k) < command_i.kernel_rows && window_row >= 0
                  && window_row < $signed({2'b0, command_i.in_rows}));
        end
      end
    end
  end

  always_comb begin
    if (begun) begin
      ends_right : assert (busy == running);
      ends_idle : assert (busy || !valid);
      if (running) begin
        ends_known : assert (dut.last_row == command_i.conv_rows - 1'b1
            && dut.last_column == command_i.conv_columns - 1'b1
            && dut.last_tile == command_i.tiles - 1'b1);
        ends_filled : assert (filled <= Pixels && filled % step == 0 && valid == (filled == Pixels));
        ends_fill : assert (32'(dut.fill) == filled);
        order_tile : assert (dut.tile == tile
            && (valid && ended_all ? tile == command_i.tiles : tile < command_i.tiles));
        order_inside : assert (here.over ? here.row == command_i.conv_rows && here.column == '0
            : here.row < command_i.conv_rows && here.column < command_i.conv_columns);
        order_next : assert ({dut.tile_over, dut.row, dut.column, dut.edge_first, dut.in_row}
            == {here.over, here.row, here.column, here.left, here.top});
        order_top : assert (here.top == 12'(here.row) * 12'(command_i.stride)
            - 12'(command_i.top));
        order_begins : assert (filled == 0 || !slot[0].over);
        order_goes_on : assert ((filled != 0 && !valid) || !here.over);
        ring_next : assert (14'(dut.ring) == here.ring && 14'(dut.ring_tile) == tile_ring);
        ring_bound : assert (here.ring < 14'(command_i.ring_words)
            && tile_ring < 14'(command_i.ring_words));
        group_present : assert (presents);
        group_ring : assert (rings);
        group_edge : assert (edges);
        group_margins : assert (margins);
        group_rows : assert (rows_ok);
        rows_base : assert (dut.base == base);
        rows_need : assert (filled == 0
            || need == group_base + rows_inside(last.top + 12'(command_i.kernel_rows)));
        rows_done : assert (filled == 0 || done == group_base + rows_inside(slot[0].top));
        if (valid) begin
          group_full : assert (tile_last == ended && (tile_last || full));
          ends_last : assert (dut.group_last == ended_all && (ended || !ended_all));
        end else if (filled != 0) begin
          rows_group : assert (group_base == base);
        end
        if (small_map) begin
          count_visited : assert (visited == 7'(here.row[2:0]) * 7'(command_i.conv_columns[2:0])
              + 7'(here.column));
          if (tile_end) begin
            count_total : assert (visited + 7'(!here.over)
                == 7'(command_i.conv_rows[2:0]) * 7'(command_i.conv_columns[2:0]));
          end
        end
      end
    end
  end

  always_comb begin
    cover_done : cover (begun && take && tile == 8'd2 && dut.group_last);
    cover_partial : cover (begun && valid && tile_last && !present[Pixels-1]);
    cover_row_crossed : cover (begun && valid && &present && slot[0].row != slot[1].row);
    cover_wide : cover (begun && valid && command_i.wide_sums && !tile_last && base != '0);
    cover_padding : cover (begun && valid && pixels[0].low != '0 && need != '0);
  end
endmodule
