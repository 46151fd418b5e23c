// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "kernels/folding.hpp"

/// Frame of a command and the codes of all tiles, eight in a word, or where raw the sums, two in a
/// word; gives the map as it lies in memory (qnn/pack.hpp).
void pack(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out);
