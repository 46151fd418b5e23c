// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "qnn/types.hpp"

// Folding and buffers of the kernels in this folder; set them with -DQNN_PE=16 and the like.

#ifndef QNN_SIMD
#define QNN_SIMD qnn::Folding<>::Simd
#endif
#ifndef QNN_PE
#define QNN_PE qnn::Folding<>::Pe
#endif
#ifndef QNN_PIXELS
#define QNN_PIXELS qnn::Folding<>::Pixels
#endif
#ifndef QNN_WEIGHT_WORDS
#define QNN_WEIGHT_WORDS qnn::Folding<>::WeightWords
#endif
#ifndef QNN_THRESHOLD_WORDS
#define QNN_THRESHOLD_WORDS qnn::Folding<>::ThresholdWords
#endif
#ifndef QNN_WINDOW_WORDS
#define QNN_WINDOW_WORDS qnn::Folding<>::WindowWords
#endif
#ifndef QNN_POOL_COLUMNS
#define QNN_POOL_COLUMNS qnn::Folding<>::PoolColumns
#endif

using Fold = qnn::Folding<QNN_SIMD, QNN_PE, QNN_PIXELS, QNN_WEIGHT_WORDS, QNN_THRESHOLD_WORDS,
                          QNN_WINDOW_WORDS, QNN_POOL_COLUMNS>;
