# SPDX-License-Identifier: BSD-3-Clause
"""Zero padding of codes whose code 0 is not the value 0.

Outside a map the code is 0. Where the value 0 has another code z, the map gets channels that hold z
everywhere, so that outside it they are 0, too; their weights take off what the others count too
much:

    sum of w * (code - z) = sum of w * code + sum of v * z

where the v of a pixel of the kernel add up to minus the sum of its w. Inside the map both sides are
the value of the sum, outside it both are 0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qnn.importers.qonnx.feature import Codes
from qnn.importers.qonnx.graph import Array, Node
from qnn.network import Conv

TOLERANCE = 1e-4  # of a step: float32 rounds a multiple of a scale
_LARGEST = (1 << 31) - 1  # threshold


def code_of_zero(node: Node, codes: Codes) -> int:
    """The code of the value 0.

    Raises:
        NetworkError: there is none.
    """
    code = -codes.zero / codes.step
    if not 0 <= code <= codes.top + TOLERANCE or abs(code - np.rint(code)) > TOLERANCE:
        raise node.refuse(
            f"it pads with 0, but the lowest level of its input is {codes.zero:g}, and in steps of "
            f"{codes.step:g} none is 0; use no padding, or an activation that has the level 0 "
            "(ReLU, or Quant of 2 bits and more)"
        )
    return int(np.rint(code))


def balanced(weight: Array) -> Array:
    """Weights of further channels, which take off what the others count: int64 (O, KH, KW, n).

    None is larger than the largest of `weight`, int64 (O, KH, KW, C); all are odd where those are.
    """
    left: Array = -weight.sum(axis=3)
    largest, odd = max(int(np.abs(weight).max()), 1), bool((weight % 2 == 1).all())
    count = -(-int(np.abs(left).max()) // largest)
    if odd and (count - weight.shape[3]) % 2:
        count += 1
    found = []
    for _ in range(count):
        taken = np.clip(left, -largest, largest)
        if odd:
            taken = np.where(taken % 2 == 0, taken - np.where(taken > 0, 1, -1), taken)
        found.append(taken)
        left = left - taken
    assert not left.any()
    return np.stack(found, axis=3) if found else np.zeros((*left.shape, 0), np.int64)


def ungrouped(weight: Array, groups: int) -> Array:
    """Weights (O, KH, KW, C/groups) as those of one group, (O, KH, KW, C), 0 outside their own.

    Channels that are the same code everywhere are then there for all outputs.
    """
    outputs, rows, columns, share = weight.shape
    whole: Array = np.zeros((outputs, rows, columns, groups * share), weight.dtype)
    for group, some in enumerate(np.split(np.arange(outputs), groups)):
        whole[some, :, :, group * share : (group + 1) * share] = weight[some]
    return whole


def with_constants(layer: Conv, count: int, code: int) -> Conv:
    """The layer with so many outputs more, which are that code everywhere."""
    assert layer.thresholds is not None and layer.groups == 1
    row: Array = np.full(layer.thresholds.shape[1], min(layer.bound + 1, _LARGEST), np.int32)
    row[:code] = -layer.bound
    return replace(
        layer,
        weight=np.concatenate([layer.weight, *[layer.weight[:, :1]] * count], axis=1),
        thresholds=np.concatenate([layer.thresholds, *[row[None]] * count]),
    )
