// SPDX-License-Identifier: BSD-3-Clause
//
// Runs a command list: reads it whole, checks it whole, then runs command after command. While one runs,
// next_o shows the one behind it, and next_valid_o says so; it is started when all output of the one before
// is in memory and next_taken_i says that its input map is on the way. Whatever ends a run, it ends through
// FLUSH: no new burst, wait until the bus is quiet, reset the datapath.
//
// Every wait is bounded: TIMEOUT cycles without progress end a run. If the memory does not even
// answer what was asked before, the run is reported as ended, and busy stays until it has answered.

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
  input  logic        written_i,         // all its output is in memory
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
  localparam int unsigned QuietCycles = 7;  // longest gap between two stages of the datapath
  localparam logic [3:0] COMPLETE = 4'(COMMAND_BEATS + 1);

  typedef enum logic [3:0] {
    IDLE, FETCH, LOAD, CHECK, CHECKED, START, RUN, FLUSH, CLEAR
  } state_t;
  state_t      state;
  logic        checked;                  // the whole list is good: now it runs
  logic        silent, reported;
  logic [7:0]  index, next_index;        // of command_o, of next_o
  logic [7:0]  code;
  logic [7:0]  code_index;
  logic [31:0] quiet;                    // cycles without progress
  logic [2:0]  drained;
  logic [3:0]  beat;                     // of next_o, 1 more than comes; COMPLETE when all are there
  logic        bad, more, done;

  // the list
  logic [31:0]        address;
  logic [CommandW+3:0] ask_left, got_left;
  logic [CommandW+2:0] got;
  logic [4:0]         to_line;
  assign to_line = 5'd16 - {1'b0, address[6:3]};
  assign req_valid_o = state == FETCH && ask_left != '0;
  assign req_address_o = address;
  assign req_beats_o = ask_left < (CommandW + 4)'(to_line) ? 5'(ask_left) : to_line;

  logic [63:0] list_beat;
  qnn_ram #(
    .Width(64), .Depth(Commands * COMMAND_BEATS)
  ) u_list (
    .clk_i, .we_i(data_valid_i), .waddr_i(got), .wdata_i(data_i),
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
  logic [4:0][31:0] account, counted, spent;
  logic [CommandW-1:0] spent_index;
  logic [3:0]  spent_field;              // 8: all are stored
  qnn_ram #(
    .Width(32), .Depth(Commands * 8)
  ) u_account (
    .clk_i, .we_i(!spent_field[3]), .waddr_i({spent_index, spent_field[2:0]}),
    .wdata_i(spent[0]), .raddr_i(perf_address_i[CommandW+2:0]), .rdata_o(perf_o)
  );

  always_comb begin
    counted[0] = account[0] + 1'b1;
    counted[1] = account[1] + 32'(count_busy_i);
    counted[2] = account[2] + 32'(count_weights_i);
    counted[3] = account[3] + 32'(count_input_i);
    counted[4] = account[4] + 32'(count_output_i);
  end

  logic running, read_window, read_error;
  logic [Ports-1:0] of_weights;          // whose fault it is
  assign read_window = error_read_window_i != '0;
  assign read_error = read_window || error_read_response_i != '0;
  assign of_weights = error_of_weights_i
      & (read_window ? error_read_window_i : error_read_response_i);
  assign running = state != IDLE && state != FLUSH && state != CLEAR;
  assign busy_o = state != IDLE || ended_o;
  assign stop_o = state == FLUSH || state == CLEAR;
  assign clear_o = rst_i || state == CLEAR;
  assign flush_o = state == RUN && drained == 3'(QuietCycles);
  assign command_start_o = state == START;
  assign more = next_index != list_count_i;
  assign next_valid_o = running && checked && more && beat == COMPLETE;
  assign done = flush_o && written_i && (!more || next_taken_i);

  always_ff @(posedge clk_i) begin
    weights_start_o <= 1'b0;
    run_start_o <= 1'b0;
    ended_o <= 1'b0;
    if (state != IDLE) cycles_o <= cycles_o + 1'b1;
    quiet <= quiet + 1'b1;
    if (progress_i || state == IDLE || (stop_o && !bus_busy_i)) quiet <= '0;
    if (beat != COMPLETE) beat <= beat + 1'b1;
    if (beat != COMPLETE && beat != '0) next_o <= {list_beat, next_o[511:64]};
    if (!spent_field[3]) begin
      spent <= {32'b0, spent[4:1]};
      spent_field <= spent_field + 1'b1;
    end

    unique case (state)
      IDLE: begin
        silent <= 1'b0;
        reported <= 1'b0;
        checked <= 1'b0;
        index <= '0;
        next_index <= '0;
        code <= ERROR_NONE;
        code_index <= '0;
        address <= list_address_i;
        ask_left <= {list_count_i[CommandW:0], 3'b0};
        got_left <= {list_count_i[CommandW:0], 3'b0};
        got <= '0;
        if (start_i) begin
          cycles_o <= '0;
          resident_run_o <= start_resident_i;
          state <= FETCH;
          if (list_count_i == '0 || 32'(list_count_i) > Commands || list_address_i[5:0] != '0) begin
            code <= ERROR_BAD_LIST;
            state <= FLUSH;
          end else if (start_resident_i && !resident_o) begin
            code <= ERROR_NOT_RESIDENT;
            state <= FLUSH;
          end
          if (!start_resident_i) resident_o <= 1'b0;
        end
      end
      FETCH: begin
        if (req_valid_o && req_ready_i) begin
          address <= address + {24'b0, req_beats_o, 3'b0};
          ask_left <= ask_left - (CommandW + 4)'(req_beats_o);
        end
        if (data_valid_i) begin
          got <= got + 1'b1;
          got_left <= got_left - 1'b1;
          if (got_left == (CommandW + 4)'(1)) state <= LOAD;
        end
        beat <= '0;
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
        end else if (next_index + 1'b1 == list_count_i) begin
          checked <= 1'b1;
          next_index <= '0;
          run_start_o <= 1'b1;
          weights_start_o <= !resident_run_o;
        end
      end
      START: begin
        state <= RUN;
        drained <= '0;
        account <= '0;
      end
      RUN: begin
        account <= counted;
        if (!drained_i) drained <= '0;
        else if (drained != 3'(QuietCycles)) drained <= drained + 1'b1;
        if (done) begin
          spent <= counted;
          spent_index <= index[CommandW-1:0];
          spent_field <= '0;
          state <= more ? START : FLUSH;
          if (!more) resident_o <= resident_run_o ? resident_o : weights_resident_i;
        end
      end
      FLUSH: begin
        if (!bus_busy_i) begin
          if (spent_field[3]) state <= CLEAR;
        end else if (quiet >= timeout_i && !reported) begin
          reported <= 1'b1;
          ended_o <= 1'b1;
          if (code == ERROR_NONE) code <= ERROR_TIMED_OUT;
        end
      end
      default: begin                     // CLEAR
        state <= IDLE;
        ended_o <= !reported;
      end
    endcase

    // the next command becomes the one that runs, and the one behind it is read
    if (state == LOAD ? checked && next_taken_i : done && more) begin
      command_o <= next_o;
      index <= next_index;
      next_index <= next_index + 1'b1;
      beat <= '0;
    end

    // what ends a run before its time; the first cause counts
    if (running) begin
      if (read_error) begin
        code <= read_window ? ERROR_READ_WINDOW : ERROR_READ_RESPONSE;
        code_index <= next_taken_i ? next_index : index;
        for (int unsigned p = 0; p < Ports; p++) begin
          if (of_weights[p]) begin
            code_index <= read_window ? weights_command_i[p*8+:8] : weights_loading_i[p*8+:8];
          end
        end
      end else if (error_write_window_i || error_write_response_i) begin
        code <= error_write_window_i ? ERROR_WRITE_WINDOW : ERROR_WRITE_RESPONSE;
        code_index <= index;
      end else if (abort_i) begin
        code <= ERROR_ABORTED;
        code_index <= index;
      end else if (quiet >= timeout_i) begin
        code <= ERROR_TIMED_OUT;
        code_index <= index;
      end
      if (read_error || error_write_window_i || error_write_response_i || abort_i || reset_i
          || quiet >= timeout_i) begin
        state <= FLUSH;
        quiet <= '0;
        resident_o <= 1'b0;
      end
    end
    if (reset_i) begin
      silent <= state != IDLE;
      resident_o <= 1'b0;
    end
    if (rst_i) begin
      state <= IDLE;
      resident_o <= 1'b0;
      ended_o <= 1'b0;
      spent_field <= 4'd8;
    end
  end
  assign ended_code_o = code;
  assign ended_index_o = code_index;
  assign ended_silent_o = silent;
endmodule
