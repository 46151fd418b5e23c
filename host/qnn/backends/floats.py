# SPDX-License-Identifier: BSD-3-Clause
"""How this processor computes a layer of floats (qnn.network.Floats)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from qnn.compute.thresholds import count_thresholds
from qnn.network import Floats


def floats(layer: Floats, one: NDArray[Any]) -> NDArray[Any]:
    """Codes, uint8, or floats, float64, (OH, OW, O) of a map (H, W, C)."""
    x = one.astype(np.float32)
    with np.errstate(over="ignore"):
        for step in layer.steps:
            x = step(x)
    y = _windowed(layer, x.astype(np.float64))
    if layer.thresholds is None:
        return y
    return count_thresholds(y.astype(np.float32), layer.thresholds)


def _windowed(layer: Floats, x: NDArray[np.float64]) -> NDArray[np.float64]:
    weight = layer.weight
    if weight is None and layer.pool is None:
        return x
    top, left, bottom, right = layer.padding
    outside = 0.0 if layer.pool is None else -np.inf
    x = np.pad(x, ((top, bottom), (left, right), (0, 0)), constant_values=outside)
    seen = sliding_window_view(x, layer.kernel, axis=(0, 1))  # type: ignore[call-overload]
    seen = seen[:: layer.strides[0], :: layer.strides[1]]  # (OH, OW, C, KH, KW)
    if weight is None:
        largest: NDArray[np.float64] = seen.max(axis=(3, 4))
        return largest
    rows, columns = seen.shape[:2]
    share, each = weight.shape[3], len(weight) // layer.groups
    out = np.empty((rows, columns, len(weight)))
    for group in range(layer.groups):
        own = weight[group * each : (group + 1) * each].astype(np.float64)
        matrix = own.transpose(3, 1, 2, 0).reshape(-1, each)
        for row in range(rows):  # a row at a time: the windows take little memory
            some = seen[row, :, group * share : (group + 1) * share]
            product = some.reshape(columns, -1) @ matrix
            out[row, :, group * each : (group + 1) * each] = product
    return out
