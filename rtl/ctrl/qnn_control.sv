// SPDX-License-Identifier: BSD-3-Clause
//
// Runs a command list: reads it, checks each command as it comes, and when all are good runs command after
// command. While one runs, next_o shows the one behind it, and next_valid_o says so; it is started when all
// output of the one before is on its way to memory and next_taken_i says that its input map is on the way.
// Whatever ends a run, it ends through FLUSH: no new burst, wait until the bus is quiet, reset the datapath.
//
// Every wait is bounded: TIMEOUT cycles without progress end a run. If the memory does not even
// answer what was asked before, the run is reported as ended, and busy stays until it has answered.
//
// A list begins at a multiple of 64 bytes and is read command by command.
// Timing: stop_o, clear_o and command_start_o are registers. In the cycle of command_start_o next_o is the
// command that begins, from the next one on command_o is. A run ends a cycle after TIMEOUT,
// after abort_i and reset_i.

module qnn_control
  import qnn_regs_pkg::*;
#(
  parameter int unsigned Commands       = 64,
  parameter int unsigned Pe             = 32,
  parameter int unsigned Pixels         = 4,
  parameter int unsigned WeightWords    = 1024,
  parameter int unsigned ThresholdWords = 512,
  parameter int unsigned WindowWords    = 4096,
  parameter int unsigned PoolColumns    = 256,
  parameter int unsigned Ports          = 1, // to read from; one weight loader each
  parameter int unsigned Requantiser    = 0
) (
  input  logic        clk_i,
  input  logic        rst_i,
  // registers
  input  logic        start_i,
  input  logic        start_resident_i,
  input  logic        abort_i,
  input  logic        reset_i,
  input  logic [31:0] list_address_i,
  input  logic [7:0]  list_count_i,
  input  logic [31:0] timeout_i,
  output logic        busy_o,
  output logic        resident_o,
  output logic        ended_o,
  output logic [7:0]  ended_code_o,
  output logic [7:0]  ended_index_o,
  output logic        ended_silent_o,
  output logic [31:0] cycles_o,
  input  logic [8:0]  perf_address_i,
  output logic [31:0] perf_o,
  // bus
  output logic        req_valid_o,
  input  logic        req_ready_i,
  output logic [31:0] req_address_o,
  output logic [4:0]  req_beats_o,
  input  logic        data_valid_i,
  input  logic [63:0] data_i,
  output logic        stop_o,            // begin no burst
  input  logic        bus_busy_i,
  // weight loaders: they run through the list on their own
  output logic        weights_start_o,
  input  logic [Ports*8-1:0]  weights_command_i, // that it asks for
  input  logic [Ports*8-1:0]  weights_loading_i, // whose answers come
  output logic [Ports*64-1:0] weights_beat_o,    // beat 1 of that command, one cycle later
  input  logic        weights_resident_i,
  output logic        resident_run_o,
  // datapath
  output logic        clear_o,           // reset it
  output logic        run_start_o,
  output logic        command_start_o,
  output command_t    command_o,
  input  logic        drained_i,         // nothing of this command is in the datapath
  input  logic        begun_i,           // so has a burst for each word of its output
  input  logic        settled_i,         // that of the command before is there
  input  logic        written_i,         // and that of this one
  output logic        next_valid_o,
  output command_t    next_o,
  input  logic        next_taken_i,      // its input map is being read
  output logic        flush_o,
  input  logic        progress_i,
  input  logic        count_busy_i,
  input  logic        count_weights_i,
  input  logic        count_input_i,
  input  logic        count_output_i,
  // errors
  input  logic [Ports-1:0] error_read_window_i,
  input  logic [Ports-1:0] error_read_response_i,
  input  logic [Ports-1:0] error_of_weights_i,   // ... of the weight loader
  input  logic        error_write_window_i,
  input  logic        error_write_response_i
);
  localparam int unsigned CommandW = $clog2(Commands);
  localparam logic [3:0] COMPLETE = 4'(COMMAND_BEATS + 1);

  typedef enum logic [2:0] {IDLE, LOAD, CHECK, CHECKED, START, RUN, FLUSH, CLEAR} state_t;
  state_t      state;
  logic        checked;                  // the whole list is good: now it runs
  logic        silent, reported;
  logic [7:0]  index, next_index;        // of command_o, of next_o
  logic [7:0]  writing;                  // of what the memory answers for
  logic [7:0]  code;
  logic [7:0]  code_index;
  logic [31:0] quiet;                    // cycles without progress
  logic        enough_quiet, silence;    // TIMEOUT of them; and there was none in the cycle after
  logic        drained;                  // nothing more of command_o comes out of the datapath
  logic [3:0]  beat;                     // of next_o, 1 more than comes; COMPLETE when all are there
  logic        stirring;                 // nothing to wait for, or it has come
  logic        bad, more, done, flushed;

  // the list
  logic                running;
  logic [31:6]         address;
  logic [CommandW:0]   ask_left;         // commands
  logic [CommandW+3:0] got;              // beats
  logic                here;             // all of the command that is next_o's
  assign running = state != IDLE && !stop_o;
  assign here = checked || got[CommandW+3:3] != next_index[CommandW:0];
  assign req_valid_o = running && ask_left != '0;
  assign req_address_o = {address, 6'b0};
  assign req_beats_o = 5'(COMMAND_BEATS);

  logic [63:0] list_beat;
  qnn_ram #(
    .Width(64), .Depth(Commands * COMMAND_BEATS)
  ) u_list (
    .clk_i, .we_i(data_valid_i), .waddr_i(got[CommandW+2:0]), .wdata_i(data_i),
    .raddr_i({next_index[CommandW-1:0], beat[2:0]}), .rdata_o(list_beat)
  );
  for (genvar p = 0; p < Ports; p++) begin : gen_port
    qnn_ram #(
      .Width(64), .Depth(Commands)
    ) u_list_weights (
      .clk_i, .we_i(data_valid_i && got[2:0] == 3'd1), .waddr_i(got[CommandW+2:3]),
      .wdata_i(data_i), .raddr_i(weights_command_i[p*8+:CommandW]),
      .rdata_o(weights_beat_o[p*64+:64])
    );
  end

  qnn_command_check #(
    .Pe(Pe), .Pixels(Pixels), .WeightWords(WeightWords), .ThresholdWords(ThresholdWords),
    .WindowWords(WindowWords), .PoolColumns(PoolColumns), .Requantiser(Requantiser)
  ) u_check (
    .clk_i, .command_i(next_o), .index_i(next_index), .bad_o(bad)
  );

  // the account of each command: all cycles, then busy, weights, input, output; it is stored while the
  // next one runs
  logic [4:0][31:0] account, spent;
  logic             store;               // the account is complete, and moves to `spent`
  logic [1:0][4:0]  turn;                // copies for each counter: it moves, and begins anew
  logic [CommandW-1:0] spent_index;
  logic [3:0]       spent_field;         // 8: all are stored
  qnn_ram #(
    .Width(32), .Depth(Commands * 8)
  ) u_account (
    .clk_i, .we_i(!spent_field[3]), .waddr_i({spent_index, spent_field[2:0]}),
    .wdata_i(spent[0]), .raddr_i(perf_address_i[CommandW+2:0]), .rdata_o(perf_o)
  );

  logic read_window, read_error;
  logic [Ports-1:0] of_weights;          // whose fault it is
  assign read_window = error_read_window_i != '0;
  assign read_error = read_window || error_read_response_i != '0;
  assign of_weights = error_of_weights_i
      & (read_window ? error_read_window_i : error_read_response_i);
  assign busy_o = state != IDLE || ended_o;
  assign flush_o = state == RUN && drained;
  assign more = next_index != list_count_i;
  assign next_valid_o = running && checked && more && beat == COMPLETE;
  assign done = flush_o && spent_field[3] && (more ? begun_i && next_taken_i : written_i) && !rst_i;
  assign stirring = progress_i || state == IDLE || (stop_o && !bus_busy_i);
  assign flushed = state == FLUSH && !bus_busy_i && spent_field[3] && !store;

  // what ends a run before its time
  logic write_error, broken;
  logic aborts, resets;                  // a cycle after abort_i and reset_i
  assign write_error = error_write_window_i || error_write_response_i;
  assign broken = running && (read_error || write_error || aborts || resets || silence);
  always_ff @(posedge clk_i) {aborts, resets} <= {abort_i, reset_i} & {2{running && !rst_i}};
  qnn_at_least #(
    .Width(32)
  ) u_timeout (
    .a_i(quiet), .b_i(timeout_i), .at_least_o(enough_quiet)
  );

  // from the list to next_o, and from there to command_o: each beat has an enable
  logic                     begin_command;
  logic [COMMAND_BEATS-1:0] write_beat, move;
  assign begin_command = (state == LOAD ? checked && next_taken_i : done && more)
      && !broken && !rst_i;
  for (genvar b = 0; b < COMMAND_BEATS; b++) begin : gen_move
    qnn_copy u_move (.clk_i, .data_i(begin_command), .data_o(move[b]));
  end
  always_ff @(posedge clk_i) begin
    write_beat <= COMMAND_BEATS'(1) << beat;
    for (int unsigned b = 0; b < COMMAND_BEATS; b++) begin
      if (write_beat[b]) next_o[b*64+:64] <= list_beat;
      if (move[b]) command_o[b*64+:64] <= next_o[b*64+:64];
    end
  end

  for (genvar i = 0; i < 10; i++) begin : gen_turn
    qnn_copy u_turn (.clk_i, .data_i(begin_command || done), .data_o(turn[i/5][i%5]));
  end
  always_ff @(posedge clk_i) begin
    account[0] <= account[0] + 32'(state == RUN);
    account[1] <= account[1] + 32'(count_busy_i);
    account[2] <= account[2] + 32'(count_weights_i);
    account[3] <= account[3] + 32'(count_input_i);
    account[4] <= account[4] + 32'(count_output_i);
    spent <= {32'b0, spent[4:1]};
    for (int unsigned i = 0; i < 5; i++) begin
      if (turn[0][i]) spent[i] <= account[i];
      if (turn[1][i]) account[i] <= '0;
    end
  end

  always_ff @(posedge clk_i) begin
    command_start_o <= begin_command;
    clear_o <= rst_i || flushed;
    weights_start_o <= 1'b0;
    run_start_o <= 1'b0;
    ended_o <= 1'b0;
    if (state != IDLE) cycles_o <= cycles_o + 1'b1;
    if (settled_i && !command_start_o) writing <= index;
    quiet <= quiet + 1'b1;
    if (stirring) quiet <= '0;
    silence <= enough_quiet && !stirring;
    if (here && beat != COMPLETE) beat <= beat + 1'b1;
    drained <= drained_i && state == RUN;
    store <= done;
    if (store) spent_field <= '0;
    else if (!spent_field[3]) spent_field <= spent_field + 1'b1;

    if (req_valid_o && req_ready_i) begin
      address <= address + 1'b1;
      ask_left <= ask_left - 1'b1;
    end
    if (!running) begin
      address <= list_address_i[31:6];
      ask_left <= list_count_i[CommandW:0];
    end
    if (data_valid_i) got <= got + 1'b1;

    unique case (state)
      IDLE: begin
        silent <= 1'b0;
        reported <= 1'b0;
        checked <= 1'b0;
        index <= '0;
        next_index <= '0;
        code <= ERROR_NONE;
        code_index <= '0;
        got <= '0;
        beat <= '0;
        if (start_i) begin
          cycles_o <= '0;
          resident_run_o <= start_resident_i;
          state <= LOAD;
          if (list_count_i == '0 || 32'(list_count_i) > Commands || list_address_i[5:0] != '0) begin
            code <= ERROR_BAD_LIST;
            state <= FLUSH;
            stop_o <= 1'b1;
          end else if (start_resident_i && !resident_o) begin
            code <= ERROR_NOT_RESIDENT;
            state <= FLUSH;
            stop_o <= 1'b1;
          end
          if (!start_resident_i) resident_o <= 1'b0;
        end
      end
      LOAD: begin
        if (checked ? next_taken_i : beat == 4'(COMMAND_BEATS)) state <= checked ? START : CHECK;
      end
      CHECK: state <= CHECKED;           // bad belongs to the command from here on
      CHECKED: begin
        beat <= '0;
        state <= LOAD;
        next_index <= next_index + 1'b1;
        if (bad) begin
          code <= ERROR_BAD_COMMAND;
          code_index <= next_index;
          state <= FLUSH;
          stop_o <= 1'b1;
        end else if (next_index + 1'b1 == list_count_i) begin
          checked <= 1'b1;
          next_index <= '0;
          run_start_o <= 1'b1;
          weights_start_o <= !resident_run_o;
        end
      end
      START: state <= RUN;
      RUN: begin
        if (done) begin
          spent_index <= index[CommandW-1:0];
          state <= more ? START : FLUSH;
          if (!more) begin
            stop_o <= 1'b1;
            resident_o <= resident_run_o ? resident_o : weights_resident_i;
          end
        end
      end
      FLUSH: begin
        if (flushed) state <= CLEAR;
        else if (bus_busy_i && silence && !reported) begin
          reported <= 1'b1;
          ended_o <= 1'b1;
          if (code == ERROR_NONE) code <= ERROR_TIMED_OUT;
        end
      end
      default: begin                     // CLEAR
        state <= IDLE;
        stop_o <= 1'b0;
        ended_o <= !reported;
      end
    endcase

    // the next command becomes the one that runs, and the one behind it is read
    if (begin_command) begin
      index <= next_index;
      next_index <= next_index + 1'b1;
      beat <= '0;
    end

    // the first cause counts
    if (broken) begin
      if (read_error) begin
        code <= read_window ? ERROR_READ_WINDOW : ERROR_READ_RESPONSE;
        code_index <= next_taken_i ? next_index : index;
        for (int unsigned p = 0; p < Ports; p++) begin
          if (of_weights[p]) begin
            code_index <= read_window ? weights_command_i[p*8+:8] : weights_loading_i[p*8+:8];
          end
        end
      end else if (write_error) begin
        code <= error_write_window_i ? ERROR_WRITE_WINDOW : ERROR_WRITE_RESPONSE;
        code_index <= error_write_window_i ? index : writing;
      end else if (aborts) begin
        code <= ERROR_ABORTED;
        code_index <= index;
      end else if (silence) begin
        code <= ERROR_TIMED_OUT;
        code_index <= index;
      end
      state <= FLUSH;
      stop_o <= 1'b1;
      quiet <= '0;
      silence <= 1'b0;
      resident_o <= 1'b0;
    end
    if (reset_i) begin
      silent <= state != IDLE;
      resident_o <= 1'b0;
    end
    if (rst_i) begin
      state <= IDLE;
      stop_o <= 1'b0;
      resident_o <= 1'b0;
      ended_o <= 1'b0;
      spent_field <= 4'd8;
    end
  end
  assign ended_code_o = code;
  assign ended_index_o = code_index;
  assign ended_silent_o = silent;
endmodule
