# SPDX-License-Identifier: BSD-3-Clause
"""Trunc of QONNX: the highest bits of whole numbers, as they stand behind average pools.

Source: qonnx.custom_op.general.trunc (versions 1 and 2 of the operator).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qnn.importers.qonnx.graph import Array


@dataclass(frozen=True, eq=False)
class Truncated:
    """Code = round down(clip(round(x / scale + zero) / parts)); value = (code - moved) * step.

    Attributes:
        scale, zero: float32, of what goes in.
        parts: so many steps of that are one here, a power of two.
        low, high: limits of the code; infinite in version 1 of the operator.
        rounding: to whole numbers, down where the file says nothing else.
        moved, step: float32, of the values.
    """

    scale: Array
    zero: Array
    parts: np.float32
    low: float
    high: float
    rounding: Callable[[Array], Array]
    moved: np.float32
    step: np.float32

    def codes(self, x: Array) -> Array:
        """int64, negative ones too."""
        y = np.rint(x / self.scale + self.zero) / self.parts
        y = self.rounding(np.clip(y, np.float32(self.low), np.float32(self.high)))
        return y.astype(np.int64)

    def values(self, codes: Array) -> Array:
        """float32 that stand for the codes."""
        y: Array = (codes.astype(np.float32) - self.moved) * self.step
        return y

    def __call__(self, x: Array) -> Array:
        return self.values(self.codes(x))
