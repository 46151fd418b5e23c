// SPDX-License-Identifier: BSD-3-Clause
//
// Codes of eight channels by Pixels pixels: how many of a channel's thresholds its sum reaches.
//
//     code[c][m] = number of thresholds of channel c that are <= sum[c][m]    (ascending thresholds)
//
// As thresholds ascend, the last one that a sum reaches tells the code. Four channels share a memory, which
// holds of each threshold first the low SHORT_W bits, then the rest: a compare is of one of these parts,
// compare_high tells which, and compare_last comes with the last part that counts. The low part comes in
// the cycle before the high one, or alone: then the rest is not looked at. Where Whole, two memories have
// the parts side by side, and all bits are compared in the cycle of compare_last. Sums of odd pixels have
// SUM_W bits, and thresholds no more than the sums for which they are.
//
// Timing: threshold_address and compare_* of one cycle act on the sums of two cycles later; cycles
// without a compare may lie between thresholds. copy in the cycle after the last compare moves the codes to
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
  localparam int unsigned PairW          = AccW + SUM_W,
  localparam int unsigned Memories       = GROUP_PE / 4
) (
  input  logic                              clk_i,
  input  group_ctrl_t                       ctrl_i,
  // parts of four thresholds, see qnn_threshold_parts
  input  logic [Memories-1:0]               threshold_we_i,
  input  logic [11:0]                       threshold_waddr_i,
  input  logic                              threshold_high_i,
  input  logic [4*SHORT_W-1:0]              threshold_data_i,
  input  logic [GROUP_PE*Pairs*PairW-1:0]   sums_i,   // of channel c, pixels 2*m (AccW bits), 2*m+1:
                                                      // element c*Pairs + m
  output logic [GROUP_PE*Pixels*CODE_W-1:0] codes_o,  // of channel c, pixel m: element c*Pixels + m
  output logic [GROUP_PE*AccW-1:0]          words_o   // of channel c: bits [c*AccW +: AccW]
);
  localparam int unsigned Depth = (Whole ? 1 : 2) * ThresholdWords;
  localparam int unsigned AddrW = $clog2(Depth);

  // a sum: its bits, and where they begin
  function automatic int unsigned width(int unsigned pixel);
    width = pixel % 2 == 0 ? AccW : SUM_W;
  endfunction
  function automatic int unsigned first(int unsigned element);
    first = element / 2 * PairW + (element % 2) * AccW;
  endfunction

  logic [1:0] compare_valid, compare_first, compare_high, compare_last, copy;   // index: age in cycles
  logic       first_now;
  logic [7:0] code_1, code_2;
  always_ff @(posedge clk_i) begin
    compare_valid[1] <= compare_valid[0];
    compare_first[1] <= compare_first[0];
    compare_high[1] <= compare_high[0];
    compare_last[1] <= compare_last[0];
    copy[1] <= copy[0];
    first_now <= compare_first[1];
    code_1 <= ctrl_i.compare_code;
    code_2 <= code_1;
  end
  assign compare_valid[0] = ctrl_i.compare_valid;
  assign compare_first[0] = ctrl_i.compare_first;
  assign compare_high[0] = ctrl_i.compare_high;
  assign compare_last[0] = ctrl_i.compare_last;
  assign copy[0] = ctrl_i.copy;

  for (genvar r = 0; r < Memories; r++) begin : gen_memory
    logic [4*SHORT_W-1:0] parts;             // of four thresholds: the low ones where Whole, else either
    logic [4*SHORT_W-1:0] high_parts;        // where Whole
    for (genvar k = 0; k < (Whole ? 2 : 1); k++) begin : gen_store
      logic [4*SHORT_W-1:0] part, part_q;
      qnn_ram #(
        .Width(4 * SHORT_W), .Depth(Depth)
      ) u_thresholds (
        .clk_i,
        .we_i   (threshold_we_i[r] && (!Whole || threshold_high_i == 1'(k))),
        .waddr_i(AddrW'({threshold_waddr_i, threshold_high_i} >> Whole)),
        .wdata_i(threshold_data_i),
        .raddr_i(AddrW'({ctrl_i.threshold_address, ctrl_i.compare_high} >> Whole)),
        .rdata_o(part)
      );
      always_ff @(posedge clk_i) part_q <= part;
      if (k == 0) begin : gen_low
        assign parts = part_q;
      end else begin : gen_high
        assign high_parts = part_q;
      end
    end
    if (!Whole) begin : gen_none
      assign high_parts = '0;
    end

    for (genvar l = 0; l < 4; l++) begin : gen_channel
      localparam int unsigned C = 4 * r + l;
      logic [SHORT_W-1:0] part;
      logic [AccW-1:0]    threshold;
      logic [Pixels-1:0]  reached;
      logic               copy_now, decide;
      assign part = parts[l*SHORT_W+:SHORT_W];
      assign threshold = AccW'({high_parts[l*SHORT_W+:SHORT_W], part});
      assign words_o[C*AccW+:AccW] = threshold;
      qnn_copy u_copy (.clk_i, .data_i(copy[1]), .data_o(copy_now));
      qnn_copy u_decide (.clk_i, .data_i(compare_valid[1] && compare_last[1]), .data_o(decide));

      if (Whole) begin : gen_whole
        for (genvar m = 0; m < Pixels; m++) begin : gen_sum
          localparam int unsigned Width = width(m);
          localparam int unsigned First = first(C * Pixels + m);
          qnn_at_least #(
            .Width(Width)
          ) u_reached (
            .a_i(sums_i[First+:Width]), .b_i(threshold[Width-1:0]), .at_least_o(reached[m])
          );
        end
      end else begin : gen_parts
        logic [Pairs-1:0] high;
        logic             alone;             // no part of this threshold has come before
        for (genvar m = 0; m < Pairs; m++) begin : gen_high
          qnn_copy u_high (.clk_i, .data_i(compare_high[1]), .data_o(high[m]));
        end
        qnn_copy u_alone (.clk_i, .data_i(!compare_valid[1] || compare_last[1]), .data_o(alone));
        for (genvar m = 0; m < Pixels; m++) begin : gen_sum
          localparam int unsigned Width = width(m);
          localparam int unsigned First = first(C * Pixels + m);
          logic below;
          always_ff @(posedge clk_i) begin
            below <= reached[m];
            if (alone) below <= 1'b1;
          end
          qnn_at_least_part #(
            .Width(Width), .PartW(SHORT_W)
          ) u_reached (
            .a_i(sums_i[First+:Width]), .high_i(high[m/2]), .b_i(part), .below_i(below),
            .at_least_o(reached[m])
          );
        end
      end

      for (genvar m = 0; m < Pixels; m++) begin : gen_code
        logic [CODE_W-1:0] code, code_out;
        always_ff @(posedge clk_i) begin
          if (decide) begin
            if (reached[m]) code <= code_2;
            else if (first_now) code <= '0;
          end
          if (copy_now) code_out <= code;
        end
        assign codes_o[(C*Pixels+m)*CODE_W+:CODE_W] = code_out;
      end
    end
  end
endmodule
