// SPDX-License-Identifier: BSD-3-Clause
//
// Streams the parameters of all commands into the weight and threshold rings of the PE groups, as
// far ahead of the computation as there is room. Of Parts loaders side by side, each with a bus of
// its own, number Part has the channels from Part * Pe / Parts on. A tile lies in memory as
//
//     thresholds words of Pe thresholds, 32 bits each, channel 0 first
//     tile_words words of Pe * 64 weight bits, channel 0 first; where word_products of 8 * 64, for
//                the first 8 channels, which then hold the weights of all
//
// and the tiles of a command follow each other. It reads the beat of each command that it needs
// from a command store of its own.
//
// Timing: room that tile_done_i makes is used 3 cycles later; a command takes 4 cycles, a tile 2 and a
// word one beside its requests.

module qnn_weight_loader
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Pe             = 32,
  parameter  int unsigned WeightWords    = 1024,
  parameter  int unsigned ThresholdWords = 512,
  parameter  int unsigned Parts          = 1,        // Pe / Parts is at least 8
  parameter  int unsigned Part           = 0,
  localparam int unsigned Own            = Pe / Parts  // channels of this one
) (
  input  logic            clk_i,
  input  logic            rst_i,
  input  logic            start_i,
  input  logic [7:0]      commands_i,
  // command store: beat 1 of command_o, one cycle later
  output logic [7:0]      command_o,                 // that it asks for
  output logic [7:0]      loading_command_o,         // whose answers come
  input  logic [63:0]     beat_i,
  // bus
  output logic            req_valid_o,
  input  logic            req_ready_i,
  output logic [31:0]     req_address_o,
  output logic [4:0]      req_beats_o,
  input  logic            data_valid_i,
  input  logic [63:0]     data_i,
  // rings
  output logic [Own-1:0]  weight_we_o,
  output logic [11:0]     weight_waddr_o,
  output logic [63:0]     weight_data_o,
  output logic [Own/4-1:0] threshold_we_o,           // of four channels
  output logic [11:0]     threshold_waddr_o,
  output logic            threshold_high_o,
  output logic [4*SHORT_W-1:0] threshold_data_o,
  // tiles
  output logic            tile_ready_o,              // a tile is loaded that was not taken
  input  logic            tile_take_i,
  input  logic            tile_done_i,               // the oldest tile is used up
  input  logic [11:0]     tile_done_words_i,
  input  logic [7:0]      tile_done_thresholds_i,
  output logic            resident_o                 // nothing was overwritten since start_i
);
  localparam int unsigned OwnW = $clog2(Own);
  localparam int unsigned Tiles = 8;                 // asked for, behind the one that is loaded

  // asking: of each word of a tile the channels that are its own
  typedef enum logic [2:0] {IDLE, LOOK, READ, FIT, TILE, WORD, ASK} state_t;
  state_t      state;
  logic [7:0]  command, tiles_left;
  logic [31:0] base, address;                        // of the next word, and what is asked for
  tile_t       tile;
  logic [7:0]  thresholds_left;                      // words not asked for
  logic [11:0] words_left;
  logic [OwnW:0] beats_left;
  logic [12:0] weights_free;                         // ring words not asked for
  logic [12:0] thresholds_free;
  logic [12:0] weights_total, thresholds_total;      // of the run, while they are resident
  logic [4:0]  to_line;
  logic [13:0] weights_after, thresholds_after;
  logic [11:0] weights_freed;
  logic [7:0]  thresholds_freed;
  logic        order_room, tile_fits, begin_tile, tile_begun;
  assign weights_after = 14'(weights_total) + 14'(tile.words);
  assign thresholds_after = 14'(thresholds_total) + 14'(tile.thresholds);
  assign command_o = command;
  assign to_line = 5'd16 - {1'b0, address[6:3]};
  assign req_valid_o = state == ASK;
  assign req_address_o = address;
  assign req_beats_o = 32'(beats_left) < 32'(to_line) ? 5'(beats_left) : to_line;
  assign begin_tile = state == TILE && tiles_left != '0 && tile_fits;

  always_ff @(posedge clk_i) begin
    unique case (state)
      IDLE: ;
      LOOK: state <= command == commands_i ? IDLE : READ;
      READ: begin
        {tiles_left, base} <= beat_i[39:0];
        state <= FIT;
      end
      FIT: state <= TILE;
      TILE: begin
        thresholds_left <= tile.thresholds;
        words_left <= tile.words;
        if (tiles_left == '0) begin
          command <= command + 1'b1;
          state <= LOOK;
        end else if (tile_fits) begin
          tiles_left <= tiles_left - 1'b1;
          state <= WORD;
        end
      end
      WORD: begin
        state <= ASK;
        if (thresholds_left != '0) begin
          thresholds_left <= thresholds_left - 1'b1;
          base <= base + 32'(Pe * 4);
        end else if (words_left == '0) begin
          state <= TILE;
        end else if (!tile.word_products) begin
          words_left <= words_left - 1'b1;
          base <= base + 32'(Pe * 8);
        end else if (Part == 0) begin
          words_left <= words_left - 1'b1;
          base <= base + 32'(GROUP_PE * 8);
        end else begin                               // none of them are its own
          base <= base + 32'(words_left) * 32'(GROUP_PE * 8);
          state <= TILE;
        end
      end
      default: begin                                 // ASK
        if (req_ready_i) begin
          address <= {address[31:7] + 1'b1, 7'b0};     // to the end of a line, or it is the last
          beats_left <= beats_left - (OwnW + 1)'(req_beats_o);
          if (32'(beats_left) == 32'(req_beats_o)) state <= WORD;
        end
      end
    endcase
    // what READ and ASK need is there the state before, whatever that is: no state has too many loads
    if (state == LOOK || state == READ) begin
      tile.command <= command;
      {tile.word_products, tile.thresholds, tile.words} <= beat_i[60:40];
    end
    if (state != ASK) begin
      if (thresholds_left != '0) begin
        beats_left <= (OwnW + 1)'(Own / 2);
        address <= base + 32'(Part * Own * 4);
      end else if (!tile.word_products) begin
        beats_left <= (OwnW + 1)'(Own);
        address <= base + 32'(Part * Own * 8);
      end else begin
        beats_left <= (OwnW + 1)'(GROUP_PE);
        address <= base;
      end
    end
    // a tile that has begun is a cycle later in the sums over the run
    tile_begun <= begin_tile && !rst_i;
    if (tile_begun) begin
      weights_total <= weights_after[12:0];
      thresholds_total <= thresholds_after[12:0];
      if (weights_after > 14'(WeightWords) || thresholds_after > 14'(ThresholdWords)) begin
        resident_o <= 1'b0;
      end
    end
    if (state == IDLE) begin
      weights_total <= '0;
      thresholds_total <= '0;
    end
    // room only becomes more but where a tile begins: what fitted a cycle ago fits
    tile_fits <= weights_free >= 13'(tile.words) && thresholds_free >= 13'(tile.thresholds)
        && order_room;
    weights_freed <= tile_done_i ? tile_done_words_i : '0;
    thresholds_freed <= tile_done_i ? tile_done_thresholds_i : '0;
    weights_free <= weights_free - (begin_tile ? 13'(tile.words) : '0) + 13'(weights_freed);
    thresholds_free <= thresholds_free - (begin_tile ? 13'(tile.thresholds) : '0)
        + 13'(thresholds_freed);
    if (start_i) begin
      state <= LOOK;
      command <= '0;
      weights_free <= 13'(WeightWords);
      thresholds_free <= 13'(ThresholdWords);
      resident_o <= 1'b1;
    end
    if (rst_i) state <= IDLE;
  end

  // loading: the tile whose answers come, in a register
  tile_t       ordered, loading;
  logic        ordered_valid, loading_valid, loading_done, load;
  logic [12:0] last_word;                            // of the tile
  logic [$clog2(Tiles+1)-1:0] order_count;
  qnn_fifo #(
    .Width($bits(tile_t)), .Depth(Tiles)
  ) u_order (
    .clk_i, .rst_i,
    .push_i (begin_tile),
    .data_i (tile),
    .valid_o(ordered_valid),
    .pop_i  (load),
    .data_o (ordered),
    .count_o(order_count)
  );
  assign load = ordered_valid && (!loading_valid || loading_done);
  always_ff @(posedge clk_i) begin
    if (load) begin
      loading <= ordered;
      last_word <= 13'(ordered.thresholds)
          + (Part != 0 && ordered.word_products ? '0 : 13'(ordered.words)) - 1'b1;
    end
    loading_valid <= ordered_valid || (loading_valid && !loading_done);
    if (rst_i) loading_valid <= 1'b0;
  end
  assign order_room = order_count != ($clog2(Tiles + 1))'(Tiles);

  assign loading_command_o = loading.command;

  logic [12:0]     word;                             // thresholds first, then weights
  logic [OwnW-1:0] lane;                             // beat of the word
  logic [11:0]     weight_address, threshold_address;
  logic            is_threshold, word_end, others;   // others: the weights are not its own
  logic [OwnW-1:0] last_lane;
  logic            at_last_word, word_end_next;
  assign others = Part != 0 && loading.word_products;
  assign is_threshold = word < 13'(loading.thresholds);
  assign word_end_next = !word_end && lane + 1'b1 == last_lane;
  assign loading_done = data_valid_i && word_end && at_last_word;
  // where a word ends is known a cycle late: it has four lanes or more
  always_ff @(posedge clk_i) begin
    if (is_threshold) last_lane <= OwnW'(Own / 2 - 1);
    else last_lane <= loading.word_products ? OwnW'(GROUP_PE - 1) : OwnW'(Own - 1);
    at_last_word <= word == last_word;
    if (data_valid_i && loading_valid) word_end <= word_end_next;
    if (start_i || rst_i) word_end <= 1'b0;
    if (rst_i) last_lane <= '1;
  end

  qnn_threshold_parts #(
    .Channels(Own)
  ) u_parts (
    .clk_i, .rst_i, .valid_i(data_valid_i && loading_valid && is_threshold),
    .lane_i(lane[OwnW-2:0]), .address_i(threshold_address), .data_i, .we_o(threshold_we_o),
    .waddr_o(threshold_waddr_o), .high_o(threshold_high_o), .data_o(threshold_data_o)
  );

  logic [15:0] tiles_loaded;
  always_ff @(posedge clk_i) begin
    weight_we_o <= '0;
    weight_data_o <= data_i;
    weight_waddr_o <= weight_address;
    if (data_valid_i && loading_valid) begin
      if (!is_threshold) weight_we_o[lane] <= 1'b1;
      lane <= word_end ? '0 : lane + 1'b1;
      if (word_end) begin
        word <= loading_done ? '0 : word + 1'b1;
        if (is_threshold) begin
          threshold_address <= (threshold_address + 1'b1) & 12'(ThresholdWords - 1);
        end else begin
          weight_address <= (weight_address + 1'b1) & 12'(WeightWords - 1);
        end
        if (loading_done && others) begin
          weight_address <= (weight_address + loading.words) & 12'(WeightWords - 1);
        end
      end
    end
    tiles_loaded <= tiles_loaded + 16'(loading_done) - 16'(tile_take_i);
    tile_ready_o <= loading_done || tiles_loaded > 16'(tile_take_i);
    if (start_i || rst_i) begin
      lane <= '0;
      word <= '0;
      weight_address <= '0;
      threshold_address <= '0;
      tiles_loaded <= '0;
      tile_ready_o <= 1'b0;
    end
  end
endmodule
