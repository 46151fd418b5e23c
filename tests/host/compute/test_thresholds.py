# SPDX-License-Identifier: BSD-3-Clause
"""Codes of floats count the thresholds that are not above them."""

import numpy as np
import pytest

from qnn.compute.thresholds import count_thresholds


@pytest.mark.parametrize("rows", [1, 3])
def test_values_on_thresholds_count(rows):
    rng = np.random.default_rng(1)
    thresholds = np.sort(rng.integers(-4, 5, (rows, 6)), axis=1).astype(np.float32)
    x = rng.integers(-5, 6, (4, 5, 3)).astype(np.float32)
    found = count_thresholds(x, thresholds)
    want = (x[..., None] >= np.broadcast_to(thresholds, (3, 6))).sum(axis=-1)
    assert found.dtype == np.uint8 and np.array_equal(found, want)
