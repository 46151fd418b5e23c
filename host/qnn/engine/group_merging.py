# SPDX-License-Identifier: BSD-3-Clause
"""Convolutions of many small groups as such of fewer groups, where that takes fewer cycles.

Each group is a command of its own, and its channels are blocks of their own, of which the
accelerator computes and reads `pe` at a time: a depthwise layer uses one lane in so many, and so
does the layer that reads it. Groups side by side are one group whose weights are 0 outside their
own channels:

    merged[o, ky, kx, k * share + c] = f w[o, ky, kx, c] for the k of o's own group, else 0

Planes of +1 and -1 give a 0 only beside even numbers. Where all weights are even f is 1, else 2,
and sums and thresholds are twice as large, too: the codes are the same. Layers of more groups than
a list has commands fit only so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from qnn.engine import estimate
from qnn.engine.capabilities import Capabilities
from qnn.engine.program import compile_layers
from qnn.errors import DoesNotFitError, NetworkError
from qnn.network import Conv
from qnn.network.planes import planes_of

_MOST_WEIGHTS = 1 << 22  # of a merged layer, most of which are 0
_THRESHOLDS = -(2**31), 2**31 - 1


def merging_for(layer: Conv, capabilities: Capabilities) -> Conv | None:
    """The layer with the number of groups that takes the fewest cycles; None where that is its own,
    or where it gives sums, which could be twice as large."""
    if layer.groups == 1 or layer.thresholds is None:
        return None
    least, best = _cycles(layer, capabilities), None
    for groups in _fewer(layer):
        try:
            merged = of_groups(layer, groups)
        except NetworkError:  # weights, or sums, are too large
            return None
        if (cycles := _cycles(merged, capabilities)) < least:
            least, best = cycles, merged
    return best


def of_groups(layer: Conv, groups: int) -> Conv:
    """A layer of codes with so many groups, fewer than its own, which can be divided by them.

    Raises:
        NetworkError: weights have more than 8 bits; or sums of twice the size more than 32.
    """
    weight, thresholds = layer.signed_weight, layer.thresholds
    assert thresholds is not None
    even = not (weight % 2).any()
    outputs, rows, columns, share = weight.shape
    together = layer.groups // groups
    own = np.arange(outputs) // (outputs // layer.groups) % together
    spread = np.zeros((outputs, rows, columns, together, share), np.int16)
    spread[np.arange(outputs), :, :, own] = weight // 2 if even else weight
    bits, coefficients, _ = planes_of(spread.reshape(outputs, rows, columns, together * share))
    moved = thresholds if even else np.clip(2 * thresholds.astype(np.int64), *_THRESHOLDS)
    return replace(
        layer,
        weight=bits,
        coefficients=coefficients,
        thresholds=moved.astype(np.int32),
        groups=groups,
        parts=(),
    )


def _fewer(layer: Conv) -> Iterator[int]:
    """Numbers of groups to try, the most first."""
    for together in range(2, layer.groups + 1):
        weights = layer.weight[0].size * together
        if layer.groups % together == 0 and weights <= _MOST_WEIGHTS:
            yield layer.groups // together


def _cycles(layer: Conv, capabilities: Capabilities) -> float:
    """Infinitely many, where the layer does not fit."""
    try:
        return estimate.cycles(compile_layers([layer], capabilities), capabilities)
    except DoesNotFitError:
        return math.inf
