// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <ap_int.h>

#include <cstdint>

namespace qnn {

/// Bits that hold the values 0..most.
constexpr unsigned width_for(unsigned most) { return most < 2 ? 1 : 1 + width_for(most / 2); }

/// Number of bits that are 1 among the Width lowest, the others being 0: `Popcount<64>::of(bits)`.
///
/// A third of the bits, another and the last third go into full adders side by side; their sums and
/// their carries are counted in the same way. So three bits become a count of two bits first, as in
/// rtl/core/qnn_popcount.sv, and 64 bits take four levels. Combinational; the caller pipelines it.
/// Plain integers, since C simulation spends most of its time here; only Third bits are ever set.
template <unsigned Width>
struct Popcount {
  static_assert(Width >= 1 && Width <= 64, "1 to 64 bits");
  static constexpr unsigned Third = (Width + 2) / 3;

  static unsigned of(std::uint64_t bits) {
#pragma HLS INLINE
    constexpr std::uint64_t Mask = (std::uint64_t(1) << Third) - 1;
    const std::uint64_t a = bits & Mask;
    const std::uint64_t b = (bits >> Third) & Mask;
    const std::uint64_t c = Width > 2 ? bits >> (2 * Third % 64) : 0;
    const std::uint64_t ones = a ^ b ^ c;
    const std::uint64_t twos = (a & b) | (a & c) | (b & c);
    return Popcount<Third>::of(ones) + 2 * Popcount<Third>::of(twos);
  }
};

template <>
struct Popcount<1> {
  static unsigned of(std::uint64_t bit) {
#pragma HLS INLINE
    return unsigned(bit);
  }
};

/// Lanes where weight and activation are equal: popcount(~(w ^ x)).
template <unsigned Width>
ap_uint<width_for(Width)> equal_bits(const ap_uint<Width> &w, const ap_uint<Width> &x) {
#pragma HLS INLINE
  return Popcount<Width>::of(ap_uint<Width>(~(w ^ x)).to_uint64());
}

}  // namespace qnn
