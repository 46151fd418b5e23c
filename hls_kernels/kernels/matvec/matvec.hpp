// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "kernels/folding.hpp"

/// Frame of a command, then for each tile its weights and its windows, a word for each pixel of a
/// step; gives the sums of each pixel of the map, two in a word (qnn/matvec.hpp).
void matvec(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out);
