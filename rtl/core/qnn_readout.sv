// SPDX-License-Identifier: BSD-3-Clause
//
// Compares finished sums with thresholds, each of these two cycles long or one, and collects the results,
// one row of them a cycle: codes, Pe of one pixel; or raw sums, eight of one pixel, 32 bits each, the
// pixel's first group of channels first; or rows that qnn_requant makes of all sums, for which the sums
// leave in another order: all pixels of a group of channels, then the next group, and before each pixel
// its parameters.
//
// Codes leave as they come along the chain, those of a group of channels a cycle behind those before it,
// so that none of them is waited for; each group is a part of the row. Other rows leave at once.
//
// Nothing here stalls: qnn_sequencer finishes a group only when there is room and time for it.
// Timing: finish_i comes 5 cycles before the sum can be compared in the first group of the chain, where
// words_i Pixels / 2 + 8 cycles more. From one finish_i to the next pass as many cycles as qnn_sequencer's
// interval_min and one, so that results have left before the next ones take their place.

module qnn_readout
  import qnn_pkg::*;
#(
  parameter  int unsigned Pe             = 32,
  parameter  int unsigned Pixels         = 4,
  parameter  int unsigned AccW           = 32,
  parameter  int unsigned ThresholdWords = 512,
  localparam int unsigned Groups         = Pe / GROUP_PE,
  localparam int unsigned Words          = qnn_regs_pkg::REQUANT_WORDS,
  localparam int unsigned PixelW         = (Pixels > 1) ? $clog2(Pixels) : 1,
  localparam int unsigned PartW          = GROUP_PE * CODE_W,
  localparam int unsigned Parts          = result_parts(Groups),
  localparam int unsigned ResultW        = Parts * PartW
) (
  input  logic                 clk_i,
  input  logic                 rst_i,
  input  logic                 run_start_i,         // thresholds are used from the first again
  input  logic                 raw_i,
  input  logic                 requantise_i,        // sums go through qnn_requant
  input  logic [7:0]           thresholds_i,
  input  logic                 short_i,             // they take one cycle each
  input  logic                 words_i,             // sums are those of qnn_word_bank
  input  logic                 finish_i,            // last product row of a group is issued
  input  logic [Pixels-1:0]    present_i,
  input  logic                 tile_last_i,
  // to the chain
  output logic [11:0]          threshold_address_o,
  output logic                 compare_valid_o,
  output logic                 compare_first_o,
  output logic                 compare_high_o,
  output logic                 compare_last_o,
  output logic [7:0]           compare_code_o,
  output logic                 copy_o,
  output logic [PixelW-1:0]    pixel_o,
  output logic [PixelW-1:0]    pixel_next_o,        // pixel_o of the next cycle
  input  logic [Pe*CODE_W-1:0] codes_i,
  input  logic [Pe*AccW-1:0]   sums_i,
  // to qnn_requant, and back
  output logic [Words-1:0]     requant_load_o,      // what the chain shows next is this word of a group
  output logic                 requant_valid_o,
  output logic                 requant_last_o,
  output logic                 requant_present_o,
  output logic [GROUP_PE*32-1:0] requant_sums_o,
  input  logic                 requant_valid_i,
  input  logic                 requant_present_i,
  input  logic [Pe*CODE_W-1:0] requant_row_i,
  input  logic                 requant_busy_i,
  // results
  output logic [Parts-1:0]     result_valid_o,      // part p is bits [p*PartW +: PartW]
  output logic                 result_present_o,    // the pixel exists; comes with part 0
  output logic [ResultW-1:0]   result_o,
  output logic                 tile_done_o,         // parameters of a tile are free
  output logic                 busy_o
);
  // from issue to the first compare; from copy to the pixel that reads the first codes, and to the sums
  // of the last group
  localparam int unsigned Delay = 4;
  localparam int unsigned WordDelay = Delay + Pixels / 2 + 8;
  localparam int unsigned CodesSettle = 2;
  localparam int unsigned Settle = chain_cycles(Groups) + 2;
  localparam int unsigned SettleW = $clog2(Settle + 1);
  localparam int unsigned GroupW = (Groups > 1) ? $clog2(Groups) : 1;
  // for qnn_requant: cycles for a group of channels, and of its words before its pixels
  localparam int unsigned Slot = Pixels > Words ? Pixels : Words;
  localparam int unsigned SlotW = $clog2(Slot);
  localparam int unsigned Ahead = 2;

  typedef struct packed {
    logic              valid;
    logic              tile_last;
    logic [Pixels-1:0] present;
  } token_t;
  token_t token [WordDelay];
  always_ff @(posedge clk_i) begin
    token[0] <= '{valid: finish_i && !rst_i, tile_last: tile_last_i, present: present_i};
    for (int i = 1; i < int'(WordDelay); i++) begin
      token[i] <= token[i-1];
      if (rst_i) token[i].valid <= 1'b0;
    end
  end
  token_t arrived;
  assign arrived = words_i ? token[WordDelay-1] : token[Delay-1];

  // compare: a threshold, both parts, then the next; then copy
  logic              fetch_end, fetch_tile_last;     // words for qnn_requant, see below
  logic              comparing, high, last;
  logic [7:0]        compared;
  logic              compare_tile_last, copy_tile_last;
  logic [Pixels-1:0] compare_present, copy_present;   // of what is compared; of what is copied
  logic [11:0]       base;
  always_ff @(posedge clk_i) begin
    copy_o <= 1'b0;
    tile_done_o <= 1'b0;
    if (comparing) begin
      high <= !last;
      if (last) compared <= compared + 1'b1;
    end
    if (comparing && (raw_i || requantise_i || (last && compared + 1'b1 == thresholds_i))) begin
      comparing <= 1'b0;
      copy_o <= 1'b1;
      copy_tile_last <= compare_tile_last;
      copy_present <= compare_present;
      if (!requantise_i) begin
        tile_done_o <= compare_tile_last;
        if (compare_tile_last) base <= base + 12'(thresholds_i);
      end
    end
    if (fetch_end) begin
      tile_done_o <= fetch_tile_last;
      if (fetch_tile_last) base <= base + 12'(thresholds_i);
    end
    if (arrived.valid) begin
      comparing <= 1'b1;
      high <= 1'b0;
      compared <= '0;
      compare_tile_last <= arrived.tile_last;
      compare_present <= arrived.present;
    end
    if (run_start_i) base <= '0;
    if (rst_i) begin
      comparing <= 1'b0;
      copy_o <= 1'b0;
      tile_done_o <= 1'b0;
    end
  end
  assign last = high || short_i;
  assign compare_valid_o = comparing && !raw_i && !requantise_i;
  assign compare_first_o = compared == '0;
  assign compare_high_o = high;
  assign compare_last_o = last;
  assign compare_code_o = compared + 1'b1;
  // once copied, the codes of the last group are there so many cycles later
  logic               settling, tile_last_next;
  logic [SettleW-1:0] settle;

  // words for qnn_requant: those of a group, and from one group to the next Slot cycles
  logic              fetching;
  logic [7:0]        fetched;
  logic [SlotW-1:0]  fetch_slot;
  logic [GroupW-1:0] fetch_group;
  logic [Words-1:0]  load_q [Ahead];     // until the chain shows it
  assign fetch_end = fetching && fetch_slot == SlotW'(Slot - 1) && fetch_group == GroupW'(Groups - 1);
  always_ff @(posedge clk_i) begin
    if (fetching) begin
      fetch_slot <= fetch_slot + 1'b1;
      if (32'(fetch_slot) < Words) fetched <= fetched + 1'b1;
      if (fetch_slot == SlotW'(Slot - 1)) begin
        fetch_slot <= '0;
        fetch_group <= fetch_group + 1'b1;
        fetching <= !fetch_end;
      end
    end
    if (requantise_i && settling && settle == SettleW'(Ahead + 1)) begin
      fetching <= 1'b1;
      fetched <= '0;
      fetch_slot <= '0;
      fetch_group <= '0;
      fetch_tile_last <= tile_last_next;
    end
    for (int unsigned k = 0; k < Words; k++) load_q[0][k] <= fetching && 32'(fetch_slot) == k;
    for (int i = 1; i < int'(Ahead); i++) load_q[i] <= load_q[i-1];
    if (rst_i) begin
      fetching <= 1'b0;
      for (int i = 0; i < int'(Ahead); i++) load_q[i] <= '0;
    end
  end
  assign requant_load_o = load_q[Ahead-1];
  assign threshold_address_o = (base + 12'(requantise_i ? fetched : compared))
      & 12'(ThresholdWords - 1);

  // drain
  logic               draining, drain_end, slot_end;
  logic [Pixels-1:0]  present_next, present;
  logic [SlotW-1:0]   pixel, pixel_next;
  logic [GroupW-1:0]  group, group_next;
  assign slot_end = pixel == SlotW'(Slot - 1);
  always_comb begin
    {pixel_next, group_next, drain_end} = {pixel, group, 1'b0};
    if (draining) begin
      if (requantise_i) begin
        pixel_next = slot_end ? '0 : pixel + 1'b1;
        if (slot_end) group_next = group + 1'b1;
        drain_end = slot_end && group == GroupW'(Groups - 1);
      end else begin
        group_next = group + 1'b1;
        if (!raw_i || group == GroupW'(Groups - 1)) begin
          group_next = '0;
          pixel_next = pixel + 1'b1;
          drain_end = pixel == SlotW'(Pixels - 1);
        end
      end
    end
    if (settling && settle == '0) {pixel_next, group_next} = '0;
  end
  always_ff @(posedge clk_i) begin
    if (settle != '0) settle <= settle - 1'b1;
    {pixel, group} <= {pixel_next, group_next};
    if (drain_end) draining <= 1'b0;
    if (settling && settle == '0) begin
      settling <= 1'b0;
      draining <= 1'b1;
      present <= present_next;
    end
    if (copy_o) begin
      settling <= 1'b1;
      settle <= SettleW'(raw_i || requantise_i ? Settle - 1 : CodesSettle - 1);
      present_next <= copy_present;
      tile_last_next <= copy_tile_last;
    end
    if (rst_i) begin
      settling <= 1'b0;
      draining <= 1'b0;
    end
  end
  assign pixel_o = PixelW'(pixel);
  assign pixel_next_o = PixelW'(pixel_next);

  logic [Groups-1:0][GROUP_PE-1:0][AccW-1:0] sums_of;
  logic [GROUP_PE-1:0][31:0]                 sums;
  assign sums_of = sums_i;
  for (genvar c = 0; c < GROUP_PE; c++) begin : gen_channel
    logic [GroupW-1:0] own_group;
    qnn_copy #(
      .Width(GroupW)
    ) u_group (.clk_i, .data_i(group_next), .data_o(own_group));
    assign sums[c] = 32'(sums_of[own_group][c]);
  end
  // codes of part p come p + 1 cycles after their pixel
  logic [Parts-1:0] codes_come;
  logic             codes_present, flat;
  always_ff @(posedge clk_i) begin
    requant_valid_o <= draining && requantise_i && 32'(pixel) < Pixels && !rst_i;
    requant_last_o <= group == GroupW'(Groups - 1);
    requant_present_o <= present[PixelW'(pixel)];
    requant_sums_o <= sums;
    codes_come <= {codes_come[Parts-2:0], draining && !raw_i && !requantise_i};
    codes_present <= present[PixelW'(pixel)];
    if (rst_i) codes_come <= '0;
    result_valid_o <= rst_i ? '0 : codes_come | {Parts{flat}};
    if (raw_i) result_present_o <= present[PixelW'(pixel)];
    else result_present_o <= requantise_i ? requant_present_i : codes_present;
  end
  // each part knows where its results come from
  logic [2:0][ResultW-1:0] sources;
  assign sources = {ResultW'(sums), ResultW'(requant_row_i), ResultW'(codes_i)};
  for (genvar p = 0; p < Parts; p++) begin : gen_part
    logic raw, requantise;
    qnn_copy #(
      .Width(2)
    ) u_source (.clk_i, .data_i({raw_i, requantise_i}), .data_o({raw, requantise}));
    always_ff @(posedge clk_i) begin
      result_o[p*PartW+:PartW] <= raw ? sources[2][p*PartW+:PartW]
          : sources[requantise][p*PartW+:PartW];
    end
  end
  assign flat = requantise_i ? requant_valid_i : draining && raw_i;

  logic any;
  always_comb begin
    any = comparing || copy_o || settling || fetching || draining;
    any = any || requant_valid_o || requant_busy_i || codes_come != '0 || result_valid_o != '0;
    for (int i = 0; i < int'(WordDelay); i++) any = any || token[i].valid;
  end
  assign busy_o = any;
endmodule
