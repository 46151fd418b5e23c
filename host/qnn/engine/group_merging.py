# SPDX-License-Identifier: BSD-3-Clause
"""Convolutions of many small groups as such of fewer groups, where that takes fewer cycles.

Each group is a command of its own, and its channels are blocks of their own, of which the
accelerator computes and reads `pe` at a time: a depthwise layer uses one lane in so many, and so
does the layer that reads it. Groups side by side are one group whose weights are 0 outside their
own channels:

    merged[o, ky, kx, k * share + c] = f w[o, ky, kx, c] for the k of o's own group, else 0

Planes of +1 and -1 give a 0 only beside even numbers. Where all weights are even f is 1, else 2,
and sums and thresholds are twice as large, too: the codes are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from qnn.engine import estimate
from qnn.engine.capabilities import Capabilities
from qnn.engine.program import compile_layers
from qnn.errors import DoesNotFitError, NetworkError
from qnn.network import Conv

_MOST_WEIGHTS = 1 << 22  # of a merged layer, most of which are 0
_MOST_BITS = 8  # of a weight in two's complement
_THRESHOLDS = np.iinfo(np.int32)


def merging_for(layer: Conv, capabilities: Capabilities) -> Conv | None:
    """The layer with the number of groups that takes the fewest cycles; None where that is its own,
    or where it gives sums, which could be twice as large."""
    if layer.groups == 1 or layer.thresholds is None:
        return None
    least, best = _cycles(layer, capabilities), None
    for groups in _fewer(layer):
        try:
            merged = of_groups(layer, groups)
            cycles = _cycles(merged, capabilities)
        except (DoesNotFitError, NetworkError):  # weights, or sums, are too large
            continue
        if cycles < least:
            least, best = cycles, merged
    return best


def of_groups(layer: Conv, groups: int) -> Conv:
    """A layer of codes with so many groups, by which its own can be divided.

    Raises:
        DoesNotFitError: its weights have more than 8 bits.
        NetworkError: sums of twice the size do not fit 32 bits.
    """
    weight, thresholds = layer.signed_weight, layer.thresholds
    assert thresholds is not None
    factor = 2 if (weight % 2).any() else 1
    weight = weight * np.int16(factor) >> 1
    outputs, rows, columns, share = weight.shape
    together = layer.groups // groups
    own = np.arange(outputs) // (outputs // layer.groups) % together
    spread = np.zeros((outputs, rows, columns, together, share), np.int16)
    spread[np.arange(outputs), :, :, own] = weight
    bits = max(int(weight.max()), -int(weight.min()) - 1, 0).bit_length() + 1
    if bits > _MOST_BITS:
        raise DoesNotFitError(f"layer {layer.name}: weights of {bits} bits")
    levels = spread.reshape(outputs, rows, columns, together * share) + np.int16(1 << (bits - 1))
    planes = np.zeros((bits + 1, *levels.shape), np.uint8)
    for plane, bit in zip(planes, reversed(range(bits)), strict=False):
        np.bitwise_and(levels >> bit, 1, out=plane, casting="unsafe")
    moved = np.clip(factor * thresholds.astype(np.int64), _THRESHOLDS.min, _THRESHOLDS.max)
    return replace(
        layer,
        weight=planes,
        coefficients=(*(1 << bit for bit in reversed(range(bits))), 1),
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


def _cycles(layer: Conv, capabilities: Capabilities) -> int:
    return estimate.cycles(compile_layers([layer], capabilities), capabilities)
