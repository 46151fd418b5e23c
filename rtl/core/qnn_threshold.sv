// SPDX-License-Identifier: BSD-3-Clause
//
// Codes of eight channels by Pixels pixels: how many of a channel's thresholds its sum reaches.
//
//     code[c][m] = number of thresholds of channel c that are <= sum[c][m]    (ascending thresholds)
//
// A threshold of every channel takes two cycles, compare_half 0 and 1: as they ascend, the last one that a
// sum reaches tells the code. Two channels share a memory, as two thresholds share a beat of it; or four
// channels do, the first two in half 0, the others in half 1, unless Whole. Of odd pixels the lowest SUM_W
// bits of both are compared.
//
// Timing: threshold_address and compare_* of one cycle act on the sums of two cycles later; cycles
// without a compare may lie between. copy in the cycle after the last compare moves the codes to
// codes_o, which show them 3 cycles later.
// words_o shows what lies at a threshold_address 2 cycles later, whatever it is, where Whole.

module qnn_threshold
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Pixels         = 4,
  parameter  int unsigned AccW           = 32,
  parameter  int unsigned ThresholdWords = 512,
  parameter  bit          Whole          = 1,
  localparam int unsigned Pairs          = Pixels / 2,
  localparam int unsigned PairW          = AccW + SUM_W
) (
  input  logic                              clk_i,
  input  group_ctrl_t                       ctrl_i,
  input  logic [GROUP_PE/2-1:0]             threshold_we_i,   // bit i: channels 2*i (low half), 2*i+1
  input  logic [11:0]                       threshold_waddr_i,
  input  logic [63:0]                       data_i,
  input  logic [GROUP_PE*Pairs*PairW-1:0]   sums_i,   // of channel c, pixels 2*m (AccW bits), 2*m+1:
                                                      // element c*Pairs + m
  output logic [GROUP_PE*Pixels*CODE_W-1:0] codes_o,  // of channel c, pixel m: element c*Pixels + m
  output logic [GROUP_PE*AccW-1:0]          words_o   // of channel c: bits [c*AccW +: AccW]
);
  localparam int unsigned Share = Whole ? 1 : 2;    // pairs of channels in a memory
  localparam int unsigned AddrW = $clog2(Share * ThresholdWords);   // ends with the half, if there is one

  logic [2:0] compare_valid, compare_first, compare_half;    // index: age in cycles
  logic [1:0] copy;
  logic [7:0] code_1, code_2;
  always_ff @(posedge clk_i) begin
    compare_valid[2:1] <= compare_valid[1:0];
    compare_first[2:1] <= compare_first[1:0];
    compare_half[2:1] <= compare_half[1:0];
    copy[1] <= copy[0];
    code_1 <= ctrl_i.compare_code;
    code_2 <= code_1;
  end
  assign compare_valid[0] = ctrl_i.compare_valid;
  assign compare_first[0] = ctrl_i.compare_first;
  assign compare_half[0] = ctrl_i.compare_half;
  assign copy[0] = ctrl_i.copy;

  for (genvar r = 0; r < GROUP_PE / 2; r += Share) begin : gen_memory
    logic [2*AccW-1:0] pair, pair_q;
    qnn_ram #(
      .Width(2 * AccW), .Depth(Share * ThresholdWords)
    ) u_thresholds (
      .clk_i,
      .we_i   (|threshold_we_i[r+:Share]),
      .waddr_i(AddrW'({threshold_waddr_i, threshold_we_i[r+Share-1]} >> Whole)),
      .wdata_i({data_i[32+:AccW], data_i[0+:AccW]}),
      .raddr_i(AddrW'({ctrl_i.threshold_address, ctrl_i.compare_half} >> Whole)),
      .rdata_o(pair)
    );
    always_ff @(posedge clk_i) pair_q <= pair;

    for (genvar h = 0; h < Share; h++) begin : gen_half
      localparam int unsigned C = 2 * (r + h);
      assign words_o[C*AccW+:2*AccW] = pair_q;

      logic copy_now, compare_now;
      qnn_copy u_copy (.clk_i, .data_i(copy[1]), .data_o(copy_now));
      assign compare_now = compare_valid[2] && (Whole || compare_half[2] == 1'(h));
      for (genvar e = C * Pixels; e < (C + 2) * Pixels; e++) begin : gen_sum
        localparam int unsigned Width = e % 2 == 0 ? AccW : SUM_W;
        localparam int unsigned First = e / 2 * PairW + (e % 2) * AccW;
        logic              reached;
        logic [CODE_W-1:0] code, code_out;
        qnn_at_least #(
          .Width(Width)
        ) u_reached (
          .a_i(sums_i[First+:Width]), .b_i(pair_q[(e/Pixels-C)*AccW+:Width]), .at_least_o(reached)
        );
        always_ff @(posedge clk_i) begin
          if (compare_now) begin
            if (reached) code <= code_2;
            else if (compare_first[2]) code <= '0;
          end
          if (copy_now) code_out <= code;
        end
        assign codes_o[e*CODE_W+:CODE_W] = code_out;
      end
    end
  end
endmodule
