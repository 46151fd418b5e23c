# SPDX-License-Identifier: BSD-3-Clause
"""How long a program should take: the arithmetic of rtl/README.md and the beats it moves.

For bounds and for progress; what a run has taken tells the register CYCLES.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qnn.engine import regs
from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import CommandList
from qnn.engine.program import Program

BETWEEN = 350  # cycles from the last product of a command to the first of the next
BEATS = 5 / 4  # cycles for one beat of memory


def cycles(program: Program, caps: Capabilities) -> int:
    """Cycles of a run that reads its parameters."""
    return int(each(program, caps).sum())


def each(program: Program, caps: Capabilities) -> NDArray[np.int64]:
    """Cycles of each command of such a run: arithmetic or memory."""
    moved = np.ceil(by_port(program, caps).max(axis=0) * BEATS).astype(np.int64)
    return np.maximum(products(program, caps), moved) + BETWEEN


def products(program: Program, caps: Capabilities) -> NDArray[np.int64]:
    """Cycles of the arithmetic of each command."""
    get = CommandList(program.image, program.commands).get
    groups = -(-get("conv_rows") * get("conv_columns") // caps.pixels)
    least = 1 + np.maximum(get("thresholds") + 1, caps.pe // 8 + max(caps.pixels, 4))
    return get("tiles") * groups * np.maximum(get("planes") * get("tile_words"), least)


def beats(program: Program, caps: Capabilities) -> NDArray[np.int64]:
    """64-bit words that each command reads and writes; the list itself is not counted."""
    total: NDArray[np.int64] = by_port(program, caps).sum(axis=0)
    return total


def by_port(program: Program, caps: Capabilities) -> NDArray[np.int64]:
    """These words, (ports, commands)."""
    get = CommandList(program.image, program.commands).get
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
