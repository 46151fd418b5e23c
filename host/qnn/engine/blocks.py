# SPDX-License-Identifier: BSD-3-Clause
"""Output channels in blocks: a block is what one tile of the accelerator gives."""

from __future__ import annotations

from itertools import pairwise

from qnn.engine.maps import Blocks


def borders_of(channels: int, groups: int) -> set[int]:
    """Where groups of channels begin."""
    return {group * channels // groups for group in range(groups)}


def blocks_of(channels: int, most: int, cuts: set[int], borders: set[int]) -> Blocks:
    """Blocks of at most `most` channels, that begin at each of `cuts` too.

    A block is crossed by one of `borders` only where that lies at a whole byte of it, because the
    reader leaves out whole bytes.
    """
    cuts = {0, *cuts}
    while True:
        starts = [*sorted(cuts), channels]
        blocks = tuple(
            (first, min(most, end - first))
            for start, end in pairwise(starts)
            for first in range(start, end, most)
        )
        crossed = [b for b in sorted(borders) for f, n in blocks if f < b < f + n and (b - f) % 8]
        if not crossed:
            return blocks
        cuts.add(crossed[0])
