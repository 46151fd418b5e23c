# SPDX-License-Identifier: BSD-3-Clause
"""The steps of a function that only grows give it back, for every sum."""

import numpy as np
import pytest

from qnn.engine.sum_steps import passed, steps_of

MOST = 40
EVERY = np.arange(-MOST, MOST + 1, dtype=np.int32)


def codes_of(steps):
    return lambda sums: (sums >= steps).sum(axis=0)


@pytest.mark.parametrize("levels", [1, 3])
def test_every_sum_has_its_code(levels, seed):
    """Some steps at the least and at the largest sum, and some behind it: those are not found."""
    rng = np.random.default_rng(seed)
    right = np.sort(rng.integers(-MOST, MOST + 2, (levels, 60)), axis=0).astype(np.int32)
    right[:, :3] = -MOST, MOST, MOST + 1
    found = steps_of(codes_of(right), 60, levels, MOST)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, right)
    for one in EVERY:
        codes = passed(found, np.full(60, one))
        assert codes.dtype == np.uint8
        np.testing.assert_array_equal(codes, codes_of(right)(one))


def test_a_code_may_be_left_out():
    """Where two steps are at one sum."""
    found = steps_of(lambda sums: np.where(sums >= 7, 3, 0), 2, 3, MOST)
    np.testing.assert_array_equal(found, np.full((3, 2), 7))


def test_the_largest_sums_there_are():
    """Halves of a range of 2**31 wrap nowhere."""
    most = 2**30 - 2
    right = np.array([[-most, 0, most, most + 1]], np.int32)
    np.testing.assert_array_equal(steps_of(codes_of(right), 4, 1, most), right)
