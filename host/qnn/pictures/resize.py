# SPDX-License-Identifier: BSD-3-Clause
"""Resizes of 8-bit pictures to floats, every operation rounded in a stated order.

A resize is a weighted sum of a few pixels along x, and then along y. Each product and each sum is
rounded once, to the type of the weights, and the sums run from the first tap to the last; so the
bits of a result say nothing of the machine. Only pixels that some tap reads are touched, a block of
lines at a time, so that what is between two operations stays in a cache.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.pictures.scratch import scratch

Array = NDArray[Any]

CUBIC = -0.75
_BLOCK_BYTES = 1 << 18  # of what is between two operations
_PAIRS = {4: np.complex64, 8: np.complex128}  # by the bytes of a float
once = functools.lru_cache(maxsize=16)  # most pictures of a folder or a camera are of one size


@dataclass(frozen=True, eq=False)
class Taps:
    """One axis of a resize: target i is the sum over k of weight[i, k] * source[index[i, k]].

    Attributes:
        index: intp (targets, taps); no target reads a pixel before those of the target before it.
        weight: float32 or float64 (targets, taps).
    """

    index: Array
    weight: Array


@once
def cubic(source: int, target: int, crop: int) -> Taps:
    """The middle `crop` of `target` positions over `source` pixels, in float64.

    Cubic (a = -0.75) of four pixels, pixel centres aligned, edges repeated, no smoothing before a
    reduction.
    """
    first = (target - crop) // 2
    position = (np.arange(first, first + crop) + 0.5) * (source / target) - 0.5
    low = np.floor(position)
    t = position - low
    a = CUBIC
    before = a * t * (1 - t) ** 2
    here = ((a + 2) * t - (a + 3)) * t**2 + 1
    after = a * (1 - t) * t**2
    weight = np.stack([before, here, 1 - before - here - after, after], axis=1)
    index = low.astype(np.intp)[:, None] + np.arange(-1, 3)
    return Taps(np.clip(index, 0, source - 1), weight)


@once
def corner_linear(source: int, target: int) -> Taps:
    """All of `target` positions over `source` pixels, in float32: linear, corners aligned."""
    step = np.float32(source - 1) / np.float32(max(target - 1, 1))
    position = np.arange(target, dtype=np.float32) * step
    low = position.astype(np.intp)
    part = position - low.astype(np.float32)
    low[-1], part[-1] = source - 1, 0
    index = np.stack([low, np.minimum(low + 1, source - 1)], axis=1)
    return Taps(index, np.stack([1 - part, part], axis=1))


def resize(
    image: Array, rows: Taps, columns: Taps, out: Array, *, bgr: bool = False, whole: int = 1
) -> None:
    """Writes weighted sums of pixels, along x first, then along y.

    Args:
        image: uint8 (H, W, 3).
        rows, columns: of one type of weights, in which all is computed.
        out: float (targets of rows, targets of columns, 3), pixels of three adjacent numbers; the
            sums are rounded to its type.
        bgr: the first and the last channel change places.
        whole: pixels are divided by it before all else.
    """
    lines_read, place = needed(rows)
    left, right, index_x, weight_x = _interleaved(columns, bgr)
    dtype, width = weight_x.dtype, weight_x.shape[1]
    targets = len(out)
    most_lines = _BLOCK_BYTES // (dtype.itemsize * max(width, 3 * (right - left)))
    block = min(max(most_lines, 1), targets)
    starts = np.arange(0, targets, block)
    ends = place[np.minimum(starts + block, targets) - 1].max(axis=1)
    most = int((ends - place[starts].min(axis=1)).max()) + 1
    lines = scratch("lines", (most, width), dtype.type)
    sums = scratch("sums", (block, width), dtype.type)
    products = scratch("products", (max(block, most), width), dtype.type)
    pixels = scratch("pixels", (most, right - left, 3), dtype.type)
    triple = np.dtype((np.void, 3 * out.itemsize))
    rounded = scratch("rounded", (block, width), out.dtype.type)
    first = stop = 0  # `lines` has the sums along x of the needed rows from first to stop
    for start in starts:
        index, weight = place[start : start + block], rows.weight[start : start + block]
        kept = max(stop - index.min(), 0)
        lines[:kept] = lines[stop - first - kept : stop - first]
        first, stop = index.min(), index.max() + 1
        rest = image[run(lines_read[first + kept : stop]), left:right]
        values = pixels[: len(rest)]
        values[...] = rest
        if whole != 1:
            np.divide(values, dtype.type(whole), out=values)
        values = values.reshape(len(rest), 3 * (right - left))
        _weigh(values, index_x, 1, weight_x, lines[kept : stop - first], products)
        total = sums[: len(index)]
        _weigh(lines, index.T - first, 0, weight.T[..., None], total, products)
        if total.dtype != out.dtype:
            total, unrounded = rounded[: len(index)], total
            total[...] = unrounded
        # as a whole, a pixel is copied faster than in three
        out[start : start + block].view(triple)[..., 0] = total.view(triple)


def resize_turned(image: Array, rows: Taps, columns: Taps, out: Array, *, whole: int = 1) -> None:
    """The same bits where columns lie one behind the other, as (W, H, 3) and (targets of columns,
    targets of rows, 3): whole columns are weighed then, which is faster."""
    columns_read, place = needed(columns)
    top, bottom, index_y, weight_y = _interleaved(rows, bgr=False)
    dtype, height = weight_y.dtype, 3 * (bottom - top)
    block = max(_BLOCK_BYTES // (dtype.itemsize * max(height, weight_y.shape[1])), 1)
    for start in range(0, len(out), block):
        index, weight = place[start : start + block], columns.weight[start : start + block]
        first, stop = index.min(), index.max() + 1
        rest = image[run(columns_read[first:stop]), top:bottom]
        values = scratch("pixels", rest.shape, dtype.type)
        values[...] = rest
        if whole != 1:
            np.divide(values, dtype.type(whole), out=values)
        lines = scratch("lines", (len(index), height), dtype.type)
        sums = scratch("sums", (len(index), weight_y.shape[1]), dtype.type)
        products = scratch(
            "products", (len(index) * max(lines.shape[1], sums.shape[1]),), dtype.type
        )
        values, across = values.reshape(len(rest), height), weight.T[..., None]
        _weigh(
            values, index.T - first, 0, across, lines, products[: lines.size].reshape(lines.shape)
        )
        _weigh(lines, index_y, 1, weight_y, sums, products[: sums.size].reshape(sums.shape))
        out[start : start + block] = sums.reshape(len(index), -1, 3)


def run(numbers: Array) -> Array | slice:
    """Ascending numbers as an index; without gaps it makes no copy."""
    if not len(numbers):
        return slice(0)
    first, stop = int(numbers[0]), int(numbers[-1]) + 1
    return slice(first, stop) if stop - first == len(numbers) else numbers


@once
def needed(taps: Taps) -> tuple[Array, Array]:
    """The pixels that some tap reads, in order, and the place among them of each in taps.index."""
    found, place = np.unique(taps.index, return_inverse=True)
    return found, place.reshape(taps.index.shape)


@once
def _interleaved(taps: Taps, bgr: bool) -> tuple[int, int, Array, Array]:
    """The taps of a line of three channels, each beside the next.

    Returns:
        The first pixel that is read, and the one behind the last; index and weight, (taps,
        targets * 3), among the values of the pixels between.
    """
    first, stop = int(taps.index.min()), int(taps.index.max()) + 1
    index = 3 * (taps.index.T[..., None] - first) + np.array([2, 1, 0] if bgr else [0, 1, 2])
    return first, stop, index.reshape(len(index), -1), np.repeat(taps.weight.T, 3, axis=1)


def _weigh(
    values: Array, index: Array, axis: int, weight: Array, total: Array, products: Array
) -> None:
    """The sum over k of values[index[k]] * weight[k], along an axis, tap after tap."""
    product = products[: len(total)]
    for k in range(len(index)):
        into = product if k else total
        values.take(index[k], axis, into, "clip")  # in another mode numpy takes into a copy first
        np.multiply(into, weight[k], out=into)
        if k:
            _in_pairs(np.add, total, product)


def subtract(total: Array, less: Array) -> None:
    """Subtracts floats of the same type from others; both lie in one piece."""
    _in_pairs(np.subtract, total, less)


def _in_pairs(operation: np.ufunc, total: Array, other: Array) -> None:
    """Adds to floats that lie in one piece, or subtracts: two at a time, as parts of complex
    numbers, where that goes. It is the same for each, and on 32-bit ARM takes numpy two thirds of
    the instructions."""
    if total.size % 2 == 0:
        pair = _PAIRS[total.itemsize]
        total, other = total.reshape(-1).view(pair), other.reshape(-1).view(pair)
    operation(total, other, out=total)
