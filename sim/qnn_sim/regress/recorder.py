# SPDX-License-Identifier: BSD-3-Clause
"""What the engines of this process have covered, written when the process ends.

Two files in RUN_FOLDER: `engine-<process>.dat`, Verilator's counters of all engines added up, and
`bins-<process>.json`, how often each bin of qnn_sim.regress.functional was reached.
"""

from __future__ import annotations

import atexit
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qnn.engine import regs
from qnn.engine.command_list import COMMAND_BYTES, decode
from qnn.engine.registers import field
from qnn_sim.regress import functional


class Recorder:
    """Sees the register accesses of one engine, and counts the bins of every start that ended."""

    bins: ClassVar[Counter[str]] = Counter()

    def __init__(self, memory: NDArray[np.uint8], base: int = 0) -> None:
        self._memory, self._base = memory, base
        self._registers: dict[int, int] = {}
        self._commands: list[dict[str, int]] = []
        self._running = self._resident = False
        self._pe = 0  # until LANES is read, which tells it
        self.memory_kind = "ideal"

    def wrote(self, address: int, value: int) -> None:
        """A register was written; before the engine acts on it."""
        self._registers[address] = value
        if address != regs.CTRL:
            return
        if field("CTRL", "reset", value):
            self._running = False
        elif field("CTRL", "start", value) and not self._running:
            self._running = True
            self._resident = bool(field("CTRL", "resident", value))
            self._commands = self._list()

    def was_read(self, address: int, value: int) -> None:
        """A register was read."""
        if address == regs.LANES:
            self._pe = field("LANES", "pe", value)
        if not self._running or address != regs.STATUS:
            return
        done, error = (field("STATUS", name, value) for name in ("done", "error"))
        if done or error:
            self._running = False
            end = "DONE" if done else regs.ERRORS[field("STATUS", "code", value)][0]
            index = field("STATUS", "index", value)
            reached = functional.sample(
                self._commands, self.memory_kind, self._pe, end, index, self._resident
            )
            self.bins.update(reached)

    def _list(self) -> list[dict[str, int]]:
        """Commands of the list that a start would run; none where it is not in memory."""
        begin = self._registers.get(regs.LIST_ADDRESS, 0) - self._base
        size = self._registers.get(regs.LIST_COUNT, 0) * COMMAND_BYTES
        data = self._memory[begin : begin + size].tobytes()
        if begin < 0 or begin % 8 or len(data) < size:
            return []
        return [decode(data, i) for i in range(size // COMMAND_BYTES)]


def write_at_exit(folder: Path, write_counters: Callable[[bytes], None]) -> None:
    """Have both files written into `folder` when the process ends."""

    def write() -> None:
        write_counters(os.fsencode(folder / f"engine-{os.getpid()}.dat"))
        text = json.dumps(dict(sorted(Recorder.bins.items())), indent=1)
        (folder / f"bins-{os.getpid()}.json").write_text(text + "\n")

    atexit.register(write)
