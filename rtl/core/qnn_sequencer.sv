// SPDX-License-Identifier: BSD-3-Clause
//
// Issues the reads of windows and weights, one product row a cycle:
//
//     for each tile of Pe output channels
//       for each group of Pixels output pixels                                  (qnn_walker)
//         for each significance, highest first
//           for each weight pass with an activation plane of that significance
//             for each kernel row, for each word of that row
//
// Where command_i.word_products each pass is a sum of its own.
//
// A product of pass i and activation plane k has the significance k + max(exponent - i, 0). So from
// one pass to the next the plane rises by one where the exponent falls, and stays where it is 0.
//
// It waits where input rows or the tile's parameters are not there yet. The last product row of a
// group is held back until its results can be taken: behind it nothing ever stalls.
//
// Timing: command_i stays as it is from the cycle before start_i on. window_*_o are registered;
// weight_address_o belongs to the same product row and comes together with them, ctrl flags too. Input
// rows and room for results are seen a cycle after they come.

module qnn_sequencer
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter int unsigned Pe          = 32,
  parameter int unsigned Pixels      = 4,
  parameter int unsigned WeightWords = 1024,
  parameter int unsigned WindowWords = 4096,
  parameter int unsigned ResultDepth = 32,              // rows of results that can be stored
  localparam int unsigned WordW      = $clog2(WindowWords)
) (
  input  logic                    clk_i,
  input  logic                    rst_i,
  input  logic                    run_start_i,          // weights are used from the first again
  input  logic                    start_i,
  input  command_t                command_i,
  input  logic                    upper_half_i,         // of the window buffer has the map
  output logic                    busy_o,               // groups are left to issue
  // what is there
  input  logic [15:0]             rows_loaded_i,
  output logic [15:0]             rows_done_o,
  input  logic                    tile_ready_i,         // parameters of the next tile are loaded
  output logic                    tile_take_o,
  input  logic                    result_taken_i,       // one row of results has left
  // product rows
  output logic                    issue_o,
  output logic                    first_o,
  output logic                    shift_o,
  output logic                    last_o,
  output logic                    pass_last_o,
  output logic [Pixels-1:0]       present_o,
  output logic                    tile_last_o,
  output logic [11:0]             weight_address_o,
  output logic [Pixels*WordW-1:0] window_word_o,        // pixel m is bits [m*WordW +: WordW]
  output logic [Pixels*4-1:0]     window_nibble_o,
  output logic [Pixels*5-1:0]     window_low_o,
  output logic [Pixels*5-1:0]     window_high_o,
  // why there was no product row in this cycle
  output logic                    wait_weights_o,
  output logic                    wait_input_o,
  output logic                    wait_output_o
);
  localparam int unsigned Groups = Pe / GROUP_PE;
  localparam int unsigned Slot = Pixels > REQUANT_WORDS ? Pixels : REQUANT_WORDS;
  // cycles from one last product row to the next, as qnn_readout needs them: for codes, sums, and sums
  // that qnn_requant takes
  localparam int unsigned Chain = chain_cycles(Groups);
  localparam int unsigned CodesApart = Pixels > 4 ? Pixels : 4;
  localparam int unsigned SumsApart = Groups * Pixels + Chain - Groups + 2;
  localparam int unsigned RequantApart = Groups * Slot + Chain - Groups + 2;

  logic                walking, next_valid, next_take, next_tile_last;
  pixel_t [Pixels-1:0] next_pixels;
  logic [Pixels-1:0]   next_present;
  logic [15:0]         next_need, next_done;
  qnn_walker #(
    .Pixels(Pixels)
  ) u_walker (
    .clk_i, .rst_i, .start_i, .command_i,
    .busy_o           (walking),
    .group_valid_o    (next_valid),
    .group_take_i     (next_take),
    .group_pixels_o   (next_pixels),
    .group_present_o  (next_present),
    .group_need_o     (next_need),
    .group_done_o     (next_done),
    .group_tile_last_o(next_tile_last)
  );

  // the group being issued
  logic                full, begun, tile_first, tile_last;
  pixel_t [Pixels-1:0] pixels;
  logic [Pixels-1:0]   present;
  logic [15:0]         need;
  logic [12:0]         ring      [Pixels];
  logic [3:0]          kernel_row;
  logic [7:0]          word;
  logic [11:0]         weight, weight_tile;
  // pass and plane of this product, and of the first one of the same significance
  logic [3:0]          pass, plane, head_pass, head_plane;
  logic [12:0]         plane_offset, head_offset;
  logic [11:0]         head_weight, second_weight;       // where head_pass begins, and the one after
  logic [8:0]          interval;
  logic [7:0]          credit;

  logic last_word, last_row, last_pass, last_head, last_pair, last_issue;
  logic last_word_next, last_row_next;
  logic        falls;                                    // the next pass has a lower exponent
  logic [11:0] weight_next, after_head;
  // what follows from the command alone
  logic [7:0] word_before_last;
  logic [4:0] row_before_last;
  logic [3:0] pass_last_at, plane_last_at;
  logic       one_word, one_row;
  always_ff @(posedge clk_i) begin
    word_before_last <= command_i.words - 8'd2;
    row_before_last <= command_i.kernel_rows - 5'd2;
    pass_last_at <= command_i.passes - 1'b1;
    plane_last_at <= command_i.planes - 1'b1;
    one_word <= command_i.words == 8'd1;
    one_row <= command_i.kernel_rows == 5'd1;
  end
  assign falls = pass < command_i.exponent;
  assign last_pass = pass == pass_last_at || (falls && plane == plane_last_at);
  assign last_head = head_plane == '0 && head_pass == command_i.exponent;
  assign last_pair = last_pass && last_head;
  assign last_issue = last_word && last_row && last_pair;
  assign weight_next = weight + 1'b1;
  assign after_head = pass == head_pass ? weight_next : second_weight;

  logic [7:0] result_rows;
  logic [8:0] interval_min, compares;
  assign compares = command_i.short_sums ? {1'b0, command_i.thresholds}
      : {command_i.thresholds, 1'b0};
  always_ff @(posedge clk_i) begin
    result_rows <= command_i.raw ? 8'(Groups * Pixels) : 8'(Pixels);
    // results stay until those of the next group overwrite them: compare and read them before
    if (command_i.raw) interval_min <= 9'(SumsApart - 1);
    else if (command_i.requantise) interval_min <= 9'(RequantApart - 1);
    else if (compares >= 9'(CodesApart)) interval_min <= compares - 9'd1;
    else interval_min <= 9'(CodesApart - 1);
  end

  // rows and room only become more while a group waits: what is there may be known a cycle late
  logic rows_there, next_there, next_waits, room;
  logic input_there, weights_there, output_there, issue;
  always_ff @(posedge clk_i) begin
    next_there <= !(16'(rows_loaded_i - next_need) >= 16'h8000);
    next_waits <= next_valid && !next_take;
    if (next_take) rows_there <= next_there && next_waits;
    else rows_there <= !(16'(rows_loaded_i - need) >= 16'h8000);
    room <= interval <= 9'd1 && credit >= result_rows && !(issue && last_issue);
    if (start_i) next_there <= 1'b0;
  end

  assign input_there = begun || rows_there;
  assign weights_there = begun || !tile_first || tile_ready_i;
  assign output_there = !last_issue || room;
  assign issue = full && input_there && weights_there && output_there;
  assign tile_take_o = issue && !begun && tile_first;
  assign next_take = next_valid && (!full || (issue && last_issue));
  assign wait_weights_o = full && !weights_there;
  assign wait_input_o = full && weights_there && !input_there;
  assign wait_output_o = full && weights_there && input_there && !output_there;
  assign busy_o = full || walking || issue_o;

  // What is of a group alone is free where there is none, or its last product row is issued: each gate has some
  // of it. What it gets without next_valid is looked at by nobody.
  localparam int unsigned PixelsW = $bits(next_pixels), Each = 60;
  localparam int unsigned Shares = (PixelsW + Each - 1) / Each;   // of the pixels; the first gates have others
  localparam int unsigned Gates = 2 + Shares;
  logic [PixelsW-1:0] own, next_own;
  logic [Gates-1:0]   free;
  assign next_own = next_pixels;
  assign pixels = own;
  for (genvar i = 0; i < Gates; i++) begin : gen_free
    qnn_gate u_free (
      .busy_i(full), .ends_i({input_there && weights_there, last_issue && room}), .free_o(free[i])
    );
  end

  always_comb begin
    {last_word_next, last_row_next} = {last_word, last_row};
    if (issue) begin
      last_word_next = word == word_before_last;
      if (last_word) begin
        last_word_next = one_word;
        last_row_next = last_row ? one_row : 5'(kernel_row) == row_before_last;
      end
    end
    if (next_take) {last_word_next, last_row_next} = {one_word, one_row};
  end

  always_ff @(posedge clk_i) begin
    {last_word, last_row} <= {last_word_next, last_row_next};
    if (interval != '0) interval <= interval - 1'b1;
    if (issue) begin
      begun <= 1'b1;
      word <= word + 1'b1;
      weight <= weight_next;
      if (last_word) begin
        word <= '0;
        kernel_row <= kernel_row + 1'b1;
        if (last_row) begin
          kernel_row <= '0;
          pass <= pass + 1'b1;
          second_weight <= after_head;
          if (falls) begin
            plane <= plane + 1'b1;
            plane_offset <= plane_offset + command_i.plane_words;
          end
          // the next significance begins a plane lower, or below the lowest a pass later
          if (last_pass) begin
            if (head_plane != '0) begin
              head_plane <= head_plane - 1'b1;
              head_offset <= head_offset - command_i.plane_words;
              pass <= head_pass;
              plane <= head_plane - 1'b1;
              plane_offset <= head_offset - command_i.plane_words;
              weight <= head_weight;
            end else begin
              head_pass <= head_pass + 1'b1;
              head_weight <= after_head;
              pass <= head_pass + 1'b1;
              plane <= '0;
              plane_offset <= '0;
              weight <= after_head;
            end
          end
        end
      end
      if (last_issue) begin
        interval <= interval_min;
        full <= 1'b0;
        weight <= weight_tile;
        head_weight <= weight_tile;
        if (tile_last) begin
          weight <= weight_tile + command_i.tile_words;
          head_weight <= weight_tile + command_i.tile_words;
          weight_tile <= weight_tile + command_i.tile_words;
        end
      end
    end
    if (next_take) begin
      full <= 1'b1;
      begun <= 1'b0;
      tile_first <= tile_last;
      tile_last <= next_tile_last;
      if (command_i.reload) rows_done_o <= next_done;
      pass <= '0;
      head_pass <= '0;
      plane <= plane_last_at;
      head_plane <= plane_last_at;
    end
    if (free[1]) begin
      plane_offset <= command_i.row_words - command_i.plane_words;
      head_offset <= command_i.row_words - command_i.plane_words;
    end
    if (free[0]) begin
      present <= next_present;
      need <= next_need;
      kernel_row <= '0;
      word <= '0;
    end
    credit <= credit - ((issue && last_issue) ? result_rows : '0) + 8'(result_taken_i);
    if (start_i) begin
      tile_last <= 1'b1;  // so that the first group begins a tile
      rows_done_o <= '0;
    end
    if (run_start_i) begin
      weight <= '0;
      head_weight <= '0;
      weight_tile <= '0;
    end
    if (rst_i) begin
      full <= 1'b0;
      interval <= '0;
      credit <= 8'(ResultDepth);
    end
  end

  for (genvar i = 0; i < Shares; i++) begin : gen_part
    localparam int unsigned First = i * Each;
    localparam int unsigned OwnW = PixelsW - First < Each ? PixelsW - First : Each;
    always_ff @(posedge clk_i) if (free[i+2]) own[First+:OwnW] <= next_own[First+:OwnW];
  end

  // addresses
  logic [12:0] offset;
  assign offset = plane_offset + 13'(word);
  for (genvar m = 0; m < Pixels; m++) begin : gen_pixel
    logic       own_last_row, ring_moves, ring_free;   // free: if it moves the group ends, or there is none
    qnn_copy u_last_row (.clk_i, .data_i(last_row_next), .data_o(own_last_row));
    logic [12:0] ring_next;
    qnn_ring_step u_ring_next (
      .position_i(ring[m]), .step_i(command_i.row_words), .words_i(command_i.ring_words),
      .position_o(ring_next)
    );
    qnn_gate u_ring_moves (.busy_i(full), .ends_i({issue, last_word}), .free_o(ring_moves));
    qnn_gate u_ring_free (
      .busy_i(full), .ends_i({own_last_row, last_pair}), .free_o(ring_free)
    );
    logic [9:0] low, high;
    assign low = pixels[m].low[13:4];
    assign high = pixels[m].high[13:4];
    always_ff @(posedge clk_i) begin
      if (ring_moves) begin
        if (ring_free) ring[m] <= next_pixels[m].row;
        else ring[m] <= own_last_row ? pixels[m].row : ring_next;
      end
      window_word_o[m*WordW+:WordW] <= {upper_half_i, (WordW-1)'(0)}
          ^ (WordW'(ring[m]) + WordW'(offset) + WordW'($signed(pixels[m].first[16:4])));
      window_nibble_o[m*4+:4] <= pixels[m].first[3:0];
      if (10'(word) < low) window_low_o[m*5+:5] <= 5'd16;
      else window_low_o[m*5+:5] <= 10'(word) == low ? {1'b0, pixels[m].low[3:0]} : '0;
      if (5'(kernel_row) < pixels[m].row_low || 5'(kernel_row) >= pixels[m].row_high
          || 10'(word) > high) window_high_o[m*5+:5] <= '0;
      else window_high_o[m*5+:5] <= 10'(word) == high ? {1'b0, pixels[m].high[3:0]} : 5'd16;
    end
  end

  always_ff @(posedge clk_i) begin
    issue_o <= issue && !rst_i;
    first_o <= command_i.word_products ? word == '0 && kernel_row == '0 : !begun;
    shift_o <= word == '0 && kernel_row == '0 && pass == head_pass;
    last_o <= last_issue;
    pass_last_o <= last_word && last_row;
    present_o <= present;
    tile_last_o <= tile_last;
    weight_address_o <= weight & 12'(WeightWords - 1);
  end
endmodule
