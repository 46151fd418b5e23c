# SPDX-License-Identifier: BSD-3-Clause
"""A resize in float64, rounded to float32: the bits of qnn.pictures.resize, faster.

Each line of sums along an axis is one product of a few weights with as many lines of pixels, left
to BLAS. That may add in any order, with or without fused operations, so its sums are only near to
those that define the resize. How near is proven here: an exact sum of weights w, v of columns and
rows and pixels p is the sum of w v p. The defining order rounds each of its terms 8 times, 4 in
every axis. BLAS rounds them 8 times at most, and 6 times more where taps that fall on one pixel (at
an edge) have their weights added before. So with u half the spacing of float64 at 1 they differ by
no more than (g(8) + g(14)) * (sum of |w||v||p|), g(m) = m*u / (1 - m*u) (N. J. Higham, "Accuracy
and Stability of Numerical Algorithms", 2002, section 3.1), which is below g(22) times the largest
sum of |w|, of |v|, and 255; underflow, of tiny weights, is far below the two roundings more that
the bound has for its own use.

Rounding to float32 keeps the order of numbers, and so does subtracting one from all. Where the two
ends of a near sum's interval become the same float32, it is the one of the defining order; only the
other sums are computed again, by that order. On photographs that is one sum in a million.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.pictures.resize import Taps, needed, once, resize

Array = NDArray[Any]

ROUNDINGS = 24
FEW = 40  # one sum in so many in doubt, and all are computed again: that is faster then
_BLOCK_BYTES = 1 << 20  # of pixels as float64


def resized(
    image: Array, rows: Taps, columns: Taps, *, bgr: bool = False, offset: Array | None = None
) -> Array:
    """Weighted sums of pixels, as `resize` defines them, rounded to float32.

    Args:
        image: uint8 (H, W, 3).
        rows, columns: float64, the pixels of each target one behind the other, or again the same.
        bgr: the first and the last channel change places.
        offset: float32 (targets of rows, targets of columns, 3): subtracted, in float32.

    Returns:
        float32 (targets of rows, targets of columns, 3).
    """
    error = bound(rows, columns)
    sums = np.empty((len(rows.index), len(columns.index), 3), np.float32)
    doubtful = np.empty(sums.shape, bool)
    for block, near in _near(image, rows, columns, bgr):
        ends = sums[block], np.empty(near.shape, np.float32)
        for end, step in zip(ends, (-error, 2 * error), strict=True):
            near += step
            end[...] = near
            if offset is not None:
                np.subtract(end, offset[block], out=end)
        np.not_equal(*ends, out=doubtful[block])
    found = np.flatnonzero(doubtful)
    if len(found) * FEW > sums.size:
        resize(image, rows, columns, sums, bgr=bgr)
        if offset is not None:
            np.subtract(sums, offset, out=sums)
    elif len(found):
        doubts = np.unravel_index(found, sums.shape)
        again = _sums_at(image, rows, columns, bgr, *doubts).astype(np.float32)
        sums[doubts] = again if offset is None else again - offset[doubts]
    return sums


@once
def bound(rows: Taps, columns: Taps) -> float:
    """No two orders of summing the 8-bit pixels of a target, as above, differ by more."""
    unit = np.finfo(np.float64).eps / 2
    growth = ROUNDINGS * unit / (1 - ROUNDINGS * unit)
    largest = (np.abs(taps.weight).sum(axis=1).max() for taps in (rows, columns))
    return float(growth * 255 * np.prod([*largest]))


def _near(image: Array, rows: Taps, columns: Taps, bgr: bool) -> Iterator[tuple[slice, Array]]:
    """Blocks of targets of rows, and their sums, each within the bound: float64 (block, targets of
    columns, 3), to be used (or changed) before the next are asked for."""
    (lines, place), pixels = needed(rows), needed(columns)[0]
    gaps = pixels[-1] - pixels[0] >= len(pixels)
    targets, width = len(rows.index), len(columns.index)
    line_bytes = 24 * max(len(pixels), width)
    block = max(_BLOCK_BYTES // line_bytes * targets // max(len(lines), targets), 1)
    buffers: dict[str, Array] = {}
    for start in range(0, targets, block):
        stop = min(start + block, targets)
        first, behind = place[start].min(), place[stop - 1].max() + 1
        part = image[lines[first:behind], pixels[0] : pixels[-1] + 1]
        if gaps:
            part = part[:, pixels - pixels[0]]
        turned = _shaped(buffers, "turned", (len(pixels), len(part), 3))
        for channel in range(3):
            turned[..., channel] = part[..., 2 - channel if bgr else channel].T
        wide = _shaped(buffers, "wide", (width, len(part), 3))
        _multiply(_merged(columns), turned, wide)
        upright = _shaped(buffers, "turned", (len(part), width, 3))
        upright.view("V24")[..., 0] = wide.view("V24")[..., 0].T
        near = _shaped(buffers, "wide", (stop - start, width, 3))
        _multiply(_merged(rows)[start:stop], upright, near, first)
        yield slice(start, stop), near


def _shaped(buffers: dict[str, Array], name: str, shape: tuple[int, ...]) -> Array:
    """Memory for float64 of that shape, the same again where it is enough: new memory is slow."""
    size = int(np.prod(shape))
    if name not in buffers or buffers[name].size < size:
        buffers[name] = np.empty(size)
    return buffers[name][:size].reshape(shape)


def _multiply(merged: list[tuple[int, int, Array]], lines: Array, out: Array, at: int = 0) -> None:
    """Line i of `out`: the sum of the weights merged[i] times lines; `at` is the first of these."""
    lines, out = lines.reshape(len(lines), -1), out.reshape(len(out), -1)
    for total, (first, stop, weight) in zip(out, merged, strict=True):
        np.dot(weight, lines[first - at : stop - at], out=total)


@once
def _merged(taps: Taps) -> list[tuple[int, int, Array]]:
    """For each target the first of the needed pixels that it reads, the one behind the last, and
    a weight for each, float64."""
    found = []
    for place, weight in zip(needed(taps)[1], taps.weight, strict=True):
        first, stop = int(place.min()), int(place.max()) + 1
        found.append((first, stop, np.bincount(place - first, weight, stop - first)))
    return found


def _sums_at(
    image: Array, rows: Taps, columns: Taps, bgr: bool, row: Array, column: Array, channel: Array
) -> Array:
    """The sums of N targets in the defining order, float64 (N,)."""
    lines, pixels = rows.index[row][:, :, None], columns.index[column][:, None]
    of_channel = (2 - channel if bgr else channel)[:, None, None]
    values = image[lines, pixels, of_channel].astype(np.float64)
    return _in_order(_in_order(values, columns.weight[column][:, None]), rows.weight[row])


def _in_order(values: Array, weight: Array) -> Array:
    """Sums along the last axis, term after term."""
    products = values * weight
    total = products[..., 0].copy()
    for k in range(1, products.shape[-1]):
        total += products[..., k]
    return total
