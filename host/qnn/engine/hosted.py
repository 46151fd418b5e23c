# SPDX-License-Identifier: BSD-3-Clause
"""A layer of the host between layers of the accelerator.

Its map lies among those of the accelerator, in the same format, so that any layer behind it reads
it as it reads the others. Where none of the accelerator does, it has no place there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qnn.network import Layer
from qnn.network.layer import groups_of
from qnn.network.wiring import side_by_side

Map: TypeAlias = "NDArray[np.number[Any]]"  # (H, W, C)
Step: TypeAlias = "Callable[[NDArray[Any]], NDArray[Any]]"  # (N, H, W, C) to (N, OH, OW, O)


@dataclass(frozen=True, eq=False)
class Hosted:
    """One of them; unlike other layers it has no commands.

    Attributes:
        layer: what it is.
        step: what computes it; None where it is only laid out.
    """

    layer: Layer
    step: Step | None = None
    groups = 1

    @property
    def name(self) -> str:
        return self.layer.name

    @property
    def out_shape(self) -> tuple[int, int, int]:
        return self.layer.out_shape

    @property
    def out_bits(self) -> int | None:
        return self.layer.out_bits

    @property
    def outputs(self) -> int:
        """Output channels."""
        return self.layer.out_shape[2]

    def __call__(self, reads: list[Map]) -> Map:
        """What it gives, (OH, OW, O), for the maps (H, W, C) that it reads."""
        assert self.step is not None
        made: Map = self.step(side_by_side(reads, groups_of(self.layer))[None])[0]
        return made
