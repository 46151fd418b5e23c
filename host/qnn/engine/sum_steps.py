# SPDX-License-Identifier: BSD-3-Clause
"""Codes of a fully connected layer as steps of its integer sums, with the codes of its arithmetic.

Each float64 operation that makes a code of a sum keeps the order of numbers: half of hi - lo, which
is not negative, times the sum, times the unit, plus the bias, clipped, times the levels, rounded.
So a code is the number of steps that are not above the sum, where step k is the least sum whose
code is k or more. The search for it halves a range, by those very operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Sums = NDArray[np.int32]


def steps_of(
    codes: Callable[[Sums], NDArray[np.number[Any]]], outputs: int, levels: int, most: int
) -> Sums:
    """Steps of each output, int32 (levels, outputs); most + 1 is one that is never reached.

    Args:
        codes: of sums, int32 (outputs,), those of the layer: they grow with the sum, or stay.
        levels: the largest code.
        most: no sum is larger in magnitude; below 2**30.
    """
    steps = np.empty((levels, outputs), np.int32)
    for code, step in enumerate(steps, start=1):
        least = np.full(outputs, -most, np.int32)
        step[...] = most + 1
        while (least < step).any():
            middle = (least + step) >> 1
            reached = codes(middle) >= code
            step[reached] = middle[reached]
            least[~reached] = middle[~reached] + 1
    return steps


def passed(steps: Sums, sums: Sums) -> NDArray[np.uint8]:
    """Codes, uint8 (outputs,), of sums, int32 (outputs,)."""
    codes: NDArray[np.uint8] = np.add.reduce((sums >= steps).view(np.uint8), 0, np.uint8)
    return codes
