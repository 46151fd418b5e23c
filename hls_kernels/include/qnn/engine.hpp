// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "qnn/conv.hpp"

namespace qnn {

/// Commands that would leave the buffers or have no meaning are refused; shapes that contradict
/// each other are the host's affair, as are addresses.
template <class Fold>
bool runnable(const Command &c) {
#pragma HLS INLINE
  const bool input = c.planes >= 1 && c.planes <= 8 && c.in_rows >= 1 && c.in_columns >= 1 &&
                     c.row_words >= 1 && c.row_words <= c.ring_words &&
                     c.ring_words <= Fold::WindowWords &&
                     (c.tight ? !c.drop_lowest
                              : c.blocks >= 1 && c.block_used >= 1 &&
                                    c.block_used <= Fold::Pe / 8 &&
                                    c.first_skip < c.block_used && c.last_bytes >= 1 &&
                                    c.last_bytes <= c.block_used);
  const bool products = c.tiles >= 1 && c.conv_rows >= 1 && c.conv_columns >= 1 &&
                        c.exponent < c.passes && c.kernel_rows <= KernelRows &&
                        c.stride >= 1 && c.stride <= 4 &&
                        c.tile_words >= 1 && c.tile_words <= Fold::WeightWords &&
                        c.tile_words == c.passes * c.kernel_rows * c.words &&
                        (c.word_products ? c.tight && !c.raw && !c.wide_sums && c.planes == 1 &&
                                               c.exponent == 0 &&
                                               c.passes <= Fold::Pe / WordChannels &&
                                               c.kernel_rows * c.words >= Fold::Pixels
                                         : !c.word_unsigned);
  const bool output = c.raw ? c.thresholds == 0 && c.pool_size == 1 && !c.requantise &&
                                  !c.short_sums
                            : c.thresholds >= 1 && c.thresholds <= Fold::ThresholdWords &&
                                  c.out_planes >= 1 && c.out_planes <= CodeW &&
                                  (!c.requantise ||
                                   (!c.word_products &&
                                    c.thresholds == RequantWords * (Fold::Pe / WordChannels))) &&
                                  (!c.short_sums || !(c.requantise || c.wide_sums));
  const bool pool = c.pool_size >= 1 && c.pool_stride >= 1 && c.pool_stride <= 2 &&
                    (c.pool_size == 1 || c.out_columns <= Fold::PoolColumns);
  return c.opcode == Command::Opcode && input && products && output && pool;
}

/// Words from memory in the order in which `conv` takes them: parameters of a tile, and the input
/// map after those of the first tile, or of each where reload. Bursts of one row of one block.
template <class Fold>
void fetch(const Command c, const Word *memory, hls::stream<Word> &words) {
  const ap_uint<8> blocks = blocks_of(c);
  const ap_uint<20> tile_beats = threshold_words<Fold>(c) + weight_words<Fold>(c);
  ap_uint<29> parameters = c.params_address >> 3;
  for (ap_uint<8> tile = 0; tile < c.tiles; ++tile) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=16
    for (ap_uint<20> i = 0; i < tile_beats; ++i) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=96 max=32992
      words.write(memory[parameters + i]);
    }
    parameters += tile_beats;
    if (tile != 0 && !c.reload) continue;
    ap_uint<29> row_place = c.in_address >> 3;
    for (ap_uint<10> row = 0; row < c.in_rows; ++row) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=208
      ap_uint<29> place = row_place;
      for (ap_uint<8> block = 0; block < blocks; ++block) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=16
        for (ap_uint<13> i = 0; i < c.row_beats; ++i) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=1 max=512
          words.write(memory[place + i]);
        }
        place += c.block_bytes >> 3;
      }
      row_place += c.row_beats;
    }
  }
}

/// The output map to memory, one word after the other.
template <class Fold>
void store(const Command c, hls::stream<Word> &words, Word *memory) {
  const ap_uint<29> place = c.out_address >> 3;
  const ap_uint<32> count = out_words<Fold>(c);
  for (ap_uint<32> i = 0; i < count; ++i) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=1 max=65536
    memory[place + i] = words.read();
  }
}

/// One command: fetch > conv > store, at the same time.
template <class Fold>
void run(const Command c, const Word *in, Word *out) {
#pragma HLS DATAFLOW
  hls::stream<Word> words("words"), packed("packed");
#pragma HLS STREAM variable=words depth=64
#pragma HLS STREAM variable=packed depth=64
  fetch<Fold>(c, in, words);
  conv<Fold>(c, words, packed);
  store<Fold>(c, packed, out);
}

/// A whole command list, one command after the other; what RTL does with the same list.
///
/// `in` and `out` are the same memory, from address 0 on, in words; `list` is a byte address.
/// Returns the number of commands that ran: less than `count` where that one cannot be run.
///
/// Cycles: those of conv (conv.hpp) for each command. Parameters are not read ahead of the command
/// that needs them. Not synthesised yet.
template <class Fold>
ap_uint<8> run_list(const Word *in, Word *out, ap_uint<32> list, ap_uint<8> count) {
  for (ap_uint<8> index = 0; index < count; ++index) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=64
    Word beats[Command::Beats];
    for (unsigned i = 0; i < Command::Beats; ++i) {
#pragma HLS PIPELINE II=1
      beats[i] = in[(list >> 3) + index * Command::Beats + i];
    }
    const Command command = Command::decode(beats);
    if (!runnable<Fold>(command)) return index;
    run<Fold>(command, in, out);
  }
  return count;
}

}  // namespace qnn
