// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "qnn/shape.hpp"
#include "qnn/types.hpp"

namespace qnn {

/// Results as they lie in memory, word after word.
///
/// Codes: 64/Pe pixels of a row share a word; for these, plane 0, 1, ... out_planes-1, one word
/// each. Bit q*Pe + c is channel c of pixel q; pixels beyond the end of the row are 0. Sums
/// (shape.raw): two a word of 32 bits each, channel 0 low.
///
/// Cycles: codes one a pixel and one a word, sums one a word, II 1. Not synthesised yet.
template <class Fold, class Shape>
void pack(const Shape shape, hls::stream<Results<Fold>> &results, hls::stream<Word> &words) {
  const ap_uint<32> rows = ap_uint<32>(shape.tiles) * shape.out_rows;
  for (ap_uint<32> row = 0; row < rows; ++row) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=3328
    Word plane[CodeW];
#pragma HLS ARRAY_PARTITION variable=plane type=complete
    ap_uint<3> share = 0;
    for (ap_uint<10> column = 0; column < shape.out_columns; ++column) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=208
      const Results<Fold> in = results.read();
      if (shape.raw) {
        for (unsigned p = 0; p < Fold::Pe; p += 2) {
#pragma HLS PIPELINE II=1
          words.write(Word(in.value[p]) | (Word(in.value[p + 1]) << 32));
        }
        continue;
      }
      for (unsigned k = 0; k < CodeW; ++k) {
#pragma HLS UNROLL
        Word bits = 0;
        for (unsigned p = 0; p < Fold::Pe; ++p) {
#pragma HLS UNROLL
          bits[p] = in.value[p][k];
        }
        const Word so_far = share == 0 ? Word(0) : plane[k];
        plane[k] = so_far | (bits << (share * Fold::Pe));
      }
      if (share + 1 == Fold::Share || column + 1 == shape.out_columns) {
        share = 0;
        for (ap_uint<4> k = 0; k < shape.out_planes; ++k) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=1 max=3
          words.write(plane[k]);
        }
      } else {
        ++share;
      }
    }
  }
}

}  // namespace qnn
