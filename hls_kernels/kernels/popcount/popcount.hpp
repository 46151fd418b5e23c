// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "kernels/folding.hpp"

/// Frame of pairs of words w, x; gives for each pair one word, the number of their equal bits.
void popcount(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out);
