# SPDX-License-Identifier: BSD-3-Clause
"""A layer that only moves values: nearest upsampling, depth to space, channels in another order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.network.layers import MAX_BITS, Checked, Shape, describe


@dataclass(frozen=True, eq=False)
class Rearrange(Checked):
    """Each value is one of the map it reads: out[y, x, o] = in.flat[places[y, x, o]].

    Attributes:
        name: unique in its network.
        in_shape: (H, W, C) of the map it reads.
        in_bits: planes of the codes it reads; None where it reads floats.
        places: int32 (OH, OW, O), of values in the order row, column, channel.
    """

    name: str
    in_shape: Shape
    in_bits: int | None
    places: NDArray[np.int32]

    def __post_init__(self) -> None:
        self.check_input()
        require, places = self.require, self.places
        require(self.in_bits is None or 1 <= self.in_bits <= MAX_BITS, f"{self.in_bits}-bit codes")
        require(
            places.dtype == np.int32 and places.ndim == 3 and places.size,
            f"places {places.dtype} {describe(places.shape)}",
        )
        require(
            places.min() >= 0 and places.max() < np.prod(self.in_shape),
            f"places from {places.min()} to {places.max()} in a map of {describe(self.in_shape)}",
        )

    @property
    def out_shape(self) -> Shape:
        """(rows, columns, channels)."""
        rows, columns, channels = self.places.shape
        return rows, columns, channels

    @property
    def out_bits(self) -> int | None:
        """Planes that hold its codes; None for floats."""
        return self.in_bits

    @property
    def out_dtype(self) -> np.dtype[Any]:
        """Of what it gives."""
        return np.dtype(np.float64 if self.in_bits is None else np.uint8)

    @property
    def macs(self) -> int:
        """Products for one picture: none."""
        return 0
