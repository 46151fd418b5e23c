// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "qnn/matvec.hpp"
#include "qnn/max_pool.hpp"
#include "qnn/pack.hpp"
#include "qnn/threshold.hpp"
#include "qnn/window.hpp"

namespace qnn {

/// Deals the words of a layer out to those who use them, in the order in which `conv` takes them:
///
///     for each tile: thresholds (thresholds * Pe/2 words), then weights (tile_words * Pe words);
///                    after those of the first tile, or of each where reload, the input map
///
/// Cycles: one a word, II 1.
template <class Fold, class Shape>
void deal(const Shape shape, hls::stream<Word> &in, hls::stream<Word> &thresholds,
          hls::stream<Word> &weights, hls::stream<Word> &map) {
  const ap_uint<20> of_thresholds = threshold_words<Fold>(shape);
  const ap_uint<20> of_weights = weight_words<Fold>(shape);
  const ap_uint<32> of_map = map_words(shape);
  for (ap_uint<8> tile = 0; tile < shape.tiles; ++tile) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=16
    for (ap_uint<20> word = 0; word < of_thresholds; ++word) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=32 max=224
      thresholds.write(in.read());
    }
    for (ap_uint<20> word = 0; word < of_weights; ++word) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=64 max=32768
      weights.write(in.read());
    }
    if (tile == 0 || shape.reload) {
      for (ap_uint<32> word = 0; word < of_map; ++word) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=1 max=32768
        map.write(in.read());
      }
    }
  }
}

/// One layer, or one group of a layer: convolution, thresholds, max-pool, packed; as a dataflow.
///
///     in > deal > window > matvec > threshold > max_pool > pack > out
///
/// `in` as `deal` takes it, `out` the output map as it lies in memory. Formats: pack.hpp,
/// window.hpp, matvec.hpp, threshold.hpp.
///
/// Cycles: the slowest of the stages, which is matvec: tiles * groups * steps, plus the loading of
/// rows and weights, during which it waits. Not synthesised yet.
template <class Fold, class Shape>
void conv(const Shape shape, hls::stream<Word> &in, hls::stream<Word> &out) {
#pragma HLS DATAFLOW
  hls::stream<Word> thresholds("thresholds"), weights("weights"), map("map");
  hls::stream<Pieces<Fold>> pieces("pieces");
  hls::stream<Sums<Fold>> sums("sums");
  hls::stream<Results<Fold>> results("results"), pooled("pooled");
#pragma HLS STREAM variable=thresholds depth=16
#pragma HLS STREAM variable=weights depth=64
#pragma HLS STREAM variable=map depth=512
#pragma HLS STREAM variable=pieces depth=16
#pragma HLS STREAM variable=sums depth=2
#pragma HLS STREAM variable=results depth=16
#pragma HLS STREAM variable=pooled depth=16
  deal<Fold>(shape, in, thresholds, weights, map);
  window<Fold>(shape, map, pieces);
  matvec<Fold>(shape, weights, pieces, sums);
  threshold<Fold>(shape, thresholds, sums, results);
  max_pool<Fold>(shape, results, pooled);
  pack<Fold>(shape, pooled, out);
}

}  // namespace qnn
