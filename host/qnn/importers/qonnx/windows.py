# SPDX-License-Identifier: BSD-3-Clause
"""Kernel, stride, padding and dilation of ONNX convolutions, as the accelerator has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qnn.importers.qonnx.graph import Array, Node
from qnn.network import Padding, Shape, describe, windows

MAX_STRIDE = 4


@dataclass(frozen=True)
class Windows:
    """Where the windows of a node lie; padding is (top, left, bottom, right).

    Attributes:
        kernel: rows and columns, with what a dilation puts in between.
        strides: in rows and in columns.
        dilations: likewise.
    """

    kernel: tuple[int, int]
    strides: tuple[int, int]
    padding: Padding
    dilations: tuple[int, int]

    def counts(self, sides: tuple[int, int]) -> tuple[int, int]:
        """How many there are in rows and columns of a map of these sides."""
        (top, left, bottom, right), (rows, columns) = self.padding, self.strides
        return (
            windows(sides[0], top, bottom, self.kernel[0], rows),
            windows(sides[1], left, right, self.kernel[1], columns),
        )

    def largest_kernel(self, sides: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns that fit into a map of these sides with its padding."""
        top, left, bottom, right = self.padding
        return sides[0] + top + bottom, sides[1] + left + right


def windows_of(node: Node, sides: tuple[int, int], kernel: tuple[int, ...]) -> Windows:
    """Reads strides, pads, auto_pad and dilations.

    Args:
        node: a convolution or a pool, of maps or of lines (Conv1d), which are maps of one row.
        sides: rows and columns of its input.
        kernel: of the weights, or as the node states it.

    Raises:
        NetworkError: they have no meaning.
    """
    if len(kernel) not in (1, 2) or min(kernel) < 1:
        raise node.refuse(
            f"its kernel has {len(kernel)} sides; the accelerator runs maps of two, and lines"
        )
    flat = len(kernel) == 1
    strides = _two(node, "strides", 1, flat)
    dilations = _two(node, "dilations", 1, flat)
    inner = (1, *kernel) if flat else tuple(kernel)
    whole = tuple((side - 1) * step + 1 for side, step in zip(inner, dilations, strict=True))
    return Windows(
        kernel=(whole[0], whole[1]),
        strides=strides,
        padding=_padding(node, sides, whole, strides, flat),
        dilations=dilations,
    )


def kernels_of(node: Node, weight: Array, sides: int, channels: int) -> tuple[Array, int]:
    """The weights of a convolution as (O, C/groups, *kernel), and its groups.

    Args:
        node: the convolution.
        weight: as the file has them.
        sides: of the tensor that it reads, 4 for maps, 3 for lines.
        channels: of that tensor.

    Raises:
        NetworkError: they do not fit what it reads.
    """
    groups = int(node.attributes.get("group", 1))
    if weight.ndim not in (3, 4) or weight.ndim != sides or 0 in weight.shape:
        raise node.refuse(
            f"it wants weights of as many dimensions as its input, 3 or 4, and has {weight.ndim} "
            f"for {sides}; use Conv2d or Conv1d"
        )
    if node.channels_last:
        weight = np.moveaxis(weight, -1, 1)
    outputs, share = weight.shape[:2]
    if groups < 1 or share * groups != channels or outputs % groups:
        raise node.refuse(
            f"{groups} groups of {share} channels and {outputs} outputs do not fit its input of "
            f"{channels} channels"
        )
    return weight, groups


def check_counts(node: Node, place: Windows, shape: Shape) -> None:
    """NetworkError where a map of this shape has no window."""
    if min(place.counts(shape[:2])) < 1:
        raise node.refuse(
            f"its kernel of {describe(place.kernel)} does not fit into a map of {describe(shape)} "
            f"with pads {place.padding}; use a kernel of at most "
            f"{describe(place.largest_kernel(shape[:2]))}"
        )


def strides_of(node: Node, place: Windows, sides: tuple[int, int]) -> tuple[int, int]:
    """Strides in rows and in columns that step as those of a convolution do, alike if they can be.

    Raises:
        NetworkError: the accelerator has none.
    """
    counts = place.counts(sides)
    for stride in dict.fromkeys((max(place.strides), min(place.strides), 1)):
        same = Windows(place.kernel, (stride, stride), place.padding, place.dilations)
        if stride <= MAX_STRIDE and same.counts(sides) == counts:
            return stride, stride
    rows, columns = place.strides
    if max(rows, columns) <= MAX_STRIDE:
        return rows, columns
    raise node.refuse(
        f"strides ({rows}, {columns}); the accelerator steps 1 to {MAX_STRIDE} each way: use "
        f"({min(rows, MAX_STRIDE)}, {min(columns, MAX_STRIDE)})"
    )


def _two(node: Node, name: str, default: int, flat: bool) -> tuple[int, int]:
    """An attribute of two sides; of one where the map is a line."""
    given = tuple(int(n) for n in node.attributes.get(name, (default,) * (1 if flat else 2)))
    given = (default, *given) if flat else given
    if len(given) != 2 or min(given) < 1:
        raise node.refuse(f"{name} {given}; it wants a positive number for each side")
    return given[0], given[1]


def _padding(
    node: Node,
    sides: tuple[int, int],
    kernel: tuple[int, ...],
    strides: tuple[int, int],
    flat: bool,
) -> Padding:
    mode = node.attributes.get("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        missing = [
            max((-(-side // stride) - 1) * stride + k - side, 0)
            for side, k, stride in zip(sides, kernel, strides, strict=True)
        ]
        small, large = [m // 2 for m in missing], [m - m // 2 for m in missing]
        before, after = (small, large) if mode == "SAME_UPPER" else (large, small)
        return before[0], before[1], after[0], after[1]
    none = (0,) * (2 if flat else 4)
    pads = tuple(node.attributes.get("pads", none)) if mode == "NOTSET" else none
    if len(pads) != len(none) or min(pads) < 0:
        raise node.refuse(f"pads {pads}; it wants {len(none)} numbers from 0 on")
    if flat:
        return 0, int(pads[0]), 0, int(pads[1])
    return int(pads[0]), int(pads[1]), int(pads[2]), int(pads[3])
