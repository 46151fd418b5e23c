// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "qnn/requantise.hpp"
#include "qnn/shape.hpp"
#include "qnn/types.hpp"

namespace qnn {

/// Activation: code[p] = number of thresholds of channel p that are <= sum[p].
///
/// Thresholds of a tile, before its first sums: thresholds * Pe/2 words, each two of 32 bits, of
/// which the low AccW count; ascending for each channel, threshold after threshold, channel 0
/// first. They are moved by the constant of the channel that the sums have too much (matvec.hpp).
/// Where shape.raw there are none and the sums go on as they are.
///
/// Where shape.requantise each code is made by one multiplication (requantise.hpp) instead. For each
/// 8 channels there are then RequantWords words in the place of thresholds, of which the first 8
/// channels' numbers count: base, shift, multiplier, addend of the 8.
///
/// Out come the pixels one by one, those beyond the end of the map left out.
/// Cycles: a group max(thresholds, 1) + Pixels, II 1; where shape.requantise Pe/8 * Pixels * 2 +
/// Pixels. Not synthesised yet.
template <class Fold, class Shape>
void threshold(const Shape shape, hls::stream<Word> &thresholds, hls::stream<Sums<Fold>> &sums,
               hls::stream<Results<Fold>> &results) {
  Sum level[Fold::ThresholdWords][Fold::Pe];
#pragma HLS ARRAY_PARTITION variable=level type=complete dim=2
  const ap_uint<24> pixels = pixels_of(shape);

  for (ap_uint<8> tile = 0; tile < shape.tiles; ++tile) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=16
    for (ap_uint<9> k = 0; k < shape.thresholds; ++k) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=7
      for (unsigned p = 0; p < Fold::Pe; p += 2) {
#pragma HLS PIPELINE II=1
        const Word two = thresholds.read();
        level[k][p] = two;
        level[k][p + 1] = two >> 32;
      }
    }
    for (ap_uint<24> pixel = 0; pixel < pixels; pixel += Fold::Pixels) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=11000
      const Sums<Fold> in = sums.read();
      Sum value[Fold::Pixels][Fold::Pe];
#pragma HLS ARRAY_PARTITION variable=value type=complete dim=0
      for (unsigned m = 0; m < Fold::Pixels; ++m) {
#pragma HLS UNROLL
        for (unsigned p = 0; p < Fold::Pe; ++p) {
#pragma HLS UNROLL
          value[m][p] = shape.raw ? in.sum[m][p] : Sum(0);
        }
      }
      for (unsigned first = 0; shape.requantise && first < Fold::Pe; first += WordChannels) {
        const Sum(*const word)[Fold::Pe] = level + first / WordChannels * RequantWords;
        for (unsigned m = 0; m < Fold::Pixels; ++m) {
#pragma HLS PIPELINE II=2
          for (unsigned p = 0; p < WordChannels; ++p) {
#pragma HLS UNROLL
            value[m][first + p] =
                requantised(in.sum[m][first + p], word[0][p], word[1][p], word[2][p], word[3][p],
                            shape.out_planes);
          }
        }
      }
      for (ap_uint<9> k = 0; !shape.requantise && k < shape.thresholds; ++k) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=1 max=7
        for (unsigned m = 0; m < Fold::Pixels; ++m) {
#pragma HLS UNROLL
          for (unsigned p = 0; p < Fold::Pe; ++p) {
#pragma HLS UNROLL
            if (in.sum[m][p] >= level[k][p]) value[m][p] = k + 1;
          }
        }
      }
      for (unsigned m = 0; m < Fold::Pixels; ++m) {
#pragma HLS PIPELINE II=1
        Results<Fold> out;
        for (unsigned p = 0; p < Fold::Pe; ++p) {
#pragma HLS UNROLL
          out.value[p] = value[m][p];
        }
        if (pixel + m < pixels) results.write(out);
      }
    }
  }
}

}  // namespace qnn
