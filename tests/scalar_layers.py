# SPDX-License-Identifier: BSD-3-Clause
"""The layers once more, as loops over Python integers: nothing shared with the code under test."""

from __future__ import annotations

from itertools import product

import numpy as np

from qnn.network import Conv


def windows(size: int, before: int, after: int, kernel: int, stride: int) -> list[int]:
    """First coordinate of every window that fits into a padded side; negative in the padding."""
    return list(range(-before, size + after - kernel + 1, stride))


def at(maps: np.ndarray, y: int, x: int, c: int) -> int:
    """One value of a map (H, W, C), 0 outside of it."""
    inside = 0 <= y < maps.shape[0] and 0 <= x < maps.shape[1]
    return int(maps[y, x, c]) if inside else 0


def convolution(x, weight, stride, padding, groups) -> list[list[list[int]]]:
    """Accumulators [row][column][output]; weight is (O, KH, KW, C/groups), stride one for both
    directions or a pair."""
    top, left, bottom, right = padding
    down, across = (stride, stride) if np.ndim(stride) == 0 else stride
    outputs, kernel_h, kernel_w, per_group = weight.shape

    def accumulator(y: int, z: int, o: int) -> int:
        first = o // (outputs // groups) * per_group
        return sum(
            int(weight[o, i, j, c]) * at(x, y + i, z + j, first + c)
            for i, j, c in product(range(kernel_h), range(kernel_w), range(per_group))
        )

    return [
        [
            [accumulator(y, z, o) for o in range(outputs)]
            for z in windows(x.shape[1], left, right, kernel_w, across)
        ]
        for y in windows(x.shape[0], top, bottom, kernel_h, down)
    ]


def max_pool(x, size, stride, padding) -> list[list[list[int]]]:
    """Largest values [row][column][channel]."""
    top, left, bottom, right = padding
    return [
        [
            [
                max(at(x, y + i, z + j, c) for i, j in product(range(size), repeat=2))
                for c in range(x.shape[2])
            ]
            for z in windows(x.shape[1], left, right, size, stride)
        ]
        for y in windows(x.shape[0], top, bottom, size, stride)
    ]


def layer(conv: Conv, codes: np.ndarray) -> np.ndarray:
    """Codes or accumulators (OH, OW, O) of one layer."""
    weight = np.zeros(conv.weight.shape[1:], dtype=int)
    for plane, coefficient in zip(conv.weight, conv.coefficients, strict=True):
        weight += np.where(plane == 1, coefficient, -coefficient)
    acc = convolution(codes, weight, conv.strides, conv.padding, conv.groups)
    if conv.thresholds is None:
        return np.array(acc)
    out = [
        [
            [
                sum(value >= int(t) for t in row)
                for value, row in zip(p, conv.thresholds, strict=True)
            ]
            for p in line
        ]
        for line in acc
    ]
    if conv.pool is not None:
        pool = conv.pool
        out = max_pool(np.array(out), pool.size, pool.stride, pool.padding)
    return np.array(out)
