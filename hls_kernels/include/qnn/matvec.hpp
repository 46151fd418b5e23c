// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "qnn/pass_walk.hpp"
#include "qnn/shape.hpp"
#include "qnn/types.hpp"

namespace qnn {

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
/// Cycles: a tile tile_words * Pe to load, then planes * tile_words * 64/Simd a group, II 1. The
/// popcounts and sums are a pipeline. Not synthesised yet.
template <class Fold, class Shape>
void matvec(const Shape shape, hls::stream<Word> &weights, hls::stream<Pieces<Fold>> &pieces,
            hls::stream<Sums<Fold>> &sums) {
  ap_uint<Fold::Simd> store[Fold::WeightWords * Fold::Sub][Fold::Pe];
#pragma HLS ARRAY_PARTITION variable=store type=complete dim=2
#pragma HLS BIND_STORAGE variable=store type=ram_s2p impl=bram
  const ap_uint<24> groups = groups_of<Fold>(shape);
  const ap_uint<16> pass_steps = ap_uint<16>(shape.kernel_rows) * shape.words * Fold::Sub;
  const ap_uint<32> steps = steps_of<Fold>(shape);

  for (ap_uint<8> tile = 0; tile < shape.tiles; ++tile) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=16
    for (ap_uint<13> word = 0; word < shape.tile_words; ++word) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=1024
      for (unsigned p = 0; p < Fold::Pe; ++p) {
#pragma HLS PIPELINE II=1
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
