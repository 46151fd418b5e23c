# SPDX-License-Identifier: BSD-3-Clause
"""ONNX operators between constants, which the importer computes at once: weights, shapes, scales.

Arithmetic is float32 or integer as in the file, each operation rounded as ONNX rounds it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from qnn.importers.qonnx.graph import Array, Graph, Node
from qnn.importers.qonnx.layout import LAYOUT, rearrange
from qnn.importers.qonnx.linear import dequantized, quantized
from qnn.importers.qonnx.steps import QUANTIZERS, quantizer

# Elements of all that is computed: what weights pass through on their way, and what is small.
_PASSES, _SMALL = 16, 1 << 22

_BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Pow": np.power,
}
_UNARY: dict[str, Callable[[Array], Array]] = {"Neg": np.negative, "Sqrt": np.sqrt}


def room_for(graph: Graph) -> int:
    """How many elements all constants that are computed may have together, by those of the file."""
    inside = (node.attributes.get("value") for node in graph.nodes if node.op == "Constant")
    held = [*graph.constants.values(), *(x for x in inside if x is not None)]
    return _PASSES * sum(x.size for x in held) + _SMALL


def fold(node: Node, inputs: list[Array | None], room: int) -> Array:
    """The output of a node whose inputs are constants.

    Args:
        node, inputs: what is computed.
        room: elements that it may have.

    Raises:
        NetworkError: an operator that constants do not need, or inputs that do not fit it.
    """
    _check_size(node, inputs, room)
    try:
        with np.errstate(all="ignore"):
            folded = _fold(node, inputs)
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError):
        raise node.refuse("its constant inputs do not fit it") from None
    if folded is None:
        raise node.refuse(
            "it computes with constants in a way that is unknown here; store what it computes (as "
            "onnx-simplifier does, or the clean-up of qonnx)"
        )
    return folded


def _check_size(node: Node, inputs: list[Array | None], room: int) -> None:
    given = [x for x in inputs if x is not None]
    if node.op == "Gather":
        count = math.prod(max(x.size, 1) for x in given)
    elif node.op == "Concat":
        count = sum(x.size for x in given)
    else:  # no other operator gives more than its inputs broadcast against each other
        rank = max((x.ndim for x in given), default=0)
        shapes = ((1,) * (rank - x.ndim) + x.shape for x in given)
        count = math.prod(max(side) for side in zip(*shapes, strict=True))
    if count > room:
        raise node.refuse(
            f"it makes a constant of {count} elements, many times what the file holds; store what "
            "it computes"
        )


def _fold(node: Node, inputs: list[Array | None]) -> Array | None:
    given = [x for x in inputs if x is not None]
    if node.op == "Constant":
        return _constant(node)
    if node.op in LAYOUT:
        return rearrange(node, given[0], inputs[1:])
    if node.op == "Concat":
        return np.concatenate(given, axis=node.attributes["axis"])
    if node.op == "Gather":
        return np.take(given[0], given[1].astype(np.int64), axis=node.attributes.get("axis", 0))
    if node.op == "Cast":
        return given[0].astype(np.float32 if node.attributes["to"] in (1, 10, 11) else np.int64)
    if node.op == "Div":
        integers = all(x.dtype.kind in "iu" for x in given)
        return np.floor_divide(*given) if integers else np.divide(*given)
    if node.op in _BINARY:
        return _BINARY[node.op](given[0], given[1])
    if node.op in _UNARY:
        return _UNARY[node.op](given[0])
    if node.op == "Clip":
        low, high = (inputs[i] if i < len(inputs) else None for i in (1, 2))
        low = node.attributes.get("min") if low is None else low
        high = node.attributes.get("max") if high is None else high
        return np.clip(given[0], low, high).astype(given[0].dtype)
    if node.op == "QuantizeLinear":
        return quantized(node, given[0], *inputs[1:])
    if node.op == "DequantizeLinear":
        return dequantized(node, *inputs)
    if node.op in QUANTIZERS:
        return quantizer(node, inputs[1:])(given[0].astype(np.float32))
    return None


def _constant(node: Node) -> Array | None:
    for name, dtype in (
        ("value", None),
        ("value_float", np.float32),
        ("value_floats", np.float32),
        ("value_int", np.int64),
        ("value_ints", np.int64),
    ):
        if name in node.attributes:
            return np.asarray(node.attributes[name], dtype)
    return None
