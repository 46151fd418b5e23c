// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "qnn/pass_walk.hpp"
#include "qnn/shape.hpp"
#include "qnn/types.hpp"

namespace qnn {

/// Weights of one tile, Simd bits of each channel a step.
template <class Fold>
using WeightStore = ap_uint<Fold::Simd>[Fold::WeightWords * Fold::Sub][Fold::Pe];

/// Sums of one group of pixels, bit-serial.
template <class Fold, class Shape>
void bit_sums(const Shape &shape, const WeightStore<Fold> &store,
              hls::stream<Pieces<Fold>> &pieces, Sum (&sum)[Fold::Pixels][Fold::Pe]) {
#pragma HLS INLINE
  const ap_uint<16> pass_steps = ap_uint<16>(shape.kernel_rows) * shape.words * Fold::Sub;
  const ap_uint<32> steps = steps_of<Fold>(shape);
  PassWalk<Shape> walk(shape);
  ap_uint<16> pass_step = 0;
  for (ap_uint<32> step = 0; step < steps; ++step) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=1 max=1024
    const Pieces<Fold> in = pieces.read();
    const ap_uint<16> address = walk.pass * pass_steps + pass_step;
    const bool doubled = pass_step == 0 && walk.head();
    for (unsigned m = 0; m < Fold::Pixels; ++m) {
#pragma HLS UNROLL
      for (unsigned p = 0; p < Fold::Pe; ++p) {
#pragma HLS UNROLL
        const Sum before = step == 0 ? Sum(0) : sum[m][p];
        const Sum weighted = doubled ? Sum(before << 1) : before;
        sum[m][p] = weighted + equal_bits<Fold::Simd>(store[address][p], in.piece[m]);
      }
    }
    if (++pass_step == pass_steps) {
      pass_step = 0;
      walk.next(shape);
    }
  }
}

/// Products of one step of 16-bit numbers, added up.
template <class Fold, class Shape>
ap_int<WordAccW> word_dot(const Shape &shape, const ap_uint<Fold::Simd> &weight,
                          const ap_uint<Fold::Simd> &piece) {
#pragma HLS INLINE
  ap_int<WordAccW> dot = 0;
  for (unsigned j = 0; j < Fold::Simd; j += 16) {
#pragma HLS UNROLL
    const ap_int<16> w = weight >> j;
    ap_int<17> x = ap_int<16>(piece >> j);
    if (shape.word_unsigned) x = ap_uint<16>(piece >> j);
    dot += ap_int<33>(w * x);
  }
  return dot;
}

/// Sums of one group of pixels in products of 16-bit numbers: pass i is channels 8 * i to 8 * i + 7.
template <class Fold, class Shape>
void word_sums(const Shape &shape, const WeightStore<Fold> &store,
               hls::stream<Pieces<Fold>> &pieces, Sum (&sum)[Fold::Pixels][Fold::Pe]) {
#pragma HLS INLINE
  const ap_uint<16> pass_steps = ap_uint<16>(shape.kernel_rows) * shape.words * Fold::Sub;
  ap_int<WordAccW> acc[Fold::Pixels][WordChannels];
#pragma HLS ARRAY_PARTITION variable=acc type=complete dim=0
  ap_uint<16> address = 0;
  for (ap_uint<4> pass = 0; pass < shape.passes; ++pass) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=4
    for (ap_uint<16> step = 0; step < pass_steps; ++step, ++address) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=4 max=108
      const Pieces<Fold> in = pieces.read();
      for (unsigned m = 0; m < Fold::Pixels; ++m) {
#pragma HLS UNROLL
        for (unsigned c = 0; c < WordChannels; ++c) {
#pragma HLS UNROLL
          const ap_int<WordAccW> before = step == 0 ? ap_int<WordAccW>(0) : acc[m][c];
          acc[m][c] = before + word_dot<Fold>(shape, store[address][c], in.piece[m]);
        }
      }
    }
    for (unsigned m = 0; m < Fold::Pixels; ++m) {
#pragma HLS UNROLL
      for (unsigned p = 0; p < Fold::Pe; ++p) {
#pragma HLS UNROLL
        const Sum kept = Sum(acc[m][p % WordChannels] >> WordShift) + (Sum(1) << (SumW - 1));
        if (p / WordChannels == pass) sum[m][p] = kept;
        if (p / WordChannels > pass) sum[m][p] = 0;
      }
    }
  }
}

/// Binarized matrix-vector products, Pe output channels by Pixels output pixels at a time.
///
///     sum[m][p] = over steps of equal_bits(weight[p], piece[m]), doubled at each lower significance
///
/// which is the canonical accumulator plus (2^planes - 1) * (weight bits of the channel that are 0,
/// each as often as its pass counts). Pass i counts 2^max(exponent - i, 0); order: pass_walk.hpp.
///
/// Weights of a tile, before the pieces of its first group: tile_words * Pe words, channel 0 first,
/// in the order of pass, kernel row, word; all planes use the same.
///
/// Where word_products, words are four numbers of 16 bits each, and
///
///     sum[m][8 * i + c] = floor(products of pass i, added up, / 2^18) + 2^23
///
/// with tile_words * 8 words of weights, those of 8 channels a pass.
///
/// Cycles: a tile its weights to load, then planes * tile_words * 64/Simd a group, II 1. The
/// popcounts and sums are a pipeline. Not synthesised yet.
template <class Fold, class Shape>
void matvec(const Shape shape, hls::stream<Word> &weights, hls::stream<Pieces<Fold>> &pieces,
            hls::stream<Sums<Fold>> &sums) {
  WeightStore<Fold> store;
#pragma HLS ARRAY_PARTITION variable=store type=complete dim=2
#pragma HLS BIND_STORAGE variable=store type=ram_s2p impl=bram
  const ap_uint<24> groups = groups_of<Fold>(shape);
  const ap_uint<7> channels = weight_channels<Fold>(shape);

  for (ap_uint<8> tile = 0; tile < shape.tiles; ++tile) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=16
    for (ap_uint<13> word = 0; word < shape.tile_words; ++word) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=512
      for (ap_uint<7> p = 0; p < channels; ++p) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=8 max=64
        const Word bits = weights.read();
        for (unsigned s = 0; s < Fold::Sub; ++s) {
#pragma HLS UNROLL
          store[word * Fold::Sub + s][p] = bits >> (s * Fold::Simd);
        }
      }
    }
    for (ap_uint<24> group = 0; group < groups; ++group) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=11000
      Sum sum[Fold::Pixels][Fold::Pe];
#pragma HLS ARRAY_PARTITION variable=sum type=complete dim=0
      if (shape.word_products) {
        word_sums<Fold>(shape, store, pieces, sum);
      } else {
        bit_sums<Fold>(shape, store, pieces, sum);
      }
      Sums<Fold> out;
      for (unsigned m = 0; m < Fold::Pixels; ++m) {
#pragma HLS UNROLL
        for (unsigned p = 0; p < Fold::Pe; ++p) {
#pragma HLS UNROLL
          out.sum[m][p] = sum[m][p];
        }
      }
      sums.write(out);
    }
  }
}

}  // namespace qnn
