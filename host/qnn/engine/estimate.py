# SPDX-License-Identifier: BSD-3-Clause
"""How long a program should take, by command_cycles.py.

For bounds and for progress; what a run has taken tells the register CYCLES.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qnn.engine import command_cycles
from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import CommandList
from qnn.engine.layout import Layout
from qnn.engine.passes import passes_of
from qnn.engine.program import Program
from qnn.network import Conv


def cycles(program: Program, caps: Capabilities) -> int:
    """Cycles of a run that reads its parameters."""
    return int(each(program, caps).sum())


def each(program: Program, caps: Capabilities) -> NDArray[np.int64]:
    """Cycles of each command of such a run: arithmetic or memory."""
    return command_cycles.each(_fields(program), caps)


def products(program: Program, caps: Capabilities) -> NDArray[np.int64]:
    """Cycles of the arithmetic of each command."""
    return command_cycles.products(_fields(program), caps)


def beats(program: Program, caps: Capabilities) -> NDArray[np.int64]:
    """64-bit words that each command reads and writes; the list itself is not counted."""
    total: NDArray[np.int64] = command_cycles.by_port(_fields(program), caps).sum(axis=0)
    return total


def runs(layout: Layout, caps: Capabilities, count: int) -> int:
    """Cycles of so many runs, one after the other.

    Within a stage parameters come while the arithmetic of other commands goes on.
    """
    arithmetic = products(layout.program, caps) + command_cycles.BETWEEN
    moved = command_cycles.by_port(_fields(layout.program), caps) * command_cycles.BEATS
    first = sum(
        max(int(arithmetic[stage.commands].sum()), int(moved[:, stage.commands].sum(axis=1).max()))
        for stage in layout.stages
    )
    each = int(arithmetic.sum()) if stays(layout, caps) else first
    return first + (count - 1) * each


def again(layout: Layout, caps: Capabilities) -> int:
    """Cycles of a run behind another one."""
    return runs(layout, caps, 2) - runs(layout, caps, 1)


def stays(layout: Layout, caps: Capabilities) -> bool:
    """Whether all parameters stay on chip, so that the next run reads none."""
    get = _fields(layout.program)
    weights, thresholds = (int((get("tiles") * get(f)).sum()) for f in ("tile_words", "thresholds"))
    on_chip = weights <= caps.weight_words and thresholds <= caps.threshold_words
    return on_chip and len(layout.stages) == 1


def ideal(layer: Conv, caps: Capabilities) -> float:
    """Cycles of a layer if every lane worked in each: products x planes of both / lanes."""
    return layer.macs * layer.in_bits * len(passes_of(layer)) / caps.lanes


def _fields(program: Program) -> command_cycles.Get:
    return CommandList(program.image, program.commands).get
