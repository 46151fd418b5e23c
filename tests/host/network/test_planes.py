# SPDX-License-Identifier: BSD-3-Clause
"""Whole numbers come back from planes of +1 and -1."""

import numpy as np
import pytest

from qnn.network.planes import planes_of


@pytest.mark.parametrize(
    "values", [[-1, 1], [-1, 0, 1], [-3, -1, 1, 3], [-2, 1], [-7, 4], [15, 1], [-128, 127]]
)
def test_planes(values):
    weight = np.random.default_rng(0).choice(values, (5, 2, 3, 4))
    weight[0, 0, 0] = [values[0], values[-1], values[0], values[-1]]
    bits, coefficients, factor = planes_of(weight)
    assert bits.dtype == np.uint8 and set(np.unique(bits)) <= {0, 1}
    signs = 2 * bits.astype(int) - 1
    assert (np.tensordot(coefficients, signs, 1) == factor * weight).all()
    assert len(coefficients) <= 9 and max(coefficients) <= 128


def test_planes_of_every_range():
    """Each value in a range is a sum, and no range takes more than its largest value."""
    for largest in range(1, 129):
        weight = np.arange(-largest, largest + 1)
        bits, coefficients, factor = planes_of(weight)
        assert factor == 2 and sum(coefficients) == 2 * largest
        assert len(coefficients) <= 9 and max(coefficients) <= 128
        signs = 2 * bits.astype(int) - 1
        assert (np.tensordot(coefficients, signs, 1) == 2 * weight).all()
