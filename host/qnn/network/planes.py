# SPDX-License-Identifier: BSD-3-Clause
"""Whole numbers as sums of planes of +1 and -1, as convolutions of codes have their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def planes_of(weight: NDArray[Any]) -> tuple[NDArray[np.uint8], tuple[int, ...], int]:
    """factor * w = sum over n of coefficient_n * (+1 where the bit is 1, else -1).

    With total the sum of the coefficients, (factor * w + total) / 2 runs from 0 to total and is
    the sum of the coefficients whose bit is 1: powers of two and what is left.

    Args:
        weight: integers of 16 bits at most, of any shape.

    Returns:
        uint8 (planes, *weight.shape), the coefficients, and the factor: 1 where all weights are
        odd, else 2.
    """
    largest = max(int(np.abs(weight).max()), 1)
    factor = 1 if (weight % 2 == 1).all() else 2
    total = factor * largest
    powers: list[int] = []
    while sum(powers) + (1 << len(powers)) <= total:
        powers.append(1 << len(powers))
    left = total - sum(powers)
    coefficients = (*([left] if left else []), *reversed(powers))
    rest: NDArray[np.int16] = weight.astype(np.int16)
    rest *= np.int16(factor)
    rest += np.int16(total)
    rest //= np.int16(2)
    bits = np.empty((len(coefficients), *weight.shape), np.uint8)
    for taken, coefficient in zip(bits, coefficients, strict=True):
        np.greater_equal(rest, coefficient, out=taken)
        rest -= np.int16(coefficient) * taken
    return bits, coefficients, factor
