// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

namespace qnn {

using Word = ap_uint<64>;              // of memory: little-endian, element k is bits [k*W +: W]
using Beat = ap_axiu<64, 0, 0, 0>;     // of an AXI4-Stream with TLAST; keep and strb are all ones
constexpr unsigned CodeW = 8;          // bits of an activation code
constexpr unsigned AccW = 32;          // bits of a sum, unsigned
constexpr unsigned KernelRows = 16;    // of a kernel, at most
using Sum = ap_uint<AccW>;

/// Folding and buffers of a kernel, its first template argument; the defaults are those of the RTL.
///
///   Simd    activation bits of one pixel in one step: 16, 32 or 64
///   Pe      output channels at a time, and channels of a block of a feature map: 8, 16, 32 or 64
///   Pixels  output pixels at a time; they share the weights
///
/// One step multiplies Simd * Pe * Pixels bits. Weights are kept for one tile of Pe channels, the
/// input map for as many rows as fit.
template <unsigned Simd_ = 64, unsigned Pe_ = 64, unsigned Pixels_ = 4,
          unsigned WeightWords_ = 512, unsigned ThresholdWords_ = 256,
          unsigned WindowWords_ = 4096, unsigned PoolColumns_ = 256>
struct Folding {
  static constexpr unsigned Simd = Simd_;
  static constexpr unsigned Pe = Pe_;
  static constexpr unsigned Pixels = Pixels_;
  static constexpr unsigned WeightWords = WeightWords_;        // of 64 x Pe bits
  static constexpr unsigned ThresholdWords = ThresholdWords_;  // of Pe thresholds
  static constexpr unsigned WindowWords = WindowWords_;        // of 64 bits, a power of two
  static constexpr unsigned PoolColumns = PoolColumns_;        // of a pooled map, at most
  static constexpr unsigned Sub = 64 / Simd;                   // steps of a word
  static constexpr unsigned Share = 64 / Pe;                   // pixels in a word of a block

  static_assert(Simd == 16 || Simd == 32 || Simd == 64, "Simd is 16, 32 or 64");
  static_assert(Pe == 8 || Pe == 16 || Pe == 32 || Pe == 64, "Pe is 8, 16, 32 or 64");
  static_assert(Pixels >= 1 && Pixels <= 16, "Pixels is 1 to 16");
  static_assert(WindowWords >= 2 && (WindowWords & (WindowWords - 1)) == 0,
                "WindowWords is a power of two");
};

/// Bits of the windows of `Pixels` output pixels: one step of the matrix-vector product.
template <class Fold>
struct Pieces {
  ap_uint<Fold::Simd> piece[Fold::Pixels];
};

/// Finished sums of a group of pixels.
template <class Fold>
struct Sums {
  Sum sum[Fold::Pixels][Fold::Pe];
};

/// What one output pixel holds: codes, or sums where the layer hands out accumulators.
template <class Fold>
struct Results {
  Sum value[Fold::Pe];
};

}  // namespace qnn
