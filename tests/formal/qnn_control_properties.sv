// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_control: a command that is started is the one that came from memory at its place in the list,
// has passed the check, and is started only after the whole list has; commands are checked and
// started in order, each once; the one that is shown as the next is the one behind it. The account of
// a command is stored before the next one is over. A run ends: TIMEOUT cycles without progress bring its end, every
// state of the walk gives way after a few cycles, and each run is reported as ended once.
//
// The list is any list of up to Commands commands; the memory gives what was asked for, in order.

module qnn_control_properties
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Commands = 4,
  parameter  bit          Directed = 1'b0,  // for the covers: one command, nothing waits
  localparam int unsigned CommandW = $clog2(Commands)
) (
  input logic         clk_i,
  input logic         rst_i,
  input logic         start_i,
  input logic         start_resident_i,
  input logic         abort_i,
  input logic         reset_i,
  input logic [31:0]  list_address_i,
  input logic [7:0]   list_count_i,
  input logic [31:0]  timeout_i,
  input logic [8:0]   perf_address_i,
  input logic         req_ready_i,
  input logic         data_valid_i,
  input logic [63:0]  data_i,
  input logic         bus_busy_i,
  input logic [7:0]   weights_command_i,
  input logic [7:0]   weights_loading_i,
  input logic         weights_resident_i,
  input logic         drained_i,
  input logic         begun_i,
  input logic         settled_i,
  input logic         written_i,
  input logic         next_taken_i,
  input logic         progress_i,
  input logic         error_read_window_i,
  input logic         error_read_response_i,
  input logic         error_of_weights_i,
  input logic         error_write_window_i,
  input logic         error_write_response_i,
  input logic [7:0]   chosen_i,         // a command of the list, by the solver
  input logic         broken_i          // Directed: the command is a bad one
);
  logic        busy, resident, ended, ended_silent, req_valid, stop, weights_start, resident_run;
  logic        clear, run_start, command_start, flush;
  logic [7:0]  ended_code, ended_index;
  logic [31:0] cycles, perf, req_address;
  logic [4:0]  req_beats;
  logic [63:0] weights_beat;
  logic        next_valid;
  command_t    command, next;
  qnn_control #(
    .Commands(Commands)
  ) dut (
    .clk_i, .rst_i, .start_i, .start_resident_i, .abort_i, .reset_i, .list_address_i, .list_count_i,
    .timeout_i, .busy_o(busy), .resident_o(resident), .ended_o(ended), .ended_code_o(ended_code),
    .ended_index_o(ended_index), .ended_silent_o(ended_silent), .cycles_o(cycles), .perf_address_i,
    .perf_o(perf), .req_valid_o(req_valid), .req_ready_i, .req_address_o(req_address),
    .req_beats_o(req_beats), .data_valid_i, .data_i, .stop_o(stop), .bus_busy_i,
    .weights_start_o(weights_start), .weights_command_i, .weights_loading_i,
    .weights_beat_o(weights_beat), .weights_resident_i, .resident_run_o(resident_run),
    .clear_o(clear), .run_start_o(run_start), .command_start_o(command_start),
    .command_o(command), .drained_i, .begun_i, .settled_i, .written_i, .next_valid_o(next_valid), .next_o(next),
    .next_taken_i, .flush_o(flush), .progress_i,
    .count_busy_i(1'b0), .count_weights_i(1'b0), .count_input_i(1'b0), .count_output_i(1'b0),
    .error_read_window_i, .error_read_response_i, .error_of_weights_i, .error_write_window_i,
    .error_write_response_i
  );

  // as in the module
  typedef enum logic [2:0] {IDLE, LOAD, CHECK, CHECKED, START, RUN, FLUSH, CLEAR} state_t;

  state_t state, state_q;
  assign state = state_t'(dut.state);

  // the environment: registers that stay during a run, data that were asked for
  // a command that passes, of a layer of one pixel
  localparam command_t example = '{
    opcode: 8'hc1, tight: 1'b1, planes: 4'd1, passes: 4'd1, out_planes: 4'd1, kernel_rows: 5'd1,
    stride: 3'd1, pool_size: 2'd1, pool_stride: 2'd1, stride_words: 13'd0, tiles: 8'd1,
    tile_words: 12'd1, thresholds: 8'd1, in_rows: 10'd1, in_columns: 10'd1, conv_rows: 10'd1,
    conv_columns: 10'd1, walk_rows: 10'd1, walk_columns: 10'd1, out_rows: 10'd1, out_columns: 10'd1,
    ring_rows: 10'd1, words: 8'd1, window_nibbles: 14'd1, plane_words: 13'd1, row_words: 13'd1,
    ring_words: 13'd1, row_beats: 13'd1, default: '0
  };

  logic        begun = 1'b0, broken_q, in_reset;
  logic [7:0]  list_count_q, chosen_q;
  logic [31:0] timeout_q, list_address_q;
  logic [7:0]  coming, got;             // beats that are asked for and not here; and that are here
  logic        take;
  assign take = req_valid && req_ready_i;
  always_ff @(posedge clk_i) begin
    begun <= 1'b1;
    in_reset <= rst_i;
    broken_q <= broken_i;
    {list_count_q, chosen_q, timeout_q, list_address_q}
        <= {list_count_i, chosen_i, timeout_i, list_address_i};
    coming <= clear ? '0 : coming + (take ? 8'(req_beats) : '0) - 8'(data_valid_i);
  end
  always_comb begin
    if (!begun) assume (rst_i);
    if (begun) assume (chosen_i == chosen_q);
    if (begun && busy) begin
      assume (list_count_i == list_count_q && timeout_i == timeout_q
          && list_address_i == list_address_q);
    end
    if (busy) assume (!start_i);                      // qnn_csr refuses it
    if (coming == '0 || stop) assume (!data_valid_i); // qnn_read_dma hands on nothing after stop_o
    if (stop) assume (!req_ready_i);
    if (next_taken_i) assume (next_valid || stop);    // qnn_datapath takes only what is there
    if (Directed) begin
      assume (list_count_i == 8'd1 && list_address_i == '0 && timeout_i == 32'd100);
      assume (req_ready_i == !stop && data_valid_i == (coming != '0 && !stop));
      assume (data_i == example[32'(got[2:0])*64+:64] ^ 64'(broken_i && got == '0));
      assume (begun ? !rst_i && broken_i == broken_q : rst_i);
      assume (start_i == !busy && !start_resident_i && !abort_i && !reset_i);
      assume (!error_read_window_i && !error_read_response_i && !error_write_window_i
          && !error_write_response_i);
      assume (drained_i && begun_i && settled_i && written_i && progress_i && !bus_busy_i);
    end
    assume (timeout_i < 32'h8000_0000 && chosen_i < list_count_i);
  end

  // the list as the memory gave it: how many beats, and the beats of the chosen command
  command_t     golden;
  always_ff @(posedge clk_i) begin
    if (data_valid_i) begin
      got <= got + 1'b1;
      if (got[7:3] == chosen_i[4:0]) golden[32'(got[2:0])*64+:64] <= data_i;
    end
    if (!busy) got <= '0;
  end

  // a checker of our own on it
  logic golden_bad;
  qnn_command_check u_check (
    .clk_i, .command_i(golden), .index_i(chosen_i), .bad_o(golden_bad)
  );

  // the walk: commands checked and started in this run
  logic       checking, running;
  logic [7:0] passed, started;
  assign checking = state == LOAD || state == CHECK || state == CHECKED;
  assign running = state != IDLE && !stop;
  always_ff @(posedge clk_i) begin
    if (state == CHECKED && !dut.bad) passed <= passed + 1'b1;
    if (command_start) started <= started + 1'b1;
    if (!busy) begin
      passed <= '0;
      started <= '0;
    end
  end

  // cycles without progress, cycles in the same state, and whether the end was reported
  logic [31:0] silence;
  logic [3:0]  loading;                 // cycles since it reads a command that is here
  logic        reported, busy_q, over_q, waiting, begun_q, written_q;
  logic [31:0] req_address_q;
  logic [4:0]  req_beats_q;
  always_ff @(posedge clk_i) begin
    silence <= progress_i || state == IDLE ? '0 : silence + 1'b1;
    state_q <= state;
    loading <= state == LOAD && !dut.checked && got[7:3] > dut.next_index[4:0] ? loading + 1'b1 : '0;
    {begun_q, written_q} <= {begun_i, written_i};
    reported <= busy && (reported || ended) && !rst_i;
    busy_q <= busy && !rst_i;
    over_q <= reported || ended;
    waiting <= req_valid && !req_ready_i && !rst_i;
    {req_address_q, req_beats_q} <= {req_address, req_beats};
  end

  // what the list store and the register of the next command hold of the chosen command
  logic stored, shifted;
  always_comb begin
    stored = 1'b1;
    shifted = 1'b1;
    for (int b = 0; b < 8; b++) begin
      if (got > 8'(8 * chosen_i) + 8'(b)) begin
        stored = stored && dut.u_list.mem[{chosen_i[CommandW-1:0], 3'(b)}] == golden[b*64+:64];
      end
      if (b + 1 < int'(dut.beat)) shifted = shifted && next[b*64+:64] == golden[b*64+:64];
      if (b + 1 == int'(dut.beat)) shifted = shifted && dut.list_beat == golden[b*64+:64];
    end
  end

  always_comb begin
    if (begun) begin
      // requests, as qnn_read_dma wants them
      if (req_valid) begin
        request_aligned : assert (req_address[2:0] == '0);
        request_line : assert (req_beats == 5'd8 && req_address[5:3] == '0);
      end
      request_stable : assert (!waiting || stop
          || (req_valid && req_address == req_address_q && req_beats == req_beats_q));
      request_total : assert (!running
          || 8 * 32'(dut.ask_left) + 32'(coming) + 32'(got) == 8 * 32'(list_count_i));
      request_idle : assert (state != IDLE || coming == '0 || clear);

      // the list
      state_legal : assert (state <= CLEAR);
      list_count : assert (!running || (list_count_i != '0 && 32'(list_count_i) <= Commands));
      list_here : assert (!running || (32'(got) >= 8 * 32'(passed)
          && (dut.checked || (state == LOAD && dut.beat == '0) || got[7:3] > dut.next_index[4:0])));
      list_place : assert (!running || dut.got == (CommandW + 4)'(got));
      list_stored : assert (!running || stored);

      // the walk
      walk_index : assert (!running || dut.index < list_count_i);
      if (running && !dut.checked) begin
        walk_checking : assert (checking && passed == dut.next_index && started == '0
            && dut.index == '0 && dut.next_index < list_count_i);
      end
      if (running && dut.checked) begin
        walk_checked : assert (passed == list_count_i);
        walk_running : assert (state == LOAD ? started == '0 && dut.next_index == '0
            : dut.next_index == dut.index + 1'b1 && started == dut.index + 8'(state == RUN));
        walk_states : assert (state != CHECK && state != CHECKED);
      end
      walk_beat : assert (!running || dut.beat <= (state == LOAD && !dut.checked ? 4'd8 : 4'd9));
      walk_complete : assert (!(state == CHECK || state == CHECKED) || dut.beat == 4'd9);
      walk_write : assert (!running || (dut.beat == '0 ? state == LOAD || dut.write_beat == '0
          : dut.write_beat == 8'(9'(1 << dut.beat) >> 1)));
      walk_next : assert (!running || dut.next_index != chosen_i || shifted);
      walk_moved : assert (state != START || (dut.beat == '0
          && (dut.index != chosen_i || next == golden)));
      walk_command : assert (state != RUN || dut.index != chosen_i || command == golden);
      if (next_valid) begin
        next_listed : assert (dut.checked && dut.next_index < list_count_i);
        next_in_order : assert (dut.next_index == started);
        next_as_listed : assert (dut.next_index != chosen_i || next == golden);
      end
      walk_good : assert (!running || passed <= chosen_i || !golden_bad);
      if (command_start) begin
        start_after_check : assert (dut.checked && passed == list_count_i);
        start_in_order : assert (started == dut.index && started < list_count_i);
        if (dut.index == chosen_i) begin
          start_as_listed : assert (next == golden);
          start_good : assert (!golden_bad);
        end
      end
      start_run_once : assert (!running || !run_start || (dut.checked && started == '0));

      // the end
      ends_silence : assert (!running || dut.quiet == silence);
      if (running || (state == FLUSH && !dut.reported)) begin
        ends_timeout : assert (dut.silence ? dut.quiet == timeout_i + 1'b1
            : dut.quiet <= timeout_i);
      end
      ends_flags : assert (stop == (state == FLUSH || state == CLEAR)
          && command_start == (state == START) && dut.turn == {10{command_start || dut.store}}
          && dut.move == {8{command_start}}
          && clear == (state == CLEAR || in_reset));
      if (state_q == state) begin
        ends_soon : assert (!(state == CHECK || state == CHECKED
            || state == START || state == CLEAR));
      end else begin
        ends_begin : assert (!(state == LOAD && dut.beat != '0));
      end
      ends_load : assert (!running || state != LOAD || dut.checked || dut.beat == loading);
      ends_written : assert (!(state == FLUSH && state_q == RUN) || ended_code != ERROR_NONE || ended_silent
          || written_q);
      start_begun : assert (!(command_start && state_q == RUN) || begun_q);
      account_fields : assert (dut.spent_field <= 4'd8);
      account_over : assert (state == RUN || state == FLUSH || dut.spent_field[3]);
      account_moves : assert (!dut.store || state == START || state == FLUSH);
      account_stored : assert (!dut.store || dut.spent_field[3]);
      ends_once : assert (!(ended && reported));
      ends_reported : assert (!(busy_q && !busy) || over_q);
      ends_account_of_it : assert (stop ? dut.reported == (reported || ended)
          : state == IDLE || !(dut.reported || reported || ended));
      if (stop || ended) begin
        ends_complete : assert (ended_code != ERROR_NONE || ended_silent
            || started == list_count_i);
      end
      if (running) ends_code : assert (ended_code == ERROR_NONE && (!ended_silent || dut.resets));
    end
  end

  if (Directed) begin : gen_directed
    always_comb begin
      cover_started : cover (begun && command_start);
      cover_next : cover (begun && next_valid && next_taken_i);
      cover_bad : cover (begun && ended && ended_code == ERROR_BAD_COMMAND);
    end
  end else begin : gen_any
    always_comb begin
      cover_timed_out : cover (begun && reported && stop && bus_busy_i);
      cover_silent : cover (begun && ended && ended_silent);
    end
  end
endmodule
