// SPDX-License-Identifier: BSD-3-Clause
//
// Max-pool of codes, Pe channels at a time, in raster order; size 1, 2 or 3, stride 1 or 2.
//
// Walks over the padded map (walk_rows x walk_columns); where it is outside the real map a code of
// zero takes the place of a result. Maxima along a row come from a shift register, those over rows from
// the maxima of the two rows before, kept in a RAM. Raw results pass through untouched.
//
// Timing: command_i stays as it is from the cycle before start_i on. What a position is comes from a
// register: positions are worked out one ahead. One position a cycle; where three rows of a window
// count, the one after the next; in maps of 2 columns one that counts every third cycle. A result is
// taken only where there is room for what comes of it, which then stalls nowhere: it shows 4 cycles
// after the last code of its window is taken, with three rows 5, and raw ones 4.

module qnn_pool
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Pe      = 32,
  parameter  int unsigned ResultW = 256,
  parameter  int unsigned Columns = 256,           // of a pooled map, at most
  localparam int unsigned VectorW = Pe * CODE_W
) (
  input  logic               clk_i,
  input  logic               rst_i,
  input  logic               start_i,
  input  command_t           command_i,
  output logic               busy_o,
  input  logic               in_valid_i,
  input  logic               in_present_i,         // else the result is of no pixel: drop it
  input  logic [ResultW-1:0] in_data_i,
  output logic               in_pop_o,
  output logic               out_valid_o,
  input  logic               out_ready_i,
  output logic [ResultW-1:0] out_data_o,           // channel c is bits [c*CODE_W +: CODE_W]
  output logic               out_row_end_o
);
  localparam int unsigned ColumnW = $clog2(Columns);
  localparam int unsigned Channels = Pe < 4 ? Pe : 4;   // that share the registers of their flags
  localparam int unsigned Lanes = Pe / Channels;
  localparam int unsigned Stored = 32;                 // results

  // what follows from the command alone
  logic       raw, two, three, every, parity, narrow;
  logic [9:0] rows_end, columns_end, last_column_at, last_row_at, last_out_at;
  logic [7:0] last_tile;
  always_ff @(posedge clk_i) begin
    raw <= command_i.raw;
    two <= command_i.pool_size >= 2'd2;
    three <= command_i.pool_size == 2'd3;
    every <= command_i.pool_stride == 2'd1;
    parity <= ~command_i.pool_size[0];
    narrow <= command_i.walk_columns <= 10'd2;
    rows_end <= 10'(command_i.pool_top) + command_i.conv_rows;
    columns_end <= 10'(command_i.pool_left) + command_i.conv_columns;
    last_column_at <= command_i.walk_columns - 1'b1;
    last_row_at <= command_i.walk_rows - 1'b1;
    last_out_at <= command_i.out_columns - 1'b1;
    last_tile <= command_i.tiles - 1'b1;
  end

  // the position after the present one, in the padded map and in the output
  logic       active;
  logic [7:0] tile;
  logic [9:0] row, column, out_row, out_column;
  logic       row_counts, column_counts, last_column;
  always_comb begin
    // the last row and column of a window; for stride 2 every second
    row_counts = 2'(row) + 2'd1 >= command_i.pool_size || row >= 10'd2;
    row_counts = row_counts && out_row < command_i.out_rows && (every || row[0] == parity);
    column_counts = 2'(column) + 2'd1 >= command_i.pool_size || column >= 10'd2;
    column_counts = column_counts && out_column < command_i.out_columns
        && (every || column[0] == parity);
    last_column = column == last_column_at;
  end

  // the present position
  typedef struct packed {
    logic               is_real;
    logic               first;        // of its row
    logic               counts;       // last column of a window
    logic               row_counts;
    logic               row_end;
    logic               row_0;        // lowest bit of the row
    logic [1:0]         above;        // rows before that belong to the window
    logic [ColumnW-1:0] out_column;
  } position_t;
  position_t position;
  logic      present, step;
  always_ff @(posedge clk_i) begin
    if (step) present <= 1'b0;
    if (active && (!present || step)) begin
      present <= 1'b1;
      position.is_real <= row >= 10'(command_i.pool_top) && row < rows_end
          && column >= 10'(command_i.pool_left) && column < columns_end;
      position.first <= column == '0;
      position.counts <= column_counts;
      position.row_counts <= row_counts;
      position.row_end <= out_column == last_out_at;
      position.row_0 <= row[0];
      if (!two || row == '0) position.above <= 2'd0;
      else position.above <= row == 10'd1 ? 2'd1 : 2'd2;
      position.out_column <= out_column[ColumnW-1:0];
      column <= column + 1'b1;
      if (column_counts) out_column <= out_column + 1'b1;
      if (last_column) begin
        column <= '0;
        out_column <= '0;
        row <= row + 1'b1;
        if (row_counts) out_row <= out_row + 1'b1;
        if (row == last_row_at) begin
          row <= '0;
          out_row <= '0;
          tile <= tile + 1'b1;
          if (tile == last_tile) active <= 1'b0;
        end
      end
    end
    if (start_i) begin
      active <= !command_i.raw;
      tile <= '0;
      row <= '0;
      column <= '0;
      out_row <= '0;
      out_column <= '0;
    end
    if (rst_i) begin
      active <= 1'b0;
      present <= 1'b0;
    end
  end

  // what has counted, so many cycles ago
  typedef struct packed {
    logic               counts;
    logic               give;         // ... and is the last row of a window
    logic               row_end;
    logic               row_0;
    logic [1:0]         above;
    logic [ColumnW-1:0] column;
  } stage_t;
  stage_t stage [1:4];

  // A position takes its result, if it has one. Where it is the last column of a window it goes on to
  // the rows before: a window of three rows needs the next cycle, too, and what a row puts into the RAM
  // can be read by a position 3 cycles later. Only maps of 2 columns have fewer before the next row.
  logic room, drop, take, counts, free, wants;
  assign drop = in_valid_i && !in_present_i;
  assign free = room
      && !(three && stage[1].counts) && !(narrow && (stage[1].counts || stage[2].counts));
  assign step = present && !drop && (!position.is_real || in_valid_i) && (free || !position.counts);
  assign take = raw ? in_valid_i && in_present_i && room : step;
  assign counts = take && (raw || position.counts);
  // drop || (take && (raw || position.is_real)), but what in_present_i says comes late
  assign wants = raw ? room : present && position.is_real && (free || !position.counts);
  assign in_pop_o = in_valid_i && (!in_present_i || wants);

  always_ff @(posedge clk_i) begin
    stage[1] <= '{
      counts: counts, give: counts && (raw || position.row_counts),
      row_end: position.row_end && !raw, row_0: position.row_0,
      above: raw ? 2'd0 : position.above, column: position.out_column
    };
    for (int i = 2; i <= 4; i++) stage[i] <= stage[i-1];
    if (rst_i) begin
      for (int i = 1; i <= 4; i++) {stage[i].counts, stage[i].give} <= '0;
    end
  end

  // rows before lie in the half of the RAM that is named after their lowest bit
  logic [ColumnW:0]   read_address;
  logic [VectorW-1:0] row_maxima, ram_data, above, maxima;
  always_ff @(posedge clk_i) begin
    if (three && stage[1].counts) read_address <= {stage[1].row_0, stage[1].column};
    else read_address <= {~position.row_0, position.out_column};
    above <= ram_data;
  end
  qnn_ram #(
    .Width(VectorW), .Depth(2 * Columns)
  ) u_rows (
    .clk_i,
    .we_i   (stage[3].counts && !raw),
    .waddr_i({stage[3].row_0, stage[3].column}),
    .wdata_i(row_maxima),
    .raddr_i(read_address),
    .rdata_o(ram_data)
  );

  for (genvar l = 0; l < Lanes; l++) begin : gen_lanes
    localparam int unsigned First = l * Channels * CODE_W, OwnW = Channels * CODE_W;
    qnn_pool_lanes #(
      .Channels(Channels)
    ) u_lanes (
      .clk_i, .step_i(take), .real_i(raw || position.is_real), .first_i(position.first),
      .with_1_i(two && !three && !position.first), .with_2_i(three && !position.first),
      .use_i((stage[2].counts && stage[2].above != 2'd0) || (three && stage[3].counts && stage[3].above == 2'd2)),
      .again_i(three && stage[3].counts),
      .data_i(in_data_i[First+:OwnW]), .above_i(above[First+:OwnW]),
      .row_o(row_maxima[First+:OwnW]), .data_o(maxima[First+:OwnW])
    );
  end

  // results, and room for all that may be on their way
  logic               done, done_row_end;
  logic [ResultW-1:0] result;
  logic [$clog2(Stored+1)-1:0] stored;
  assign {done, done_row_end} = three ? {stage[4].give, stage[4].row_end}
      : {stage[3].give, stage[3].row_end};
  if (ResultW > VectorW) begin : gen_rest                // of sums
    logic [ResultW-VectorW-1:0] rest [1:3];
    always_ff @(posedge clk_i) begin
      rest[1] <= in_data_i[ResultW-1:VectorW];
      for (int i = 2; i <= 3; i++) rest[i] <= rest[i-1];
    end
    assign result = {rest[3], maxima};
  end else begin : gen_codes
    assign result = maxima;
  end
  qnn_wide_fifo #(
    .Width(ResultW + 1), .Depth(Stored)
  ) u_results (
    .clk_i, .rst_i, .push_i(done), .data_i({done_row_end, result}), .valid_o(out_valid_o),
    .pop_i(out_ready_i), .data_o({out_row_end_o, out_data_o}), .count_o(stored)
  );
  always_ff @(posedge clk_i) room <= stored < ($bits(stored))'(Stored - 8);

  assign busy_o = active || present || in_valid_i || out_valid_o || stage[1].counts
      || stage[2].counts || stage[3].counts || stage[4].counts;
endmodule
