# SPDX-License-Identifier: BSD-3-Clause
"""Weights as the accelerator takes them: planes of +-1 by falling powers of two, one plane a pass.

The exponent of pass i is max(exponent - i, 0): it falls by one from pass to pass and stays at 0 for
the last `passes - exponent`. Those passes have the sum

    total = 2**(exponent + 1) - 2 + passes - exponent

and give every number from -total to total that is odd where total is odd, even where it is even.
So any weights, whatever their planes and coefficients, take one pass for each bit of the largest
of them where they are odd, and at most one more where they are even.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qnn.network import Conv


@dataclass(frozen=True, eq=False)
class Passes:
    """Weights of one layer.

    Attributes:
        bits: uint8 0 or 1, shape (passes, O, KH, KW, C/groups); 1 stands for +1, 0 for -1.
        exponent: of the first pass.
    """

    bits: NDArray[np.uint8]
    exponent: int

    def __len__(self) -> int:
        return len(self.bits)

    @property
    def factors(self) -> NDArray[np.int64]:
        """What each pass counts."""
        return factors(len(self), self.exponent)


def factors(passes: int, exponent: int) -> NDArray[np.int64]:
    """What each pass counts, highest first."""
    falling = exponent - np.arange(passes, dtype=np.int64)
    return np.int64(1) << np.maximum(falling, 0)


def shape_of(largest: int) -> tuple[int, int]:
    """The fewest passes for numbers from -largest to largest, all odd or all even as it is, and
    the exponent of the first one."""
    if largest % 2:
        passes = largest.bit_length()
        return passes, passes - 1
    exponent = max(largest - 1, 1).bit_length() - 1
    return exponent + 2, exponent


def passes_of(layer: Conv) -> Passes:
    """The weights of a layer in the fewest passes."""
    if layer.coefficients == (1,):
        return Passes(layer.weight, 0)
    total = sum(layer.coefficients)
    level = np.zeros(layer.weight.shape[1:], np.int32)  # (weight + total) / 2
    for plane, coefficient in zip(layer.weight, layer.coefficients, strict=True):
        level += coefficient * plane.astype(np.int32)
    largest = max(total - 2 * int(level.min()), 2 * int(level.max()) - total)
    passes, exponent = shape_of(largest)
    each = factors(passes, exponent)
    level += (int(each.sum()) - total) // 2
    bits = np.empty((passes, *level.shape), np.uint8)
    for plane, factor in zip(bits, each, strict=True):
        np.greater_equal(level, factor, out=plane, casting="unsafe")
        level -= np.int32(factor) * plane
    return Passes(bits, exponent)
