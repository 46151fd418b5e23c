# SPDX-License-Identifier: BSD-3-Clause
"""How a command reads its input map: fields of it, and which channel each bit of a pixel is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from qnn.engine.maps import BlockMap, TightMap
from qnn.engine.word_conv import WordMap
from qnn.errors import DoesNotFitError


@dataclass(frozen=True)
class Reading:
    """Input of one group, as a command describes it and as the lanes of a pixel see it."""

    fields: dict[str, int]
    lanes: NDArray[np.int64]  # channel of the group at each bit of a pixel, or -1


def read_tight(tight: TightMap, address: int, group: int) -> Reading:
    """Of a map of codes that the host hands in."""
    lanes = np.full(tight.pixel_nibbles * 4, -1)
    lanes[: tight.channels] = np.arange(tight.channels)
    fields = {
        "tight": 1,
        "in_address": address + group * tight.group_bytes,
        "row_beats": tight.planes * tight.plane_words,
    }
    return Reading(fields, lanes)


def read_words(tight: WordMap, address: int) -> Reading:
    """Of a map of 16-bit numbers that the host hands in."""
    fields = {
        "tight": 1,
        "word_unsigned": int(tight.unsigned),
        "in_address": address,
        "row_beats": tight.plane_words,
    }
    return Reading(fields, np.repeat(np.arange(tight.channels), 16))


def read_blocks(sources: Sequence[tuple[BlockMap, int]], group: int, groups: int) -> Reading:
    """The share of a group in each of some maps and their addresses.

    Raises:
        DoesNotFitError: their blocks are not the same distance from each other.
    """
    lanes: list[NDArray[np.int64]] = []
    addresses: list[int] = []
    ends: list[int] = []  # bytes of each block that are used, with those that are left out before
    skip = before = 0
    for source, address in sources:
        channels = source.channels // groups
        begin, end = group * channels, (group + 1) * channels
        used = [b for b, (f, n) in enumerate(source.blocks) if f < end and f + n > begin]
        for b in used:
            first, count = source.blocks[b]
            channel = np.arange(first, first + source.pe)
            real = (channel < first + count) & (channel >= begin) & (channel < end)
            lanes.append(np.where(real, channel - begin + before, -1))
            ends.append(-(-(min(end, first + count) - first) // 8))
        if not addresses:
            skip = max(0, begin - source.blocks[used[0]][0]) // 8
        addresses += [address + b * source.block_bytes for b in used]
        before += channels
    like, _ = sources[0]
    apart = {after - one for one, after in pairwise(addresses)} or {like.block_bytes}
    if len(apart) > 1:
        raise DoesNotFitError("the maps that it reads do not lie behind each other in memory")
    most = max(ends)
    pixel_bytes = (len(ends) - 1) * most + ends[-1] - skip
    fields = {
        "in_address": addresses[0],
        "block_bytes": apart.pop() % (1 << 32),
        "row_beats": like.row_beats,
        "blocks": len(addresses),
        "first_skip": skip,
        "block_used": most,
        "last_bytes": ends[-1],
        "pixel_bytes": pixel_bytes,
    }
    row = np.concatenate([lane[: 8 * most] for lane in lanes])
    return Reading(fields, row[skip * 8 : (skip + pixel_bytes) * 8])
