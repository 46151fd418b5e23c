// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "qnn/shape.hpp"
#include "qnn/types.hpp"

namespace qnn {

/// Max-pool of codes in raster order: pool_size 1, 2 or 3, pool_stride 1 or 2.
///
/// Walks over walk_rows x walk_columns positions of the padded map; outside the real map a code of
/// 0 takes the place of a pixel. The maximum of the last pool_size columns comes from registers,
/// that of the rows before from two lines of such maxima; what these hold from a row or a tile
/// before never meets a window that counts. With pool_size 1 pixels, or sums, pass through.
///
/// Cycles: one position each, two where the line of a narrow map is read just after it is written.
/// Not synthesised yet.
template <class Fold, class Shape>
void max_pool(const Shape shape, hls::stream<Results<Fold>> &in, hls::stream<Results<Fold>> &out) {
  ap_uint<CodeW> line_1[Fold::PoolColumns][Fold::Pe], line_2[Fold::PoolColumns][Fold::Pe];
#pragma HLS ARRAY_PARTITION variable=line_1 type=complete dim=2
#pragma HLS ARRAY_PARTITION variable=line_2 type=complete dim=2
  const ap_uint<2> size = shape.pool_size;
  const ap_uint<24> positions = ap_uint<24>(shape.walk_rows) * shape.walk_columns;
  const ap_uint<11> rows_end = ap_uint<11>(shape.pool_top) + shape.conv_rows;
  const ap_uint<11> columns_end = ap_uint<11>(shape.pool_left) + shape.conv_columns;

  for (ap_uint<8> tile = 0; tile < shape.tiles; ++tile) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=16
    ap_uint<10> row = 0, column = 0, out_row = 0, out_column = 0;
    ap_uint<CodeW> before_1[Fold::Pe], before_2[Fold::Pe];
#pragma HLS ARRAY_PARTITION variable=before_1 type=complete
#pragma HLS ARRAY_PARTITION variable=before_2 type=complete
    for (ap_uint<24> position = 0; position < positions; ++position) {
#pragma HLS PIPELINE
#pragma HLS LOOP_TRIPCOUNT min=1 max=43264
      const bool real = row >= shape.pool_top && row < rows_end && column >= shape.pool_left &&
                        column < columns_end;
      // the last row and the last column of a window
      const bool row_counts = row + 1 >= size && out_row < shape.out_rows &&
                              (shape.pool_stride == 1 || row[0] != size[0]);
      const bool column_counts = column + 1 >= size && out_column < shape.out_columns &&
                                 (shape.pool_stride == 1 || column[0] != size[0]);
      Results<Fold> pixel;
      if (real) pixel = in.read();
      for (unsigned p = 0; p < Fold::Pe; ++p) {
#pragma HLS UNROLL
        const Sum here = real ? pixel.value[p] : Sum(0);
        Sum most = here;
        if (size >= 2) {
          if (before_1[p] > most) most = before_1[p];
          if (size >= 3 && before_2[p] > most) most = before_2[p];
          before_2[p] = before_1[p];
          before_1[p] = here;
          if (column_counts) {
            const ap_uint<CodeW> above_1 = line_1[out_column][p], above_2 = line_2[out_column][p];
            line_2[out_column][p] = above_1;
            line_1[out_column][p] = most;
            if (above_1 > most) most = above_1;
            if (size >= 3 && above_2 > most) most = above_2;
          }
        }
        pixel.value[p] = most;
      }
      if (row_counts && column_counts) out.write(pixel);
      if (column_counts) ++out_column;
      if (++column == shape.walk_columns) {
        column = 0;
        out_column = 0;
        ++row;
        if (row_counts) ++out_row;
      }
    }
  }
}

}  // namespace qnn
