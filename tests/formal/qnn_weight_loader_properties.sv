// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_weight_loader, with any list of commands and any bus that answers while a tile is waited for:
// requests stay until they are taken, stay within a line of 128 bytes and within the tile that they are
// for, tile after tile; every beat goes to the lane and the word of the ring that follow on the last.
// Not proven here, but shown by its bench: that beats asked for and beats waited for are as many, and
// that a ring has room for what is asked for.
//
// Assumed of a command, as qnn_command_check has it: a tile has words, no more of either kind than the
// rings, thresholds where it is one of word_products, and begins at a multiple of 8 bytes.

module qnn_weight_loader_properties
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Pe             = 16,
  parameter  int unsigned WeightWords    = 16,
  parameter  int unsigned ThresholdWords = 16,
  parameter  int unsigned Parts          = 2,
  parameter  int unsigned Part           = 0,
  localparam int unsigned Own            = Pe / Parts,
  localparam int unsigned OwnW           = $clog2(Own),
  localparam int unsigned Tiles          = 8
) (
  input logic        clk_i,
  input logic        rst_i,
  input logic        start_i,
  input logic [7:0]  commands_i,
  input logic [63:0] beat_i,
  input logic        req_ready_i,
  input logic        data_valid_i,
  input logic [63:0] data_i,
  input logic        tile_take_i,
  input logic        tile_done_i,
  input logic [11:0] tile_done_words_i,
  input logic [7:0]  tile_done_thresholds_i
);
  localparam logic [2:0] IDLE = 3'd0, READ = 3'd2, FIT = 3'd3, TILE = 3'd4, WORD = 3'd5;  // state_t
  localparam logic [2:0] ASK = 3'd6;

  logic             req_valid, tile_ready, resident;
  logic [7:0]       command, loading_command;
  logic [31:0]      req_address;
  logic [4:0]       req_beats;
  logic [Own-1:0]   weight_we;
  logic [Own/4-1:0] threshold_we;
  logic [11:0]      weight_waddr, threshold_waddr;
  logic             threshold_high;
  logic [63:0]      data;
  logic [3:0][SHORT_W-1:0] parts;
  qnn_weight_loader #(
    .Pe(Pe), .WeightWords(WeightWords), .ThresholdWords(ThresholdWords), .Parts(Parts), .Part(Part)
  ) dut (
    .clk_i, .rst_i, .start_i, .commands_i, .command_o(command), .loading_command_o(loading_command),
    .beat_i, .req_valid_o(req_valid), .req_ready_i, .req_address_o(req_address),
    .req_beats_o(req_beats), .data_valid_i, .data_i, .weight_we_o(weight_we),
    .weight_waddr_o(weight_waddr), .threshold_we_o(threshold_we),
    .threshold_waddr_o(threshold_waddr), .threshold_high_o(threshold_high),
    .threshold_data_o(parts), .weight_data_o(data), .tile_ready_o(tile_ready), .tile_take_i,
    .tile_done_i, .tile_done_words_i, .tile_done_thresholds_i, .resident_o(resident)
  );

  logic begun = 1'b0, begun_q = 1'b0;
  always_ff @(posedge clk_i) {begun_q, begun} <= {begun, 1'b1};
  always_comb if (!begun) assume (rst_i);

  function automatic logic legal(tile_t tile);
    return tile.words != '0 && 32'(tile.words) <= WeightWords
        && 32'(tile.thresholds) <= ThresholdWords
        && (!tile.word_products || tile.thresholds != '0);
  endfunction

  // bytes of all its channels
  function automatic logic [31:0] bytes_of(tile_t tile, logic [7:0] thresholds, logic [11:0] words);
    return 32'(thresholds) * 32'(Pe * 4) + 32'(words) * 32'(tile.word_products ? 64 : Pe * 8);
  endfunction

  // what is in the order, behind the tile that is loaded
  logic [3:0]      count;
  logic            all_legal, under_way;
  tile_t           here, loading, asking;
  assign count = 4'(dut.order_count);
  assign loading = tile_t'(dut.loading);
  assign under_way = dut.loading_valid || count != '0;
  assign asking = tile_t'(dut.tile);
  always_comb begin
    all_legal = !dut.loading_valid || legal(loading);
    here = '0;
    for (int unsigned i = 0; i < Tiles; i++) begin
      here = tile_t'(dut.u_order.mem[3'(dut.u_order.head + 3'(i))]);
      if (4'(i) < count) begin
        all_legal = all_legal && legal(here);
      end
    end
  end
  logic [12:0] words_done, thresholds_done;          // of the tile that comes
  assign words_done = dut.word > 13'(loading.thresholds) ? dut.word - 13'(loading.thresholds) : '0;
  assign thresholds_done = dut.word > 13'(loading.thresholds) ? 13'(loading.thresholds) : dut.word;
  always_comb if (data_valid_i) assume (dut.loading_valid);

  // rings: what is loaded and not given back, and where that begins
  logic        started;
  logic [12:0] words_held, thresholds_held;
  logic [11:0] words_begin, thresholds_begin;
  always_ff @(posedge clk_i) begin
    words_held <= words_held + (dut.loading_done ? 13'(loading.words) : '0)
        - (tile_done_i ? 13'(tile_done_words_i) : '0);
    thresholds_held <= thresholds_held + (dut.loading_done ? 13'(loading.thresholds) : '0)
        - (tile_done_i ? 13'(tile_done_thresholds_i) : '0);
    if (tile_done_i) begin
      words_begin <= (words_begin + tile_done_words_i) & 12'(WeightWords - 1);
      thresholds_begin <= (thresholds_begin + 12'(tile_done_thresholds_i))
          & 12'(ThresholdWords - 1);
    end
    if (start_i || rst_i) begin
      started <= !rst_i;
      words_held <= '0;
      thresholds_held <= '0;
      words_begin <= '0;
      thresholds_begin <= '0;
    end
  end
  always_comb begin
    // a start finds nothing under way
    if (start_i) assume (dut.state == IDLE && !under_way && !tile_done_i);
    if (tile_take_i) assume (tile_ready);
    if (dut.loading_done) assume (dut.tiles_loaded != '1);  // the ring has fewer words
    if (tile_done_i) begin                           // of tiles that were taken
      assume (started && 13'(tile_done_words_i) + 13'(dut.tiles_loaded) <= words_held
          && 13'(tile_done_thresholds_i) <= thresholds_held);
    end
    if (dut.state == READ) assume (legal(tile_t'({8'b0, beat_i[60:40]})) && beat_i[2:0] == '0);
  end

  // the tile that is asked for
  logic [31:0] tile_base, next_base, word_end;
  logic        of_weights;
  always_ff @(posedge clk_i) begin
    if (dut.state == READ) next_base <= beat_i[31:0];
    if (dut.begin_tile) begin
      tile_base <= dut.base;
      next_base <= dut.base + bytes_of(asking, asking.thresholds, asking.words);
    end
    if (dut.state == WORD) of_weights <= dut.thresholds_left == '0;
  end
  assign word_end = !of_weights ? dut.base - 32'(Pe * 4) + 32'((Part + 1) * Own * 4)
      : asking.word_products ? dut.base : dut.base - 32'(Pe * 8) + 32'((Part + 1) * Own * 8);

  // a cycle ago
  logic             stalled, came, was_threshold;
  logic [31:0]      address_q;
  logic [4:0]       beats_q;
  logic [63:0]      data_q;
  logic [OwnW-1:0]  lane_q;
  logic [11:0]      weight_q, threshold_q, waddr_q;
  // thresholds: the two that came last with an even lane, before this cycle, a cycle ago and two ago
  logic [63:0]      two_next, two, two_q, data_q_2;
  logic             of_four, of_four_q, was_four, four_known = 1'b0, four_known_q = 1'b0;
  logic [Own/4-1:0] we_q;
  logic             takes;
  assign takes = data_valid_i && dut.loading_valid && dut.is_threshold;
  always_ff @(posedge clk_i) begin
    if (takes && !dut.lane[0]) two_next <= data_i;
    four_known <= four_known || (takes && !dut.lane[0]);
    four_known_q <= four_known;
    {two, two_q, data_q_2} <= {two_next, two, data_q};
    of_four <= takes && dut.lane[0] && !rst_i;
    of_four_q <= of_four && !rst_i;
    was_four <= of_four;
    {we_q, waddr_q} <= {threshold_we, threshold_waddr};
  end
  always_ff @(posedge clk_i) begin
    stalled <= req_valid && !req_ready_i && !rst_i;
    came <= data_valid_i;
    was_threshold <= dut.is_threshold;
    {address_q, beats_q, data_q, lane_q} <= {req_address, req_beats, data_i, dut.lane};
    {weight_q, threshold_q} <= {dut.weight_address, dut.threshold_address};
  end

  always_comb begin
    if (begun && of_four) parts_lane : assert (!dut.lane[0]);
    if (four_known) parts_two : assert (dut.u_parts.first == two_next);
    if (begun) begin
      state_known : assert (dut.state <= ASK);
      state_idle : assert (started || dut.state == IDLE);
      state_tile : assert (dut.state < FIT || legal(asking));
      if (req_valid) begin
        request_beats : assert (req_beats != '0 && 6'(req_address[6:3]) + 6'(req_beats) <= 6'd16);
        request_aligned : assert (req_address[2:0] == '0);
        request_inside : assert (req_address - tile_base < next_base - tile_base
            && next_base - req_address >= {24'b0, req_beats, 3'b0});
      end
      request_kept : assert (!stalled
          || (req_valid && req_address == address_q && req_beats == beats_q));
      request_left : assert (dut.state != ASK
          || (dut.beats_left != '0 && 32'(dut.beats_left) <= Own));
      request_word : assert (dut.state != ASK
          || dut.address + (32'(dut.beats_left) << 3) == word_end);
      request_kind : assert (dut.state != ASK || (of_weights ? dut.thresholds_left == '0
          && dut.words_left < asking.words && (Part == 0 || !asking.word_products)
          : dut.thresholds_left < asking.thresholds && dut.words_left == asking.words));
      request_base : assert (dut.state < FIT || dut.base[2:0] == '0);
      request_tile : assert ((dut.state != FIT && dut.state != TILE) || dut.base == next_base);
      request_order : assert (dut.state != TILE || !dut.tile_fits || count != 4'(Tiles));
      if (dut.state == WORD || dut.state == ASK) begin
        tile_left : assert (dut.thresholds_left <= asking.thresholds && dut.words_left <= asking.words
            && (dut.words_left == asking.words || dut.thresholds_left == '0));
        tile_begins : assert (dut.base - tile_base == bytes_of(asking,
            asking.thresholds - dut.thresholds_left, asking.words - dut.words_left));
        tile_ends : assert (next_base - tile_base
            == bytes_of(asking, asking.thresholds, asking.words));
      end
      order_valid : assert (dut.ordered_valid == (count != '0));
      order_places : assert (3'(dut.u_order.tail - dut.u_order.head) == 3'(count)
          && count <= 4'(Tiles));
      order_legal : assert (all_legal);
      order_none : assert (started || !under_way);
      order_next : assert (!dut.loading_valid || dut.last_word == 13'(loading.thresholds)
          + (dut.others ? '0 : 13'(loading.words)) - 1'b1);
      order_progress : assert (!dut.loading_valid ? dut.word == '0 && dut.lane == '0
          : dut.word <= dut.last_word);
      order_lane : assert (!dut.loading_valid || 32'(dut.lane) < (dut.is_threshold ? Own / 2
          : loading.word_products ? 8 : Own));
      order_lane_last : assert (32'(dut.last_lane) >= 3 && (dut.lane == '0
          || 32'(dut.last_lane) + 1 == (dut.is_threshold ? Own / 2
              : loading.word_products ? 8 : Own)));
      order_word_end : assert (dut.word_end == (dut.lane == dut.last_lane));
      order_word_last : assert (dut.lane == '0 || dut.at_last_word == (dut.word == dut.last_word));
      if (begun_q) begin
        data_one : assert ($onehot0(weight_we) && (weight_we != '0) == (came && !was_threshold));
        data_kept : assert (!came || data == data_q);
        data_weight : assert (!came || was_threshold
            || (weight_we == Own'(1) << lane_q && weight_waddr == weight_q));
        // the low parts of four thresholds in the cycle after the last two, the rest in the next one
        data_threshold : assert (threshold_we
            == (of_four ? (Own / 4)'(1) << lane_q[OwnW-1:1] : of_four_q ? we_q : '0));
        if (of_four || of_four_q) begin
          data_place : assert (threshold_waddr == (of_four ? threshold_q : waddr_q)
              && threshold_high == !of_four);
        end
        if (of_four && four_known) begin
          data_low : assert (parts[0] == two[SHORT_W-1:0] && parts[1] == two[32+:SHORT_W]
              && parts[2] == data_q[SHORT_W-1:0] && parts[3] == data_q[32+:SHORT_W]);
        end
        if (of_four_q && four_known_q) begin
          data_high : assert (parts[0] == SHORT_W'(two_q[31:SHORT_W])
              && parts[1] == SHORT_W'(two_q[63:32+SHORT_W])
              && parts[2] == SHORT_W'(data_q_2[31:SHORT_W])
              && parts[3] == SHORT_W'(data_q_2[63:32+SHORT_W]));
        end
      end
      parts_low : assert (dut.u_parts.low_now == {2{of_four}});
      parts_high_next : assert (!begun_q || threshold_high == was_four);
      if (of_four && four_known) begin
        parts_high : assert (dut.u_parts.high[0] == two[31:SHORT_W]
            && dut.u_parts.high[1] == two[63:32+SHORT_W]
            && dut.u_parts.high[2] == data_q[31:SHORT_W]
            && dut.u_parts.high[3] == data_q[63:32+SHORT_W]);
      end
      tiles_ready : assert (!started || tile_ready == (dut.tiles_loaded != '0));
      if (started) begin
        ring_weight_place : assert (dut.weight_address
            == ((words_begin + 12'(words_held) + 12'(words_done)) & 12'(WeightWords - 1)));
        ring_threshold_place : assert (dut.threshold_address
            == ((thresholds_begin + 12'(thresholds_held) + 12'(thresholds_done))
                & 12'(ThresholdWords - 1)));
      end
    end
  end

  always_comb begin
    cover_weight : cover (begun_q && weight_we == Own'(4));
    cover_two : cover (begun && count == 4'd1 && data_valid_i);
    cover_tile : cover (begun && dut.loading_done && weight_we != '0);
    cover_words : cover (begun && data_valid_i && loading.word_products && loading.words == 12'd5);
    cover_stalled : cover (begun && stalled && req_beats == 5'd4);
  end
endmodule
