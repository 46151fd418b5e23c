// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "qnn/types.hpp"

// The shape of a layer when it is known as the kernel is compiled.

namespace qnn {

/// The input: a map in channel blocks of Pe, as the layer before writes it.
template <unsigned Rows, unsigned Columns, unsigned Channels, unsigned Planes>
struct Input {
  static constexpr unsigned rows = Rows, columns = Columns, channels = Channels, planes = Planes;
};

/// The kernel, with the padding of the map.
template <unsigned Rows, unsigned Columns, unsigned Stride = 1, unsigned Top = 0, unsigned Left = 0,
          unsigned Bottom = 0, unsigned Right = 0>
struct Kernel {
  static constexpr unsigned rows = Rows, columns = Columns, stride = Stride;
  static constexpr unsigned top = Top, left = Left, bottom = Bottom, right = Right;
};

/// The output: channels, thresholds of each (0: accumulators), planes of its codes, and passes over
/// the weights with the exponent of the first one (pass_walk.hpp).
template <unsigned Channels, unsigned Thresholds, unsigned Planes, unsigned Passes = 1,
          unsigned Exponent = 0>
struct Output {
  static constexpr unsigned channels = Channels, thresholds = Thresholds, planes = Planes;
  static constexpr unsigned passes = Passes, exponent = Exponent;
};

/// The pool, with the padding of the map before it; size 1 is none.
template <unsigned Size = 1, unsigned Stride = 1, unsigned Top = 0, unsigned Left = 0,
          unsigned Bottom = 0, unsigned Right = 0>
struct Pool {
  static constexpr unsigned size = Size, stride = Stride;
  static constexpr unsigned top = Top, left = Left, bottom = Bottom, right = Right;
};

constexpr unsigned ceil_div(unsigned a, unsigned b) { return (a + b - 1) / b; }
constexpr unsigned larger(unsigned a, unsigned b) { return a > b ? a : b; }

/// One layer with one group as a shape: `conv<Fold>(Layer<Fold, Input<...>, ...>(), in, out)`. All
/// loop bounds are constants then, and what the layer does not use is left out.
///
/// The fields are those of a command (command.hpp) that the kernels look at, with the values that
/// host/qnn/engine/program.py gives them where codes come from thresholds. The input map is kept
/// whole on chip.
template <class Fold, class In, class Kern, class Out, class Pooling = Pool<>>
struct Layer {
  // input
  static constexpr unsigned tight = 0, reload = 0, first_skip = 0, drop_lowest = 0;
  static constexpr unsigned word_products = 0, word_unsigned = 0, requantise = 0;
  static constexpr unsigned in_rows = In::rows, in_columns = In::columns, planes = In::planes;
  static constexpr unsigned blocks = ceil_div(In::channels, Fold::Pe);
  static constexpr unsigned last_bytes = ceil_div(In::channels - (blocks - 1) * Fold::Pe, 8);
  static constexpr unsigned block_used = blocks > 1 ? Fold::Pe / 8 : last_bytes;
  static constexpr unsigned pixel_bytes = (blocks - 1) * (Fold::Pe / 8) + last_bytes;
  static constexpr unsigned row_beats = ceil_div(in_columns, Fold::Share) * planes;

  // window buffer, in nibbles of 4 bits and words of 64
  static constexpr unsigned row_nibbles = in_columns * pixel_bytes * 2;
  static constexpr unsigned plane_words = ceil_div(row_nibbles, 16);
  static constexpr unsigned row_words = planes * plane_words;
  static constexpr unsigned ring_rows = in_rows, ring_words = in_rows * row_words;
  static constexpr unsigned ring_start = (in_rows - Kern::top % in_rows) % in_rows * row_words;

  // windows
  static constexpr unsigned kernel_rows = Kern::rows, stride = Kern::stride, top = Kern::top;
  static constexpr unsigned window_nibbles = Kern::columns * pixel_bytes * 2;
  static constexpr unsigned words = ceil_div(window_nibbles, 16);
  static constexpr unsigned first_nibble = (0x10000 - Kern::left * pixel_bytes * 2) % 0x10000;
  static constexpr unsigned step_nibbles = stride * pixel_bytes * 2;
  static constexpr unsigned stride_words = stride * row_words % ring_words;
  static constexpr unsigned conv_rows = (top + in_rows + Kern::bottom - kernel_rows) / stride + 1;
  static constexpr unsigned conv_columns =
      (Kern::left + in_columns + Kern::right - Kern::columns) / stride + 1;

  // parameters
  static constexpr unsigned passes = Out::passes, exponent = Out::exponent;
  static constexpr unsigned thresholds = Out::thresholds;
  static constexpr unsigned tiles = ceil_div(Out::channels, Fold::Pe);
  static constexpr unsigned tile_words = passes * kernel_rows * words;

  // pool and output
  static constexpr unsigned raw = thresholds == 0, out_planes = Out::planes;
  static constexpr unsigned pool_size = Pooling::size, pool_stride = Pooling::stride;
  static constexpr unsigned pool_top = Pooling::top, pool_left = Pooling::left;
  static constexpr unsigned out_rows =
      (pool_top + conv_rows + Pooling::bottom - pool_size) / pool_stride + 1;
  static constexpr unsigned out_columns =
      (pool_left + conv_columns + Pooling::right - pool_size) / pool_stride + 1;
  static constexpr unsigned walk_rows =
      larger((out_rows - 1) * pool_stride + pool_size, pool_top + conv_rows);
  static constexpr unsigned walk_columns =
      larger((out_columns - 1) * pool_stride + pool_size, pool_left + conv_columns);

  static_assert(ring_words <= Fold::WindowWords, "the input map does not fit the window buffer");
  static_assert(tile_words <= Fold::WeightWords, "the weights of a tile do not fit");
  static_assert(thresholds <= Fold::ThresholdWords, "the thresholds of a tile do not fit");
  static_assert(pool_size == 1 || out_columns <= Fold::PoolColumns, "too many pooled columns");
  static_assert(planes >= 1 && planes <= 8 && out_planes <= 8, "1 to 8 planes");
  static_assert(exponent < passes && passes <= 15, "1 to 15 passes, the last of exponent 0");
  static_assert(kernel_rows <= KernelRows, "too many rows of the kernel");
};

}  // namespace qnn
