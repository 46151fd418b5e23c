// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_sequencer, with the groups of qnn_walker, whatever these are: of each group it issues the product
// rows of all passes and planes that the loops of its header have, in their order, each once, and each
// with the flags, the address of its weights and, for one pixel, any, the place in the window buffer and
// the padding that belong to it. The first product row of a group is not issued before its input rows
// are there, that of a tile not before its parameters are; the last one of a group not before there is
// room for its results, and as many cycles after that of the group before as qnn_readout needs.
// Between them nothing waits without saying why.
//
// Assumed: commands as qnn_command_check lets them pass, with row_words = planes * plane_words; one
// comes only when the one before it is over. The weights of a pass begin behind those of the one before
// it, those of the first one of a tile where the tile does. Input rows come one at a time, and are less
// than 2^14 ahead of those that a group needs, or behind. No more rows of results leave than there are.

module qnn_sequencer_properties
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Pe          = 16,
  parameter  int unsigned Pixels      = 2,
  localparam int unsigned Pixel       = Pixels - 1,
  localparam int unsigned WeightWords = 64,
  localparam int unsigned WindowWords = 64,
  localparam int unsigned ResultDepth = 32,
  localparam int unsigned WordW       = $clog2(WindowWords),
  localparam int unsigned Groups      = Pe / GROUP_PE
) (
  input logic        clk_i,
  input logic        rst_i,
  input logic        run_start_i,
  input logic        start_i,
  input command_t    command_i,
  input logic        upper_half_i,
  input logic [15:0] rows_loaded_i,
  input logic        tile_ready_i,
  input logic        result_taken_i,
  input logic [15:0][11:0] pass_at_i   // where weights of each pass begin, the same for all of a group
);
  logic                    busy, tile_take, issued, first, shift, last, pass_last, tile_last_out;
  logic                    wait_weights, wait_input, wait_output;
  logic [15:0]             rows_done;
  logic [Pixels-1:0]       present_out;
  logic [11:0]             weight_address;
  logic [Pixels*WordW-1:0] window_word;
  logic [Pixels*4-1:0]     window_nibble;
  logic [Pixels*5-1:0]     window_low, window_high;
  qnn_sequencer #(
    .Pe(Pe), .Pixels(Pixels), .WeightWords(WeightWords), .WindowWords(WindowWords),
    .ResultDepth(ResultDepth)
  ) dut (
    .clk_i, .rst_i, .run_start_i, .start_i, .command_i, .upper_half_i, .busy_o(busy),
    .rows_loaded_i, .rows_done_o(rows_done), .tile_ready_i, .tile_take_o(tile_take),
    .result_taken_i, .issue_o(issued), .first_o(first), .shift_o(shift), .last_o(last),
    .pass_last_o(pass_last), .present_o(present_out), .tile_last_o(tile_last_out),
    .weight_address_o(weight_address), .window_word_o(window_word),
    .window_nibble_o(window_nibble), .window_low_o(window_low), .window_high_o(window_high),
    .wait_weights_o(wait_weights), .wait_input_o(wait_input), .wait_output_o(wait_output)
  );

  logic issue, take;
  assign issue = dut.issue;
  assign take = dut.next_take;

  // commands
  logic        begun = 1'b0, start_q;
  logic        based;                 // run_start_i has come since the last reset
  command_t    command_q;
  logic [15:0][11:0] pass_at_q;
  logic        take_q;
  logic [15:0] rows_q;
  always_ff @(posedge clk_i) begin
    begun <= 1'b1;
    {start_q, command_q, rows_q} <= {start_i, command_i, rows_loaded_i};
    {pass_at_q, take_q} <= {pass_at_i, take};
    based <= !rst_i && (based || run_start_i);
  end
  // where a plane of a row begins
  logic [12:0] plane_at [16];
  assign plane_at[0] = '0;
  for (genvar i = 1; i < 16; i++) begin : gen_at
    assign plane_at[i] = plane_at[i-1] + command_i.plane_words;
  end

  always_comb begin
    if (!begun) assume (rst_i);
    if (begun && (busy || start_i || start_q)) assume (command_i == command_q);
    if (start_i) assume (begun && !busy && !start_q && based && !rst_i && !run_start_i);
    if (run_start_i) assume (!busy && !start_q);
    assume (command_i.planes != '0 && command_i.planes <= 4'd8);
    assume (command_i.exponent < command_i.passes);
    assume (command_i.kernel_rows != '0 && command_i.kernel_rows <= 5'(KERNEL_ROWS));
    assume (command_i.words != '0);
    assume (command_i.row_words == plane_at[command_i.planes]);
    if (begun && (busy || start_q)) assume (16'(rows_loaded_i - rows_q) <= 16'd1);
  end

  function automatic logic there(logic [15:0] need_rows);
    there = !(16'(rows_loaded_i - need_rows) >= 16'h8000);
  endfunction
  function automatic logic near(logic [15:0] need_rows);
    near = 16'(rows_loaded_i - need_rows + 16'h4000) < 16'h8000;
  endfunction

  // the model: which product row is next
  typedef struct packed {
    logic       exists;
    logic [3:0] pass, plane;
  } pair_t;

  // the first pass from pass_from on with a plane of this significance
  function automatic pair_t of_significance(logic signed [5:0] significance, logic [3:0] pass_from);
    logic signed [5:0] plane_there;
    of_significance = '0;
    for (int i = 15; i >= 0; i--) begin
      plane_there = significance
          - (6'(command_i.exponent) > 6'(i) ? 6'(command_i.exponent) - 6'(i) : '0);
      if (i >= int'(pass_from) && i < int'(command_i.passes) && plane_there >= 0
          && plane_there < $signed({2'b0, command_i.planes})) begin
        of_significance = '{exists: 1'b1, pass: 4'(i), plane: plane_there[3:0]};
      end
    end
  endfunction

  logic              full, opened;       // a group is there; something of it was issued
  logic              tile_first, tile_last, fresh;     // fresh: first pass of its significance
  pixel_t            pixel;
  logic [Pixels-1:0] present;
  logic [15:0]       need, done;
  logic [3:0]        pass, plane, row;
  logic [7:0]        word;
  logic [12:0]       position;           // of the row of the window, in the ring
  logic [11:0]       tile_base;          // where the weights of the tile begin
  logic [11:0]       of_pass;            // product rows of this pass that were issued
  logic signed [5:0] significance;
  logic              word_end, pass_end, group_end;
  pair_t             same, lower;
  logic [8:0]        wait_left;          // cycles until a group may end
  logic [7:0]        stored;             // rows of results
  always_comb begin
    significance = $signed({2'b0, plane});
    if (command_i.exponent > pass) begin
      significance = significance + $signed({2'b0, 4'(command_i.exponent - pass)});
    end
    word_end = word + 1'b1 == command_i.words;
    pass_end = word_end && 5'(row) + 1'b1 == command_i.kernel_rows;
    same = of_significance(significance, pass + 1'b1);
    if (pass == '1) same.exists = 1'b0;
    lower = of_significance(significance - 6'sd1, '0);
    group_end = pass_end && !same.exists && significance == '0;
  end

  // what a command asks for
  localparam int unsigned Chain = Groups > 1 ? Groups : 2;
  localparam int unsigned Slot = Pixels > REQUANT_WORDS ? Pixels : REQUANT_WORDS;
  logic [7:0]  results;
  int unsigned apart, compared;
  always_comb begin
    results = command_i.raw ? 8'(Groups * Pixels) : 8'(Pixels);
    if (command_i.raw) apart = Groups * Pixels + Chain - Groups + 2;
    else if (command_i.requantise) apart = Groups * Slot + Chain - Groups + 2;
    else begin
      apart = Pixels > 4 ? Pixels : 4;
      compared = (command_i.short_sums ? 1 : 2) * 32'(command_i.thresholds);
      if (compared > apart) apart = compared;
    end
  end

  function automatic logic [12:0] around(logic [13:0] to);   // in a ring of ring_words
    around = 13'(to < 14'(command_i.ring_words) ? to : to - 14'(command_i.ring_words));
  endfunction
  always_ff @(posedge clk_i) begin
    if (wait_left != '0) wait_left <= wait_left - 1'b1;
    if (issue) begin
      opened <= 1'b1;
      word <= word_end ? '0 : word + 1'b1;
      of_pass <= pass_end ? '0 : of_pass + 1'b1;
      if (word_end) begin
        row <= pass_end ? '0 : row + 1'b1;
        position <= pass_end ? pixel.row : around(14'(position) + 14'(command_i.row_words));
      end
      if (pass_end) begin
        {pass, plane} <= same.exists ? {same.pass, same.plane} : {lower.pass, lower.plane};
        fresh <= !same.exists;
      end
      if (group_end) begin
        full <= 1'b0;
        wait_left <= 9'(apart - 1);
        if (tile_last) tile_base <= tile_base + command_i.tile_words;
      end
    end
    if (take) begin
      {full, opened, fresh} <= 3'b101;
      {tile_first, tile_last} <= {tile_last, dut.next_tile_last};
      pixel <= dut.next_pixels[Pixel];
      present <= dut.next_present;
      need <= dut.next_need;
      if (command_i.reload) done <= dut.next_done;
      pass <= '0;
      plane <= command_i.planes - 1'b1;
      {row, word, of_pass} <= '0;
      position <= dut.next_pixels[Pixel].row;
    end
    stored <= stored + (issue && group_end ? results : '0) - 8'(result_taken_i);
    if (start_i) {tile_last, done} <= {1'b1, 16'd0};
    if (run_start_i) tile_base <= '0;
    if (rst_i) begin
      full <= 1'b0;
      wait_left <= '0;
      stored <= '0;
    end
  end
  always_comb begin
    if (begun && full) begin
      assume (pass_at_i[0] == tile_base);
      if (!take_q) assume (pass_at_i == pass_at_q);
      if (pass_end) assume (pass_at_i[pass+4'd1] == pass_at_i[pass] + of_pass + 1'b1);
    end
    if (begun && stored == '0) assume (!result_taken_i);
    if (begun && full) assume (near(need));
    if (begun && dut.next_valid) assume (near(dut.next_need));
  end

  // what belongs to a product row, a cycle later
  typedef struct packed {
    logic              first, shift, last, pass_last, tile_last;
    logic [Pixels-1:0] present;
    logic [11:0]       weight;
    logic [WordW-1:0]  window;
    logic [3:0]        nibble;
    logic [4:0]        low, high;
  } row_t;

  function automatic logic [4:0] in_word(logic [13:0] nibble);    // 0..16
    logic signed [14:0] from;
    from = $signed({1'b0, nibble}) - $signed({3'b0, word, 4'b0});
    in_word = from < 0 ? '0 : from > 15'sd16 ? 5'd16 : from[4:0];
  endfunction

  row_t        expected;
  logic        expects = 1'b0;
  logic        outside;                  // of the map, the row of the window
  assign outside = 5'(row) < pixel.row_low || 5'(row) >= pixel.row_high;
  always_ff @(posedge clk_i) begin
    expects <= begun && issue && !rst_i;
    expected.first <= command_i.word_products ? row == '0 && word == '0 : !opened;
    expected.shift <= fresh && row == '0 && word == '0;
    expected.last <= group_end;
    expected.pass_last <= pass_end;
    expected.tile_last <= tile_last;
    expected.present <= present;
    expected.weight <= (pass_at_i[pass] + of_pass) % 12'(WeightWords);
    expected.window <= WordW'(position) + WordW'(plane_at[plane])
        + WordW'(word) + WordW'($signed(pixel.first) >>> 4)
        + (upper_half_i ? WordW'(WindowWords / 2) : '0);
    expected.nibble <= pixel.first[3:0];
    expected.low <= in_word(pixel.low);
    expected.high <= outside ? '0 : in_word(pixel.high);
  end

  // the pair with which its significance begins
  logic signed [5:0] head_significance;
  always_comb begin
    head_significance = $signed({2'b0, dut.head_plane});
    if (command_i.exponent > dut.head_pass) begin
      head_significance = head_significance
          + $signed({2'b0, 4'(command_i.exponent - dut.head_pass)});
    end
  end

  always_comb begin
    if (begun) begin
      group_there : assert (dut.full == full);
      group_take : assert (!take || (dut.next_valid && (!full || (issue && group_end))));
      group_walking : assert (!dut.next_valid || dut.walking);
      group_busy : assert (busy || !(full || expects || dut.next_valid));
      row_issued : assert (issued == expects);
      if (expects) begin
        row_flags : assert ({first, shift, last, pass_last, tile_last_out}
            == {expected.first, expected.shift, expected.last, expected.pass_last,
                expected.tile_last});
        row_present : assert (present_out == expected.present);
        row_weight : assert (weight_address == expected.weight);
        row_window : assert (window_word[Pixel*WordW+:WordW] == expected.window);
        row_nibble : assert (window_nibble[Pixel*4+:4] == expected.nibble);
        row_low : assert (window_low[Pixel*5+:5] == expected.low);
        row_high : assert (window_high[Pixel*5+:5] == expected.high);
      end
      if (issue) begin
        wait_group : assert (full);
        if (!opened) wait_rows : assert (there(need));
        if (!opened && tile_first) wait_tile : assert (tile_ready_i);
        if (group_end) wait_apart : assert (wait_left == '0);
        if (group_end) wait_room : assert (stored + results <= 8'(ResultDepth));
      end else if (full) begin
        wait_cause : assert ($onehot({wait_weights, wait_input, wait_output}));
        wait_true : assert ((!wait_weights || !tile_ready_i) && (!wait_output || group_end));
      end
      wait_tile_taken : assert (tile_take == (issue && !opened && tile_first));
      wait_stored : assert (stored <= 8'(ResultDepth) && dut.credit == 8'(ResultDepth) - stored);

      // registers
      if (busy) begin
        command_derived : assert (dut.result_rows == results && 32'(dut.interval_min) == apart - 1
            && dut.word_before_last == command_i.words - 8'd2
            && dut.row_before_last == command_i.kernel_rows - 5'd2
            && dut.pass_last_at == command_i.passes - 1'b1
            && dut.plane_last_at == command_i.planes - 1'b1
            && dut.one_word == (command_i.words == 8'd1)
            && dut.one_row == (command_i.kernel_rows == 5'd1));
        command_based : assert (based);
      end
      same_wait : assert (dut.interval == wait_left);
      if (full && dut.room) begin
        same_room : assert (wait_left == '0 && stored + results <= 8'(ResultDepth));
      end
      if (dut.next_valid && dut.next_there && dut.next_waits) begin
        same_next : assert (there(dut.next_need));
      end
      if (full && dut.rows_there) same_rows : assert (there(need));
      if (based) same_base : assert (dut.weight_tile == tile_base);
      if (based && !full) begin
        same_idle : assert (dut.weight == tile_base && dut.head_weight == tile_base);
      end
      if (busy) begin
        same_tile : assert (dut.tile_last == tile_last && rows_done == done);
      end
      if (full) begin
        same_group : assert ({dut.begun, dut.tile_first, dut.need, dut.present, dut.pixels[Pixel]}
            == {opened, tile_first, need, present, pixel});
        same_place : assert ({dut.pass, dut.plane, dut.kernel_row, dut.word}
            == {pass, plane, row, word} && dut.ring[Pixel] == position);
        same_ends : assert (dut.last_word == word_end && dut.gen_pixel[Pixel].own_last_row == dut.last_row
            && dut.last_row == (5'(row) + 1'b1 == command_i.kernel_rows));
        same_weight : assert (dut.weight == pass_at_i[dut.pass] + of_pass);
        same_offset : assert (dut.plane_offset == plane_at[dut.plane]);
        place_inside : assert (word < command_i.words && 5'(row) < command_i.kernel_rows
            && pass < command_i.passes && plane < command_i.planes);
        head_first : assert (head_significance == significance && dut.head_plane < command_i.planes
            && (dut.head_pass == '0 || dut.head_plane == '0)
            && dut.head_pass <= command_i.exponent && dut.head_pass <= pass);
        head_fresh : assert (fresh == (dut.head_pass == dut.pass));
        head_weight : assert (dut.head_weight == pass_at_i[dut.head_pass]);
        head_offset : assert (dut.head_offset == plane_at[dut.head_plane]);
        if (dut.pass != dut.head_pass) begin
          head_second : assert (dut.second_weight == pass_at_i[dut.head_pass+4'd1]);
        end
      end
    end
    cover_next : cover (begun && expects && expected.shift && pass != '0 && fresh);
    cover_last : cover (begun && expects && last && tile_last_out && command_i.passes == 4'd2);
    cover_apart : cover (begun && wait_output && wait_left != '0);
    cover_input : cover (begun && wait_input);
  end
endmodule
