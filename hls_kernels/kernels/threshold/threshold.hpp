// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "kernels/folding.hpp"

/// Frame of a command, then for each tile its thresholds and the sums of its pixels, both two in a
/// word; gives the codes, eight in a word (qnn/threshold.hpp).
void threshold(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out);
