# SPDX-License-Identifier: BSD-3-Clause
"""Fully connected layers of one bit a weight: sums on the accelerator, their scales on the host.

With x the codes of a map, b the bits of an output and lo, hi what these stand for,

    y = unit * (lo * S + (hi - lo) * B) + bias      S = sum of x,  B = sum of b x

as qnn.compute.dense.BinaryDense has it. The accelerator counts a bit as +1 or -1:

    D = sum of (2 b - 1) x = 2 B - S

is a convolution whose kernel covers the map, handed out raw, exact in integers. So B = (D + S) / 2,
and the host is left with S and with the first line for each output, the very same expression in
float64: what comes out is equal, bit by bit, for any lo and hi and for a unit that follows from the
map at hand, and no product of a weight is left to it. Where lo = -hi the host is not even left with
S (BinaryDense.of_differences), and few codes are steps of D, which are found once for each unit
(qnn.engine.sum_steps). The next layer reads what the host has made.

A weight that is read from memory is used once for a picture, so such a layer takes as long as its
weights take to come. Several pictures at once are a row of pixels, each with all codes of a map as
its channels, under a kernel of one pixel: they share the weights.

Bits stay packed but for those of one tile of outputs: to compile the 9,216 x 4,096 of DoReFa-Net,
4.7 MB, takes 10 MB, the program in it (tests/host/engine/test_binary_dense.py prints it).
"""

from __future__ import annotations

from copy import copy
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.compute.dense import BinaryDense
from qnn.engine.passes import PackedBits, Passes
from qnn.engine.sum_steps import Sums, passed, steps_of
from qnn.network import Dense, Windowed

_FEW = 3  # levels: of more, comparing takes longer than the arithmetic
_UNITS = 4  # whose steps are kept


class DenseSums(Windowed):
    """The sums D of a layer, as the accelerator runs it, and what the host makes of them.

    Args:
        dense: the layer.
        matrix: that of the layer.
        together: pictures at once; None: one, whose map lies as it is.

    Attributes:
        in_bits: activation planes it reads.
        groups: always one.
        weights: its bits, which stay packed.
    """

    groups = 1

    def __init__(self, dense: Dense, matrix: BinaryDense, together: int | None = None) -> None:
        self._dense, self._matrix, self._together = dense, matrix, together
        self.name, self.in_shape, self.in_bits = dense.name, dense.in_shape, dense.in_bits or 0
        if together is not None:
            self.in_shape = (1, together, matrix.n_in)
        self.thresholds, self.stride, self.padding, self.pool = None, 1, (0, 0, 0, 0), None
        self.weights = Passes(PackedBits(matrix.bits, (*self.kernel, self.in_shape[2])), 0)
        self._stepwise = 1 < dense.levels <= _FEW and matrix.opposite
        self._steps = lru_cache(_UNITS)(self._steps_of)

    def for_pictures(self, together: int) -> DenseSums:
        """The same layer for a row of pictures, (1, together, codes of one)."""
        return DenseSums(self._dense, self._matrix, together)

    def reading(self, planes: int) -> DenseSums:
        """The same, of a map of so many planes."""
        wider = copy(self)
        wider.in_bits = planes
        return wider

    @property
    def outputs(self) -> int:
        """Sums for one picture."""
        return len(self._matrix.bias)

    @property
    def kernel(self) -> tuple[int, int]:
        """Rows and columns of the map of one picture."""
        return (1, 1) if self._together is not None else self.in_shape[:2]

    def finish(
        self, codes: NDArray[np.integer[Any]], sums: NDArray[np.int32]
    ) -> NDArray[np.number[Any]]:
        """What the layer gives, (1, pictures, outputs): codes, uint8, or floats, float64.

        Args:
            codes: the map that it has read, (rows, columns, channels); or a row of pictures, maybe
                of fewer than there could be.
            sums: D of each output, int32 (1, pictures, outputs).
        """
        each = codes.reshape(sums.shape[1], -1)
        if len(each) == 1:
            return self._finish(codes, sums[0, 0])[None, None]
        return np.stack([self._finish(*one) for one in zip(each, sums[0], strict=True)])[None]

    def _finish(
        self, codes: NDArray[np.integer[Any]], sums: NDArray[np.int32]
    ) -> NDArray[np.number[Any]]:
        """Of one picture: (outputs,)."""
        unit = self._dense.unit_of(codes)
        if self._stepwise:
            return passed(self._steps(unit), sums)
        return self._dense.given(self._matrix.of_differences(codes, sums, unit))

    def _steps_of(self, unit: float) -> Sums:
        """Of its codes, where one of what it reads is worth so much."""
        dense, matrix = self._dense, self._matrix
        most = matrix.n_in * ((1 << (dense.in_bits or 0)) - 1)
        return steps_of(
            lambda sums: dense.given(matrix.of_opposite(sums, unit)),
            self.outputs, dense.levels, most,
        )  # fmt: skip
