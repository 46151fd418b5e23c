# SPDX-License-Identifier: BSD-3-Clause
"""Which sums of the reference executor are exact, and how far the others may stray.

That executor adds the products of an output in float32, in an order of its own. It rounds nothing
where all products are multiples of one power of two g and no partial sum is larger than 2^24 g.
Elsewhere a sum that lies on a step of the quantiser behind it may fall to either side.
"""

from __future__ import annotations

import numpy as np

from qnn.importers.qonnx.feature import Codes
from qnn.importers.qonnx.graph import Array

MANTISSA = 24  # bits of a float32
ROUNDINGS = 2.0**-21  # of a few additions in float32, relative


def stray(weight: Array, whole: Array, scale: Array, codes: Codes, start: Array) -> Array:
    """Relative error of the sums that the reference makes of each output, float64 (O,).

    Args:
        weight: float32 (O, ...), as in the graph.
        whole, scale: integers (O, ...) and float64 (O,), whose product is about the weight.
        codes: what is multiplied.
        start: float32 (O,), what a Gemm adds the products to; 0 elsewhere.

    Returns:
        0 where they are exact, else ROUNDINGS.
    """
    rows = whole.reshape(len(whole), -1)
    given = weight.reshape(rows.shape)
    multiples = np.array(
        [(row * by == one).all() for row, by, one in zip(rows, scale, given, strict=True)]
    )
    largest = max(abs(codes.zero), abs(codes.zero + codes.step * codes.top))
    total = np.abs(rows).sum(axis=1) * scale * largest + np.abs(start)
    terms = scale * codes.zero, scale * codes.step, start.astype(np.float64)
    grid = np.min([_lowest_bit(term) for term in terms], axis=0)
    exact = codes.exact & multiples & (total <= np.ldexp(grid, MANTISSA))
    return np.where(exact, 0.0, ROUNDINGS)


def _lowest_bit(x: Array) -> Array:
    """The largest power of two that divides x, float64; infinite for 0."""
    fraction, exponent = np.frexp(x)
    digits = np.ldexp(fraction, 53).astype(np.int64)
    lowest = np.ldexp((digits & -digits).astype(np.float64), exponent - 53)
    return np.where(x == 0, np.inf, lowest)
