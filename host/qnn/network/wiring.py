# SPDX-License-Identifier: BSD-3-Clause
"""Which maps each layer of a network reads.

A layer reads one map or several of the same rows and columns, side by side along their channels:

    in = [map 1 | map 2 | ...]

Each group of a layer reads its share of every map, so the first of G groups reads the first 1/G of
the channels of each. A concatenation is a layer that reads several maps; a residual addition one
whose weights for both are diagonal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

INPUT = ""  # what goes into a network, where a layer is named
OUTSIDE = -1  # its number
Wiring: TypeAlias = "tuple[tuple[int, ...], ...]"  # by layer: the numbers of those it reads


def chain(count: int) -> Wiring:
    """Of so many layers, each of which reads the one before it."""
    return tuple((number - 1,) for number in range(count))


def part(wiring: Wiring, run: slice) -> Wiring:
    """Of a run of layers by itself: what lies before it is OUTSIDE."""
    return tuple(
        tuple(max(number - run.start, OUTSIDE) for number in reads) for reads in wiring[run]
    )


def side_by_side(maps: Sequence[NDArray[Any]], groups: int = 1) -> NDArray[Any]:
    """What a layer of so many groups reads of maps (..., C1), (..., C2)...: (..., C1 + C2...)."""
    if len(maps) == 1:
        return maps[0]
    if groups == 1:
        return np.concatenate(maps, axis=-1)
    shares = [one.reshape(*one.shape[:-1], groups, -1) for one in maps]
    joined = np.concatenate(shares, axis=-1)
    return joined.reshape(*joined.shape[:-2], -1)


def readers(wiring: Wiring) -> list[list[int]]:
    """By layer: the numbers of those that read it."""
    found: list[list[int]] = [[] for _ in wiring]
    for number, reads in enumerate(wiring):
        for read in reads:
            if read != OUTSIDE:
                found[read].append(number)
    return found
