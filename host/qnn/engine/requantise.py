# SPDX-License-Identifier: BSD-3-Clause
"""Many thresholds as one multiplication and shift, where both give the same code for every sum.

For each output channel, with the constants of rtl/regs:

    x    = sum - base, but not below 0 and not above 2**REQUANT_SPAN_W - 1
    code = (multiplier * x + addend * 2**REQUANT_ADDEND_SHIFT) >> (shift + REQUANT_LEAST_SHIFT),
           but not below 0 and not above `top`

Both the count of thresholds and this code never fall when the sum grows. So they are the same for
every sum from `least` to `largest` where they are the same for those two sums, and for t - 1 and t
of each threshold t in between: from one of these sums to the next neither count changes, and a code
that is the same at both ends is the same everywhere between them.

The search is over integers. With S the whole shift, x_t = t - base and k the number of a threshold,

    multiplier * x_t + A >= k * 2**S     and     multiplier * (x_t - 1) + A < k * 2**S

for each threshold t that sums can reach (the left one alone where all reach it, the right one
alone, for the largest sum, where none does). The room that a multiplier leaves to A, from the
largest lower bound to the least upper one, is a concave function of it; its maximum is found by
bisection. Any solution doubled is one for S + 1, so only the two largest S that fit the words are
looked at. What is missed leaves A less room than its own granularity, or wants another base than
the last sum before the first threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qnn.engine import regs
from qnn.network import Conv

Integers = NDArray[np.int64]

SPAN = (1 << regs.REQUANT_SPAN_W) - 1  # largest x
WORD = 1 << 32  # of the threshold store
UNIT = 1 << regs.REQUANT_ADDEND_SHIFT  # of the addend
ADDENDS = (-WORD // 2 * UNIT, (WORD // 2 - 1) * UNIT)  # least and most
SHIFTS = range(regs.REQUANT_LEAST_SHIFT, regs.REQUANT_LEAST_SHIFT + 32)


@dataclass(frozen=True, eq=False)
class Requantisation:
    """Parameters of a layer, int64 (O,) each; see the head of this module.

    Attributes:
        base, multiplier: 0 to 2**32 - 1.
        shift: 0 to 31.
        addend: -2**31 to 2**31 - 1.
    """

    base: Integers
    shift: Integers
    multiplier: Integers
    addend: Integers

    def codes(self, sums: Integers, top: int) -> Integers:
        """Codes (O, N) of sums, int64 (O, N); `top` is the largest code."""
        x = np.clip(sums - self.base[:, None], 0, SPAN)
        scaled = self.multiplier[:, None] * x + (self.addend * UNIT)[:, None]
        return np.clip(scaled >> (self.shift + regs.REQUANT_LEAST_SHIFT)[:, None], 0, top)


def requantisation(
    thresholds: Integers, least: Integers, largest: Integers, top: int
) -> Requantisation | None:
    """What gives the codes of the thresholds for every sum that can occur; None if nothing does.

    Args:
        thresholds: int64 (O, K), ascending along K.
        least, largest: int64 (O,), of the sums, 0 to 2**32 - 2.
        top: largest code, at least K: it ends at 2**planes - 1.
    """
    reached = thresholds > least[:, None]  # not by every sum
    inside = reached & (thresholds <= largest[:, None])  # by some sums, and not by others
    some = inside.any(axis=1)
    channels = np.arange(len(thresholds))
    first = inside.argmax(axis=1)
    last = thresholds.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)
    base = np.where(some, thresholds[channels, first] - 1, least)
    if np.any(np.where(some, thresholds[channels, last] - base, 0) > SPAN):
        return None
    lower = np.clip(thresholds - base[:, None], 0, SPAN)
    upper = np.clip(np.minimum(thresholds - 1, largest[:, None]) - base[:, None], 0, SPAN)
    end = np.clip(largest - base, 0, SPAN)
    bounds = _Bounds(lower, thresholds <= largest[:, None], upper, reached, end, top)
    # the multiplier lies between steps / (rise + 1) and steps / (rise - 1), times 2**S
    steps = np.where(some, last - first, 0).astype(np.int64)  # indices have 32 bits on some
    rise = np.where(some, thresholds[channels, last] - thresholds[channels, first], 0)
    # code of the least sum: A begins there, and is a word as well
    below = (~reached).sum(axis=1, dtype=np.int64)
    shift: Integers = np.full(len(thresholds), SHIFTS[0], np.int64)
    for one in SHIFTS[1:]:
        fits = (steps << one) // (rise + 1) < WORD
        shift[fits & (below + 1 << one <= -ADDENDS[0])] = one
    found = _best(bounds, shift, steps, rise)
    smaller = np.maximum(shift - 1, SHIFTS[0])
    again = _best(bounds, smaller, steps, rise) if not found[2].all() else found
    multiplier, addend, fits = (np.where(found[2], a, b) for a, b in zip(found, again, strict=True))
    shift = np.where(found[2], shift, smaller) - SHIFTS[0]
    result = Requantisation(base, shift, multiplier, addend)
    proven = fits.all() and same_codes(result, thresholds, least, largest, top)
    return result if proven else None


def of_conv(layer: Conv, offsets: Integers, channels: slice, top: int) -> Requantisation | None:
    """Of some output channels of a layer, whose sums are `offsets` (O,) larger on the accelerator.

    Sums that can occur: each weight above or below 0 meets the largest code or none.
    """
    assert layer.thresholds is not None
    weight, most = layer.signed_weight[channels], 2**layer.in_bits - 1
    own = offsets[channels]
    ends = [
        own + most * clip(weight, np.int16(0)).sum(axis=(1, 2, 3), dtype=np.int64)
        for clip in (np.minimum, np.maximum)
    ]
    moved = layer.thresholds[channels].astype(np.int64) + own[:, None]
    return requantisation(moved, ends[0], ends[1], top)


def tile_bytes(found: Requantisation, tile: slice, pe: int) -> bytes:
    """Parameters of one tile of at most `pe` channels, in the words of the threshold store.

    Those of channel c are in lane c % 8 of the words from c // 8 * REQUANT_WORDS on; the lanes of
    the other groups of 8 are 0, as are channels that do not exist: their codes are 0.
    """
    lanes = regs.WORD_CHANNELS
    words = np.zeros((pe // lanes, regs.REQUANT_WORDS, pe), dtype="<u4")
    order = (found.base, found.shift, found.multiplier, found.addend)
    for k, values in enumerate(order):
        own = np.zeros(pe, np.int64)
        own[: tile.stop - tile.start] = values[tile]
        words[:, k, :lanes] = (own % WORD).reshape(-1, lanes)
    return words.tobytes()


def same_codes(
    found: Requantisation, thresholds: Integers, least: Integers, largest: Integers, top: int
) -> bool:
    """Whether the codes are those of the thresholds for every sum from `least` to `largest`.

    Looks at both ends, and at t - 1 and t of each threshold t: see the head of this module.
    """
    sums = np.concatenate([thresholds - 1, thresholds], axis=1)
    sums = np.clip(sums, least[:, None], largest[:, None])
    sums = np.concatenate([sums, least[:, None], largest[:, None]], axis=1)
    counts = [
        np.searchsorted(own, each, side="right") for own, each in zip(thresholds, sums, strict=True)
    ]
    return bool((found.codes(sums, top) == np.array(counts)).all())


@dataclass(frozen=True, eq=False)
class _Bounds:
    """What A must be, for x int64 (O, K) and where there is a bound at all, bool (O, K)."""

    lower: Integers
    has_lower: NDArray[np.bool_]
    upper: Integers
    has_upper: NDArray[np.bool_]
    end: Integers  # x of the largest sum, where the code after the last one must not be reached
    top: int

    def at(self, multiplier: Integers, shift: Integers) -> tuple[Integers, Integers]:
        """Least and largest addend, in units; there is none where the first is larger."""
        levels = self.lower.shape[1]
        steps = np.arange(1, levels + 1) << shift[:, None]
        least = np.where(self.has_lower, steps - multiplier[:, None] * self.lower, ADDENDS[0])
        most = np.where(self.has_upper, steps - 1 - multiplier[:, None] * self.upper, ADDENDS[1])
        low, high = least.max(axis=1), most.min(axis=1)
        if levels < self.top:
            high = np.minimum(high, (levels + 1 << shift) - 1 - multiplier * self.end)
        return np.maximum(low, ADDENDS[0]), np.minimum(high, ADDENDS[1])


def _best(
    bounds: _Bounds, shift: Integers, steps: Integers, rise: Integers
) -> tuple[Integers, Integers, NDArray[np.bool_]]:
    """Multiplier and addend with the most room, and whether there is any; (O,) each."""
    low = np.minimum((steps << shift) // (rise + 1), WORD - 1)
    wide = rise < 2
    high = np.where(wide, WORD - 1, (steps << shift) // np.where(wide, 1, rise - 1) + 1)
    high = np.minimum(high, WORD - 1)
    while (low < high).any():
        middle = (low + high) >> 1
        (a, b), (c, d) = bounds.at(middle, shift), bounds.at(middle + 1, shift)
        rises = (d - c > b - a) & (low < high)
        low, high = np.where(rises, middle + 1, low), np.where(rises, high, middle)
    least, most = bounds.at(low, shift)
    addend = -(-least // UNIT)
    return low, addend, addend <= most // UNIT
