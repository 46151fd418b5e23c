// SPDX-License-Identifier: BSD-3-Clause
//
// Max-pool of codes, Pe channels at a time, in raster order; size 1, 2 or 3, stride 1 or 2.
//
// Walks over the padded map (walk_rows x walk_columns); where it is outside the real map a code of
// zero takes the place of a result. Horizontal maxima come from a shift register, vertical ones from
// the horizontal maxima of the two rows before, kept in a RAM. Raw results pass through untouched.
//
// Timing: command_i stays as it is from the cycle before start_i on. What a position is comes from a
// register: positions are worked out one ahead. One position a cycle; a row of a window that counts
// takes size - 1 cycles more, hidden behind the positions that do not.

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

  function automatic logic [VectorW-1:0] larger(logic [VectorW-1:0] a, logic [VectorW-1:0] b);
    for (int unsigned c = 0; c < Pe; c++) begin
      larger[c*CODE_W+:CODE_W] =
          a[c*CODE_W+:CODE_W] > b[c*CODE_W+:CODE_W] ? a[c*CODE_W+:CODE_W] : b[c*CODE_W+:CODE_W];
    end
  endfunction

  // what follows from the command alone
  logic       raw, two, three, every, parity;
  logic [9:0] rows_end, columns_end, last_column_at, last_row_at, last_out_at;
  logic [7:0] last_tile;
  always_ff @(posedge clk_i) begin
    raw <= command_i.raw;
    two <= command_i.pool_size >= 2'd2;
    three <= command_i.pool_size == 2'd3;
    every <= command_i.pool_stride == 2'd1;
    parity <= ~command_i.pool_size[0];
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

  // horizontal: the column before, and the larger of the two before
  logic               drop, stage_free, collision;
  logic [VectorW-1:0] here, before_1, before_2, other, horizontal;
  assign here = position.is_real ? in_data_i[VectorW-1:0] : '0;
  assign other = position.first || !two ? '0 : three ? before_2 : before_1;
  assign horizontal = larger(here, other);
  assign drop = in_valid_i && !in_present_i;
  assign step = present && !drop && (!position.is_real || in_valid_i)
      && ((stage_free && !collision) || !position.counts);
  always_ff @(posedge clk_i) begin
    if (step) begin
      before_1 <= here;
      before_2 <= position.first ? here : larger(here, before_1);
    end
  end

  // vertical: the rows before lie in the half of the RAM that is named after their lowest bit
  logic               stage_valid, stage_second, stage_finish, stage_counts, stage_row_end;
  logic               stage_row_0;
  logic [1:0]         stage_above;    // rows before that belong to the window
  logic [ColumnW-1:0] stage_column;
  logic [VectorW-1:0] stage_max, stage_here, ram_data, vertical;
  logic [ColumnW:0]   ram_address;
  assign ram_address = stage_valid && !stage_finish
      ? {three ? stage_row_0 : ~stage_row_0, stage_column}
      : {~position.row_0, position.out_column};
  qnn_ram #(
    .Width(VectorW), .Depth(2 * Columns)
  ) u_rows (
    .clk_i,
    .we_i   (stage_finish),
    .waddr_i({stage_row_0, stage_column}),
    .wdata_i(stage_here),
    .raddr_i(ram_address),
    .rdata_o(ram_data)
  );
  always_comb begin
    vertical = stage_max;
    if (stage_second ? stage_above >= 2'd2 : stage_above >= 2'd1) begin
      vertical = larger(stage_max, ram_data);
    end
    stage_finish = stage_valid && (stage_second || !three) && (!stage_counts || out_ready_i);
  end
  assign stage_free = !stage_valid || stage_finish;
  // a narrow map may want to read what is just being written
  assign collision = stage_finish
      && {stage_row_0, stage_column} == {~position.row_0, position.out_column};

  always_ff @(posedge clk_i) begin
    if (stage_valid && three && !stage_second) begin
      stage_second <= 1'b1;
      stage_max <= vertical;
    end
    if (stage_finish) stage_valid <= 1'b0;
    if (step && position.counts) begin
      stage_valid <= 1'b1;
      stage_second <= 1'b0;
      stage_counts <= position.row_counts;
      stage_row_end <= position.row_end;
      stage_row_0 <= position.row_0;
      stage_above <= position.above;
      stage_column <= position.out_column;
      stage_here <= horizontal;
      stage_max <= horizontal;
    end
    if (rst_i) stage_valid <= 1'b0;
  end

  always_comb begin
    if (raw) begin
      out_valid_o = in_valid_i && in_present_i;
      out_data_o = in_data_i;
      out_row_end_o = 1'b0;
      in_pop_o = drop || (out_valid_o && out_ready_i);
    end else begin
      out_valid_o = stage_valid && (stage_second || !three) && stage_counts;
      out_data_o = ResultW'(vertical);
      out_row_end_o = stage_row_end;
      in_pop_o = drop || (step && position.is_real);
    end
  end
  assign busy_o = active || present || stage_valid || in_valid_i;
endmodule
