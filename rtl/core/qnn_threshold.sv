// SPDX-License-Identifier: BSD-3-Clause
//
// Codes of eight channels by Pixels pixels: how many of a channel's thresholds its sum reaches.
//
//     code[c][m] = number of thresholds of channel c that are <= sum[c][m]    (ascending thresholds)
//
// One threshold of every channel a cycle: as they ascend, the last one that a sum reaches tells the
// code. Two channels share a memory, as two thresholds share a beat of it.
//
// Timing: threshold_address and compare_valid of one cycle act on the sums of two cycles later; cycles
// without a compare may lie between. copy in the cycle after the last compare moves the codes to
// codes_o, which show them 3 cycles later.
// words_o shows what lies at a threshold_address 2 cycles later, whatever it is.

module qnn_threshold
  import qnn_pkg::*;
#(
  parameter  int unsigned Pixels         = 4,
  parameter  int unsigned AccW           = 32,
  parameter  int unsigned ThresholdWords = 512
) (
  input  logic                              clk_i,
  input  group_ctrl_t                       ctrl_i,
  input  logic [GROUP_PE/2-1:0]             threshold_we_i,   // bit i: channels 2*i (low half), 2*i+1
  input  logic [11:0]                       threshold_waddr_i,
  input  logic [63:0]                       data_i,
  input  logic [GROUP_PE*Pixels*AccW-1:0]   sums_i,   // of channel c, pixel m: element c*Pixels + m
  output logic [GROUP_PE*Pixels*CODE_W-1:0] codes_o,  // likewise
  output logic [GROUP_PE*AccW-1:0]          words_o   // of channel c: bits [c*AccW +: AccW]
);
  localparam int unsigned ThresholdAddrW = $clog2(ThresholdWords);

  logic [2:0] compare_valid, compare_first;         // index: age in cycles
  logic [1:0] copy;
  logic [7:0] code_1, code_2;
  always_ff @(posedge clk_i) begin
    compare_valid[2:1] <= compare_valid[1:0];
    compare_first[2:1] <= compare_first[1:0];
    copy[1] <= copy[0];
    code_1 <= ctrl_i.compare_code;
    code_2 <= code_1;
  end
  assign compare_valid[0] = ctrl_i.compare_valid;
  assign compare_first[0] = ctrl_i.compare_first;
  assign copy[0] = ctrl_i.copy;

  for (genvar c = 0; c < GROUP_PE; c += 2) begin : gen_pair
    logic [2*AccW-1:0] pair, pair_q;
    qnn_ram #(
      .Width(2 * AccW), .Depth(ThresholdWords)
    ) u_thresholds (
      .clk_i,
      .we_i   (threshold_we_i[c/2]),
      .waddr_i(threshold_waddr_i[ThresholdAddrW-1:0]),
      .wdata_i({data_i[32+:AccW], data_i[0+:AccW]}),
      .raddr_i(ctrl_i.threshold_address[ThresholdAddrW-1:0]),
      .rdata_o(pair)
    );
    always_ff @(posedge clk_i) pair_q <= pair;
    assign words_o[c*AccW+:2*AccW] = pair_q;

    logic copy_now;
    qnn_copy u_copy (.clk_i, .data_i(copy[1]), .data_o(copy_now));
    for (genvar e = c * Pixels; e < (c + 2) * Pixels; e++) begin : gen_sum
      logic              reached;
      logic [CODE_W-1:0] code, code_out;
      qnn_at_least #(
        .Width(AccW)
      ) u_reached (
        .a_i(sums_i[e*AccW+:AccW]), .b_i(pair_q[(e/Pixels-c)*AccW+:AccW]), .at_least_o(reached)
      );
      always_ff @(posedge clk_i) begin
        if (compare_valid[2]) begin
          if (reached) code <= code_2;
          else if (compare_first[2]) code <= '0;
        end
        if (copy_now) code_out <= code;
      end
      assign codes_o[e*CODE_W+:CODE_W] = code_out;
    end
  end
endmodule
