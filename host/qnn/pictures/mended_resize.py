# SPDX-License-Identifier: BSD-3-Clause
"""A resize in float64, rounded to float32: the bits of qnn.pictures.resize, faster.

The lines of pixels that some targets read lie one behind the other, and one call sums them along an
axis. It may add in any order, with or without fused operations, so its sums are only near to those
that define the resize. How near is proven here: an exact sum of weights w, v of columns and rows
and pixels p is the sum of w v p. Each of the two rounds each of its terms 8 times at most, 4 in
every axis. So with u half the spacing of float64 at 1 they differ by no more than 2 g(8) * (sum of
|w||v||p|), g(m) = m*u / (1 - m*u) (N. J. Higham, "Accuracy and Stability of Numerical Algorithms",
2002, section 3.1), which is below g(16) times the largest sum of |w|, of |v|, and 255; underflow,
of tiny weights, is far below the two roundings more that the bound has for its own use.

Rounding to float32 keeps the order of numbers, and so does subtracting one from all. Where the two
ends of a near sum's interval become the same float32, it is the one of the defining order; only the
other sums are computed again, by that order. On photographs that is one sum in a million.

The ends are not formed for every sum. Numbers become another float32 halfway between two of these,
where the lowest 29 bits of a normal float64 are 2**28. As integers, the bits of float64 numbers of
a sign have the order of the numbers. A near sum is farther than its bound from halfway, where that
is below 2**15 of the sum's own spacings, so below 2**16 of those of the binade beneath, and the
upper 13 of the 29 bits are neither just below the half nor just at it. So only the sums at which
they are, and those that are too small or negative, have their ends formed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.pictures.resize import Taps, needed, once, resize, run, subtract
from qnn.pictures.scratch import scratch

Array = NDArray[Any]

ROUNDINGS = 18
FEW = 40  # one sum in so many in doubt, and all are computed again: that is faster then
_BLOCK_BYTES = 1 << 21  # of pixels as float64
_AT_ONCE = 1 << 18  # bytes of the lines that some targets read
_UPPER, _HALF = 0x1FFF, 0x1000  # of the 29 bits that float32 has not: the upper 13, and their half
_SPACINGS = 2.0**-15  # the bound in spacings of float64, inverted


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
    doubtful = []
    for block, near in _near(image, rows, columns, bgr):
        rounded = sums[block]
        rounded[...] = near
        some = _suspects(near, rounded, error)
        offsets = 0 if offset is None else offset[block].reshape(-1)[some]
        low, high = (
            (near.reshape(-1)[some] + end).astype(np.float32) - offsets for end in (-error, error)
        )
        doubtful.append(block.start * rounded[0].size + some[low != high])
    found = np.concatenate(doubtful)
    if len(found) * FEW > sums.size:
        resize(image, rows, columns, sums, bgr=bgr)
    elif len(found):
        doubts = np.unravel_index(found, sums.shape)
        sums[doubts] = _sums_at(image, rows, columns, bgr, *doubts)
    if offset is not None:
        subtract(sums, offset)
    return sums


@once
def bound(rows: Taps, columns: Taps) -> float:
    """No two orders of summing the 8-bit pixels of a target, as above, differ by more."""
    unit = np.finfo(np.float64).eps / 2
    growth = ROUNDINGS * unit / (1 - ROUNDINGS * unit)
    largest = (np.abs(taps.weight).sum(axis=1).max() for taps in (rows, columns))
    return float(growth * 255 * np.prod([*largest]))


def _suspects(near: Array, rounded: Array, error: float) -> Array:
    """Where the ends of an interval may be two float32, among sums as they lie in memory.

    Args:
        near: float64, in one piece.
        rounded: the same as float32.
        error: half of the interval.
    """
    # of positive floats the bits, as integers, have their order, and negative ones are below
    smallest = np.float32(2 * error / np.finfo(np.float64).eps * _SPACINGS)
    small = _places(rounded.reshape(-1).view(np.int32) < smallest.view(np.int32))
    words = scratch("words", (-(-near.size // 4) * 4,), np.uint16)
    words[: near.size] = near.reshape(-1).astype("<f8", copy=False).view("<u2")[1::4]
    four = words.view(np.uint64)  # at once
    four &= np.uint64(_UPPER * 0x0001000100010001)
    words = words[: near.size]
    halves = [_places(words == half) for half in (_HALF - 1, _HALF)]
    return np.unique(np.concatenate([small, *halves])) if len(small) else np.concatenate(halves)


def _places(flags: Array) -> Array:
    """Where flags are set, in order; of few ones faster than numpy."""
    if np.count_nonzero(flags) * FEW > len(flags):
        return np.flatnonzero(flags)
    text, found = flags.tobytes(), list[int]()
    place = text.find(1)
    while place >= 0:
        found.append(place)
        place = text.find(1, place + 1)
    return np.array(found, np.intp)


def _near(image: Array, rows: Taps, columns: Taps, bgr: bool) -> Iterator[tuple[slice, Array]]:
    """Blocks of targets of rows, and their sums, each within the bound: float64 (block, targets of
    columns, 3), to be used (or changed) before the next are asked for."""
    (lines, place), (pixels, across) = needed(rows), needed(columns)
    targets, width = len(rows.index), len(columns.index)
    line_bytes = 24 * max(len(pixels), width)
    block = max(_BLOCK_BYTES // line_bytes * targets // max(len(lines), targets), 1)
    for start in range(0, targets, block):
        stop = min(start + block, targets)
        first, behind = place[start].min(), place[stop - 1].max() + 1
        part = image[run(lines[first:behind])][:, run(pixels)]
        turned = scratch("turned", (len(pixels), len(part), 3), np.float64)
        for channel in range(3):
            turned[..., channel] = part[..., 2 - channel if bgr else channel].T
        wide = scratch("wide", (width, len(part), 3), np.float64)
        _weigh(across, columns.weight, turned, wide)
        upright = scratch("turned", (len(part), width, 3), np.float64)
        upright.view("V24")[..., 0] = wide.view("V24")[..., 0].T
        near = scratch("wide", (stop - start, width, 3), np.float64)
        _weigh(place[start:stop] - first, rows.weight[start:stop], upright, near)
        yield slice(start, stop), near


def _weigh(index: Array, weight: Array, lines: Array, out: Array) -> None:
    """Line i of `out`: the sum over k of weight[i, k] * lines[index[i, k]]."""
    lines, out = lines.reshape(len(lines), -1), out.reshape(len(out), -1)
    taps, size = index.shape[1], lines.shape[1]
    step = max(_AT_ONCE // (8 * taps * size), 1)
    read = scratch("read", (min(step, len(out)), taps, size), np.float64)
    for start in range(0, len(out), step):
        some = slice(start, start + step)
        total = out[some]
        values = read[: len(total)]
        lines.take(index[some], 0, values, "clip")  # in another mode numpy takes into a copy first
        np.einsum("tk,tkn->tn", weight[some], values, out=total)


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
