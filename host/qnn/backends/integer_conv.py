# SPDX-License-Identifier: BSD-3-Clause
"""Integer layers on this processor, each as one float32 matrix product, exact in integers.

im2col turns the windows of a layer into rows; one BLAS product with the +-1 weights gives all
accumulators. A float32 holds every integer up to 2**24, so the sums are exact while the layer's
bound stays below; a layer beyond it is computed in float64. Thresholds ascend, so counting them
commutes with taking a maximum: pooled layers pool their accumulators first and compare a quarter
of the values.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qnn.network import Conv

Floats: TypeAlias = "NDArray[np.floating[Any]]"


def _dtype_of(layer: Conv) -> np.dtype[Any]:
    """What holds the sums of a layer exactly."""
    return np.dtype(np.float32 if layer.bound < 1 << 24 else np.float64)


class IntegerConv:
    """One layer: codes (N, H, W, C) in, codes or int32 accumulators (N, OH, OW, O) out."""

    def __init__(self, layer: Conv) -> None:
        self._layer = layer
        self._dtype = _dtype_of(layer)
        groups, (rows, columns, channels) = layer.groups, layer.in_shape
        by_group = layer.signed_weight.reshape(groups, layer.outputs // groups, -1)
        self._weight = np.ascontiguousarray(by_group.swapaxes(1, 2), dtype=self._dtype)
        self._thresholds: Floats | None = None
        if layer.thresholds is not None:  # (K, groups, 1, O / groups)
            thresholds = layer.thresholds.T.astype(self._dtype)
            self._thresholds = thresholds.reshape(-1, groups, 1, layer.outputs // groups)
        top, left, bottom, right = layer.padding
        self._padded_shape = (rows + top + bottom, columns + left + right, channels // groups)
        self._padded = np.empty((groups, 0, *self._padded_shape), dtype=self._dtype)
        self._windows = np.empty((groups, 0), dtype=self._dtype)

    @staticmethod
    def row_bytes(layer: Conv) -> int:
        """Bytes of the im2col rows of one picture."""
        rows, columns, _ = layer.conv_shape
        fan_in = layer.groups * int(np.prod(layer.weight.shape[2:]))
        return rows * columns * fan_in * _dtype_of(layer).itemsize

    def __call__(self, maps: NDArray[np.number[Any]]) -> NDArray[np.integer[Any]]:
        acc = self._accumulate(maps)
        if self._layer.pool is not None:
            acc = self._pool(acc)
        groups, count, rows, columns, outputs = acc.shape
        flat = acc.reshape(groups, -1, outputs)
        if self._thresholds is None:
            values: NDArray[np.integer[Any]] = flat.astype(np.int32)
        else:
            values = self._count_thresholds(flat)
        merged = values.reshape(groups, count, rows, columns, outputs).transpose(1, 2, 3, 0, 4)
        return np.ascontiguousarray(merged.reshape(count, rows, columns, groups * outputs))

    def _accumulate(self, maps: NDArray[np.number[Any]]) -> Floats:
        """Accumulators, shape (groups, N, OH, OW, O / groups)."""
        layer, groups, count = self._layer, self._layer.groups, len(maps)
        (rows, columns, _), (top, left, _, _) = layer.in_shape, layer.padding
        out_rows, out_columns, _ = layer.conv_shape
        (kernel_rows, kernel_columns), (down, across) = layer.kernel, layer.strides
        if self._padded.shape[1] != count:
            self._padded = np.zeros((groups, count, *self._padded_shape), dtype=self._dtype)
            fan_in = self._weight.shape[1]
            self._windows = np.empty(
                (groups, count * out_rows * out_columns, fan_in), dtype=self._dtype
            )
        padded = self._padded
        padded[:, :, top : top + rows, left : left + columns] = maps.reshape(
            count, rows, columns, groups, -1
        ).transpose(3, 0, 1, 2, 4)
        group, picture, row, column, channel = padded.strides
        windows = np.lib.stride_tricks.as_strided(
            padded,
            (groups, count, out_rows, out_columns, kernel_rows, kernel_columns, padded.shape[-1]),
            (group, picture, row * down, column * across, row, column, channel),
            writeable=False,
        )
        np.copyto(self._windows.reshape(windows.shape), windows)
        acc = self._windows @ self._weight
        return acc.reshape(groups, count, out_rows, out_columns, -1)

    def _pool(self, acc: Floats) -> Floats:
        """Maximum over windows, first along columns, then along rows; padding never wins."""
        pool = self._layer.pool
        assert pool is not None
        top, left, bottom, right = pool.padding
        if any(pool.padding):
            acc = np.pad(
                acc,
                ((0, 0), (0, 0), (top, bottom), (left, right), (0, 0)),
                constant_values=-np.inf,
            )
        for axis in (3, 2):
            count = (acc.shape[axis] - pool.size) // pool.stride + 1
            shifted = [
                acc[
                    (slice(None),) * axis
                    + (slice(k, k + (count - 1) * pool.stride + 1, pool.stride),)
                ]
                for k in range(pool.size)
            ]
            acc = shifted[0].copy() if len(shifted) == 1 else np.maximum(shifted[0], shifted[1])
            for other in shifted[2:]:
                np.maximum(acc, other, out=acc)
        return acc

    def _count_thresholds(self, flat: Floats) -> NDArray[np.uint8]:
        assert self._thresholds is not None
        codes = (flat >= self._thresholds[0]).view(np.uint8)
        for thresholds in self._thresholds[1:]:
            codes += (flat >= thresholds).view(np.uint8)
        return codes
