# SPDX-License-Identifier: BSD-3-Clause
"""Codes of floats, by the thresholds between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def count_thresholds(x: NDArray[np.float32], thresholds: NDArray[np.float32]) -> NDArray[np.uint8]:
    """How many thresholds of its channel are <= each value.

    Args:
        x: (..., C).
        thresholds: (C, K), ascending along K, K <= 255; or (1, K) for all channels.

    Returns:
        uint8, of the shape of x.
    """
    found = np.empty(x.shape, np.uint8)
    if len(thresholds) == 1:
        found[...] = np.searchsorted(thresholds[0], x, side="right")
    else:
        for channel, row in enumerate(thresholds):
            found[..., channel] = np.searchsorted(row, x[..., channel], side="right")
    return found
