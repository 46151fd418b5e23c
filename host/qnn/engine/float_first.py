# SPDX-License-Identifier: BSD-3-Clause
"""A float convolution on the accelerator's 16-bit products, with the codes of its own arithmetic.

The accelerator sums products of integers; that is only near to the arithmetic which defines the
layer. How near is proven here, so that an output which could have another code is seen, and only
that one is computed again on the host. The codes are those of the defining arithmetic, always.

Of an output with weights w, bias b, inputs x, and scales s, v of inputs and weights:

    q_i = rint(s x_i),  W_i = rint(v w_i),  s x_i = q_i + e_i,  v w_i = W_i + f_i,  |e_i| <= HALF
    s v * (sum of w_i x_i) = (sum of W_i q_i) + (sum of f_i q_i) + (sum of v w_i e_i)

where HALF is 1/2, and what s x_i, below 2**16, may lose where it is rounded to float32 before.
The first term is the accelerator's, exact in integers. All q lie between 0 (padding), s * lowest
and s * highest, so the second term is within (sum of |f_i|) * reach of (sum of f_i) * middle,
where middle and reach are the centre and half the width of that range. The third is at most
HALF * (sum of |v w_i|). The defining arithmetic strays from the exact sum by at most
qnn.compute.float_conv.error_bound, and the accelerator leaves off the lowest SHIFT bits. So for
each step t of the quantiser there are two thresholds: a sum below the lower one proves y <= t, one
from the upper one on proves y > t. Both are moved outwards for the rounding of their own
computation in float64. The count n of thresholds passed is twice the code, or odd where an output
is in doubt; the intervals of doubt of two steps must not overlap, or the layer is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.compute.float_conv import Convolution
from qnn.engine.word_conv import SHIFT, SUM_BITS, WordConv
from qnn.errors import DoesNotFitError, QnnError
from qnn.pictures.scratch import scratch

FEW = 8  # one output in so many in doubt, and the host computes them all: that is faster then
_LARGEST_WEIGHT = 2**15 - 1
_HALF = 0.5 + 2.0**-8
_SLACK = 2.0**-44  # relative, of the thresholds' own rounding in float64: a few of 2**-53 each


@dataclass(frozen=True, eq=False)
class Quantised:
    """A picture as the accelerator reads it.

    Attributes:
        numbers: uint16 or int16 (H, W, C), in scratch memory.
        lowest, highest: least and largest value of the picture, which are finite.
    """

    numbers: NDArray[np.integer[Any]]
    lowest: float
    highest: float


@dataclass(frozen=True, eq=False)
class Kept:
    """A picture while the accelerator has it.

    Attributes:
        padded: float32, in its margin of zeros.
        x: float32 (H, W, C), without it; a part of that memory.
        windows: of `padded`, see qnn.compute.float_conv.
        lowest, highest: as of Quantised.
    """

    padded: NDArray[np.float32]
    x: NDArray[np.float32]
    windows: NDArray[np.void]
    lowest: float
    highest: float


@dataclass(frozen=True, eq=False)
class FloatFirst:
    """A float convolution, and the one of 16-bit numbers that finds all but its doubtful codes.

    Attributes:
        conv: what defines the codes.
        words: what the accelerator computes; thresholds in pairs.
        scale: of the inputs, a float32: the map is rint(scale * x).
        lowest, highest: what is proven holds for pictures with no value outside.
    """

    conv: Convolution
    words: WordConv
    scale: float
    lowest: float
    highest: float

    def quantised(self, picture: NDArray[np.number[Any]]) -> Quantised:
        """The map of the accelerator, of a picture (H, W, C).

        Raises:
            QnnError: another shape, or a value is not finite.
        """
        shape, name = self.words.in_shape, self.words.name
        if picture.shape != shape:
            raise QnnError(f"layer {name}: want a picture of {shape}, got {picture.shape}")
        x: NDArray[np.float32] = picture.astype(np.float32, copy=False)
        lowest, highest = float(x.min()), float(x.max())
        if not (math.isfinite(lowest) and math.isfinite(highest)):
            raise QnnError(f"layer {name}: the picture has values that are not finite")
        if not (self.lowest <= lowest and highest <= self.highest):
            x = x.clip(np.float32(self.lowest), np.float32(self.highest))
        scaled = np.multiply(x, np.float32(self.scale), out=scratch("scaled", shape, np.float32))
        numbers = scratch("numbers", shape, np.uint16 if self.words.unsigned else np.int16)
        np.rint(scaled, out=numbers, casting="unsafe")
        return Quantised(numbers, lowest, highest)

    def keep(
        self, picture: NDArray[np.number[Any]], quantised: Quantised, room: Kept | None = None
    ) -> Kept:
        """A copy of a picture, (H, W, C), and what is known of it.

        Args:
            quantised: of it.
            room: of a picture that is needed no more; its memory is taken.
        """
        shape, p = self.words.in_shape, self.conv.padding
        padded: NDArray[np.float32]
        if room is None:
            padded = np.zeros((shape[0] + 2 * p, shape[1] + 2 * p, shape[2]), np.float32)
            x, windows = padded[p : p + shape[0], p : p + shape[1]], self.conv.windows(padded)
        else:
            padded, x, windows = room.padded, room.x, room.windows
        x[...] = picture
        return Kept(padded, x, windows, quantised.lowest, quantised.highest)

    def proves(self, kept: Kept) -> bool:
        """Even counts are right; else, of a picture with values out of range, each may be wrong."""
        return self.lowest <= kept.lowest and kept.highest <= self.highest

    def codes(self, kept: Kept, where: tuple[NDArray[np.intp], ...]) -> NDArray[np.uint8]:
        """Codes of a picture by the defining arithmetic, uint8 (N,), at N rows, columns and
        outputs: those of odd counts; all, where a picture proves nothing."""
        if len(where[0]) * FEW > math.prod(self.words.out_shape):
            codes: NDArray[np.uint8] = self.conv(kept.x)[where]
            return codes
        return self.conv.codes_at(kept.windows, where, max(-kept.lowest, kept.highest))


def lowered(
    name: str, conv: Convolution, shape: tuple[int, int, int], lowest: float, highest: float
) -> FloatFirst:
    """The lowering of a float convolution for pictures of one shape with values in a range.

    Args:
        name: of the layer.
        conv: what is lowered.
        shape: (H, W, C) of its pictures.
        lowest, highest: no value of a picture is outside.

    Raises:
        DoesNotFitError: 16 bits are too few to tell the steps of its quantiser apart.
    """
    lowest, highest = min(lowest, 0.0), max(highest, 0.0)  # padding is 0
    unsigned = lowest == 0
    largest = max(-lowest, highest, float(np.finfo(np.float32).tiny))
    scale = float(np.float32((2**16 - 1 if unsigned else 2**15 - 1) / largest))
    weight = conv.weight.astype(np.float64)
    outputs, flat = len(weight), (1, 2, 3)

    # as large as 16 bits and the bits of a sum allow
    most = np.abs(weight).max(axis=flat)
    total = np.abs(weight).sum(axis=flat)
    room = (2.0 ** (SUM_BITS - 1) - 2) * 2**SHIFT / (scale * largest + 1)
    terms = weight[0].size
    with np.errstate(divide="ignore"):
        each = np.minimum(_LARGEST_WEIGHT / most, (room - terms) / total)
    levels = conv.steps[None, :] - conv.bias[:, None].astype(np.float64)
    apart = 2.0 ** (SUM_BITS + SHIFT - 2) / (scale * np.maximum(np.abs(levels).max(axis=1), 1e-300))
    factor = np.where(most > 0, each, apart)[:, None, None, None]  # without weights any will do
    scaled = weight * factor
    rounded = np.rint(scaled)

    left = scaled - rounded
    middle, reach = (lowest + highest) / 2 * scale, (highest - lowest) / 2 * scale + 1
    drift = left.sum(axis=flat) * middle
    stray = np.abs(left).sum(axis=flat) * reach + np.abs(scaled).sum(axis=flat) * _HALF
    unit = scale * factor[:, 0, 0, 0]
    error = conv.error(largest) * unit
    steps = levels * unit[:, None]
    slack = 1 + _SLACK * (np.abs(steps) + (np.abs(drift) + stray + error)[:, None])
    passed = steps + (error + stray - drift)[:, None] + slack  # of sums of products
    missed = steps - (error + stray + drift)[:, None] - slack - (2**SHIFT - 1)
    pairs = np.stack([missed, passed], axis=-1).reshape(outputs, -1)
    limit = 2.0 ** (SUM_BITS - 1) - 1
    thresholds = np.clip(np.floor(pairs / 2**SHIFT) + 1, -limit, limit).astype(np.int32)
    if (thresholds[:, 1:] < thresholds[:, :-1]).any():
        raise DoesNotFitError(
            f"layer {name}: 16 bits are too few to tell the steps of its quantiser apart; it runs "
            "on the host"
        )
    words = WordConv(
        name, shape, unsigned, rounded.astype(np.int16), thresholds, pairs=True,
        stride=conv.stride, padding=(conv.padding,) * 4,
    )  # fmt: skip
    return FloatFirst(conv, words, scale, lowest, highest)
