# SPDX-License-Identifier: BSD-3-Clause
"""A float convolution on the accelerator's 16-bit products, with the codes of its own arithmetic.

The accelerator sums products of integers; that is only near to the arithmetic which defines the
layer. How near is proven here, so that an output which could have another code is seen, and only
that one is computed again on the host. The codes are those of the defining arithmetic, always.

Of an output with weights w, bias b, inputs x, and scales s, v of inputs and weights:

    q_i = rint(s x_i),  W_i = rint(v w_i),  s x_i = q_i + e_i,  v w_i = W_i + f_i,  |e_i| <= HALF
    s v * (sum of w_i x_i) = (sum of W_i q_i) + (sum of f_i q_i) + (sum of v w_i e_i)

where HALF is 1/2, and what s x_i, below 2**16, may lose where it is rounded to float32 before.
The first term is the accelerator's, exact in integers. All q lie between s * lowest and s * highest
of the picture, and 0 (padding), so the second term is within (sum of |f_i|) * reach of
(sum of f_i) * middle, where middle and reach are the centre and half the width of that range. The
third is at most HALF * (sum of |v w_i|). The defining arithmetic strays from the exact sum by at
most Convolution.error, and the accelerator leaves off the lowest SHIFT bits. So for each step t of
the quantiser there are two thresholds: a sum below the lower one proves y <= t, one from the upper
one on proves y > t. Both are moved outwards for the rounding of their own computation in float64.
The count n of thresholds passed is twice the code, or odd where an output is in doubt.

Both s and the thresholds are a picture's own: the less its values reach, the larger is s, and the
less is in doubt. The thresholds are s times what is even in largest (magnitude), middle and reach,
plus a constant, so each picture takes one small product of matrices. The intervals of doubt of two
steps must not overlap. They do not for any picture within a range if they do not for that range
itself: with a smaller one, what is between two intervals, divided by s, only grows. Where they
would, the layer is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
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
_TRIED, _SMALLEST = 64, 0.97  # factors of weights, and the last of them in times of the largest
_SLACK = 2.0**-44  # relative, of the thresholds' own rounding in float64: a few of 2**-53 each
_LEAST = 2.0**-80  # of a range, so that float32 holds s
_DARKEST = 2.0**-8  # of the range: s grows no more for pictures that reach less


@dataclass(frozen=True, eq=False)
class Quantised:
    """How a picture became the map that the accelerator reads.

    Attributes:
        lowest, highest: least and largest value of the picture, which are finite.
        scale: a float32, by which its values were multiplied.
    """

    lowest: float
    highest: float
    scale: float


@dataclass(frozen=True, eq=False)
class Kept:
    """A picture while the accelerator has it.

    Attributes:
        x: float32 (H, W, C), in one piece.
        lowest, highest: as of Quantised.
    """

    x: NDArray[np.float32]
    lowest: float
    highest: float


@dataclass(frozen=True, eq=False)
class FloatFirst:
    """A float convolution, and the one of 16-bit numbers that finds all but its doubtful codes.

    Attributes:
        conv: what defines the codes.
        words: what the accelerator computes; thresholds in pairs, of a picture that reaches from
            `lowest` to `highest`.
        ends: what makes those of a picture, see `thresholds`; float64 (5, thresholds, outputs).
        lowest, highest: what is proven holds for pictures with no value outside.
    """

    conv: Convolution
    words: WordConv
    ends: NDArray[np.float64]
    lowest: float
    highest: float

    def quantised(
        self, picture: NDArray[np.number[Any]], room: NDArray[np.integer[Any]]
    ) -> Quantised:
        """Makes the map of the accelerator of a picture (H, W, C).

        Args:
            room: for the map, of that shape, uint16 or int16.

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
        most = max(-self.lowest, self.highest, _LEAST)
        largest = min(max(-lowest, highest, _DARKEST * most), most)
        scale = _scale(largest, self.words.unsigned)
        scaled = np.multiply(x, np.float32(scale), out=scratch("scaled", shape, np.float32))
        np.rint(scaled, out=room, casting="unsafe")
        return Quantised(lowest, highest, scale)

    def thresholds(self, quantised: Quantised) -> NDArray[np.int32]:
        """Those of `words` for a picture, int32 (outputs, thresholds); they say nothing of one
        with values out of range."""
        return _thresholds(self.ends, quantised.lowest, quantised.highest, quantised.scale)

    def keep(self, picture: NDArray[np.number[Any]], quantised: Quantised) -> Kept:
        """A picture, and what is known of it.

        Args:
            picture: (H, W, C); no copy is made of float32 in one piece, which must stay as it is
                for as long as it is kept.
            quantised: of it.
        """
        x = np.ascontiguousarray(picture, np.float32)
        return Kept(x, quantised.lowest, quantised.highest)

    def proves(self, kept: Kept) -> bool:
        """Even counts are right; else, of a picture with values out of range, each may be wrong."""
        return self.lowest <= kept.lowest and kept.highest <= self.highest

    def codes(self, kept: Kept, where: tuple[NDArray[np.intp], ...]) -> NDArray[np.uint8]:
        """Codes of a picture by the defining arithmetic, uint8 (N,), at N rows, columns and
        outputs: those of odd counts; all, where a picture proves nothing."""
        if len(where[0]) * FEW > self._outputs:
            codes: NDArray[np.uint8] = self.conv(kept.x)[where]
            return codes
        return self.conv.codes_at(kept.x, where, max(-kept.lowest, kept.highest))

    @cached_property
    def _outputs(self) -> int:
        """Of a picture."""
        return math.prod(self.words.out_shape)


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
    unsigned = lowest >= 0
    scale = _scale(max(-lowest, highest, _LEAST), unsigned)
    weight = conv.weight.reshape(len(conv.weight), -1).astype(np.float64)
    factor = _factors(weight, unsigned)
    rounded = np.rint(weight * factor)
    ends = _ends(conv, weight * factor, rounded, factor)
    sums = _sums(ends, lowest, highest, scale)
    if (sums[2::2] - sums[1:-1:2] < 2.0**-SHIFT).any():
        raise DoesNotFitError(
            f"layer {name}: 16 bits are too few to tell the steps of its quantiser apart; it runs "
            "on the host"
        )
    words = WordConv(
        name, shape, unsigned, rounded.astype(np.int16).reshape(conv.weight.shape),
        _thresholds(ends, lowest, highest, scale), pairs=True,
        stride=conv.stride, padding=(conv.padding,) * 4,
    )  # fmt: skip
    return FloatFirst(conv, words, ends, min(lowest, 0.0), max(highest, 0.0))


def _most(unsigned: bool) -> int:
    """Largest of the accelerator's numbers."""
    return 2**16 - 1 if unsigned else 2**15 - 1


def _scale(largest: float, unsigned: bool) -> float:
    """By which values of that magnitude become 16-bit numbers, a float32."""
    return float(np.float32(_most(unsigned) / largest))


def _factors(weight: NDArray[np.float64], unsigned: bool) -> NDArray[np.float64]:
    """By what the weights (O, N) of each output become 16-bit numbers, (O, 1): as large as these
    and the bits of a sum allow, or a little smaller, where rounding takes less away then."""
    most = np.abs(weight).max(axis=1, keepdims=True)
    total = np.abs(weight).sum(axis=1, keepdims=True)
    room = (2.0 ** (SUM_BITS - 1) - 2) * 2**SHIFT / (_most(unsigned) + 1)
    with np.errstate(divide="ignore"):
        each = np.minimum(_LARGEST_WEIGHT / most, (room - weight.shape[1]) / total)
    # without weights any will do that keeps the steps apart
    largest = np.where(most > 0, each, 2.0 ** (SUM_BITS + SHIFT - 2))
    best, least = largest, np.full_like(largest, np.inf)
    for share in np.linspace(1, _SMALLEST, _TRIED):
        factor = largest * share
        scaled = weight * factor
        lost = np.abs(scaled - np.rint(scaled)).sum(axis=1, keepdims=True) / share
        best, least = np.where(lost < least, factor, best), np.minimum(lost, least)
    return best


def _ends(
    conv: Convolution,
    scaled: NDArray[np.float64],
    rounded: NDArray[np.float64],
    factor: NDArray[np.float64],
) -> NDArray[np.float64]:
    """What `_sums` multiplies, of weights times `factor`, and these as they are rounded."""

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values.sum(axis=1, keepdims=True)

    left = scaled - rounded
    steps = (conv.steps - conv.bias.astype(np.float64)[:, None]) * factor
    drift, strays = total(left), total(np.abs(left))
    inputs = strays + total(np.abs(scaled)) * _HALF
    error, growing = (part[:, None] * factor for part in conv.error())
    nothing = np.zeros_like(drift)
    # of products; times scale, scale * largest, scale * middle, scale * (reach of values), and 1
    middles = np.stack(np.broadcast_arrays(steps, nothing, -drift, nothing, nothing))
    outwards = np.stack(
        np.broadcast_arrays(
            error + _SLACK * (np.abs(steps) + error),
            growing + _SLACK * (np.abs(drift) + growing),
            nothing,
            strays + _SLACK * strays,
            inputs + _SLACK * inputs + 1,
        )
    )
    missed, passed = middles - outwards, middles + outwards
    missed[-1] -= 2**SHIFT - 1
    pairs = np.stack([missed, passed], axis=-1) / 2**SHIFT
    turned = pairs.reshape(len(pairs), len(steps), -1).swapaxes(1, 2)
    return np.ascontiguousarray(turned)


def _sums(
    ends: NDArray[np.float64], lowest: float, highest: float, scale: float
) -> NDArray[np.float64]:
    """The ends of the intervals of doubt (thresholds, outputs) as the accelerator has sums, of a
    picture that reaches from `lowest` to `highest`."""
    lowest, highest = min(lowest, 0.0), max(highest, 0.0)  # padding is 0
    largest, middle, reach = max(-lowest, highest), (highest + lowest) / 2, (highest - lowest) / 2
    of = np.array([scale, scale * largest, scale * middle, scale * reach, 1.0])
    found: NDArray[np.float64] = (of @ ends.reshape(len(of), -1)).reshape(ends.shape[1:])
    return found


def _thresholds(
    ends: NDArray[np.float64], lowest: float, highest: float, scale: float
) -> NDArray[np.int32]:
    """Of a picture: above those of its ends (outputs, thresholds)."""
    limit = 2.0 ** (SUM_BITS - 1) - 1
    sums = _sums(ends, lowest, highest, scale)
    np.floor(sums, out=sums)
    sums += 1
    sums.clip(-limit, limit, out=sums)
    return sums.astype(np.int32).T
