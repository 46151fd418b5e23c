# SPDX-License-Identifier: BSD-3-Clause
"""Cycles and beats of commands, from their fields: the arithmetic of rtl/README.md.

`get` gives a field of every command, int64 (commands,).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qnn.engine import regs
from qnn.engine.capabilities import Capabilities

Get: TypeAlias = Callable[[str], NDArray[np.int64]]

BETWEEN = 220  # cycles from the last product of a command to the first of the next, about
BEATS = 5 / 4  # cycles for one beat of memory


def each(get: Get, caps: Capabilities) -> NDArray[np.int64]:
    """Cycles of each command that reads its parameters: arithmetic or memory."""
    moved = np.ceil(by_port(get, caps).max(axis=0) * BEATS).astype(np.int64)
    return np.maximum(products(get, caps), moved) + BETWEEN


def products(get: Get, caps: Capabilities) -> NDArray[np.int64]:
    """Cycles of the arithmetic of each command."""
    together = np.where(get("wide_sums") == 1, -(-caps.pixels // 2), caps.pixels)
    groups = -(-get("conv_rows") * get("conv_columns") // together)
    chain = caps.pe // 8
    settled = max(chain, 2)
    each_threshold = np.where(get("short_sums") == 1, 1, 2)
    compared = np.maximum(each_threshold * get("thresholds"), max(caps.pixels + 1, 4))
    sums, taken = (
        chain * each + settled - chain + 2
        for each in (caps.pixels, max(caps.pixels, regs.REQUANT_WORDS))
    )
    least = np.select([get("raw") == 1, get("requantise") == 1], [sums, taken], compared)
    return get("tiles") * groups * np.maximum(get("planes") * get("tile_words"), least)


def by_port(get: Get, caps: Capabilities) -> NDArray[np.int64]:
    """64-bit words that each command reads and writes, (ports, commands); the list itself is not
    counted."""
    tiles = get("tiles")
    words = get("word_products") == 1
    channels = np.where(words, regs.WORD_CHANNELS, caps.pe)
    thresholds, weights = caps.pe * get("thresholds") // 2, channels * get("tile_words")
    blocks = np.where(get("tight") == 1, 1, get("blocks"))
    reads = np.where(get("reload") == 1, tiles, 1) * get("in_rows") * get("row_beats") * blocks
    columns = get("out_columns")
    row = np.where(
        get("raw") == 1, columns * caps.pe // 2, -(-columns * caps.pe // 64) * get("out_planes")
    )
    writes = tiles * get("out_rows") * row
    if caps.ports == 1:
        return np.array([tiles * (thresholds + weights) + reads + writes])
    second = np.where(words, 0, weights // 2)
    first = weights - second
    return np.array(
        [tiles * (thresholds // 2 + first) + writes, tiles * (thresholds // 2 + second) + reads]
    )
