// SPDX-License-Identifier: BSD-3-Clause
//
// From beats of memory to words of memory: convolution, thresholds, pool and packing of one command
// after the other.
//
// Parameters come as qnn_weight_loader describes, for all commands from weights_start_i on; the
// input map as qnn_input_loader describes, that of the next command as early as the window buffer has
// room: it takes next_i, and next_taken_o stays until command_start_i, after which it is command_i. Until
// then, and while settled_i is low, only lines below written_line_i are read. Words leave as qnn_pack makes
// them. command_i must stay until drained_o is high, which it is from then on until command_start_i. Work on it
// begins 2 cycles after command_start_i; until then what follows from its fields alone is worked out into
// registers. The loaders ask for beats, at most 16 at a time, in the order in which they use them, and take
// the answers without waiting.

module qnn_datapath
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter int unsigned Pe             = 64,      // as qnn_engine
  parameter int unsigned Pixels         = 4,
  parameter int unsigned AccW           = 32,
  parameter int unsigned WeightWords    = 512,
  parameter int unsigned ThresholdWords = 256,
  parameter int unsigned WindowWords    = 4096,
  parameter int unsigned PoolColumns    = 256,
  parameter int unsigned Ports          = 1,       // the input map comes by the last one
  parameter int unsigned Requantiser    = 0,
  parameter int unsigned DspPairs       = 0
) (
  input  logic        clk_i,
  input  logic        rst_i,
  // commands
  input  logic        run_start_i,                 // parameters are used from the first again
  input  logic        resident_run_i,              // they are there from the run before
  input  logic        next_valid_i,
  input  command_t    next_i,
  output logic        next_taken_o,
  input  logic        command_start_i,             // next_i, which has been taken, begins
  input  command_t    command_i,                   // from the cycle after command_start_i on
  output logic        drained_o,                   // no stage holds anything of the command
  input  logic [24:0] written_line_i,              // below this line all output is in memory: of command_i,
  input  logic        settled_i,                   // or, while this is low, of the one before
  // which parameters to load: see qnn_weight_loader
  input  logic        weights_start_i,
  input  logic [7:0]  commands_i,
  output logic [Ports*8-1:0]  weights_command_o,
  output logic [Ports*8-1:0]  weights_loading_o,
  input  logic [Ports*64-1:0] weights_beat_i,
  output logic                weights_resident_o,
  // memory: parameters, input map, results
  output logic [Ports-1:0]    weights_valid_o,
  input  logic [Ports-1:0]    weights_ready_i,
  output logic [Ports*32-1:0] weights_address_o,
  output logic [Ports*5-1:0]  weights_beats_o,
  input  logic [Ports-1:0]    weights_data_valid_i,
  output logic        input_valid_o,
  input  logic        input_ready_i,
  output logic [31:0] input_address_o,
  output logic [4:0]  input_beats_o,
  input  logic        input_data_valid_i,
  input  logic [Ports*64-1:0] data_i,
  output logic        out_valid_o,
  input  logic        room_i,                      // for PACK_ROOM words
  output logic [63:0] out_data_o,
  // a product row, or why there is none
  output logic        issue_o,
  output logic        wait_weights_o,
  output logic        wait_input_o,
  output logic        wait_output_o
);
  localparam int unsigned Groups = Pe / GROUP_PE;
  localparam int unsigned PixelW = $clog2(Pixels);
  localparam int unsigned PairW = (Pixels > 2) ? $clog2(Pixels / 2) : 1;
  localparam int unsigned WordW = $clog2(WindowWords);
  localparam int unsigned Parts = result_parts(Groups);
  localparam int unsigned ResultW = Parts * GROUP_PE * CODE_W;
  localparam int unsigned ResultDepth = Groups * Pixels > 32 ? 64 : 32;   // raw sums of a group

  // a copy for the sequencer and the pool
  logic       starting, begins;                    // begins: in either of these two cycles
  logic [1:0] start;
  always_ff @(posedge clk_i) starting <= command_start_i && !rst_i;
  assign begins = starting || start != '0;
  for (genvar i = 0; i < 2; i++) begin : gen_start
    qnn_copy u_start (.clk_i, .data_i(starting && !rst_i), .data_o(start[i]));
  end

  // parameters into the rings: each port those of its own channels
  localparam int unsigned Own = Pe / Ports;
  logic                        tile_take, tile_taken, tile_done;
  logic [Ports-1:0]            tile_ready, weights_resident;
  logic [Pe-1:0]               weight_we;
  logic [Pe/4-1:0]             threshold_we;
  logic [Ports-1:0][11:0]      weight_waddr, threshold_waddr;
  logic [Ports-1:0]            threshold_high;
  logic [Ports-1:0][63:0]      weight_data;
  logic [Ports-1:0][4*SHORT_W-1:0] threshold_data;
  always_ff @(posedge clk_i) tile_taken <= tile_take && !rst_i;
  for (genvar p = 0; p < Ports; p++) begin : gen_port
    logic weights_start;
    qnn_copy u_start (.clk_i, .data_i(weights_start_i && !rst_i), .data_o(weights_start));
    qnn_weight_loader #(
      .Pe(Pe), .WeightWords(WeightWords), .ThresholdWords(ThresholdWords), .Parts(Ports), .Part(p)
    ) u_weight_loader (
      .clk_i, .rst_i, .start_i(weights_start), .commands_i,
      .command_o(weights_command_o[p*8+:8]), .loading_command_o(weights_loading_o[p*8+:8]),
      .beat_i(weights_beat_i[p*64+:64]),
      .req_valid_o(weights_valid_o[p]), .req_ready_i(weights_ready_i[p]),
      .req_address_o(weights_address_o[p*32+:32]), .req_beats_o(weights_beats_o[p*5+:5]),
      .data_valid_i(weights_data_valid_i[p]), .data_i(data_i[p*64+:64]),
      .weight_we_o(weight_we[p*Own+:Own]), .weight_waddr_o(weight_waddr[p]),
      .weight_data_o(weight_data[p]), .threshold_we_o(threshold_we[p*Own/4+:Own/4]),
      .threshold_waddr_o(threshold_waddr[p]), .threshold_high_o(threshold_high[p]),
      .threshold_data_o(threshold_data[p]),
      .tile_ready_o(tile_ready[p]), .tile_take_i(tile_taken), .tile_done_i(tile_done),
      .tile_done_words_i(command_i.tile_words), .tile_done_thresholds_i(command_i.thresholds),
      .resident_o(weights_resident[p])
    );
  end
  assign weights_resident_o = &weights_resident;

  // The input map into the window buffer: of the next command once that of this one is there, and nothing
  // reads it any more or each of the two fits into a half of the buffer.
  logic       input_busy, sequencer_busy, may_take, take, taken, input_start, next_there;
  logic [COMMAND_BEATS-1:0] load;                  // copies of `take`
  logic [1:0] input_starting;
  command_t   input_command;
  logic       next_small, input_small;             // at most half of the buffer
  logic       input_half, half;                    // the upper one: for the loader, and of command_i
  assign may_take = next_valid_i && next_there && !take && !taken && !input_busy && !begins && settled_i
      && (!sequencer_busy || (next_small && input_small));
  for (genvar b = 0; b < COMMAND_BEATS; b++) begin : gen_load
    qnn_copy u_load (.clk_i, .data_i(may_take && !rst_i), .data_o(load[b]));
  end
  always_ff @(posedge clk_i) begin
    next_there <= next_valid_i;
    next_small <= 32'(next_i.ring_words) <= WindowWords / 2;
    take <= may_take && !rst_i;
    for (int unsigned b = 0; b < COMMAND_BEATS; b++) begin
      if (load[b]) input_command[b*64+:64] <= next_i[b*64+:64];
    end
    if (take) begin
      input_small <= next_small;
      input_half <= next_small && input_small && !input_half;
    end
    if (command_start_i) half <= input_half;
    input_starting <= rst_i ? '0 : {input_starting[0], take};
    taken <= !rst_i && (take || (taken && !command_start_i));
    if (rst_i) {input_small, input_half} <= '0;
  end
  assign input_start = input_starting[1];
  assign next_taken_o = taken && !command_start_i;

  // while the loader has the next one, all rows of this one are there, and none of its is done
  logic [15:0] rows_loaded, rows_done, rows_there, rows_over;
  always_ff @(posedge clk_i) if (!taken) rows_there <= rows_loaded;
  assign rows_over = taken || begins ? '0 : rows_done;
  logic [7:0]       even_we, odd_we;
  logic [WordW-2:0] even_waddr, odd_waddr;
  logic [63:0]      window_wdata;
  qnn_input_loader #(
    .Pe(Pe), .WindowWords(WindowWords)
  ) u_input_loader (
    .clk_i, .rst_i, .start_i(input_start), .command_i(input_command), .upper_half_i(input_half),
    .rows_loaded_o(rows_loaded), .rows_done_i(rows_over), .busy_o(input_busy),
    .limited_i(taken || !settled_i), .limit_i(written_line_i),
    .req_valid_o(input_valid_o), .req_ready_i(input_ready_i), .req_address_o(input_address_o),
    .req_beats_o(input_beats_o), .data_valid_i(input_data_valid_i),
    .data_i(data_i[(Ports-1)*64+:64]),
    .even_we_o(even_we), .odd_we_o(odd_we), .even_waddr_o(even_waddr), .odd_waddr_o(odd_waddr),
    .wdata_o(window_wdata)
  );

  // product rows
  logic                    wait_weights, wait_input, wait_output;
  always_ff @(posedge clk_i) begin
    {wait_weights_o, wait_input_o, wait_output_o} <= {wait_weights, wait_input, wait_output};
  end
  logic                    result_taken;
  logic                    first, shift, last, pass_last, tile_last;
  logic [Pixels-1:0]       present;
  logic [11:0]             weight_address;
  logic [Pixels*WordW-1:0] window_word;
  logic [Pixels*4-1:0]     window_nibble;
  logic [Pixels*5-1:0]     window_low, window_high;
  qnn_sequencer #(
    .Pe(Pe), .Pixels(Pixels), .WeightWords(WeightWords), .WindowWords(WindowWords),
    .ResultDepth(ResultDepth)
  ) u_sequencer (
    .clk_i, .rst_i, .run_start_i, .start_i(start[0]), .command_i, .upper_half_i(half),
    .busy_o(sequencer_busy),
    .rows_loaded_i(taken ? rows_there : rows_loaded), .rows_done_o(rows_done),
    .tile_ready_i(&tile_ready || resident_run_i), .tile_take_o(tile_take),
    .result_taken_i(result_taken),
    .issue_o, .first_o(first), .shift_o(shift), .last_o(last),
    .pass_last_o(pass_last), .present_o(present), .tile_last_o(tile_last),
    .weight_address_o(weight_address),
    .window_word_o(window_word), .window_nibble_o(window_nibble),
    .window_low_o(window_low), .window_high_o(window_high),
    .wait_weights_o(wait_weights), .wait_input_o(wait_input), .wait_output_o(wait_output)
  );

  logic [Pixels*SIMD-1:0] pieces;
  for (genvar m = 0; m < Pixels; m++) begin : gen_window
    qnn_window #(
      .Words(WindowWords)
    ) u_window (
      .clk_i,
      .even_we_i(even_we), .odd_we_i(odd_we), .even_waddr_i(even_waddr),
      .odd_waddr_i(odd_waddr), .wdata_i(window_wdata),
      .word_i(window_word[m*WordW+:WordW]), .nibble_i(window_nibble[m*4+:4]),
      .low_i(window_low[m*5+:5]), .high_i(window_high[m*5+:5]),
      .piece_o(pieces[m*SIMD+:SIMD])
    );
  end

  // the flags of a product row wait for its pieces (3 cycles; 4 where the first group has its weights),
  // its weight address 2 cycles less
  logic [2:0]  shift_q;
  logic [3:0]  issue_q, first_q, last_q, pass_last_q;
  logic [11:0] weight_address_q;
  always_ff @(posedge clk_i) begin
    issue_q <= {issue_q[2:0], issue_o};
    first_q <= {first_q[2:0], first};
    shift_q <= {shift_q[1:0], shift};
    last_q <= {last_q[2:0], last};
    pass_last_q <= {pass_last_q[2:0], pass_last};
    weight_address_q <= weight_address;
    if (rst_i) issue_q <= '0;
  end

  // the chain of channels
  group_ctrl_t [Groups:0] ctrl;
  logic [Groups:0][Pixels*SIMD-1:0] act;
  logic [Groups-1:0][GROUP_PE*SIMD-1:0] weights;
  logic [Groups:0][GROUP_PE*2*SUM_W-1:0] word;
  logic                word_valid, word_last;
  logic [2:0]          word_group;
  logic [PairW-1:0]    word_pair;
  logic [Pe*CODE_W-1:0] codes;
  logic [Pe*AccW-1:0]   sums;
  logic [Groups-1:0][GROUP_PE*AccW-1:0] words;
  logic [PixelW-1:0]    read_pixel, next_pixel;
  logic [11:0] threshold_address;
  logic        compare_valid, compare_first, compare_high, compare_last, copy;
  logic [7:0]  compare_code;
  assign ctrl[0] = '{
    weight_address: weight_address_q,
    acc_valid: issue_q[2] && !command_i.word_products,
    acc_first: first_q[2], acc_shift: shift_q[2], acc_last: last_q[2],
    threshold_address: threshold_address, compare_valid: compare_valid,
    compare_first: compare_first, compare_high: compare_high, compare_last: compare_last,
    compare_code: compare_code, copy: copy, read_pixel: 3'(read_pixel),
    words: command_i.word_products, wide: command_i.wide_sums,
    word_valid: word_valid, word_group: word_group, word_pair: 2'(word_pair), word_last: word_last
  };
  assign act[0] = pieces;
  for (genvar g = 0; g < Groups; g++) begin : gen_group
    qnn_pe_group #(
      .Pixels(Pixels), .AccW(AccW), .WeightWords(WeightWords), .ThresholdWords(ThresholdWords),
      .WholeThresholds(g == 0 && Requantiser != 0), .DspPairs(DspPairs)
    ) u_group (
      .clk_i, .ctrl_i(ctrl[g]), .act_i(act[g]), .ctrl_o(ctrl[g+1]), .act_o(act[g+1]),
      .weights_o(weights[g]), .word_i(word[g]), .word_o(word[g+1]),
      .weight_we_i(weight_we[g*GROUP_PE+:GROUP_PE]),
      .weight_waddr_i(weight_waddr[g*GROUP_PE/Own]),
      .weight_data_i(weight_data[g*GROUP_PE/Own]),
      .threshold_we_i(threshold_we[g*GROUP_PE/4+:GROUP_PE/4]),
      .threshold_waddr_i(threshold_waddr[g*GROUP_PE/Own]),
      .threshold_high_i(threshold_high[g*GROUP_PE/Own]),
      .threshold_data_i(threshold_data[g*GROUP_PE/Own]),
      .pixel_i(next_pixel), .codes_o(codes[g*GROUP_PE*CODE_W+:GROUP_PE*CODE_W]),
      .sums_o(sums[g*GROUP_PE*AccW+:GROUP_PE*AccW]), .words_o(words[g])
    );
  end

  // products of 16-bit words: weights and pieces of the first group, sums for all of them
  qnn_word_bank #(
    .Pixels(Pixels)
  ) u_word_bank (
    .clk_i, .rst_i, .unsigned_i(command_i.word_unsigned),
    .valid_i(issue_q[3] && command_i.word_products), .first_i(first_q[3]),
    .last_i(pass_last_q[3]), .end_i(last_q[3]), .weights_i(weights[0]), .act_i(act[1]),
    .valid_o(word_valid), .group_o(word_group), .pair_o(word_pair), .last_o(word_last),
    .sums_o(word[0])
  );

  logic               requantise, requant_in_valid, requant_last, requant_in_present;
  logic               requant_out_valid, requant_out_present, requant_busy;
  logic [REQUANT_WORDS-1:0] requant_load;
  logic [GROUP_PE*32-1:0]   requant_sums;
  logic [Pe*CODE_W-1:0]     requant_row;
  logic               result_present, readout_busy;
  logic [Parts-1:0]   result_valid;
  logic [ResultW-1:0] result;
  qnn_readout #(
    .Pe(Pe), .Pixels(Pixels), .AccW(AccW), .ThresholdWords(ThresholdWords)
  ) u_readout (
    .clk_i, .rst_i, .run_start_i, .raw_i(command_i.raw), .requantise_i(requantise),
    .thresholds_i(command_i.thresholds), .short_i(command_i.short_sums),
    .words_i(command_i.word_products),
    .finish_i(issue_o && last), .present_i(present),
    .tile_last_i(tile_last), .threshold_address_o(threshold_address),
    .compare_valid_o(compare_valid), .compare_first_o(compare_first),
    .compare_high_o(compare_high), .compare_last_o(compare_last), .compare_code_o(compare_code),
    .copy_o(copy), .pixel_o(read_pixel), .pixel_next_o(next_pixel),
    .codes_i(codes), .sums_i(sums), .requant_load_o(requant_load),
    .requant_valid_o(requant_in_valid), .requant_last_o(requant_last),
    .requant_present_o(requant_in_present), .requant_sums_o(requant_sums),
    .requant_valid_i(requant_out_valid), .requant_present_i(requant_out_present),
    .requant_row_i(requant_row), .requant_busy_i(requant_busy), .result_valid_o(result_valid),
    .result_present_o(result_present), .result_o(result), .tile_done_o(tile_done),
    .busy_o(readout_busy)
  );

  // parameters lie in the threshold store of the first group, for all groups
  if (Requantiser != 0) begin : gen_requant
    assign requantise = command_i.requantise;
    qnn_requant #(
      .Pe(Pe), .Pixels(Pixels)
    ) u_requant (
      .clk_i, .rst_i, .planes_i(command_i.out_planes), .load_i(requant_load),
      .params_i((GROUP_PE * 32)'(words[0])), .valid_i(requant_in_valid), .last_i(requant_last),
      .present_i(requant_in_present), .sums_i(requant_sums), .valid_o(requant_out_valid),
      .present_o(requant_out_present), .row_o(requant_row), .busy_o(requant_busy)
    );
  end else begin : gen_thresholds_only
    assign requantise = 1'b0;
    assign {requant_out_valid, requant_out_present, requant_busy} = '0;
    assign requant_row = '0;
  end

  logic               stored, present_pixel, result_pop, pool_busy, pack_busy;
  logic [ResultW-1:0] oldest;
  qnn_row_fifo #(
    .PartW(ResultW / Parts), .Parts(Parts), .Depth(ResultDepth)
  ) u_results (
    .clk_i, .rst_i, .push_i(result_valid), .data_i(result), .flag_i(result_present),
    .valid_o(stored), .pop_i(result_pop), .data_o(oldest), .flag_o(present_pixel)
  );
  always_ff @(posedge clk_i) result_taken <= result_pop && !rst_i;

  logic               pooled_valid, pooled_ready, pooled_row_end;
  logic [ResultW-1:0] pooled;
  qnn_pool #(
    .Pe(Pe), .ResultW(ResultW), .Columns(PoolColumns)
  ) u_pool (
    .clk_i, .rst_i, .start_i(start[1]), .command_i, .busy_o(pool_busy),
    .in_valid_i(stored), .in_present_i(present_pixel), .in_data_i(oldest), .in_pop_o(result_pop),
    .out_valid_o(pooled_valid), .out_ready_i(pooled_ready), .out_data_o(pooled),
    .out_row_end_o(pooled_row_end)
  );
  qnn_pack #(
    .Pe(Pe), .ResultW(ResultW)
  ) u_pack (
    .clk_i, .rst_i, .raw_i(command_i.raw), .planes_i(command_i.out_planes),
    .in_valid_i(pooled_valid), .in_ready_o(pooled_ready), .in_data_i(pooled),
    .in_row_end_i(pooled_row_end), .room_i, .out_valid_o, .out_data_o, .busy_o(pack_busy)
  );

  assign drained_o = !sequencer_busy && !readout_busy && !pool_busy && !pack_busy
      && (taken || !input_busy) && !begins;
endmodule
