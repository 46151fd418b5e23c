# SPDX-License-Identifier: BSD-3-Clause
"""Max-pools of any size as those that the accelerator has, one behind the other.

A window of k is two windows of 3 and k - 2 one behind the other, or of 2 (stride 2) and k / 2 where
k and the stride are even. Where they want layers of their own, those hand on each code as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from qnn.importers.qonnx.graph import Array, Node
from qnn.importers.qonnx.weights import planes
from qnn.importers.qonnx.windows import MAX_STRIDE, Windows, windows_of
from qnn.network import Conv, MaxPool, Padding, Shape, describe, windows

LARGEST = 3  # rows and columns of a pool of the accelerator
STRIDES = (1, 2)


@dataclass(frozen=True)
class _Stage:
    """Windows along one side."""

    size: int
    stride: int
    before: int
    after: int

    def count(self, side: int) -> int:
        return windows(side, self.before, self.after, self.size, self.stride)


def windows_pooled(node: Node, sides: tuple[int, int]) -> Windows:
    """The windows of a MaxPool node; those that ceil_mode adds become padding.

    Args:
        node: the pool.
        sides: rows and columns of what it reads.

    Raises:
        NetworkError: they contradict each other, or have holes.
    """
    kernel = tuple(int(n) for n in node.attributes.get("kernel_shape", ()))
    if not kernel:
        raise node.refuse("a kernel of no size; state kernel_shape")
    place = windows_of(node, sides, kernel)
    if place.dilations != (1, 1) and max(kernel) > 1:
        raise node.refuse(f"dilations {place.dilations}; use a dense kernel")
    place = replace(place, padding=_with_ceiling(node, place, sides))
    rows, columns = place.counts(sides)
    if min(rows, columns) < 1:
        raise node.refuse(
            f"its kernel of {describe(place.kernel)} does not fit into a map of {describe(sides)}; "
            f"use a kernel of at most {describe(place.largest_kernel(sides))}"
        )
    top, left, bottom, right = place.padding
    if max(top, bottom) >= place.kernel[0] or max(left, right) >= place.kernel[1]:
        raise node.refuse(
            f"pads {place.padding} are not smaller than its kernel of {describe(place.kernel)}; "
            "use pads smaller than the kernel"
        )
    return place


def pools_of(place: Windows, sides: tuple[int, int]) -> tuple[MaxPool, ...] | None:
    """The pools of the accelerator that do what one with these windows does; None: none do.

    One of size 1 and a stride that no pool of the accelerator has (3 or 4) only leaves out pixels.
    """
    rows, columns = place.counts(sides)
    top, left, _, _ = place.padding
    if _is_whole(place, sides):
        return _whole(sides)
    # A side of one pixel that stays one takes any window that holds nothing else.
    down = _stages(place.kernel[0], place.strides[0], sides[0], top, rows)
    across = _stages(place.kernel[1], place.strides[1], sides[1], left, columns)
    if sides[0] == 1 and place.kernel[0] == 1 and across is not None:
        down = [_Stage(s.size, s.stride, 0, s.size - 1) for s in across]
    elif sides[1] == 1 and place.kernel[1] == 1 and down is not None:
        across = [_Stage(s.size, s.stride, 0, s.size - 1) for s in down]
    shapes = [None if one is None else [(s.size, s.stride) for s in one] for one in (down, across)]
    if down is None or across is None or shapes[0] != shapes[1]:
        return None
    return tuple(
        MaxPool(one.size, one.stride, (one.before, other.before, one.after, other.after))
        for one, other in zip(down, across, strict=True)
    )


def _with_ceiling(node: Node, place: Windows, sides: tuple[int, int]) -> Padding:
    top, left, bottom, right = place.padding
    if node.attributes.get("ceil_mode"):
        bottom += _to_whole_windows(
            top + sides[0] + bottom, place.kernel[0], place.strides[0], top + sides[0]
        )
        right += _to_whole_windows(
            left + sides[1] + right, place.kernel[1], place.strides[1], left + sides[1]
        )
    return top, left, bottom, right


def _to_whole_windows(length: int, size: int, stride: int, last: int) -> int:
    """Padding that one more window needs, unless it would begin in the padding (from `last` on)."""
    over = (length - size) % stride
    begins = length - size - over + stride
    return stride - over if over and begins < last else 0


def _is_whole(place: Windows, sides: tuple[int, int]) -> bool:
    """Whether there is one window, larger than any of the accelerator, and it holds the map."""
    (top, left, _, _), kernel = place.padding, place.kernel
    holds = kernel[0] - top >= sides[0] and kernel[1] - left >= sides[1]
    small = kernel[0] == kernel[1] <= LARGEST and place.strides[0] == place.strides[1]
    return holds and place.counts(sides) == (1, 1) and not (small and place.strides[0] in STRIDES)


def _whole(sides: tuple[int, int]) -> tuple[MaxPool, ...]:
    """Half of both sides, again and again, until one pixel is left."""
    (rows, columns), found = sides, []
    while max(rows, columns) > 1:
        found.append(MaxPool(2, 2, (0, 0, rows % 2, columns % 2)))
        rows, columns = -(-rows // 2), -(-columns // 2)
    return tuple(found) or (MaxPool(1, 1),)


def _stages(size: int, stride: int, side: int, before: int, count: int) -> list[_Stage] | None:
    """Windows of the accelerator, one behind the other, for `count` windows along a side; None if
    there are none."""
    after = max((count - 1) * stride + size - side - before, 0)
    found: list[_Stage] = []

    def take(one: int, step: int, first: int, last: int) -> None:
        nonlocal side
        found.append(_Stage(one, step, first, last))
        side = found[-1].count(side)

    while size > LARGEST:
        if size % 2 == 0 and stride % 2 == 0 and not before:
            take(2, 2, 0, side % 2 if after else 0)
            size, stride = size // 2, stride // 2
            after = max((count - 1) * stride + size - side, 0)
        else:
            first, last = min(before, LARGEST - 1), min(after, LARGEST - 1)
            take(LARGEST, 1, first, last)
            size, before, after = size - LARGEST + 1, before - first, after - last
    if before >= size or after >= size:
        return None
    if stride in STRIDES:
        take(size, stride, before, after)
        return found
    step = 2 if stride % 2 == 0 else 1
    if stride // step > MAX_STRIDE:
        return None
    if size > 1 or before or after or step > 1:
        take(size, step, before, after)
    take(1, stride // step, 0, 0)
    return found


def leaves_out(pool: MaxPool) -> bool:
    """Whether a pool takes each third or fourth pixel, which a convolution does instead."""
    return pool.size == 1 and pool.stride not in STRIDES


def pool_layers(
    node: Node, pools: Sequence[MaxPool], in_shape: Shape, top: int, name: str
) -> list[Conv]:
    """Layers that hand on codes as they are, each with one of `pools` behind it.

    Args:
        node: for errors.
        pools: as pools_of gives them.
        in_shape: of the codes.
        top: the largest code.
        name: of the layer before them; theirs begin with it.
    """
    found: list[Conv] = []
    for number, pool in enumerate(pools, start=1):
        layer = copying(node, in_shape, top, f"{name}-pool{number}")
        layer = replace(
            layer,
            stride=pool.stride if leaves_out(pool) else 1,
            pool=None if leaves_out(pool) else pool,
        )
        found.append(layer)
        in_shape = layer.out_shape
    return found


def copying(node: Node, in_shape: Shape, top: int, name: str) -> Conv:
    """A layer that hands on codes up to `top` as they are."""
    channels = in_shape[2]
    each: Array = np.eye(channels, dtype=np.int64)[:, None, None, :]
    bits, coefficients, factor = planes(node, each)
    thresholds = np.arange(1, max(top, 1) + 1, dtype=np.int32) * np.int32(factor)
    return Conv(
        name=name,
        in_shape=in_shape,
        in_bits=max(top, 1).bit_length(),
        weight=bits,
        thresholds=np.repeat(thresholds[None], channels, axis=0),
        coefficients=coefficients,
    )
