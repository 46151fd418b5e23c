# SPDX-License-Identifier: BSD-3-Clause
"""A convolution of 16-bit numbers, as the accelerator runs it on its DSP48s.

    acc[y, x, o] = sum over ky, kx, c of weight[o, ky, kx, c] * in[y', x', c], as in qnn.network
    sum          = floor(acc / 2**SHIFT)
    code         = number of thresholds t[o, :] <= sum;  then max-pool over the codes

It is what a layer on real numbers is lowered to, not a layer of a network: only the first layer of
a program can be one. Where the thresholds come in pairs, around each step that the real numbers
have, the lowest bit of a code tells whether that output is in doubt, and the layer behind reads
code >> 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.engine import regs
from qnn.errors import QnnError
from qnn.network import MaxPool, Padding, Shape, Windowed, check_outputs, check_windows

SHIFT = regs.WORD_SHIFT  # bits of a sum of products that are left off
SUM_BITS = regs.WORD_ACC_W - SHIFT  # bits that are kept


@dataclass(frozen=True, eq=False)
class WordConv(Windowed):
    """One such layer, checked when it is made.

    Attributes:
        name: unique in its program.
        in_shape: (H, W, C) of the map it reads.
        unsigned: the map is uint16, else int16.
        weight: int16, shape (O, KH, KW, C).
        thresholds: int32, shape (O, K), ascending along K, K <= 255.
        pairs: thresholds come in pairs; K is even then.
        stride, padding: of the convolution.
        pool: max-pool on the codes, or None.
    """

    name: str
    in_shape: Shape
    unsigned: bool
    weight: NDArray[np.int16]
    thresholds: NDArray[np.int32]
    pairs: bool = False
    stride: int = 1
    padding: Padding = (0, 0, 0, 0)
    pool: MaxPool | None = None

    def __post_init__(self) -> None:
        check_windows(self)
        weight, channels = self.weight, self.in_shape[2]
        self.require(
            weight.ndim == 4 and weight.dtype == np.int16, "weights are not 4-dimensional int16"
        )
        self.require(min(weight.shape) > 0, f"weights are empty: {weight.shape}")
        self.require(
            channels == weight.shape[3],
            f"its input has {channels} channels, but its weights are for {weight.shape[3]}",
        )
        self.require(self.thresholds is not None, "it has no thresholds")
        check_outputs(self)
        levels = self.thresholds.shape[1]
        self.require(not self.pairs or levels % 2 == 0, f"{levels} thresholds are not pairs")
        # the largest sum is kept for what is never reached
        most = (2 ** (SUM_BITS - 1) - 1) << SHIFT
        self.require(self.bound < most, f"sums of products up to {self.bound} are not below {most}")

    @property
    def outputs(self) -> int:
        return int(self.weight.shape[0])

    @property
    def kernel(self) -> tuple[int, int]:
        return int(self.weight.shape[1]), int(self.weight.shape[2])

    @property
    def groups(self) -> int:
        """Always one: all outputs see all channels."""
        return 1

    @property
    def macs(self) -> int:
        """Products of one picture."""
        rows, columns, _ = self.conv_shape
        return rows * columns * int(np.prod(self.weight.shape))

    @property
    def bound(self) -> int:
        """No sum of products is larger in magnitude."""
        fan_in = np.abs(self.weight.astype(np.int64)).sum(axis=(1, 2, 3)).max()
        return int(fan_in) * (2**16 - 1 if self.unsigned else 2**15)


@dataclass(frozen=True)
class WordMap:
    """Map of 16-bit numbers as it lies in memory: row after row, pixel after pixel, the channels
    side by side, rows filled up to 64 bits. The accelerator reads it as tight rows of one plane."""

    rows: int
    columns: int
    channels: int
    unsigned: bool

    @property
    def pixel_nibbles(self) -> int:
        """Groups of four bits of one pixel."""
        return 4 * self.channels

    @property
    def plane_words(self) -> int:
        """64-bit words of one row."""
        return -(-self.columns * self.channels // 4)

    @cached_property
    def size(self) -> int:
        """Bytes of the whole map."""
        return self.rows * self.plane_words * 8

    def pack(self, numbers: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Integers of shape (rows, columns, channels), as they lie in memory: uint8 (size,).

        Raises:
            QnnError: shape, dtype or a value does not fit.
        """
        memory = np.empty(self.size, np.uint8)
        self.write(numbers, memory)
        return memory

    def write(self, numbers: NDArray[np.integer[Any]], memory: NDArray[np.uint8]) -> None:
        """As `pack`, into memory, uint8 (size,)."""
        shape = self.rows, self.columns, self.channels
        if numbers.shape != shape or not np.issubdtype(numbers.dtype, np.integer):
            raise QnnError(
                f"expected integers of shape {shape}, got {numbers.dtype} of shape {numbers.shape}"
            )
        limits = np.iinfo(self._kind)
        if numbers.dtype != self._kind and not (
            limits.min <= numbers.min() and numbers.max() <= limits.max
        ):
            raise QnnError(f"numbers {numbers.min()}..{numbers.max()} do not fit {self._kind.name}")
        self.room(memory)[...] = numbers

    def room(self, memory: NDArray[np.uint8]) -> NDArray[np.integer[Any]]:
        """The numbers in memory, uint16 or int16 (rows, columns, channels), to be written; what
        fills the rows up is 0 already."""
        strings = memory.view(self._kind).reshape(self.rows, -1)
        used = self.columns * self.channels
        strings[:, used:] = 0
        return strings[:, :used].reshape(self.rows, self.columns, self.channels)

    @property
    def _kind(self) -> np.dtype[Any]:
        """Of a number."""
        return np.dtype("<u2" if self.unsigned else "<i2")
