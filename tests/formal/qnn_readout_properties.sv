// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_readout: each finished group is compared, copied and read exactly once, in the cycles of a
// timetable that follows from finish_i alone, and nothing is at any other time.
//
// Compares begin in the cycle from which on the sums are there, follow each other without a gap, and are of
// threshold k with code k + 1 and address base + k; the copy is in the cycle after the last one. Results are
// those of all pixels in order: codes, part p in the p-th cycle after part 0; or raw sums, all groups of
// channels of a pixel, then the next pixel; or what comes from qnn_requant. Each tells whether its pixel
// exists. For qnn_requant the words of a group of channels are addressed from base on and told 2 cycles
// later, a cycle before the chain shows them, the sums of its pixels behind them. pixel_next_o is pixel_o of
// the next cycle. Of each finished group one code or sum, any, is followed along
// the chain: it is in the result of its own channel and pixel, so it is read when the chain shows it, and
// before that of the next group. tile_done_o comes once for each last group of a tile and never else, and
// base rises by thresholds_i then and never else. busy_o is high from the cycle after finish_i to the last
// result, and low where nothing is on its way.
//
// Assumed: groups finish as far from each other as qnn_sequencer lets them. While busy_o is high the format
// stays and run_start_i does not come; a format is not raw and for qnn_requant at once, and has thresholds
// where it has codes. The sums of group g of channels show 3 + g cycles after they can be compared in the
// first one, until those of the next come; codes 4 + g cycles after their copy, of the pixel that was asked
// for 1 + g cycles before. A row comes from qnn_requant 8 cycles after the last sums of its pixel.

module qnn_readout_properties
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Pe             = 16,
  parameter  int unsigned Pixels         = 2,
  parameter  bit          Directed       = 1'b0,   // for the covers: one format, a tile a group
  localparam int unsigned AccW           = 8,
  localparam int unsigned ThresholdWords = 16,
  localparam int unsigned Groups         = Pe / GROUP_PE,
  localparam int unsigned Chain          = Groups > 1 ? Groups : 2,
  localparam int unsigned Slot           = Pixels > REQUANT_WORDS ? Pixels : REQUANT_WORDS,
  localparam int unsigned Parts          = Groups > 4 ? Groups : 4,
  localparam int unsigned ResultW        = Parts * 64,
  localparam int unsigned PixelW         = $clog2(Pixels)
) (
  input logic                     clk_i,
  input logic                     rst_i,
  input logic                     run_start_i,
  input logic                     raw_i,
  input logic                     requantise_i,
  input logic [7:0]               thresholds_i,
  input logic                     short_i,
  input logic                     words_i,
  input logic                     finish_i,
  input logic [Pixels-1:0]        present_i,
  input logic                     tile_last_i,
  input logic [Pe*CODE_W-1:0]     codes_i,
  input logic [Pe*AccW-1:0]       sums_i,
  input logic [Pe*CODE_W-1:0]     requant_row_i,
  // by the solver: one sum or code of what finishes, and of which channel and pixel, the same in all cycles
  input logic [CODE_W-1:0]        value_i,
  input logic [$clog2(Pe)-1:0]    channel_i,
  input logic [PixelW-1:0]        pixel_i
);
  // the timetable: cycles from finish_i to the first compare, for sums and those of words
  localparam int unsigned Sums = 5;
  localparam int unsigned Words = 13 + Pixels / 2;
  localparam int unsigned Coming = Words - 1;
  // from the copy to the first pixel: of codes, of sums; to the first word for qnn_requant, and to its
  // first row
  localparam int unsigned CodesFrom = 3;
  localparam int unsigned SumsFrom = Chain + 3;
  localparam int unsigned FetchFrom = Chain;
  localparam int unsigned Latency = 8;             // of qnn_requant
  localparam int unsigned LastFrom = SumsFrom + 1 + (Groups - 1) * Slot;  // sums of its last group
  localparam int unsigned RowsFrom = LastFrom + Latency + 1;
  // from the copy to the last result
  localparam int unsigned CodesEnd = CodesFrom + Pixels + Parts;
  localparam int unsigned SumsEnd = SumsFrom + Groups * Pixels;
  localparam int unsigned RowsEnd = RowsFrom + Pixels - 1;
  localparam int unsigned SomeEnd = CodesEnd > SumsEnd ? CodesEnd : SumsEnd;
  localparam int unsigned End = RowsEnd > SomeEnd ? RowsEnd : SomeEnd;
  localparam int unsigned AgeW = 11;
  localparam int unsigned Long = 512;              // cycles, more than any group has to wait

  logic [11:0]              address;
  logic                     compare_valid, compare_first, compare_high, compare_last, copy;
  logic [7:0]               compare_code;
  logic [PixelW-1:0]        pixel, pixel_next;
  logic [REQUANT_WORDS-1:0] load;
  logic                     requant_valid, requant_last, requant_present;
  logic [GROUP_PE*32-1:0]   requant_sums;
  logic [Parts-1:0]         result_valid;
  logic                     result_present, tile_done, busy;
  logic [ResultW-1:0]       result;
  // sums that qnn_requant took so many cycles ago, less 1
  logic [Latency-1:0]       sent, sent_last, sent_present;
  qnn_readout #(
    .Pe(Pe), .Pixels(Pixels), .AccW(AccW), .ThresholdWords(ThresholdWords)
  ) dut (
    .clk_i, .rst_i, .run_start_i, .raw_i, .requantise_i, .thresholds_i, .short_i, .words_i, .finish_i,
    .present_i, .tile_last_i, .threshold_address_o(address), .compare_valid_o(compare_valid),
    .compare_first_o(compare_first), .compare_high_o(compare_high), .compare_last_o(compare_last),
    .compare_code_o(compare_code), .copy_o(copy), .pixel_o(pixel),
    .pixel_next_o(pixel_next), .codes_i, .sums_i,
    .requant_load_o(load), .requant_valid_o(requant_valid), .requant_last_o(requant_last),
    .requant_present_o(requant_present), .requant_sums_o(requant_sums),
    .requant_valid_i(sent_last[Latency-1]), .requant_present_i(sent_present[Latency-1]),
    .requant_row_i, .requant_busy_i(requant_valid || sent != '0), .result_valid_o(result_valid),
    .result_present_o(result_present), .result_o(result), .tile_done_o(tile_done), .busy_o(busy)
  );

  // the format, and what it asks for
  typedef struct packed {
    logic       raw, requantise, short, words;
    logic [7:0] thresholds;
  } format_t;
  format_t         format, format_q;
  logic            codes;
  logic [AgeW-1:0] there, compares, apart;     // compares: cycles that they take, or nothing is done
  logic [AgeW-1:0] over;                       // from the copy to the last result
  assign format = '{raw_i, requantise_i, short_i, words_i, thresholds_i};
  assign codes = !raw_i && !requantise_i;
  assign there = AgeW'(words_i ? Words : Sums);
  always_comb begin
    compares = AgeW'(1);
    if (raw_i) begin
      apart = AgeW'(Groups * Pixels + Chain - Groups + 2);
      over = AgeW'(SumsEnd);
    end else if (requantise_i) begin
      apart = AgeW'(Groups * Slot + Chain - Groups + 2);
      over = AgeW'(RowsEnd);
    end else begin
      compares = short_i ? AgeW'(thresholds_i) : AgeW'({thresholds_i, 1'b0});
      apart = AgeW'(Pixels > 4 ? Pixels : 4);
      if (compares > apart) apart = compares;
      over = AgeW'(CodesEnd);
    end
  end

  // groups: those that finished so many cycles ago, the one that is compared, those that were copied so
  // many cycles ago until their last result
  typedef struct packed {
    logic              valid;
    logic              tile_last;
    logic [Pixels-1:0] present;
    logic [CODE_W-1:0] value;
  } group_t;
  group_t              coming [1:Coming];
  group_t              copied [End+1];
  group_t              arrives, compared;
  logic [End:0]        copies;                 // copied[j].valid
  logic [Coming:1]     comes;
  logic [AgeW-1:0]     at;                     // cycles since the first compare
  logic [AgeW-1:0]     since;                  // ... and since the latest finish_i, as far as it counts
  logic                begun = 1'b0, based, ends;
  logic [11:0]         base, base_q;
  logic [Groups-1:0][PixelW-1:0] asked;        // pixel of so many cycles ago, less 1
  logic [Pe*CODE_W-1:0] row_q;
  logic [PixelW-1:0]   pixel_q, pixel_next_q;
  logic [$clog2(Pe)-1:0] channel_q;
  assign arrives = words_i ? coming[Words-1] : coming[Sums-1];
  assign ends = compared.valid && at + 1'b1 == compares;
  assign base = tile_done ? base_q + 12'(thresholds_i) : base_q;
  always_comb begin
    for (int unsigned i = 1; i <= Coming; i++) comes[i] = coming[i].valid;
    for (int unsigned j = 0; j <= End; j++) copies[j] = copied[j].valid;
  end
  always_ff @(posedge clk_i) begin
    begun <= 1'b1;
    {format_q, channel_q, pixel_q, row_q} <= {format, channel_i, pixel_i, requant_row_i};
    based <= !rst_i && (based || run_start_i);
    base_q <= run_start_i ? '0 : base;
    pixel_next_q <= pixel_next;
    asked[0] <= pixel;
    for (int unsigned g = 1; g < Groups; g++) asked[g] <= asked[g-1];
    sent <= {sent[Latency-2:0], requant_valid};
    sent_last <= {sent_last[Latency-2:0], requant_valid && requant_last};
    sent_present <= {sent_present[Latency-2:0], requant_present};

    if (since < AgeW'(Long)) since <= since + 1'b1;
    if (finish_i) since <= AgeW'(1);
    coming[1] <= '{finish_i, tile_last_i, present_i, value_i};
    for (int unsigned i = 2; i <= Coming; i++) coming[i] <= coming[i-1];
    at <= at + 1'b1;
    if (ends) compared.valid <= 1'b0;
    if (arrives.valid) begin
      compared <= arrives;
      at <= '0;
    end
    copied[0] <= compared;
    copied[0].valid <= ends;
    for (int unsigned j = 1; j <= End; j++) begin
      copied[j] <= copied[j-1];
      copied[j].valid <= copies[j-1] && AgeW'(j) <= over;
    end
    if (rst_i) begin
      since <= AgeW'(Long);
      {sent, sent_last} <= '0;
      for (int unsigned i = 1; i <= Coming; i++) coming[i].valid <= 1'b0;
      compared.valid <= 1'b0;
      for (int unsigned j = 0; j <= End; j++) copied[j].valid <= 1'b0;
    end
  end

  // what the chain shows of the value that is followed
  logic [AccW-1:0]   own_sum;
  logic [CODE_W-1:0] own_code;
  int unsigned       own_group;                // of channels
  group_t            sums_of, codes_of;
  assign own_sum = sums_i[32'(channel_i)*AccW+:AccW];
  assign own_code = codes_i[32'(channel_i)*CODE_W+:CODE_W];
  assign own_group = 32'(channel_i) / GROUP_PE;
  always_comb begin
    sums_of = '0;
    codes_of = '0;
    for (int j = int'(End); j >= 0; j--) begin
      if (copies[j] && j >= 2 + int'(own_group)) sums_of = copied[j];
      if (copies[j] && j >= 4 + int'(own_group)) codes_of = copied[j];
    end
  end

  always_comb begin
    if (!begun) assume (rst_i);
    assume (32'(channel_i) < Pe && 32'(pixel_i) < Pixels);
    assume (!raw_i || !requantise_i);
    assume (!codes || thresholds_i != '0);
    if (begun) assume ({channel_i, pixel_i} == {channel_q, pixel_q});
    if (begun && busy) assume (format == format_q && !run_start_i);
    if (begun && since < apart) assume (!finish_i);
    if (Directed) begin
      assume (begun ? !rst_i && format == format_q : rst_i);
      assume (thresholds_i == 8'd3 && run_start_i == (begun && !based));
      assume (tile_last_i && present_i == Pixels'(1) && value_i == '0 && codes_i == '0 && sums_i == '0);
    end
    if (begun && !codes && sums_of.valid && pixel == pixel_i) assume (own_sum == sums_of.value);
    if (begun && codes && codes_of.valid && asked[own_group] == pixel_i) begin
      assume (own_code == codes_of.value);
    end
  end

  // groups are as far from each other as their last product rows were
  logic [End:0]    close;                      // so many cycles are fewer than apart
  logic [Coming:1] close_compared;             // so few there are from what is compared to coming[i]
  logic [End:0]    compared_close;             // and from copied[j] to what is compared
  logic [End+Coming:0] close_copied;           // and from copied[j] to coming[i], with j - i + Coming
  logic            apart_last, apart_coming, apart_copied;
  always_comb begin
    for (int unsigned j = 0; j <= End; j++) begin
      close[j] = AgeW'(j) < apart;
      compared_close[j] = compared.valid && compares + AgeW'(j) < apart + at;
    end
    for (int unsigned i = 1; i <= Coming; i++) begin
      close_compared[i] = compared.valid && there + at < apart + AgeW'(i);
    end
    for (int unsigned d = 0; d <= End + Coming; d++) begin
      close_copied[d] = there + compares + AgeW'(d) < apart + AgeW'(Coming);
    end
    {apart_last, apart_coming, apart_copied} = '1;
    if (compared.valid && since > there + at) apart_last = 1'b0;
    for (int unsigned i = 1; i <= Coming; i++) begin
      if (comes[i] && since > AgeW'(i)) apart_last = 1'b0;
      for (int unsigned j = i + 1; j <= Coming; j++) begin
        if (comes[i] && comes[j] && close[j-i]) apart_coming = 1'b0;
      end
      if (comes[i] && (i < Sums || words_i)) begin
        if (close_compared[i]) apart_coming = 1'b0;
        for (int unsigned j = 0; j <= End; j++) begin
          if (copies[j] && close_copied[j+Coming-i]) apart_coming = 1'b0;
        end
      end
    end
    for (int unsigned j = 0; j <= End; j++) begin
      if (copies[j]) begin
        if (since > there + compares + AgeW'(j)) apart_last = 1'b0;
        if (compared_close[j]) apart_copied = 1'b0;
        for (int unsigned i = 0; i < j; i++) begin
          if (copies[i] && close[j-i]) apart_copied = 1'b0;
        end
      end
    end
  end

  // what the timetable says of this cycle
  logic [REQUANT_WORDS-1:0]  loads;
  logic [1:0][REQUANT_WORDS-1:0] loading;      // so many cycles after their address, less 1
  logic [Parts-1:0]          results, parts;   // parts: a cycle before
  logic                      sums_come, tiles;
  logic [Latency-1:0]        in_requant, in_last;
  always_comb begin
    loading = '0;
    sums_come = 1'b0;
    {in_requant, in_last} = '0;
    for (int unsigned g = 0; g < Groups; g++) begin
      for (int unsigned k = 0; k < 2; k++) begin
        for (int unsigned w = 0; w < REQUANT_WORDS; w++) begin
          if (copies[FetchFrom+g*Slot+w+k+1]) loading[k][w] = requantise_i;
        end
      end
      if (copies[SumsFrom+1+g*Slot+:Pixels] != '0) sums_come = requantise_i;
      for (int unsigned k = 0; k < Latency; k++) begin
        if (copies[SumsFrom+2+g*Slot+k+:Pixels] != '0) in_requant[k] = requantise_i;
      end
    end
    loads = loading[1];
    for (int unsigned k = 0; k < Latency; k++) begin
      in_last[k] = requantise_i && copies[LastFrom+1+k+:Pixels] != '0;
    end
    for (int unsigned p = 0; p < Parts; p++) begin
      parts[p] = codes && copies[CodesFrom+1+p+:Pixels] != '0;
      results[p] = codes && copies[CodesFrom+2+p+:Pixels] != '0;
    end
    if (raw_i) results = {Parts{copies[SumsFrom+1+:Groups*Pixels] != '0}};
    if (requantise_i) results = {Parts{copies[RowsFrom+:Pixels] != '0}};
    tiles = requantise_i ? copies[FetchFrom+Groups*Slot] && copied[FetchFrom+Groups*Slot].tile_last
        : copies[0] && copied[0].tile_last;
  end

  // of the results of this cycle: does the pixel exist, is the value the one that is followed
  logic present_right, code_right, sum_right;
  logic sent_right, sent_sum, words_right;     // likewise of what goes to qnn_requant
  logic [AgeW-1:0] threshold;
  assign threshold = short_i ? at : at >> 1;
  always_comb begin
    {present_right, code_right, sum_right, sent_right, sent_sum, words_right} = '1;
    for (int unsigned m = 0; m < Pixels; m++) begin
      if (codes && copies[CodesFrom+2+m] && result_present != copied[CodesFrom+2+m].present[m]) begin
        present_right = 1'b0;
      end
      if (requantise_i && copies[RowsFrom+m] && result_present != copied[RowsFrom+m].present[m]) begin
        present_right = 1'b0;
      end
      for (int unsigned g = 0; g < Groups; g++) begin
        if (raw_i && copies[SumsFrom+1+m*Groups+g]
            && result_present != copied[SumsFrom+1+m*Groups+g].present[m]) present_right = 1'b0;
        if (requantise_i && copies[SumsFrom+1+g*Slot+m] && (requant_last != (g == Groups - 1)
            || requant_present != copied[SumsFrom+1+g*Slot+m].present[m])) sent_right = 1'b0;
        if (PixelW'(m) == pixel_i && g == own_group) begin
          if (codes && copies[CodesFrom+2+m+g] && result[32'(channel_i)*CODE_W+:CODE_W]
              != copied[CodesFrom+2+m+g].value) code_right = 1'b0;
          if (raw_i && copies[SumsFrom+1+m*Groups+g] && result[32'(channel_i)%GROUP_PE*32+:32]
              != 32'(copied[SumsFrom+1+m*Groups+g].value)) sum_right = 1'b0;
          if (requantise_i && copies[SumsFrom+1+g*Slot+m]
              && requant_sums[32'(channel_i)%GROUP_PE*32+:32]
              != 32'(copied[SumsFrom+1+g*Slot+m].value)) sent_sum = 1'b0;
        end
      end
    end
    for (int unsigned g = 0; g < Groups; g++) begin
      for (int unsigned w = 0; w < REQUANT_WORDS; w++) begin
        if (requantise_i && copies[FetchFrom+g*Slot+w]
            && address != (base + 12'(g * REQUANT_WORDS + w)) % 12'(ThresholdWords)) begin
          words_right = 1'b0;
        end
      end
    end
  end

  // registers
  logic tokens_same, settle_same, drain_same, fetch_same, asked_same, sent_same;
  logic settles, drains, fetches;
  always_comb begin
    {tokens_same, settle_same, drain_same, fetch_same, asked_same, sent_same} = '1;
    for (int unsigned i = 1; i <= Coming; i++) begin
      if (dut.token[i-1].valid != comes[i] || (comes[i]
          && {dut.token[i-1].tile_last, dut.token[i-1].present}
          != {coming[i].tile_last, coming[i].present})) tokens_same = 1'b0;
    end
    settles = codes ? copies[1+:CodesFrom-1] != '0 : copies[1+:SumsFrom-1] != '0;
    for (int unsigned j = 1; j < SumsFrom; j++) begin
      if (copies[j] && (!codes || j < CodesFrom)
          && (32'(dut.settle) != (codes ? CodesFrom : SumsFrom) - 1 - j
          || {dut.tile_last_next, dut.present_next} != {copied[j].tile_last, copied[j].present})) begin
        settle_same = 1'b0;
      end
    end
    drains = codes ? copies[CodesFrom+:Pixels] != '0
        : copies[SumsFrom+:Groups*Pixels] != '0 && raw_i;
    fetches = 1'b0;
    for (int unsigned m = 0; m < Slot; m++) begin
      if (m < Pixels) begin
        if (codes && copies[CodesFrom+m] && (32'(dut.pixel) != m || dut.group != '0
            || dut.present != copied[CodesFrom+m].present)) drain_same = 1'b0;
        if (codes && copies[CodesFrom+1+m]
            && dut.codes_present != copied[CodesFrom+1+m].present[m]) drain_same = 1'b0;
        for (int unsigned k = 0; k < Latency; k++) begin
          if (requantise_i && copies[LastFrom+1+m+k]
              && sent_present[k] != copied[LastFrom+1+m+k].present[m]) sent_same = 1'b0;
        end
      end
      for (int unsigned g = 0; g < Groups; g++) begin
        if (m < Pixels) begin
          if (raw_i && copies[SumsFrom+m*Groups+g] && (32'(dut.pixel) != m || 32'(dut.group) != g
              || dut.present != copied[SumsFrom+m*Groups+g].present)) drain_same = 1'b0;
          if (codes && copies[CodesFrom+1+m+g] && 32'(asked[g]) != m) asked_same = 1'b0;
        end
        if (requantise_i && copies[SumsFrom+g*Slot+m]) begin
          drains = 1'b1;
          if (32'(dut.pixel) != m || 32'(dut.group) != g
              || dut.present != copied[SumsFrom+g*Slot+m].present) drain_same = 1'b0;
        end
        if (requantise_i && copies[FetchFrom+g*Slot+m]) begin
          fetches = 1'b1;
          if (32'(dut.fetch_slot) != m || 32'(dut.fetch_group) != g || 32'(dut.fetched)
              != g * REQUANT_WORDS + (m < REQUANT_WORDS ? m : REQUANT_WORDS)
              || dut.fetch_tile_last != copied[FetchFrom+g*Slot+m].tile_last) fetch_same = 1'b0;
        end
      end
    end
  end

  always_comb begin
    if (begun) begin
      // to the chain
      compare_when : assert (compare_valid == (codes && compared.valid));
      if (compare_valid) begin
        compare_threshold : assert (AgeW'(compare_code) == threshold + 1'b1
            && compare_first == (threshold == '0));
        compare_part : assert (compare_high == (!short_i && at[0])
            && compare_last == (short_i || at[0]));
        if (based) compare_address : assert (address
            == (base + 12'(threshold)) % 12'(ThresholdWords));
      end
      compare_copy : assert (copy == copies[0]);
      pixel_ahead : assert (pixel == pixel_next_q);
      compare_alone : assert (!arrives.valid || !compared.valid || ends);
      tile_when : assert (tile_done == tiles);
      // to qnn_requant
      requant_words : assert (load == loads);
      requant_once : assert ((load & (load - 1'b1)) == '0);
      if (based) requant_address : assert (words_right);
      requant_when : assert (requant_valid == sums_come);
      requant_flags : assert (sent_right);
      requant_value : assert (sent_sum);
      // results
      result_when : assert (result_valid == results);
      result_exists : assert (present_right);
      result_code : assert (code_right);
      result_sum : assert (sum_right);
      if (requantise_i && result_valid[0]) result_row : assert (result == ResultW'(row_q));
      busy_right : assert (busy == (comes != '0 || compared.valid || copies != '0));

      apart_of_last : assert (apart_last);
      apart_of_coming : assert (apart_coming);
      apart_of_copied : assert (apart_copied);
      same_tokens : assert (tokens_same);
      same_compared : assert (dut.comparing == compared.valid && (!compared.valid
          || (at < compares && AgeW'(dut.compared) == threshold && dut.high == (!short_i && at[0])
          && {dut.compare_tile_last, dut.compare_present}
          == {compared.tile_last, compared.present})));
      same_copied : assert (!copies[0] || {dut.copy_tile_last, dut.copy_present}
          == {copied[0].tile_last, copied[0].present});
      same_settles : assert (dut.settling == settles && settle_same);
      same_drains : assert (dut.draining == drains && drain_same);
      same_fetches : assert (dut.fetching == fetches && fetch_same);
      same_loads : assert ({dut.load_q[1], dut.load_q[0]} == loading);
      same_parts : assert (dut.codes_come == parts);
      same_asked : assert (asked_same);
      same_sent : assert (sent == in_requant && sent_last == in_last && sent_same);
      if (based) same_base : assert (dut.base == base);
    end
  end

  for (genvar c = 0; c < GROUP_PE; c++) begin : gen_channel
    always_comb if (begun) same_group : assert (dut.gen_channel[c].own_group == dut.group);
  end
  for (genvar p = 0; p < Parts; p++) begin : gen_part
    always_comb begin
      if (begun && busy) begin
        same_source : assert ({dut.gen_part[p].raw, dut.gen_part[p].requantise}
            == {raw_i, requantise_i});
      end
    end
  end

  // of each format the last result of a group while the next one is on its way
  if (Directed) begin : gen_directed
    logic busy_q;
    always_ff @(posedge clk_i) busy_q <= busy && !rst_i;
    always_comb begin
      cover_codes : cover (begun && codes && !short_i && copies[CodesEnd] && compared.valid
          && result_valid[Parts-1]);
      cover_short : cover (begun && codes && short_i && words_i && copies[CodesEnd]
          && result_valid[Parts-1] && compared.valid);
      cover_sums : cover (begun && raw_i && copies[SumsEnd] && copies[SumsEnd-1:0] != '0
          && result_valid[0]);
      cover_rows : cover (begun && requantise_i && copies[RowsEnd] && copies[RowsEnd-1:0] != '0
          && result_valid[0] && !result_present);
      cover_tile : cover (begun && tile_done && compare_valid && compare_first && base != '0);
      cover_requant_tile : cover (begun && tile_done && requantise_i && comes != '0);
      cover_over : cover (begun && busy_q && !busy);
    end
  end
endmodule
