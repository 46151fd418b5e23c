// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "kernels/folding.hpp"

/// Runs a command list in memory (qnn/engine.hpp); returns how many commands ran, less than `count`
/// where that one is refused.
///
/// `in` and `out` are two AXI masters to the same memory; `list` is the byte address of the list.
ap_uint<8> engine(const qnn::Word *in, qnn::Word *out, ap_uint<32> list, ap_uint<8> count);
