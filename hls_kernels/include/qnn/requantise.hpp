// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "qnn/command.hpp"
#include "qnn/types.hpp"

namespace qnn {

/// Code of many levels by one multiplication, 0 to 2^planes - 1:
///
///     x    = sum - base, but not below 0 and not above 2^RequantSpanW - 1
///     code = (multiplier * x + addend * 2^RequantAddendShift) >> (shift + RequantLeastShift)
///
/// The addend is a number in two's complement; of the shift the low 5 bits count.
inline Sum requantised(const Sum &sum, const Sum &base, const Sum &shift, const Sum &multiplier,
                       const Sum &addend, const ap_uint<4> &planes) {
#pragma HLS INLINE
  const Sum above = sum > base ? Sum(sum - base) : Sum(0);
  const ap_uint<RequantSpanW> most = ~ap_uint<RequantSpanW>(0);
  const ap_uint<RequantSpanW> x = above > most ? most : ap_uint<RequantSpanW>(above);
  const ap_uint<AccW + RequantSpanW> product = multiplier * x;
  const ap_int<AccW> moved = addend;
  const ap_int<AccW + RequantSpanW + 2> scaled =
      ap_int<AccW + RequantSpanW + 2>(product) +
      (ap_int<AccW + RequantSpanW + 2>(moved) << RequantAddendShift);
  const ap_int<AccW + RequantSpanW + 2> code =
      scaled >> (unsigned(ap_uint<5>(shift)) + RequantLeastShift);
  const ap_uint<CodeW> top = (ap_uint<CodeW + 1>(1) << planes) - 1;
  if (code < 0) return 0;
  return code > top ? Sum(top) : Sum(code);
}

}  // namespace qnn
