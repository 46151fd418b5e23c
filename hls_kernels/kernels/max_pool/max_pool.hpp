// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "kernels/folding.hpp"

/// Frame of a command and the codes of all tiles, eight in a word; gives the codes of the pooled
/// map (qnn/max_pool.hpp).
void max_pool(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out);
