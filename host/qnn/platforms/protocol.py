# SPDX-License-Identifier: BSD-3-Clause
"""All that the driver knows of what carries the accelerator: registers, memory, an interrupt."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Buffer(Protocol):
    """Physically contiguous memory that host and accelerator share.

    The two need not see each other's writes until `flush` or `invalidate`; both take bytes from
    `start` up to `stop` (None: the end). Nothing may be flushed where the accelerator writes.

    Attributes:
        address: physical, a multiple of 4096.
        array: the host's view, uint8, one-dimensional, as long as asked for.
    """

    address: int
    array: NDArray[np.uint8]

    def flush(self, start: int = 0, stop: int | None = None) -> None:
        """What the host has written becomes visible to the accelerator."""

    def invalidate(self, start: int = 0, stop: int | None = None) -> None:
        """What the accelerator has written becomes visible to the host."""

    def free(self) -> None:
        """Gives the memory back; `array` must not be used afterwards. Idempotent."""


class Platform(Protocol):
    """One accelerator, held by this object alone until `close`.

    Attributes:
        name: "sim", "pynq", "linux".
        clock_mhz: of the accelerator, as read back.
    """

    name: str
    clock_mhz: float

    def read(self, offset: int) -> int:
        """The 32-bit register at a byte offset. PlatformError on failure."""

    def write(self, offset: int, value: int) -> None:
        """Writes a 32-bit register. PlatformError on failure."""

    def allocate(self, size: int) -> Buffer:
        """A buffer of `size` bytes, whatever in it. OutOfMemoryError if there is none."""

    def wait(self, timeout_s: float) -> bool:
        """Sleeps until the interrupt, at most `timeout_s` of `seconds`; True: the interrupt.

        The interrupt is a level: it stays while STATUS.done or STATUS.error. False may come early:
        a platform without interrupts sleeps a little and returns False.
        """

    def seconds(self) -> float:
        """A clock that never goes back, for bounds: time here, or modelled time in a simulation."""

    def close(self) -> None:
        """Gives the device and its lock back. Idempotent."""
