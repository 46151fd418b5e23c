# SPDX-License-Identifier: BSD-3-Clause
"""QuantizeLinear and DequantizeLinear: whole numbers of 8 bits or fewer between floats (QCDQ)."""

from __future__ import annotations

import numpy as np

from qnn.importers.qonnx.datatypes import grid_of
from qnn.importers.qonnx.feature import Feature
from qnn.importers.qonnx.graph import WHOLE_TYPES, Array, Node
from qnn.importers.qonnx.steps import Linear, Step, given, only
from qnn.network.arithmetic import Arithmetic


def linear(node: Node, parameters: list[Array | None]) -> Linear:
    """The step of a QuantizeLinear node, whose type is that of its zero point.

    Args:
        node: the quantiser.
        parameters: its inputs after the first; one scale and one zero point.

    Raises:
        NetworkError: parameters without a meaning.
    """
    scale = only(node, "scale", given(node, "scale", parameters, 0))
    if not 0 < scale < np.inf:
        raise node.refuse("its scale is not a positive number")
    stated = parameters[1] if len(parameters) > 1 else None
    zero = 0 if stated is None else int(only(node, "zero point", stated))
    name = WHOLE_TYPES.get(node.attributes.get("output_type") or 2, "another type")
    grid = grid_of(name)
    if grid is None:
        raise node.refuse(f"it gives {name}; quantise to INT8 or UINT8, or to fewer bits")
    return Linear(scale, zero, int(grid.low), int(grid.high))


def quantize_linear(node: Node, feature: Feature, parameters: list[Array | None]) -> list[Step]:
    """The steps of a QuantizeLinear node on a feature map."""
    return [linear(node, parameters[1:])]


def dequantize_linear(node: Node, feature: Feature, parameters: list[Array | None]) -> list[Step]:
    """The steps of a DequantizeLinear node on a feature map: (x - zero point) * scale."""
    zero = parameters[2] if len(parameters) > 2 else None
    scale = only(node, "scale", given(node, "scale", parameters, 1))
    if not 0 < scale < np.inf:
        raise node.refuse("its scale is not a positive number")
    steps: list[Step] = []
    if zero is not None and zero.any():
        same = np.full(feature.shape[2], only(node, "zero point", zero), np.float32)
        steps.append(Arithmetic("subtract", same))
    return [*steps, Arithmetic("multiply", np.full(feature.shape[2], scale, np.float32))]


def quantized(node: Node, x: Array, *parameters: Array | None) -> Array:
    """Constants as whole numbers, int64; scale and zero point may have a value each along an axis.

    Raises:
        NetworkError: parameters without a meaning.
    """
    scale = given(node, "scale", [*parameters], 0)
    zero = parameters[1] if len(parameters) > 1 else None
    if scale.size == 1:
        return linear(node, [scale, zero])(x.astype(np.float32)).astype(np.int64)
    axis = _axis(node)
    zeros = np.broadcast_to(0 if zero is None else zero.reshape(-1), scale.size)
    parts = zip(np.moveaxis(x, axis, 0), scale.reshape(-1), zeros, strict=True)
    whole = [linear(node, [own, at])(part.astype(np.float32)) for part, own, at in parts]
    return np.stack(whole, axis=axis).astype(np.int64)


def dequantized(
    node: Node, x: Array | None, scale: Array | None, zero: Array | None = None
) -> Array:
    """Constants: (x - zero point) * scale, which may have a value each along an axis."""
    if x is None or scale is None:
        raise node.refuse("it wants numbers and their scale")
    axis = _axis(node)
    along = [1] * x.ndim
    if scale.size > 1:
        along[axis] = -1
    shift = 0 if zero is None else zero.astype(np.int64).reshape(along if zero.size > 1 else [])
    whole = (x.astype(np.int64) - shift).astype(np.float32)
    y: Array = whole * scale.astype(np.float32).reshape(along if scale.size > 1 else [])
    return y


def _axis(node: Node) -> int:
    """Along which constants have a scale each.

    Raises:
        NetworkError: they have one for each block.
    """
    if node.attributes.get("block_size"):
        raise node.refuse("it has a scale for each block; use one for each output")
    return int(node.attributes.get("axis", 1))
