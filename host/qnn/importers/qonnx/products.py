# SPDX-License-Identifier: BSD-3-Clause
"""ONNX operators that multiply a feature map with weights: Conv, MatMul and Gemm.

A fully connected layer is a convolution whose kernel covers the map; the columns of its matrix move
to where their inputs lie in the map.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from qnn.compute.dense import FloatDense
from qnn.importers.qonnx.averages import spread_over
from qnn.importers.qonnx.elementwise import ELEMENTWISE, Parameters
from qnn.importers.qonnx.feature import (
    Codes,
    Feature,
    FloatProducts,
    Held,
    Input,
    Products,
    Sum,
)
from qnn.importers.qonnx.first import float_sums
from qnn.importers.qonnx.fold import last_quantizer
from qnn.importers.qonnx.graph import Array, Node
from qnn.importers.qonnx.inputs import as_map, flattened, kind_of
from qnn.importers.qonnx.layout import lying, places, standing
from qnn.importers.qonnx.padding import balanced, code_of_zero, ungrouped
from qnn.importers.qonnx.rounding import ROUNDINGS, stray
from qnn.importers.qonnx.weights import LARGEST, are_whole, integers
from qnn.importers.qonnx.windows import check_counts, kernels_of, strides_of, windows_of
from qnn.network import Dense, Shape
from qnn.network.arithmetic import Arithmetic

_SAME = 1 / (1 << 20)  # of a step: float32 rounds a multiple of a scale

# Adds channels to what was read: so many, which are that code everywhere; what is read then.
Constants = Callable[[Codes, int, int], tuple[str, ...]]
# Ends the layer that gives a feature, which is now to be read in this shape.
Read = Callable[[Feature, Shape], Codes]


def multiply(
    node: Node, feature: Feature, parameters: Parameters, read: Read, add: Constants
) -> Feature:
    """The sums of a Conv, MatMul or Gemm node, and its bias behind them.

    Raises:
        NetworkError: the accelerator has no such layer.
    """
    weight = parameters[1] if len(parameters) > 1 else None
    if weight is None:
        raise node.refuse("it wants the feature map first and constant weights behind it")
    if node.op == "Conv":
        return _convolution(node, feature, weight, parameters[2:], read, add)
    return _connection(node, feature, weight, parameters[2:], read)


def _convolution(
    node: Node, feature: Feature, weight: Array, bias: Parameters, read: Read, add: Constants
) -> Feature:
    sides = feature.index.ndim
    feature = as_map(node, feature)
    weight, groups = kernels_of(node, weight, sides, feature.shape[2])
    place = windows_of(node, feature.shape[:2], weight.shape[2:])
    check_counts(node, place, feature.shape)
    shape = (*place.counts(feature.shape[:2]), len(weight))
    strides = strides_of(node, place, feature.shape[:2])
    by_output = _spread(standing(weight, False).transpose(0, 2, 3, 1), place.dilations)
    index = lying(places(shape), sides, node.channels_last)
    if groups == 1 and _of_floats(node, feature, by_output):
        sums = float_sums(node, feature, by_output, place.padding, strides)
        return biased(node, Feature(sums, shape, index), bias)
    codes = read(feature, feature.shape)
    if groups > 1 and len(codes.sources) > 1:
        raise node.refuse(
            f"it has {groups} groups and reads maps side by side; quantise what the Concat gives "
            "once more, with Quant"
        )
    if groups > 1 and any(place.padding) and codes.zero and codes.zeros is None:
        by_output, groups = ungrouped(by_output, groups), 1
    products = _products(node, by_output, codes, feature.shape, groups=groups)
    if any(place.padding) and codes.zeros is not None and codes.zeros.any():
        raise node.refuse(
            "it pads with 0 channels whose lowest levels are not all 0; use no padding, or "
            "activations whose lowest level is 0 (ReLU)"
        )
    if any(place.padding) and codes.zero:
        products = _padded(node, products, codes, add)
    products = replace(
        products,
        strides=strides,
        padding=place.padding,
        groups=groups,
    )
    return biased(node, Feature(products, shape, index), bias)


def _padded(node: Node, products: Products, codes: Codes, add: Constants) -> Products:
    """The sums of a map that is padded with the value 0, whose code is not 0 (see padding)."""
    code = code_of_zero(node, codes)
    further = balanced(products.weight)
    sources = add(codes, further.shape[3], code)
    rows, columns, channels = products.in_shape
    return replace(
        products,
        in_shape=(rows, columns, channels + further.shape[3]),
        sources=sources,
        weight=np.concatenate([products.weight, further], axis=3),
        offset=np.zeros_like(products.offset),
    )


def _spread(weight: Array, dilations: tuple[int, int]) -> Array:
    """Weights (O, KH, KW, C) with the zeros that a dilation puts between them."""
    if dilations == (1, 1):
        return weight
    outputs, rows, columns, channels = weight.shape
    down, across = dilations
    shape = outputs, (rows - 1) * down + 1, (columns - 1) * across + 1, channels
    spread: Array = np.zeros(shape, weight.dtype)
    spread[:, ::down, ::across] = weight
    return spread


def _of_floats(node: Node, feature: Feature, weight: Array) -> bool:
    """Whether a convolution is one of floats: it reads a picture, its weights are no whole numbers
    of steps, or colours have a scale each and are not quantised."""
    source, steps = feature.source, feature.steps
    if not isinstance(source, Input) or not kind_of(node, source, steps).picture:
        return False
    apart = any(isinstance(s, Arithmetic) and (s.values != s.values[0]).any() for s in steps)
    return (apart and last_quantizer(steps) is None) or not are_whole(weight)


def _connection(
    node: Node, feature: Feature, weight: Array, bias: Parameters, read: Read
) -> Feature:
    alpha = node.attributes.get("alpha", 1.0)  # MatMul has none
    if weight.ndim != 2 or node.attributes.get("transA", 0):
        raise node.refuse(
            "it wants a matrix of weights, and the feature map not transposed; use transA = 0 and "
            "a matrix"
        )
    if not node.attributes.get("transB", 0):
        weight = weight.T  # (outputs, inputs)
    outputs, inputs = weight.shape
    if feature.index.shape != (1, inputs) or not outputs:
        raise node.refuse(
            f"a tensor of shape {feature.index.shape} does not fit its {inputs} inputs; put a "
            "Flatten before it"
        )
    in_shape = feature.shape
    if isinstance(feature.source, Input):
        feature, in_shape = flattened(node, feature, feature.source), (1, 1, inputs)
    moved = np.empty_like(weight)
    moved[:, feature.index[0]] = weight
    moved = moved.reshape(outputs, *in_shape)
    result = Feature(feature.source, (1, 1, outputs), np.arange(outputs)[None])
    source = feature.source
    summed = isinstance(source, Products) and source.averaged is not None
    if isinstance(source, Products | Held | Sum) and not summed and not are_whole(moved):
        floats = _of_floats_at_last(node, moved * np.float32(alpha), read(feature, in_shape))
        return biased(node, replace(result, source=floats), bias)
    if isinstance(source, Products) and source.averaged is not None and not feature.steps:
        products = _of_averages(node, moved, source, source.averaged)
    else:
        codes = read(feature, in_shape)
        products = _products(node, moved, codes, in_shape, _bias(node, result, bias))
    if alpha != 1:  # rounded with the sums, not behind them
        products = replace(products, stray=np.full(outputs, ROUNDINGS))
    result = replace(result, source=products)
    if alpha != 1:
        result = _then(node, result, "Mul", np.array(alpha, np.float32))
    return biased(node, result, bias)


def _of_floats_at_last(node: Node, weight: Array, codes: Codes) -> FloatProducts:
    """The sums of a layer of float weights, (O, H, W, C)."""
    bias = codes.zero * weight.sum(axis=(1, 2, 3), dtype=np.float64)
    if codes.steps is not None and codes.zeros is not None:
        bias = (weight * codes.zeros).sum(axis=(1, 2, 3), dtype=np.float64)
        weight = weight * (codes.steps / codes.step).astype(np.float32)
    matrix = weight.reshape(len(weight), -1).T
    rows, columns, channels = weight.shape[1:]
    layer = Dense(
        name="last",
        in_shape=(rows, columns, channels),
        in_bits=codes.bits,
        matrix=FloatDense(np.ascontiguousarray(matrix), bias.astype(np.float32)),
        levels=0,
        unit=codes.step,
    )
    return FloatProducts(node, layer, codes.sources)


def _of_averages(node: Node, weight: Array, source: Products, codes: Codes) -> Products:
    """The sums of averages that are not quantised are sums of what is averaged."""
    kernel = source.weight.shape[1:3]
    count = kernel[0] * kernel[1]
    spread = spread_over(source, weight)
    if kernel != source.in_shape[:2] and are_whole(weight) and not are_whole(spread):
        raise node.refuse(
            f"it reads averages of windows that overlap, and its weights add up to more than "
            f"{LARGEST} steps there; quantise the averages to 8 bits or fewer before it"
        )
    whole = _products(node, spread, codes, source.in_shape)
    return replace(
        whole,
        unit=whole.unit / count,
        offset=whole.offset / count,
        stray=np.full(len(weight), ROUNDINGS),
    )


def biased(node: Node, feature: Feature, given: Parameters) -> Feature:
    """Sums, and the bias behind them that a node of type Conv, Gemm or MatMul has, if any."""
    bias = _bias(node, feature, given)
    return feature if bias is None else _then(node, feature, "Add", bias)


def _bias(node: Node, feature: Feature, given: Parameters) -> Array | None:
    """The bias of such a node, as it lies beside its sums."""
    bias = next((x for x in given if x is not None), None)
    if bias is None:
        return None
    if node.op != "Conv":
        return feature.per_channel(node, bias * np.float32(node.attributes.get("beta", 1.0)))
    along = [1] * feature.index.ndim
    along[-1 if node.channels_last else 1] = -1
    return bias.reshape(along)


def _then(node: Node, feature: Feature, op: str, constant: Array) -> Feature:
    return feature.then(*ELEMENTWISE[op](node, feature, [None, constant]))


def _products(
    node: Node,
    weight: Array,
    codes: Codes,
    in_shape: Shape,
    start: Array | None = None,
    groups: int = 1,
) -> Products:
    """Sums of codes times `weight`, (O, KH, KW, C/groups); a Gemm adds them to `start`, (O,)."""
    outputs = len(weight)
    start = np.zeros(outputs, np.float32) if start is None else start
    if codes.steps is None or codes.zeros is None:
        whole, scale = integers(node, weight)
        moved = scale * codes.zero * whole.sum(axis=(1, 2, 3))
        astray = stray(weight, whole, scale, codes, start)
    else:
        own = np.arange(outputs) // (outputs // groups) * weight.shape[3]
        channels = own[:, None, None, None] + np.arange(weight.shape[3])
        whole, scale = _of_steps(node, weight, (codes.steps / codes.step)[channels])
        moved = (weight.astype(np.float64) * codes.zeros[channels]).sum(axis=(1, 2, 3))
        one = replace(codes, zero=float(abs(codes.zeros).max()), steps=None, zeros=None)
        by_scale = (whole * scale[:, None, None, None]).astype(np.float32)
        astray = stray(by_scale, whole, scale, one, start)
    return Products(
        node=node,
        in_shape=in_shape,
        in_bits=codes.bits,
        top=codes.top,
        weight=whole,
        unit=scale * codes.step,
        offset=moved,
        sources=codes.sources,
        stray=astray,
    )


def _of_steps(node: Node, weight: Array, steps: Array) -> tuple[Array, Array]:
    """As `integers`, of weights (O, KH, KW, C) times steps (O, 1, 1, C), the least of them 1."""
    multiples = np.rint(steps)
    if (abs(steps - multiples) <= _SAME * multiples).all():
        whole, scale = integers(node, weight)
        if abs(whole * multiples).max(initial=0) <= LARGEST:
            return (whole * multiples).astype(np.int16), scale
    product = weight * steps
    if not are_whole(product):
        raise node.refuse(
            f"it reads channels in steps of their own, {steps.max():.3g} times the least of them "
            f"at most, and its weights times those are no whole numbers up to {LARGEST}; use one "
            "scale for all channels that it reads, or scales that are it times a power of two"
        )
    return integers(node, product)
