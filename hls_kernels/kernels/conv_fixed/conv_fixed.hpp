// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "kernels/folding.hpp"
#include "qnn/layer.hpp"

/// conv4 of the shipped network: 3x3, 64 to 64 channels, then a pool of 2x2.
using FixedLayer = qnn::Layer<Fold, qnn::Input<12, 12, 64, 2>, qnn::Kernel<3, 3>,
                              qnn::Output<64, 3, 2>, qnn::Pool<2, 2>>;

/// One layer with its shape as template arguments. Frame of its parameters and its input map as
/// qnn::deal takes them, without a command; gives the output map as it lies in memory.
void conv_fixed(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out);
