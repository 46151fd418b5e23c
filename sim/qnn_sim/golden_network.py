# SPDX-License-Identifier: BSD-3-Clause
"""A whole network through the golden model: what each stage must give, value by value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.compute.float_conv import Uniform
from qnn.engine.word_conv import WordConv
from qnn.network import Conv
from qnn.network.first import ConvFirst, First
from qnn_sim import float_layers, golden


def first_codes(first: First, tensor: NDArray[Any]) -> NDArray[np.uint8]:
    """Codes that the first stage must make of the tensor it reads (see qnn.network.first)."""
    if not isinstance(first, ConvFirst):
        codes = np.array([first.table[pixel] for pixel in tensor.ravel()], dtype=np.uint8)
        return codes.reshape(first.out_shape)
    convolution = {
        "float64": float_layers.conv_float64,
        "float32-sequential": float_layers.conv_float32_sequential,
    }[first.arithmetic]
    out = convolution(tensor, first.weight, first.bias, first.stride, first.padding)
    if isinstance(first.quantizer, Uniform):
        return float_layers.quantize_uniform(out, first.quantizer.top, first.quantizer.levels)
    return float_layers.count_thresholds(out, np.array(first.quantizer.values))


def run_layer(layer: Conv, codes: NDArray[np.uint8]) -> NDArray[np.integer[Any]]:
    """Codes, uint8, or accumulators, int32, (OH, OW, O) that a layer makes of codes (H, W, C)."""
    weight = golden.signed_weights(layer.weight, layer.coefficients)
    acc = golden.convolution(
        codes, weight, stride=layer.stride, padding=layer.padding, groups=layer.groups
    )
    if layer.thresholds is None:
        return acc.astype(np.int32)
    out = golden.multi_threshold(acc, layer.thresholds)
    if layer.pool is None:
        return out
    pool = layer.pool
    return golden.max_pool(out, pool.size, pool.stride, pool.padding).astype(np.uint8)


def run_word_layer(layer: WordConv, numbers: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """Codes (OH, OW, O) that a layer of 16-bit words makes of numbers (H, W, C)."""
    sums = golden.word_convolution(
        numbers, layer.weight, stride=layer.stride, padding=layer.padding
    )
    out = golden.multi_threshold(sums, layer.thresholds)
    pool = layer.pool
    if pool is None:
        return out
    return golden.max_pool(out, pool.size, pool.stride, pool.padding).astype(np.uint8)


def trace(
    layers: Iterable[Conv | WordConv], codes: NDArray[np.integer[Any]]
) -> Iterator[NDArray[np.integer[Any]]]:
    """Output of each layer in turn for one picture's codes, or 16-bit numbers, (H, W, C)."""
    for layer in layers:
        maps: NDArray[np.integer[Any]]
        if isinstance(layer, WordConv):
            maps = run_word_layer(layer, codes)
        else:
            maps = run_layer(layer, codes.astype(np.uint8, copy=False))
        yield maps
        codes = maps >> 1 if isinstance(layer, WordConv) and layer.pairs else maps
