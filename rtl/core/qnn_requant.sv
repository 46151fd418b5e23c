// SPDX-License-Identifier: BSD-3-Clause
//
// Codes of many levels: one multiplication in place of their thresholds. Eight sums of a pixel a
// cycle, the pixels of a group of channels one behind the other, then the next group; out come all
// channels of a pixel together.
//
//     x    = sum - base, but not below 0 and not above 2^REQUANT_SPAN_W - 1
//     code = (multiplier * x + addend * 2^REQUANT_ADDEND_SHIFT) >>> (shift + REQUANT_LEAST_SHIFT),
//            but not below 0 and not above 2^planes - 1
//
// base and multiplier are unsigned numbers of 32 bits, addend is a signed one, shift has 5 bits. They
// come a word a cycle and are taken where they are needed, so that none waits: the multiplier is two
// factors of a DSP48, the upper one a cycle behind the lower one.
//
// Timing: load_i[k] tells that params_i of the next cycle is word k of a group of channels, word k + 1 a
// cycle after word k. With word 0 at cycle 0, sums_i is of pixel m at cycle m + 1; the words of the next group
// begin at cycle Slot. Sums at cycle 0 make codes that row_o shows at cycle 8, together with those of
// the groups before them: a whole row where last_i was high.

module qnn_requant
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Pe     = 32,
  parameter  int unsigned Pixels = 4,
  localparam int unsigned Groups = Pe / GROUP_PE,
  localparam int unsigned Slot   = Pixels > REQUANT_WORDS ? Pixels : REQUANT_WORDS
) (
  input  logic                     clk_i,
  input  logic                     rst_i,
  input  logic [3:0]               planes_i,
  input  logic [REQUANT_WORDS-1:0] load_i,
  input  logic [GROUP_PE*32-1:0]   params_i,   // channel c is bits [c*32 +: 32]
  input  logic                     valid_i,
  input  logic                     last_i,     // of the last group of channels
  input  logic                     present_i,  // the pixel exists
  input  logic [GROUP_PE*32-1:0]   sums_i,     // channel c is bits [c*32 +: 32]
  output logic                     valid_o,
  output logic                     present_o,
  output logic [Pe*CODE_W-1:0]     row_o,      // channel c is bits [c*CODE_W +: CODE_W]
  output logic                     busy_o
);
  localparam int unsigned Latency = 8;
  localparam int unsigned LowW = REQUANT_LEAST_SHIFT;      // bits of the lower factor
  localparam int unsigned HighW = 32 - LowW;
  localparam int unsigned TotalW = REQUANT_SPAN_W + HighW + 2;

  logic [Latency-1:0] valid, last, present;
  always_ff @(posedge clk_i) begin
    valid <= {valid[Latency-2:0], valid_i};
    last <= {last[Latency-2:0], last_i};
    present <= {present[Latency-2:0], present_i};
    if (rst_i) valid <= '0;
  end
  assign valid_o = valid[Latency-1] && last[Latency-1];
  assign present_o = present[Latency-1];
  assign busy_o = valid_i || valid != '0;

  logic [GROUP_PE*CODE_W-1:0] codes;
  for (genvar c = 0; c < GROUP_PE; c++) begin : gen_channel
    logic [31:0] param;
    logic [REQUANT_WORDS-1:0] load;
    assign param = params_i[c*32+:32];
    qnn_copy #(
      .Width(REQUANT_WORDS)
    ) u_load (.clk_i, .data_i(load_i), .data_o(load));

    // parameters; shift is needed four cycles later than it comes
    logic [31:0]       base;
    logic [LowW-1:0]   low_factor;
    logic [HighW-1:0]  high_come, high_factor;
    logic signed [31:0] addend;
    logic [4:0]        shift [5];
    always_ff @(posedge clk_i) begin
      if (load[0]) base <= param;
      if (load[1]) shift[0] <= param[4:0];
      if (load[2]) {high_come, low_factor} <= param;
      if (load[3]) addend <= param;
      for (int i = 1; i < 5; i++) shift[i] <= shift[i-1];
      high_factor <= high_come;
    end

    // x
    logic [32:0]               difference;
    logic [REQUANT_SPAN_W-1:0] x, x_late;
    always_ff @(posedge clk_i) begin
      difference <= {1'b0, sums_i[c*32+:32]} - {1'b0, base};
      x <= difference[REQUANT_SPAN_W-1:0];
      if (difference[31:REQUANT_SPAN_W] != '0) x <= '1;
      if (difference[32]) x <= '0;
      x_late <= x;
    end

    // multiplier * x + addend * 2^15, without its lowest LowW bits in the end
    logic [REQUANT_SPAN_W+LowW-1:0]  low;
    logic [REQUANT_SPAN_W+HighW-1:0] high;
    logic signed [47:0]              added;
    logic signed [TotalW-1:0]        total;
    always_ff @(posedge clk_i) begin
      low <= x * low_factor;
      high <= x_late * high_factor;
      added <= $signed(48'(low)) + (48'(addend) <<< REQUANT_ADDEND_SHIFT);
      total <= $signed(TotalW'(high)) + TotalW'(added >>> LowW);
    end

    // the shift by eights, then by ones, then the ends
    logic [14:0]       window, shifted;
    logic [2:0]        shift_late;
    logic              beyond, beyond_late, below, below_late, above;
    logic [CODE_W-1:0] code;
    always_comb begin
      above = beyond_late;
      for (int unsigned k = 1; k < 15; k++) begin
        if (k >= 32'(planes_i)) above = above || shifted[k];
      end
    end
    always_ff @(posedge clk_i) begin
      window <= 15'(total >>> {shift[4][4:3], 3'b0});
      beyond <= (total >>> {shift[4][4:3], 3'b0}) >>> 15 != '0;
      below <= total[TotalW-1];
      shift_late <= shift[4][2:0];
      shifted <= window >> shift_late;
      beyond_late <= beyond;
      below_late <= below;
      code <= below_late ? '0 : above ? CODE_W'((9'd1 << planes_i) - 9'd1) : shifted[CODE_W-1:0];
    end
    assign codes[c*CODE_W+:CODE_W] = code;
  end

  // the codes of a group wait for those of the last one
  assign row_o[(Groups-1)*GROUP_PE*CODE_W+:GROUP_PE*CODE_W] = codes;
  if (Groups > 1) begin : gen_line
    localparam int unsigned Length = (Groups - 1) * Slot;
    logic [Length-1:0][GROUP_PE*CODE_W-1:0] line;
    always_ff @(posedge clk_i) line <= {line[Length-2:0], codes};
    for (genvar g = 0; g < Groups - 1; g++) begin : gen_group
      assign row_o[g*GROUP_PE*CODE_W+:GROUP_PE*CODE_W] = line[(Groups-1-g)*Slot-1];
    end
  end
endmodule
