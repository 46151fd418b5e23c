# SPDX-License-Identifier: BSD-3-Clause
"""A layer of floats, on the host: what is not quantised before or behind its sums.

x     = the map that it reads, through `steps`, each rounded to float32
y     = sums of weight * x, in float64; or the largest x of each window; or x
codes = number of thresholds of its channel <= y as float32; without thresholds it gives y
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.network.arithmetic import OPERATIONS, Arithmetic
from qnn.network.layers import (
    MAX_BITS,
    MAX_FAN_IN,
    Checked,
    Padding,
    Shape,
    describe,
    windows,
)


@dataclass(frozen=True, eq=False)
class Floats(Checked):
    """See above.

    Attributes:
        name: unique in its network.
        in_shape: (H, W, C) of the map it reads.
        in_bits: planes of the codes it reads, which are numbers for its steps; None for floats.
        steps: for each channel of the map it reads.
        weight: float32 (O, KH, KW, C/groups), or None.
        pool: rows and columns of the windows of a max-pool, which has no weights; or None.
        strides: of the windows, in rows and in columns.
        padding: 0 for sums, nothing for a pool.
        groups: input and output channels fall into that many independent parts.
        thresholds: float32 (O or 1, K), ascending along K, 1 <= K <= 255; or None.
    """

    name: str
    in_shape: Shape
    in_bits: int | None = None
    steps: tuple[Arithmetic, ...] = ()
    weight: NDArray[np.float32] | None = None
    pool: tuple[int, int] | None = None
    strides: tuple[int, int] = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    groups: int = 1
    thresholds: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        self.check_input()
        require, channels = self.require, self.in_shape[2]
        weight, thresholds = self.weight, self.thresholds
        require(self.in_bits is None or 1 <= self.in_bits <= MAX_BITS, f"{self.in_bits}-bit codes")
        for step in self.steps:
            require(
                step.op in OPERATIONS
                and step.values.dtype == np.float32
                and step.values.shape == (channels,)
                and np.isfinite(step.values).all(),
                f"a step ({step.op}) does not fit {channels} channels",
            )
        require(weight is None or self.pool is None, "weights and a pool")
        require(self.groups >= 1 and min(self.strides) >= 1, "bad groups or strides")
        require(len(self.padding) == 4 and min(self.padding) >= 0, f"bad padding {self.padding}")
        if weight is not None:
            require(
                weight.dtype == np.float32
                and weight.ndim == 4
                and min(weight.shape) > 0
                and weight.shape[3] * self.groups == channels
                and len(weight) % self.groups == 0
                and np.prod(weight.shape[1:]) <= MAX_FAN_IN,
                f"weights {describe(weight.shape)} in {self.groups} groups do not fit {channels} "
                "channels",
            )
            require(np.isfinite(weight).all(), "weights that are not finite")
        require(self.pool is None or min(self.pool) >= 1, f"a pool of {self.pool}")
        require(min(self.out_shape) >= 1, f"{describe(self.in_shape)} is smaller than its windows")
        require(
            thresholds is None
            or (
                thresholds.dtype == np.float32
                and thresholds.ndim == 2
                and len(thresholds) in (1, self.out_shape[2])
                and 1 <= thresholds.shape[1] < 1 << MAX_BITS
                and not np.isnan(thresholds).any()
                and (thresholds[:, 1:] >= thresholds[:, :-1]).all()
            ),
            "thresholds that do not fit its outputs or do not ascend",
        )

    @property
    def kernel(self) -> tuple[int, int]:
        """Rows and columns of its windows."""
        if self.weight is not None:
            return self.weight.shape[1], self.weight.shape[2]
        return self.pool or (1, 1)

    @property
    def out_shape(self) -> Shape:
        """(rows, columns, outputs)."""
        (rows, columns, channels), (top, left, bottom, right) = self.in_shape, self.padding
        return (
            windows(rows, top, bottom, self.kernel[0], self.strides[0]),
            windows(columns, left, right, self.kernel[1], self.strides[1]),
            channels if self.weight is None else len(self.weight),
        )

    @property
    def out_bits(self) -> int | None:
        """Planes that hold its codes; None for floats."""
        return None if self.thresholds is None else int(self.thresholds.shape[1]).bit_length()

    @property
    def out_dtype(self) -> np.dtype[Any]:
        """Of what it gives."""
        return np.dtype(np.float64 if self.thresholds is None else np.uint8)

    @property
    def macs(self) -> int:
        """Products of one value and one weight for one picture."""
        rows, columns, _ = self.out_shape
        return 0 if self.weight is None else rows * columns * self.weight.size
