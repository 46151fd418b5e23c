// SPDX-License-Identifier: BSD-3-Clause
//
// What the modules of the engine have in common.

package qnn_pkg;
  localparam int unsigned SIMD = 64;      // lanes of one product row: the width of the memory bus
  localparam int unsigned CODE_W = 8;     // bits of an output code
  localparam int unsigned GROUP_PE = qnn_regs_pkg::WORD_CHANNELS;  // share one copy of the operands
  localparam int unsigned KERNEL_ROWS = 16;
  // words that qnn_pack may make from the cycle on in which it sees room: those of a result, two before them
  localparam int unsigned PACK_ROOM = CODE_W + 2;

  // Cycles from one group of channels to the last one, at least 2: results of fewer come as late.
  function automatic int unsigned chain_cycles(int unsigned groups);
    chain_cycles = groups > 1 ? groups : 2;
  endfunction

  // Parts of a row of results: the codes of a group of channels each; eight sums are 4 of them.
  function automatic int unsigned result_parts(int unsigned groups);
    result_parts = groups > 4 ? groups : 4;
  endfunction

  // A position in a ring of so many words, step words further on; step is at most words.
  function automatic logic [12:0] ring_step(
    logic [12:0] position, logic [12:0] step, logic [12:0] words
  );
    logic [13:0] sum;
    sum = 14'(position) + 14'(step);
    ring_step = sum >= {1'b0, words} ? 13'(sum - {1'b0, words}) : 13'(sum);
  endfunction

  // Six bits of one weight as two numbers of two bits, {first, second}, for two places of a carry chain,
  // which take the exclusive or of both and one of them: of the upper place two functions of the same five
  // bits, so one LUT with two outputs; of the lower place the parity of six, and v[5] itself.
  function automatic logic [3:0] summands(logic [5:0] v);
    logic half;
    half = v[0] ^ v[1] ^ v[2];
    summands[0] = half ^ v[3] ^ v[4];
    summands[1] = (v[0] & v[1]) | (v[0] & v[2]) | (v[1] & v[2]);
    summands[2] = v[5];
    summands[3] = (half & v[3]) | (half & v[4]) | (v[3] & v[4]);
  endfunction

  // What travels along the chain of qnn_pe_group. Fields of different age: see its header.
  typedef struct packed {
    logic [11:0] weight_address;
    logic        acc_valid;
    logic        acc_first;          // first product of a sum
    logic        acc_shift;          // first product of a lower significance: double what is there
    logic        acc_last;           // the sum is complete
    logic [11:0] threshold_address;
    logic        compare_valid;
    logic        compare_first;
    logic        compare_high;       // the upper part of the sums: see qnn_threshold
    logic        compare_last;       // nothing more of this threshold
    logic [7:0]  compare_code;       // code of a channel that passes this threshold
    logic        copy;               // all thresholds are compared
    logic [2:0]  read_pixel;         // whose codes show
    logic        words;              // sums come from qnn_word_bank, and no bits are counted
    logic        wide;               // sums of more than SUM_W bits: odd pixels count nothing
    logic        word_valid;         // those of two pixels
    logic [2:0]  word_group;         // ... for the group so many further on
    logic [1:0]  word_pair;
    logic        word_last;          // the sums of all groups and pixels are complete
  } group_ctrl_t;

  // Parameters of one tile that are on their way: those of a command, words of each kind.
  typedef struct packed {
    logic [7:0]  command;
    logic        word_products;
    logic [7:0]  thresholds;
    logic [11:0] words;
  } tile_t;

  // One output pixel of a group of pixels, as the window reader needs it.
  typedef struct packed {
    logic [12:0] row;      // ring position of the first row of the window
    logic [16:0] first;    // left edge in its row, in nibbles, two's complement
    logic [13:0] low;      // nibbles of a window row below it are padding
    logic [13:0] high;     // ... and from it on
    logic [4:0]  row_low;  // rows of the window below it are padding
    logic [4:0]  row_high; // ... and from it on
  } pixel_t;
endpackage
