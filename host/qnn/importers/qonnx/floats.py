# SPDX-License-Identifier: BSD-3-Clause
"""Layers of floats (qnn.network.Floats): sums and pools of what is not quantised, on the host."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from qnn.importers.qonnx.array_thresholds import fold_array
from qnn.importers.qonnx.elementwise import Parameters
from qnn.importers.qonnx.feature import Codes, Feature
from qnn.importers.qonnx.fold import arithmetic
from qnn.importers.qonnx.graph import Array, Node
from qnn.importers.qonnx.layout import lying, places, standing
from qnn.importers.qonnx.steps import Clip, Quantizer, Step
from qnn.importers.qonnx.windows import Windows, check_counts, kernels_of, windows_of
from qnn.network import Floats, Shape
from qnn.network.arithmetic import Arithmetic


def operations(node: Node, steps: Sequence[Step], channels: int) -> tuple[Arithmetic, ...]:
    """Steps before a layer of floats.

    Raises:
        NetworkError: one is no arithmetic.
    """
    found: list[Arithmetic] = []
    for step in steps:
        if not isinstance(step, Arithmetic | Clip):
            raise node.refuse(
                "what it reads is quantised to more than 8 bits; quantise it to 8 bits or fewer"
            )
        found += arithmetic(step, channels)
    return tuple(found)


def values_of(codes: Codes, channels: int) -> tuple[Arithmetic, ...]:
    """Steps that make of codes what they stand for."""
    step = codes.step if codes.steps is None else codes.steps
    zero = codes.zero if codes.zeros is None else codes.zeros
    return (
        Arithmetic("multiply", np.broadcast_to(step, channels).astype(np.float32)),
        Arithmetic("add", np.broadcast_to(zero, channels).astype(np.float32)),
    )


def sums(
    node: Node, feature: Feature, parameters: Parameters, steps: tuple[Arithmetic, ...],
    bits: int | None, name: str, sides: int,
) -> tuple[Floats, Array]:  # fmt: skip
    """The sums of a Conv, MatMul or Gemm node, and how its tensor lies in the map of its layer.

    Args:
        node: the node.
        feature: what it reads, as a map.
        parameters: its inputs, as in qnn.importers.qonnx.elementwise; what stands behind the
            weights is added behind the layer.
        steps: before the sums.
        bits: of the codes that the layer reads; None for floats.
        name: of the layer.
        sides: of the tensor, 3 for lines.

    Raises:
        NetworkError: weights and input do not fit each other.
    """
    weight = parameters[1]
    if weight is None or weight.dtype.kind not in "fiu":
        raise node.refuse("it wants the feature map first and constant weights behind it")
    weight = weight.astype(np.float32)
    if not np.isfinite(weight).all():
        raise node.refuse("it has weights that are not finite")
    if node.op != "Conv":
        return _connection(node, feature, weight, steps, bits, name)
    weight, groups = kernels_of(node, weight, sides, feature.shape[2])
    place = windows_of(node, feature.shape[:2], weight.shape[2:])
    if place.dilations != (1, 1):
        raise node.refuse(
            f"it has float weights and dilations {place.dilations}; use a dense kernel, or "
            "quantise its weights and its input to 8 bits or fewer"
        )
    check_counts(node, place, feature.shape)
    layer = Floats(
        name=name,
        in_shape=feature.shape,
        in_bits=bits,
        steps=steps,
        weight=np.ascontiguousarray(standing(weight, False).transpose(0, 2, 3, 1)),
        strides=place.strides,
        padding=place.padding,
        groups=groups,
    )
    return layer, lying(places(layer.out_shape), sides, node.channels_last)


def _connection(
    node: Node, feature: Feature, weight: Array, steps: tuple[Arithmetic, ...], bits: int | None,
    name: str,
) -> tuple[Floats, Array]:  # fmt: skip
    if weight.ndim != 2 or node.attributes.get("transA", 0):
        raise node.refuse(
            "it wants a matrix of weights, and the feature map not transposed; use transA = 0 and "
            "a matrix"
        )
    if not node.attributes.get("transB", 0):
        weight = weight.T
    outputs, inputs = weight.shape
    if feature.index.shape != (1, inputs) or math.prod(feature.shape) != inputs or not outputs:
        raise node.refuse(
            f"a tensor of shape {feature.index.shape} does not fit its {inputs} inputs; put a "
            "Flatten before it"
        )
    moved = np.empty_like(weight)
    moved[:, feature.index[0]] = weight * np.float32(node.attributes.get("alpha", 1.0))
    weight = np.ascontiguousarray(moved.reshape(outputs, *feature.shape))
    layer = Floats(name, feature.shape, bits, steps, weight)
    return layer, np.arange(outputs)[None]


def pooled(
    node: Node, feature: Feature, steps: tuple[Arithmetic, ...], name: str, sides: int
) -> tuple[Floats, Array]:
    """The largest values of the windows of a MaxPool node, and how its tensor lies."""
    place = windows_of(node, feature.shape[:2], tuple(node.attributes.get("kernel_shape", ())))
    if place.dilations != (1, 1) or node.attributes.get("ceil_mode"):
        raise node.refuse("it pools floats with dilations or ceil_mode; use neither")
    check_counts(node, place, feature.shape)
    layer = Floats(
        name, feature.shape, None, steps, None, place.kernel, place.strides, place.padding
    )
    return layer, lying(places(layer.out_shape), sides, node.channels_last)


def pooled_codes(place: Windows, shape: Shape, top: int, name: str) -> Floats:
    """The largest codes, up to `top`, of any windows of a map of that shape."""
    steps = np.arange(max(top, 1), dtype=np.float32)[None] + np.float32(0.5)
    return Floats(
        name, shape, max(top, 1).bit_length(), (), None, place.kernel, place.strides,
        place.padding, thresholds=steps,
    )  # fmt: skip


def quantised(node: Node, feature: Feature, name: str) -> tuple[Floats, Codes]:
    """The layer that makes codes of floats, and what they stand for."""
    steps, channels = feature.steps, feature.shape[2]
    first = next(i for i, step in enumerate(steps) if isinstance(step, Quantizer))
    before = operations(node, steps[:first], channels)
    thresholds, codes = fold_array(node, steps[first:], channels, None)
    return Floats(name, feature.shape, None, before, thresholds=thresholds), codes
