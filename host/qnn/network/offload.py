# SPDX-License-Identifier: BSD-3-Clause
"""What a backend made of some pictures, and what that took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Offload:
    """Output of the last layer.

    Attributes:
        maps: uint8 codes, int32 accumulators, or floats.
        heads: of the other outputs of the network, likewise.
        offload_us: of the host: to start, to wait for the rest, to fetch. What a backend did while
            the host was busy elsewhere is not in it.
        packing_us: of the host, to lay the input out; None where that is not needed.
        cycles: of the accelerator; None where there is none.
        before_us, after_us: of the host, for the layers before and after those of a backend.
        between_us: of the host, between the stages of an accelerator; part of offload_us.
    """

    maps: NDArray[np.number[Any]]
    offload_us: int = field(compare=False)
    packing_us: int | None = field(default=None, compare=False)
    cycles: int | None = field(default=None, compare=False)
    before_us: int = field(default=0, compare=False)
    after_us: int = field(default=0, compare=False)
    between_us: int = field(default=0, compare=False)
    heads: tuple[NDArray[np.number[Any]], ...] = ()

    def each(self) -> Iterator[Offload]:
        """Of each picture, with its share of what they took together."""
        count = len(self.maps)
        for number in range(count):
            one = slice(number, number + 1)
            yield replace(
                self,
                maps=self.maps[one],
                offload_us=self.offload_us // count,
                packing_us=None if self.packing_us is None else self.packing_us // count,
                cycles=None if self.cycles is None else self.cycles // count,
                before_us=self.before_us // count,
                after_us=self.after_us // count,
                between_us=self.between_us // count,
                heads=tuple(maps[one] for maps in self.heads),
            )


def since_us(began_ns: int) -> int:
    """Microseconds since a moment of time.perf_counter_ns."""
    return (time.perf_counter_ns() - began_ns) // 1000
