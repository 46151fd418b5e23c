// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "kernels/folding.hpp"

/// Frame of a command and the input map; gives the windows (qnn/window.hpp), a word for each of the
/// Pixels pixels of a step, of which the low Simd bits count.
void window(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out);
