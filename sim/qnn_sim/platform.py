# SPDX-License-Identifier: BSD-3-Clause
"""A board that is not there: the Verilated accelerator behind qnn.platforms.protocol.

Stricter than a board. Host and accelerator have a copy each of every buffer, which only flush and
invalidate bring together. Fresh and given back memory is full of POISON, and whatever the
accelerator accesses outside the buffers of the moment is counted (`violations`) and not done.
"""

from __future__ import annotations

from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qnn.errors import OutOfMemoryError, PlatformError
from qnn.platforms.lock import DeviceLock
from qnn.platforms.overlay import REGISTER_BYTES
from qnn.platforms.page_allocator import PageAllocator
from qnn_sim.rtl_engine import PUBLISHED, MemoryModel, RtlEngine

POISON = 0xA5
CLOCK_MHZ = 100.0
CHUNK = 10_000  # cycles in one go: Ctrl-C is noticed between two


class SimulatedBuffer:
    """See qnn.platforms.protocol.Buffer."""

    def __init__(self, board: SimulatedBoard, address: int, size: int) -> None:
        self._board: SimulatedBoard | None = board
        place = address - board.base
        self._memory = board.engine.memory[place : place + size]
        self.address = address
        self.array: NDArray[np.uint8] = np.full(size, POISON, dtype=np.uint8)

    def flush(self, start: int = 0, stop: int | None = None) -> None:
        self._memory[start:stop] = self.array[start:stop]

    def invalidate(self, start: int = 0, stop: int | None = None) -> None:
        self.array[start:stop] = self._memory[start:stop]

    def free(self) -> None:
        board, self._board = self._board, None
        if board is not None:
            board.give(self.address)
            self.array[:] = POISON


class SimulatedBoard:
    """See qnn.platforms.protocol.Platform.

    Args:
        configuration: of qnn_sim.rtl_build.CONFIGURATIONS; compiled where it is not yet.
        memory_bytes: of its memory.
        model: how the memory behaves.
        clock_mhz: that modelled times count with.
        waves: a VCD of everything goes here.
        lock: a lock file, for a board that several processes share.
        base: address of its memory, a multiple of 4096.

    Attributes:
        engine: the simulation itself, for tests: faults, counters, memory.
    """

    name = "sim"

    def __init__(
        self,
        configuration: str = "pynq-z1",
        memory_bytes: int = 1 << 26,
        model: MemoryModel = PUBLISHED,
        clock_mhz: float = CLOCK_MHZ,
        waves: Path | None = None,
        lock: Path | None = None,
        base: int = 0,
    ) -> None:
        self._lock = None if lock is None else DeviceLock(lock, "the simulated board")
        self.clock_mhz, self.base = clock_mhz, base
        try:
            self.engine = RtlEngine(configuration, memory_bytes, model, waves, base)
        except BaseException:
            self._release()
            raise
        self.engine.memory[:] = POISON
        self._pages = PageAllocator(memory_bytes)
        self._open = True

    @property
    def violations(self) -> int:
        """Accesses outside the buffers of the moment, or that no memory would take."""
        return self.engine.count("violations")

    @property
    def buffers(self) -> dict[int, int]:
        """Address and size of each buffer of the moment."""
        return {self.base + place: size for place, size in self._pages.parts.items()}

    def untouched(self) -> bool:
        """All memory outside the buffers of the moment is POISON."""
        return bool((self.engine.memory[self._pages.free()] == POISON).all())

    def read(self, offset: int) -> int:
        self._check(offset)
        return self.engine.read(offset)

    def write(self, offset: int, value: int) -> None:
        self._check(offset)
        self.engine.write(offset, value)

    def allocate(self, size: int) -> SimulatedBuffer:
        self._check()
        place = self._pages.take(size)
        if place is None:
            raise OutOfMemoryError(
                f"no {size} bytes in one piece left of the {len(self.engine.memory)} bytes of the "
                f"simulated board ({self._pages.free_bytes} are free): close other networks"
            )
        self.engine.live(self.base + place, self._pages.parts[place], True)
        return SimulatedBuffer(self, self.base + place, size)

    def give(self, address: int) -> None:
        """Takes a buffer back; it is POISON from here on."""
        place = address - self.base
        size = self._pages.give(place)
        if self._open:
            self.engine.live(address, size, False)
        self.engine.memory[place : place + size] = POISON

    def wait(self, timeout_s: float) -> bool:
        self._check()
        left = ceil(timeout_s * self.clock_mhz * 1e6)
        while left > 0:
            chunk = min(left, CHUNK)
            if self.engine.clocks(chunk) < chunk:
                return True
            left -= chunk
        return False

    def seconds(self) -> float:
        self._check()
        return self.engine.count("cycles") / (self.clock_mhz * 1e6)

    def close(self) -> None:
        if self._open:
            self._open = False
            self.engine.close()
            self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _check(self, offset: int = 0) -> None:
        if not self._open:
            raise PlatformError("the simulated board is closed")
        if offset % 4 or not 0 <= offset < REGISTER_BYTES:
            raise PlatformError(f"the simulated board has no register at {offset:#x}")
