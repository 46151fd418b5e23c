// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "qnn/command.hpp"

namespace qnn {

/// The order of a group's products: by falling significance, which of pass i and activation plane k
/// is k + max(exponent - i, 0); those of one significance by rising pass. So from pass to pass the
/// plane rises where the exponent falls, and stays where it is 0.
template <class Shape>
struct PassWalk {
  ap_uint<4> pass = 0, plane;            // of the present products
  ap_uint<4> head_pass = 0, head_plane;  // of the first ones of the same significance

  explicit PassWalk(const Shape &shape) : plane(shape.planes - 1), head_plane(shape.planes - 1) {}

  /// Whether a significance begins with this pass; before it, all sums are doubled.
  bool head() const {
#pragma HLS INLINE
    return pass == head_pass;
  }

  /// On to the next pass and plane.
  void next(const Shape &shape) {
#pragma HLS INLINE
    const bool falls = pass < shape.exponent;
    const bool last = pass + 1 == shape.passes || (falls && plane + 1 == shape.planes);
    if (!last) {
      ++pass;
      if (falls) ++plane;
      return;
    }
    if (head_plane != 0) {
      --head_plane;
    } else {
      ++head_pass;
    }
    pass = head_pass;
    plane = head_plane;
  }
};

}  // namespace qnn
