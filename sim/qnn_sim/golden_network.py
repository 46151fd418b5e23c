# SPDX-License-Identifier: BSD-3-Clause
"""A whole network through the golden model: what each layer must give, value by value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qnn.compute.dense import FloatDense
from qnn.compute.float_conv import Uniform
from qnn.engine.word_conv import WordConv
from qnn.network import Conv, Dense, FloatConv, Floats, Layer, Lookup, MaxPool, Network, Rearrange
from qnn_sim import float_layers, golden

Map: TypeAlias = "NDArray[np.number[Any]]"  # (H, W, C)
_OUTPUTS_AT_ONCE = 256  # of a matrix of bits, so that its float64 weights are few at a time


def run_layer(layer: Layer, values: Map) -> Map:
    """Codes, uint8, accumulators, int32, or floats, float64, (OH, OW, O) of a map (H, W, C)."""
    if isinstance(layer, Conv):
        return run_conv(layer, values.astype(np.uint8, copy=False))
    if isinstance(layer, Lookup):
        codes = np.array([layer.table[int(code)] for code in values.ravel()], dtype=np.uint8)
        return codes.reshape(layer.out_shape)
    if isinstance(layer, Floats):
        return _run_floats(layer, values)
    if isinstance(layer, Rearrange):
        flat = values.reshape(-1)
        moved = np.array([flat[place] for place in layer.places.reshape(-1)], layer.out_dtype)
        return moved.reshape(layer.out_shape)
    if isinstance(layer, FloatConv):
        return _run_float_conv(layer, values.astype(np.float32))
    y: NDArray[Any] = _run_matrix(layer, values, lambda part: part)
    if layer.levels:
        y = float_layers.clip01(y)
    if layer.levels > 1:
        y = np.rint(y * layer.levels).astype(np.uint8)
    return y.reshape(layer.out_shape)


def rounding(layer: Layer, values: Map, leeway: Map | float = 0.0) -> Map:
    """How far another order of the sums may take the outputs of a layer from those of `run_layer`,
    where the values it reads may themselves be off by `leeway`.

    With n products in a sum, each of the two is within g(n + 3) * (sum of |w| |x| + |b|) of the
    exact sum, g(m) = m u / (1 - m u) and u half the spacing of floats at 1 (Higham, "Accuracy and
    Stability of Numerical Algorithms", 2002, section 3.1). Codes and accumulators have no leeway.
    """
    if isinstance(layer, Floats):
        return _rounding_of_floats(layer, values, leeway)
    if not isinstance(layer, Dense) or layer.out_bits is not None:
        return np.zeros(layer.out_shape)
    steps = (layer.inputs + 3) * np.finfo(np.float64).eps / 2
    off = np.broadcast_to(np.asarray(leeway, np.float64), values.shape)
    own = 2 * steps / (1 - steps) * _run_matrix(layer, abs(values) + off, abs)
    passed_on = _run_matrix(layer, off, abs) - abs(layer.matrix.bias) if off.any() else 0.0
    return (own + passed_on).reshape(layer.out_shape)


def _rounding_of_floats(layer: Floats, values: Map, leeway: Map | float) -> Map:
    """The same of a layer of floats, whose steps round what they read once more."""
    if layer.out_bits is not None:
        return np.zeros(layer.out_shape)
    off = np.broadcast_to(np.asarray(leeway, np.float64), values.shape)
    x, low, high = (y.astype(np.float32) for y in (values, values - off, values + off))
    for step in layer.steps:
        x, low, high = step(x), step(low), step(high)
    moved = np.maximum(abs(high - x), abs(low - x)) + np.spacing(abs(x)) * off.any()
    plain = replace(layer, steps=(), in_bits=None)
    if layer.weight is None:
        return _run_floats(plain, moved.astype(np.float64))
    steps = (layer.weight[0].size + 3) * np.finfo(np.float64).eps / 2
    plain = replace(plain, weight=abs(layer.weight))
    return 2 * steps / (1 - steps) * _run_floats(plain, abs(x) + moved) + _run_floats(plain, moved)


def trace(layers: Iterable[Layer | WordConv], values: Map) -> Iterator[Map]:
    """Output of each layer in turn for what the first one reads, one map (H, W, C)."""
    for layer in layers:
        if isinstance(layer, WordConv):
            counts = run_word_layer(layer, values.astype(np.int64))
            yield counts
            values = counts >> 1 if layer.pairs else counts
        else:
            values = run_layer(layer, values)
            yield values


def joined(layer: Layer, maps: Sequence[Map]) -> Map:
    """What a layer reads of maps (H, W, C) of the same rows and columns: each of its groups the
    same share of every map, one behind the other."""
    groups = layer.groups if isinstance(layer, Conv | Floats) else 1
    shares = [
        one[..., group * one.shape[2] // groups : (group + 1) * one.shape[2] // groups]
        for group in range(groups)
        for one in maps
    ]
    return np.concatenate(shares, axis=2)


def run_graph(network: Network, values: Map) -> Iterator[Map]:
    """Output of each layer of a network in turn for what goes in, one map (H, W, C)."""
    given = {"": values}
    before = ""
    for layer in network.layers:
        read = [given[name] for name in network.inputs.get(layer.name, (before,))]
        given[layer.name] = run_layer(layer, joined(layer, read))
        before = layer.name
        yield given[layer.name]


def run_conv(layer: Conv, codes: NDArray[np.uint8]) -> NDArray[np.integer[Any]]:
    """Codes, uint8, or accumulators, int32, (OH, OW, O) that a layer makes of codes (H, W, C)."""
    weight = golden.signed_weights(layer.weight, layer.coefficients)
    acc = golden.convolution(
        codes, weight, stride=layer.strides, padding=layer.padding, groups=layer.groups
    )
    if layer.thresholds is None:
        return acc.astype(np.int32)
    return _pooled(golden.multi_threshold(acc, layer.thresholds), layer.pool)


def run_word_layer(layer: WordConv, numbers: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """Codes (OH, OW, O) that a layer of 16-bit words makes of numbers (H, W, C)."""
    sums = golden.word_convolution(
        numbers, layer.weight, stride=layer.stride, padding=layer.padding
    )
    return _pooled(golden.multi_threshold(sums, layer.thresholds), layer.pool)


def _pooled(codes: NDArray[np.uint8], pool: MaxPool | None) -> NDArray[np.uint8]:
    if pool is None:
        return codes
    return golden.max_pool(codes, pool.size, pool.stride, pool.padding).astype(np.uint8)


def _run_float_conv(layer: FloatConv, x: NDArray[np.float32]) -> NDArray[np.uint8]:
    convolution = {
        "float64": float_layers.conv_float64,
        "float32-sequential": float_layers.conv_float32_sequential,
    }[layer.arithmetic]
    out = convolution(x, layer.weight, layer.bias, layer.stride, layer.padding)
    if isinstance(layer.quantizer, Uniform):
        return float_layers.quantize_uniform(out, layer.quantizer.top, layer.quantizer.levels)
    return float_layers.count_thresholds(out, np.array(layer.quantizer.values))


def _run_floats(layer: Floats, values: Map) -> Map:
    x = values.astype(np.float32)
    for step in layer.steps:
        x = step(x)
    (top, left, bottom, right), (rows, columns) = layer.padding, layer.kernel
    outside = 0.0 if layer.pool is None else -np.inf
    padded = np.pad(
        x.astype(np.float64), ((top, bottom), (left, right), (0, 0)), constant_values=outside
    )
    y = np.empty(layer.out_shape)
    share = layer.in_shape[2] // layer.groups
    per_group = layer.out_shape[2] // layer.groups
    for row, column, output in np.ndindex(layer.out_shape):
        i, j = row * layer.strides[0], column * layer.strides[1]
        seen = padded[i : i + rows, j : j + columns]
        if layer.weight is None:
            y[row, column, output] = seen[..., output].max()
        else:
            group = output // per_group
            own = seen[..., group * share : (group + 1) * share]
            y[row, column, output] = (own * layer.weight[output].astype(np.float64)).sum()
    if layer.thresholds is None:
        return y
    limits = np.broadcast_to(layer.thresholds, (y.shape[2], layer.thresholds.shape[1]))
    return (y.astype(np.float32)[..., None] >= limits).sum(axis=-1).astype(np.uint8)


def _run_matrix(
    layer: Dense, values: Map, of: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """y = of(x) of(W) * unit + of(b), float64 (pixels, O)."""
    x = of(values.reshape(-1, layer.inputs).astype(np.float64))
    unit = layer.unit if layer.unit is not None else 1.0 / max(float(values.max()), 1.0)
    bias = layer.matrix.bias.astype(np.float64)
    sums = [
        float_layers.fully_connected(x, of(_weight(layer, slice(k, k + _OUTPUTS_AT_ONCE))), None)
        for k in range(0, len(bias), _OUTPUTS_AT_ONCE)
    ]
    y: NDArray[np.float64] = np.concatenate(sums, axis=1) * unit + of(bias)
    return y


def _weight(layer: Dense, some: slice) -> NDArray[np.float64]:
    """Columns of the matrix of a layer, float64 (inputs, columns)."""
    matrix = layer.matrix
    if isinstance(matrix, FloatDense):
        return matrix.weight[:, some].astype(np.float64)
    return float_layers.two_valued(
        matrix.bits[some], matrix.lo[some], matrix.hi[some], layer.inputs
    )
