# SPDX-License-Identifier: BSD-3-Clause
"""Nearest-neighbour Resize and Upsample of ONNX, as which values of its input are repeated.

Source: the operator pages of ONNX (Resize-10 to Resize-19, Upsample-7 and -9).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from qnn.importers.qonnx.graph import MAX_MAP, Array, Node

RESIZING = ("Resize", "Upsample")
_HALF_PIXEL_SINCE = 11  # operator set; before it Resize begins each window at a pixel
_POSITIONS = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")


def resized(node: Node, x: Array, parameters: Sequence[Array | None], opset: int) -> Array:
    """Values of x, of any shape, repeated or left out along each of its sides.

    Args:
        node: of type RESIZING.
        x: any array.
        parameters: its inputs behind the first.
        opset: of the standard operators.

    Raises:
        NetworkError: it interpolates, or states no sizes.
    """
    mode = str(node.attributes.get("mode", "nearest"))
    if mode != "nearest":
        raise node.refuse(
            f"it interpolates ({mode}), and codes have no values in between; use mode nearest"
        )
    old = node.op == "Upsample" or opset < _HALF_PIXEL_SINCE
    given = list(parameters) if not old else [None, *parameters]
    given += [None] * (3 - len(given))
    scales, sizes = given[1], given[2]
    if scales is None and "scales" in node.attributes:
        scales = np.array(node.attributes["scales"], np.float32)
    wanted: list[int] | None = None
    ratios: list[float] = []
    if sizes is not None and sizes.size == x.ndim:
        wanted = [int(n) for n in sizes.reshape(-1)]
        ratios = [out / side for out, side in zip(wanted, x.shape, strict=True)]
    elif scales is not None and scales.size == x.ndim:
        ratios = [float(s) for s in scales.reshape(-1)]
        if all(0 < ratio <= MAX_MAP for ratio in ratios):
            wanted = [math.floor(side * r) for side, r in zip(x.shape, ratios, strict=True)]
    if wanted is None or min(wanted) < 1 or math.prod(wanted) > MAX_MAP:
        raise node.refuse(
            f"it states no sensible scale for each side of a tensor of shape {x.shape}; export it "
            "with constant scales"
        )
    position = "asymmetric" if old else str(
        node.attributes.get("coordinate_transformation_mode", "half_pixel")
    )  # fmt: skip
    rounding = "floor" if old else str(node.attributes.get("nearest_mode", "round_prefer_floor"))
    for axis, (out, ratio) in enumerate(zip(wanted, ratios, strict=True)):
        if out != x.shape[axis] or ratio != 1:
            at = _round(node, rounding, _positions(node, position, out, x.shape[axis], ratio))
            x = x.take(at.clip(0, x.shape[axis] - 1), axis=axis)
    return x


def _positions(node: Node, kind: str, out: int, side: int, ratio: float) -> Array:
    """Where the values of a side lie in the old one, float64 (out,)."""
    x: Array = np.arange(out, dtype=np.float64)
    if kind == "asymmetric":
        return x / ratio
    if kind == "align_corners":
        return x * ((side - 1) / (out - 1)) if out > 1 else x * 0
    if kind not in _POSITIONS:
        raise node.refuse(
            f"its positions are those of {kind!r}; use one of {', '.join(_POSITIONS)}"
        )
    if kind == "pytorch_half_pixel" and out == 1:
        return x * 0
    return (x + 0.5) / ratio - 0.5


def _round(node: Node, kind: str, x: Array) -> Array:
    found = {
        "round_prefer_floor": np.ceil(x - 0.5),
        "round_prefer_ceil": np.floor(x + 0.5),
        "floor": np.floor(x),
        "ceil": np.ceil(x),
    }.get(kind)
    if found is None:
        raise node.refuse(f"its nearest_mode is {kind!r}, which ONNX does not have")
    return found.astype(np.int64)
