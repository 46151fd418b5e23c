// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "qnn/command.hpp"
#include "qnn/popcount.hpp"
#include "qnn/types.hpp"

// The shape of a layer is the second template argument of every kernel: anything with the fields of
// a command. Those of qnn::Command are known at run time, those of qnn::Layer (layer.hpp) when the
// kernel is compiled.

namespace qnn {

/// Steps of Simd bits that one group of pixels takes.
template <class Fold, class Shape>
ap_uint<32> steps_of(const Shape &shape) {
#pragma HLS INLINE
  return ap_uint<32>(shape.planes) * shape.tile_words * Fold::Sub;
}

/// Output pixels of one tile, before the pool.
template <class Shape>
ap_uint<24> pixels_of(const Shape &shape) {
#pragma HLS INLINE
  return ap_uint<24>(shape.conv_rows) * shape.conv_columns;
}

/// Groups of pixels of one tile.
template <class Fold, class Shape>
ap_uint<24> groups_of(const Shape &shape) {
#pragma HLS INLINE
  return (pixels_of(shape) + (Fold::Pixels - 1)) / Fold::Pixels;
}

/// Words of the thresholds of one tile.
template <class Fold, class Shape>
ap_uint<20> threshold_words(const Shape &shape) {
#pragma HLS INLINE
  return ap_uint<20>(shape.thresholds) * (Fold::Pe / 2);
}

/// Channels whose weights make up one word of a tile.
template <class Fold, class Shape>
ap_uint<7> weight_channels(const Shape &shape) {
#pragma HLS INLINE
  return shape.word_products ? WordChannels : Fold::Pe;
}

/// Words of the weights of one tile.
template <class Fold, class Shape>
ap_uint<20> weight_words(const Shape &shape) {
#pragma HLS INLINE
  return ap_uint<20>(shape.tile_words) * weight_channels<Fold>(shape);
}

/// Runs of words that a row of the input map is read in: one for each channel block.
template <class Shape>
ap_uint<8> blocks_of(const Shape &shape) {
#pragma HLS INLINE
  return shape.tight ? 1 : unsigned(shape.blocks);
}

/// Words of the input map, as it is read once.
template <class Shape>
ap_uint<32> map_words(const Shape &shape) {
#pragma HLS INLINE
  return ap_uint<32>(shape.in_rows) * blocks_of(shape) * shape.row_beats;
}

/// Words of the output map.
template <class Fold, class Shape>
ap_uint<32> out_words(const Shape &shape) {
#pragma HLS INLINE
  const ap_uint<32> rows = ap_uint<32>(shape.tiles) * shape.out_rows;
  if (shape.raw) return rows * shape.out_columns * (Fold::Pe / 2);
  return rows * ((shape.out_columns + (Fold::Share - 1)) / Fold::Share) * shape.out_planes;
}

/// A position of the ring of rows, `step` words on.
template <class Shape, class Step>
ap_uint<13> wrapped(const Shape &shape, ap_uint<13> position, Step step) {
#pragma HLS INLINE
  const ap_uint<14> sum = position + step;
  return sum >= shape.ring_words ? ap_uint<14>(sum - shape.ring_words) : sum;
}

}  // namespace qnn
