# SPDX-License-Identifier: BSD-3-Clause
"""The peer that `qnn bench` measures against: layers in numpy as one writes them first.

im2col by fancy indexing and a float64 matrix product, thresholds by broadcasting, fully connected
layers with every weight a float64. It is what notebooks for such networks did on the host; the
figures it is compared with are taken in the same run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.network import Conv, MaxPool

Floats = NDArray[np.float64]


def convolution(
    x: NDArray[Any],
    weight: Floats,
    stride: int | tuple[int, int],
    padding: tuple[int, int, int, int],
) -> Floats:
    """Accumulators, float64 (OH, OW, O), of x (H, W, C) and weight (O, KH, KW, C)."""
    top, left, bottom, right = padding
    padded = np.pad(x.astype(np.float64), ((top, bottom), (left, right), (0, 0)))
    planes = padded.transpose(2, 0, 1)  # channels first, as such networks keep them
    outputs, kernel_rows, kernel_columns, channels = weight.shape
    down, across = stride if isinstance(stride, tuple) else (stride, stride)
    out_rows = (padded.shape[0] - kernel_rows) // down + 1
    out_columns = (padded.shape[1] - kernel_columns) // across + 1
    channel, row, column = (
        axis.reshape(-1, 1) for axis in np.indices((channels, kernel_rows, kernel_columns))
    )
    out_row, out_column = (axis.reshape(1, -1) for axis in np.indices((out_rows, out_columns)))
    # One index for each element of the matrix of windows, in each of three arrays.
    channel = channel + np.zeros_like(out_row)
    windows = planes[channel, row + down * out_row, column + across * out_column]
    acc = weight.transpose(0, 3, 1, 2).reshape(outputs, -1) @ windows
    return acc.T.reshape(out_rows, out_columns, outputs)


def max_pool(codes: NDArray[np.uint8], pool: MaxPool) -> NDArray[np.uint8]:
    """Largest code of each window, uint8 (PH, PW, C)."""
    top, left, bottom, right = pool.padding
    padded = np.pad(codes, ((top, bottom), (left, right), (0, 0)))
    rows = (padded.shape[0] - pool.size) // pool.stride + 1
    columns = (padded.shape[1] - pool.size) // pool.stride + 1
    shifted = [
        padded[y : y + (rows - 1) * pool.stride + 1 : pool.stride][
            :, x : x + (columns - 1) * pool.stride + 1 : pool.stride
        ]
        for y in range(pool.size)
        for x in range(pool.size)
    ]
    return np.max(shifted, axis=0)


def layer(conv: Conv, codes: NDArray[Any]) -> NDArray[Any]:
    """One layer of a network: codes (H, W, C) to codes or accumulators (OH, OW, O)."""
    weight = conv.signed_weight.astype(np.float64)
    per_group, width = codes.shape[2] // conv.groups, conv.outputs // conv.groups
    branches = [
        convolution(
            codes[..., g * per_group : (g + 1) * per_group],
            weight[g * width : (g + 1) * width],
            conv.strides,
            conv.padding,
        )
        for g in range(conv.groups)
    ]
    acc = np.concatenate(branches, axis=2)
    if conv.thresholds is None:
        return acc
    out = (acc[..., None] >= conv.thresholds).sum(axis=-1).astype(np.uint8)
    return out if conv.pool is None else max_pool(out, conv.pool)
