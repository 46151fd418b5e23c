# SPDX-License-Identifier: BSD-3-Clause
"""Which maps lie behind each other in memory, as a layer wants them that reads several."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


class Neighbours:
    """Each map has one place, and so one other behind it, and one before it."""

    def __init__(self) -> None:
        self._behind: dict[str, str] = {}  # by the name of a layer: whose map lies behind its own
        self._before: dict[str, str] = {}

    def can_lie(self, names: Sequence[str]) -> bool:
        """Whether the maps of these layers can lie one behind the other."""
        return all(
            self._behind.get(one, other) == other and self._before.get(other, one) == one
            and one != other
            for one, other in pairwise(names)
        )  # fmt: skip

    def lay(self, names: Sequence[str]) -> None:
        """The maps of these layers lie one behind the other from now on."""
        self._behind.update(pairwise(names))
        self._before.update((other, one) for one, other in pairwise(names))
