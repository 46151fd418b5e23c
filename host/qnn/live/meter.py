# SPDX-License-Identifier: BSD-3-Clause
"""Pictures a second, and where the time goes."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping

WINDOW = 30  # pictures that a rate is of


class Meter:
    """Counts what was looked at.

    Args:
        clock: seconds.

    Attributes:
        count: pictures so far.
        sums_us: of each stage, over all of them.
        cycles: of an accelerator, over all of them.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends: deque[float] = deque(maxlen=WINDOW + 1)
        self.count = self.cycles = 0
        self.sums_us: Counter[str] = Counter()

    def add(self, times_us: Mapping[str, int], cycles: int | None) -> None:
        """A picture is done."""
        self._ends.append(self._clock())
        self.count += 1
        self.sums_us.update(times_us)
        self.cycles += cycles or 0

    @property
    def pictures_per_s(self) -> float | None:
        """Over the last WINDOW pictures; None before there are two."""
        if len(self._ends) < 2 or self._ends[-1] <= self._ends[0]:
            return None
        return (len(self._ends) - 1) / (self._ends[-1] - self._ends[0])
