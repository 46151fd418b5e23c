// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_pool's handshakes: an output stays as it is until it is taken, and an input is popped only when
// it is there; there is room for all that it takes. What comes out is the benches' affair.

module qnn_pool_properties
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Pe      = 1,
  parameter  int unsigned ResultW = 8,
  parameter  int unsigned Columns = 4
) (
  input logic               clk_i,
  input logic               rst_i,
  input logic               start_i,
  input command_t           command_i,
  input logic               in_valid_i,
  input logic               in_present_i,
  input logic [ResultW-1:0] in_data_i,
  input logic               out_ready_i
);
  logic               busy, in_pop, out_valid, out_row_end;
  logic [ResultW-1:0] out_data;
  qnn_pool #(
    .Pe(Pe), .ResultW(ResultW), .Columns(Columns)
  ) dut (
    .clk_i, .rst_i, .start_i, .command_i, .busy_o(busy), .in_valid_i, .in_present_i, .in_data_i,
    .in_pop_o(in_pop), .out_valid_o(out_valid), .out_ready_i, .out_data_o(out_data),
    .out_row_end_o(out_row_end)
  );

  // the environment: a stream that waits, a command that stays and that was checked
  logic               begun = 1'b0, in_stalled, busy_q, started, in_present_q;
  logic [ResultW-1:0] in_data_q;
  command_t           command_q;
  always_ff @(posedge clk_i) begin
    begun <= 1'b1;
    in_stalled <= in_valid_i && !in_pop && !rst_i;
    {in_present_q, in_data_q, command_q} <= {in_present_i, in_data_i, command_i};
    started <= !rst_i && (started || start_i);
  end
  always_comb begin
    if (!begun) assume (rst_i);
    if (begun && in_stalled) begin
      assume (in_valid_i && in_present_i == in_present_q && in_data_i == in_data_q);
    end
    if (begun && (started || start_i)) assume (command_i == command_q);
    if (start_i) assume (!busy);
    if (!started) assume (!in_valid_i);
    assume (command_i.pool_size != '0);
    assume (command_i.pool_stride == 2'd1 || command_i.pool_stride == 2'd2);
    assume (!command_i.raw || command_i.pool_size == 2'd1);
    assume (command_i.out_rows != '0 && command_i.out_columns != '0 && command_i.tiles != '0);
    assume (32'(command_i.out_columns) <= Columns);
  end

  logic               stalled, row_end_q;
  logic [ResultW-1:0] data_q;
  always_ff @(posedge clk_i) begin
    stalled <= out_valid && !out_ready_i && !rst_i;
    {row_end_q, data_q} <= {out_row_end, out_data};
  end

  // what has counted in the last cycles, and of it what is not stored yet
  logic [4:1] counted, under_way;
  always_comb begin
    for (int i = 1; i <= 4; i++) begin
      counted[i] = dut.stage[i].counts;
      under_way[i] = dut.stage[i].give && (i < 4 || dut.three);
    end
  end

  // results since the start of the command
  logic [9:0] row, column;
  logic       give;
  assign give = out_valid && out_ready_i;
  always_ff @(posedge clk_i) begin
    if (give) begin
      column <= out_row_end ? '0 : column + 1'b1;
      if (out_row_end) row <= row + 1'b1;
    end
    if (start_i) begin
      row <= '0;
      column <= '0;
    end
  end

  always_comb begin
    if (begun) begin
      handshake_stable : assert (!stalled
          || (out_valid && out_data == data_q && out_row_end == row_end_q));
      handshake_pop : assert (!in_pop || in_valid_i);
      handshake_busy : assert (!out_valid || busy);
      handshake_idle : assert (started || (!dut.active && !dut.present && counted == '0));
      handshake_give : assert ((under_way & ~counted) == '0);
      // results that are stored and those that are on their way have room
      room_seen : assert (!dut.room || dut.stored <= 6'd24);
      room_kept : assert (7'(dut.stored) + 7'($countones(under_way)) <= 7'd29);
      room_places : assert (5'(dut.u_results.gen_part[0].u_fifo.tail
          - dut.u_results.gen_part[0].u_fifo.head) == 5'(dut.stored));
      room_valid : assert (out_valid == (dut.stored != '0));
      // with three rows every second position counts, in maps of 2 columns every third
      apart_rows : assert (!dut.three || (counted & counted >> 1) == '0);
      apart_narrow : assert (!dut.narrow || command_i.raw
          || (counted & (counted >> 1 | counted >> 2)) == '0);
      stage_raw : assert (!command_i.raw || (!dut.active && !dut.present));
    end
  end

  always_comb begin
    cover_stalled : cover (begun && stalled && give && dut.three && dut.stage[4].above == 2'd2);
    cover_end : cover (begun && give && out_row_end && !dut.active && row == 10'd1);
    cover_raw : cover (begun && command_i.raw && give && stalled);
    cover_drop : cover (begun && in_pop && !in_present_i);
  end
endmodule
