# SPDX-License-Identifier: BSD-3-Clause
"""Steps behind an array of numbers, folded into the float32 thresholds between its codes.

All steps ascend, so the least float32 that reaches a code is found by bisection over all of them,
asking the steps themselves: whatever scale, zero point and rounding the input quantiser has, its
codes are met exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qnn.importers.qonnx.feature import Codes
from qnn.importers.qonnx.fold import (
    MAX_LEVELS,
    down_to_zero,
    even,
    last_quantizer,
    levels_of,
    through,
)
from qnn.importers.qonnx.graph import Array, Node
from qnn.importers.qonnx.steps import Count, Quantizer, Step, select, sign
from qnn.network import Grid
from qnn.network.arithmetic import Arithmetic
from qnn.network.array_input import MAX_THRESHOLDS

LARGEST = np.finfo(np.float32).max
_BITS = 0x7F7FFFFF  # of the largest float32


def fold_array(
    node: Node, steps: Sequence[Step], channels: int, grid: Grid | None
) -> tuple[Array, Codes]:
    """Thresholds between numbers, float32 (channels or 1, K), and what the codes stand for.

    Args:
        node: the one that reads the codes, for the error.
        steps: behind the input, for `channels` channels.
        channels: of the map.
        grid: the numbers that go in, where the file says so.

    Raises:
        NetworkError: the input is not quantised, or its codes are no even steps.
    """
    if any((sign(step, channels) < 0).any() for step in steps):
        raise node.refuse(
            "its input is multiplied by a negative number before it is quantised; turn the sign of "
            "the weights behind it instead"
        )
    kinds = [step.values for step in steps if isinstance(step, Arithmetic)]
    kinds += [step.row for step in steps if isinstance(step, Count)]
    columns: Array = np.zeros(1, np.int64)
    back: Array = np.zeros(channels, np.int64)
    if kinds:
        _, columns, back = np.unique(
            np.stack(kinds).astype(np.float64), axis=1, return_index=True, return_inverse=True
        )
        back = back.reshape(-1)
    steps = [select(step, columns) for step in steps]
    last = last_quantizer(steps)
    if last is None:
        found, codes = _of_grid(node, steps, len(columns), grid)
    else:
        found, codes = _of_quantizer(node, steps, last, len(columns), channels)
    if len(columns) > 1 and len(found) > 1:
        found = found[back]
    return np.ascontiguousarray(found), codes


def _of_grid(
    node: Node, steps: Sequence[Step], columns: int, grid: Grid | None
) -> tuple[Array, Codes]:
    if grid is None or grid.count > MAX_LEVELS:
        raise node.refuse(
            "it reads an input that is not quantised to 8 bits or fewer; put a Quant before it, or "
            "annotate the input with its type (finn_datatype INT8)"
        )
    x = (grid.low + grid.step * np.arange(grid.count)).astype(np.float32)
    values = through(steps, np.repeat(x[:, None], columns, axis=1))
    if (values != values[:, :1]).any():
        raise node.refuse(
            "it reads numbers whose scale differs between channels; use one for all, or quantise "
            "them behind it"
        )
    return x[None, 1:], even(node, values[:, 0])


def _of_quantizer(
    node: Node, steps: Sequence[Step], last: int, columns: int, channels: int
) -> tuple[Array, Codes]:
    quantizer = steps[last]
    assert isinstance(quantizer, Quantizer)

    def code(x: Array) -> Array:
        with np.errstate(over="ignore"):
            return quantizer.codes(through(steps[:last], x))

    ends = code(np.repeat(np.array([[-LARGEST], [LARGEST]], np.float32), columns, axis=1))
    least, most = down_to_zero(quantizer, int(ends.min())), int(ends.max())
    levels, rank = levels_of(node, steps, last, least, most)
    if not 2 <= len(levels) <= MAX_LEVELS:
        raise node.refuse(
            f"it reads an input of {len(levels)} levels; quantise it to 1 to 8 bits (2 to "
            f"{MAX_LEVELS} levels)"
        )
    if columns > 1 and channels * (len(levels) - 1) > MAX_THRESHOLDS:
        raise node.refuse(
            f"its input has {channels} channels with quantisers of their own of {len(levels)} "
            f"levels, more than {MAX_THRESHOLDS} thresholds together; use one quantiser for all "
            "channels, or fewer bits"
        )
    codes = even(node, levels)
    wanted = np.arange(1, len(levels))[:, None]
    # All float32 in ascending order are numbered from -_BITS to _BITS.
    low: Array = np.full((len(wanted), columns), -_BITS, np.int64)
    high: Array = np.full((len(wanted), columns), _BITS + 1, np.int64)
    while (low < high).any():
        middle = (low + high) // 2
        reached = rank[code(_float(middle)) - least] >= wanted
        low, high = (
            np.where(reached, low, np.minimum(middle + 1, high)),
            np.where(reached, middle, high),
        )
    found = np.where(high > _BITS, np.float32(np.inf), _float(np.minimum(high, _BITS)))
    return np.ascontiguousarray(found.T.astype(np.float32)), codes


def _float(number: Array) -> Array:
    """The float32 of a number in ascending order."""
    size = np.abs(number).astype(np.uint32).view(np.float32)
    y: Array = np.where(number < 0, -size, size)
    return y
