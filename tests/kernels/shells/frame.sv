// SPDX-License-Identifier: BSD-3-Clause
//
// What all RTL shells share: frames of 64-bit beats on the outside, a unit of rtl/ on the inside.
//
// A frame begins with the eight beats of a command, unless Bare; two cycles later start_o is high for
// a cycle, then the other beats are handed to the unit. The words that it makes leave as one frame,
// the last one when the whole frame is in and the unit has not been busy for Quiet cycles. Only then
// does the next frame begin.

module frame
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter bit          Bare  = 1'b0,
  parameter int unsigned Quiet = 8
) (
  input  logic        clk_i,
  input  logic        rst_i,
  input  logic        in_valid_i,
  output logic        in_ready_o,
  input  logic [63:0] in_data_i,
  input  logic        in_last_i,
  output logic        out_valid_o,
  input  logic        out_ready_i,
  output logic [63:0] out_data_o,
  output logic        out_last_o,
  // the unit
  output command_t    command_o,
  output logic        start_o,
  output logic        beat_valid_o,
  input  logic        beat_ready_i,
  output logic [63:0] beat_data_o,
  input  logic        word_valid_i,
  output logic        word_room_o,       // for PACK_ROOM words
  input  logic [63:0] word_data_i,
  input  logic        busy_i
);
  localparam int unsigned Depth = 16;

  typedef enum logic [2:0] {COMMAND, SETTLE, SETTLED, START, BODY, OVER} state_t;
  state_t     state;
  logic [2:0] head;                    // beat of the command
  logic [3:0] quiet;
  logic       made;
  logic [$clog2(Depth+1)-1:0] count;

  assign in_ready_o = state == COMMAND || (state == BODY && beat_ready_i);
  assign beat_valid_o = state == BODY && in_valid_i;
  assign beat_data_o = in_data_i;
  assign start_o = state == START;

  qnn_fifo #(
    .Width(64), .Depth(Depth)
  ) u_words (
    .clk_i, .rst_i, .push_i(word_valid_i), .data_i(word_data_i), .valid_o(),
    .pop_i(out_valid_o && out_ready_i), .data_o(out_data_o), .count_o(count)
  );
  assign word_room_o = 32'(count) <= Depth - PACK_ROOM;
  assign made = state == OVER && quiet == 4'(Quiet);   // nothing comes behind what is stored
  assign out_last_o = count == 1;
  assign out_valid_o = count > 1 || (count == 1 && made);

  always_ff @(posedge clk_i) begin
    quiet <= quiet == 4'(Quiet) ? quiet : quiet + 1'b1;
    if (busy_i || word_valid_i || state != OVER) quiet <= '0;
    unique case (state)
      COMMAND: begin
        if (in_valid_i) begin
          command_o <= {in_data_i, command_o[511:64]};
          head <= head + 1'b1;
          if (head == '1) state <= SETTLE;
        end
      end
      SETTLE: state <= SETTLED;
      SETTLED: state <= START;
      START: state <= BODY;
      BODY: if (in_valid_i && beat_ready_i && in_last_i) state <= OVER;
      default: if (made && count == '0) state <= Bare ? START : COMMAND;
    endcase
    if (rst_i) begin
      state <= Bare ? START : COMMAND;
      head <= '0;
    end
  end
endmodule
