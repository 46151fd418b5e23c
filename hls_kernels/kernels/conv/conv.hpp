// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "kernels/folding.hpp"

/// Frame of a command, its parameters and its input map as qnn::deal takes them; gives the output
/// map as it lies in memory (qnn/conv.hpp).
void conv(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out);
