# SPDX-License-Identifier: BSD-3-Clause
"""The Verilated accelerator with its clock and its memory: registers in, cycles out.

harness.cpp runs clock and memory, so that no Python runs in a cycle. What drives it is
qnn.engine.driver, through qnn_sim.platform.
"""

from __future__ import annotations

import ctypes
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qnn_sim import run_options
from qnn_sim.regress import recorder
from qnn_sim.rtl_build import build

_instead: list[Path] = []


def use(library: Path) -> None:
    """From now on every engine of this process is of this library, whatever its configuration."""
    _instead[:] = [library]


@cache
def _load(library: Path) -> ctypes.CDLL:
    """The library; one with coverage writes it when the process ends."""
    lib = ctypes.CDLL(str(library))
    handle, u32, u64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    prototypes = {
        "engine_new": (handle, [ctypes.c_void_p, u64, ctypes.c_char_p]),
        "engine_free": (None, [handle]),
        "engine_memory_model": (None, [handle, u32, u32, ctypes.c_int, ctypes.c_int, u32]),
        "engine_fail": (None, [handle, u32, u32, ctypes.c_int]),
        "engine_live": (None, [handle, u32, u32, ctypes.c_int]),
        "engine_count": (u64, [handle, ctypes.c_int]),
        "engine_write": (None, [handle, u32, u32, u32]),
        "engine_read": (u32, [handle, u32]),
        "engine_run": (u64, [handle, u64]),
    }
    for name, (result, arguments) in prototypes.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    if hasattr(lib, "engine_coverage"):
        lib.engine_coverage.argtypes = [ctypes.c_char_p]
        recorder.write_at_exit(run_options.folder(library.parent), lib.engine_coverage)
    return lib


@dataclass(frozen=True)
class MemoryModel:
    """How the memory answers.

    Attributes:
        latency: cycles from an address to its first data, or from the last data to the answer.
        period: one pause after period - 1 beats; 0: none.
        shared: reads and writes together move one beat a cycle, else one each.
        chaos: every channel stalls at random, by `seed`.
    """

    latency: int = 40
    period: int = 5
    shared: bool = True
    chaos: bool = False
    seed: int = 0

    @property
    def kind(self) -> str:
        """As the functional coverage names it."""
        if self.chaos:
            return "random"
        return "paced" if self.period or self.shared else "ideal"


PUBLISHED = MemoryModel()
IDEAL = MemoryModel(latency=1, period=0, shared=False)


class RtlEngine:
    """One accelerator with its memory.

    Attributes:
        memory: all of it, uint8; what is not `live` is out of bounds for the accelerator, which
            sees its first byte at address `base`.

    WAVES and RTL_COVERAGE of the environment (qnn_sim.run_options) hold for every engine.
    """

    def __init__(
        self,
        configuration: str = "pynq-z1",
        memory_bytes: int = 1 << 26,
        model: MemoryModel = PUBLISHED,
        waves: Path | None = None,
        base: int = 0,
    ) -> None:
        records, covers = waves is not None or run_options.waves(), run_options.coverage()
        library = _instead[0] if _instead else build(configuration, records, covers)
        if records and waves is None:
            waves = run_options.folder(library.parent) / "engine.vcd"
        self._lib = _load(library)
        self.memory: NDArray[np.uint8] = np.zeros(memory_bytes, dtype=np.uint8)
        self._handle = self._lib.engine_new(
            self.memory.ctypes.data - base, base + memory_bytes, str(waves or "").encode()
        )
        self._recorder = recorder.Recorder(self.memory, base) if covers else None
        self.model(model)

    def close(self) -> None:
        """Ends it; `memory` stays. Idempotent."""
        if self._handle:
            self._lib.engine_free(self._handle)
            self._handle = None

    def model(self, model: MemoryModel) -> None:
        """How the memory behaves from now on."""
        self._lib.engine_memory_model(self._handle, *(int(v) for v in asdict(model).values()))
        if self._recorder is not None:
            self._recorder.memory_kind = model.kind

    def live(self, address: int, size: int, live: bool) -> None:
        """Whether the accelerator may access these bytes, whole lines; at first none."""
        self._lib.engine_live(self._handle, address, size, live)

    def fail(self, bad_read: int = 1, bad_write: int = 1, dead: bool = False) -> None:
        """Answer bursts in these lines with an error; dead: answer nothing at all."""
        self._lib.engine_fail(self._handle, bad_read, bad_write, dead)

    def read(self, address: int) -> int:
        """A register."""
        value = int(self._lib.engine_read(self._handle, address))
        if self._recorder is not None:
            self._recorder.was_read(address, value)
        return value

    def write(self, address: int, value: int, strobes: int = 0b1111) -> None:
        """Writes a register, or of its bytes those of `strobes`, as no driver does."""
        if self._recorder is not None and strobes == 0b1111:
            self._recorder.wrote(address, value)
        self._lib.engine_write(self._handle, address, value, strobes)

    def clocks(self, cycles: int) -> int:
        """Run until the interrupt, at most `cycles`; how many it took."""
        return int(self._lib.engine_run(self._handle, cycles))

    def count(self, what: str) -> int:
        """Since the start: cycles, violations, read_beats, write_beats; or pending bursts."""
        names = ("cycles", "violations", "read_beats", "write_beats", "pending")
        return int(self._lib.engine_count(self._handle, names.index(what)))
