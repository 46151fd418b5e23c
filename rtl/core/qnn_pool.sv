// SPDX-License-Identifier: BSD-3-Clause
//
// Max-pool of codes, Pe channels at a time, in raster order; size 1, 2 or 3, stride 1 or 2.
//
// Walks over the padded map (walk_rows x walk_columns); where it is outside the real map a code of
// zero takes the place of a result. Horizontal maxima come from a shift register, vertical ones from
// the horizontal maxima of the two rows before, kept in a RAM. Raw results pass through untouched.
//
// Timing: one position a cycle; a row of a window that counts takes size - 1 cycles more, hidden
// behind the positions that do not.

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

  // position in the padded map, and in the output
  logic       active;
  logic [7:0] tile;
  logic [9:0] row, column, out_row, out_column;
  logic       real_row, real_column, row_counts, column_counts;
  logic       last_column, last_row;
  always_comb begin
    real_row = row >= 10'(command_i.pool_top)
        && row < 10'(command_i.pool_top) + command_i.conv_rows;
    real_column = column >= 10'(command_i.pool_left)
        && column < 10'(command_i.pool_left) + command_i.conv_columns;
    // the last row and column of a window; for stride 2 every second
    row_counts = 2'(row) + 2'd1 >= command_i.pool_size || row >= 10'd2;
    row_counts = row_counts && out_row < command_i.out_rows
        && (command_i.pool_stride == 2'd1 || row[0] == ~command_i.pool_size[0]);
    column_counts = 2'(column) + 2'd1 >= command_i.pool_size || column >= 10'd2;
    column_counts = column_counts && out_column < command_i.out_columns
        && (command_i.pool_stride == 2'd1 || column[0] == ~command_i.pool_size[0]);
    last_column = column + 1'b1 == command_i.walk_columns;
    last_row = row + 1'b1 == command_i.walk_rows;
  end

  // horizontal
  logic               step, drop, is_real, stage_free, collision;
  logic [VectorW-1:0] here, before_1, before_2, horizontal;
  assign is_real = real_row && real_column;
  assign here = is_real ? in_data_i[VectorW-1:0] : '0;
  always_comb begin
    horizontal = here;
    if (command_i.pool_size >= 2'd2) horizontal = larger(horizontal, before_1);
    if (command_i.pool_size >= 2'd3) horizontal = larger(horizontal, before_2);
  end
  assign drop = in_valid_i && !in_present_i;
  assign step = active && !command_i.raw && !drop && (!is_real || in_valid_i)
      && ((stage_free && !collision) || !column_counts);

  // vertical: the rows before lie in the half of the RAM that is named after their lowest bit
  logic               stage_valid, stage_second, stage_finish, stage_counts, stage_row_end;
  logic               stage_row_0;
  logic [1:0]         stage_above;    // rows before that belong to the window
  logic [ColumnW-1:0] stage_column;
  logic [VectorW-1:0] stage_max, stage_here, ram_data, vertical;
  logic [ColumnW:0]   ram_address;
  logic               three;
  assign three = command_i.pool_size == 2'd3;
  assign ram_address = stage_valid && !stage_finish
      ? {three ? stage_row_0 : ~stage_row_0, stage_column} : {~row[0], out_column[ColumnW-1:0]};
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
  assign collision = stage_finish && {stage_row_0, stage_column} == {~row[0], out_column[ColumnW-1:0]};

  always_ff @(posedge clk_i) begin
    if (stage_valid && three && !stage_second) begin
      stage_second <= 1'b1;
      stage_max <= vertical;
    end
    if (stage_finish) stage_valid <= 1'b0;
    if (step) begin
      before_1 <= last_column ? '0 : here;
      before_2 <= last_column ? '0 : before_1;
      column <= column + 1'b1;
      if (column_counts) begin
        stage_valid <= 1'b1;
        stage_second <= 1'b0;
        stage_counts <= row_counts;
        stage_row_end <= out_column + 1'b1 == command_i.out_columns;
        stage_row_0 <= row[0];
        if (command_i.pool_size == 2'd1 || row == '0) stage_above <= 2'd0;
        else stage_above <= row == 10'd1 ? 2'd1 : 2'd2;
        stage_column <= out_column[ColumnW-1:0];
        stage_here <= horizontal;
        stage_max <= horizontal;
        out_column <= out_column + 1'b1;
      end
      if (last_column) begin
        column <= '0;
        out_column <= '0;
        row <= row + 1'b1;
        if (row_counts) out_row <= out_row + 1'b1;
        if (last_row) begin
          row <= '0;
          out_row <= '0;
          tile <= tile + 1'b1;
          if (tile + 1'b1 == command_i.tiles) active <= 1'b0;
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
      before_1 <= '0;
      before_2 <= '0;
    end
    if (rst_i) begin
      active <= 1'b0;
      stage_valid <= 1'b0;
    end
  end

  always_comb begin
    if (command_i.raw) begin
      out_valid_o = in_valid_i && in_present_i;
      out_data_o = in_data_i;
      out_row_end_o = 1'b0;
      in_pop_o = drop || (out_valid_o && out_ready_i);
    end else begin
      out_valid_o = stage_valid && (stage_second || !three) && stage_counts;
      out_data_o = ResultW'(vertical);
      out_row_end_o = stage_row_end;
      in_pop_o = drop || (step && is_real);
    end
  end
  assign busy_o = active || stage_valid || in_valid_i;
endmodule
