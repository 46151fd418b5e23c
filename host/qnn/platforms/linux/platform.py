# SPDX-License-Identifier: BSD-3-Clause
"""The accelerator on a board with a plain Linux."""

from __future__ import annotations

import time
import warnings
from pathlib import Path

from qnn.engine import regs
from qnn.engine.status import Status
from qnn.errors import PlatformError
from qnn.platforms.board import LATE_S, NEAR, POLL_S, wanted_clock
from qnn.platforms.linux import clock, fpga_manager, uio
from qnn.platforms.linux.dma_buffer import DmaBuffers, DmaMemory
from qnn.platforms.linux.machine import Interrupt, Machine, Words
from qnn.platforms.lock import LOCK, DeviceLock
from qnn.platforms.overlay import BITSTREAM, REGISTER_BYTES, read_design

SETTLE_S = 2.0  # for the kernel to make the UIO device of an overlay
ROOT = "the FPGA belongs to root: use sudo"


class LinuxPlatform:
    """See qnn.platforms.protocol.Platform.

    Args:
        bitstream: a .bit file with its .hwh beside it; None: the one in qnn.overlays.
        clock_mhz: of the accelerator, at most what the bitstream was built for, which is the
            default. Where the kernel sets no clock, it runs at what the boot loader has set.
        machine: where the kernel's files are.

    Raises:
        PlatformError: bitstream, or something of the kernel, is missing, or fails.
        WrongDeviceError: the bitstream holds something else.
        DeviceBusyError: another process has the device.
    """

    name = "linux"
    clock_mhz: float

    def __init__(
        self,
        bitstream: Path | None = None,
        clock_mhz: float | None = None,
        machine: Machine | None = None,
    ) -> None:
        self._machine = machine or Machine()
        self._words: Words | None = None
        self._controller: Words | None = None
        self._interrupt: Interrupt | None = None
        self._interrupt_on = False
        bitstream = bitstream or BITSTREAM
        self._design = design = read_design(bitstream)
        wanted = wanted_clock(clock_mhz, design, bitstream)
        if not self._machine.is_root():
            raise PlatformError(ROOT)
        self._lock: DeviceLock | None = DeviceLock(self._machine.root / LOCK.relative_to("/"))
        try:
            self._buffers = DmaBuffers(self._machine)
            # Before the logic begins to run with it, and after, because programming may change it.
            clock.adjust(self._machine, wanted, design.clock_mhz)
            fpga_manager.program(self._machine, bitstream, design)
            self.clock_mhz = clock.adjust(self._machine, wanted, design.clock_mhz)
            if not wanted / NEAR <= self.clock_mhz <= wanted * NEAR:
                warnings.warn(
                    f"the accelerator runs at {self.clock_mhz:g} MHz, not at {wanted:g}",
                    stacklevel=2,
                )
            self._open_registers()
        except BaseException:
            self.close()
            raise

    def _open_registers(self) -> None:
        overlay = fpga_manager.overlays(self._machine) is not None
        end = time.monotonic() + SETTLE_S
        place = uio.registers(self._machine, self._design)
        while overlay and place.device == uio.MEMORY and time.monotonic() < end:
            time.sleep(POLL_S)
            place = uio.registers(self._machine, self._design)
        if place.device != uio.MEMORY:
            self._interrupt = self._machine.interrupt(place.device)
        self._words = place.words(self._machine)
        self._controller = uio.controller(self._machine, self._design)

    def read(self, offset: int) -> int:
        """See Platform."""
        return self._open_words(offset)[offset // 4]

    def write(self, offset: int, value: int) -> None:
        """See Platform."""
        self._open_words(offset)[offset // 4] = int(value)
        if offset == regs.IRQ_ENABLE:
            self._interrupt_on = bool(value)

    def allocate(self, size: int) -> DmaMemory:
        """See Platform."""
        self._open_words()
        return self._buffers.allocate(size)

    def wait(self, timeout_s: float) -> bool:
        """See Platform. Without an interrupt it sleeps a little.

        The kernel or the controller may remember an interrupt of the run before, so one counts only
        where STATUS agrees; and one that does not come after a run is given up.
        """
        if self._interrupt is None or not self._interrupt_on:
            time.sleep(max(0.0, min(timeout_s, POLL_S)))
            return False
        try:
            came = self._came(timeout_s)
            if not Status.decode(self.read(regs.STATUS)).ended:
                return False
            came = came or self._came(LATE_S)
            reason = "it does not come"
        except PlatformError as error:
            came, reason = False, str(error)
        if not came:
            warnings.warn(f"no interrupts from the accelerator ({reason}): polling", stacklevel=2)
            self._interrupt.close()
            self._interrupt = None
        return came

    def _came(self, timeout_s: float) -> bool:
        assert self._interrupt is not None
        came = self._interrupt.wait(timeout_s)
        if came and self._controller is not None:
            # After it came: before, it could be the only edge of a run that has ended already. A
            # level that is still there comes back at once, and STATUS knows nothing of it then.
            self._controller[uio.IAR] = 1
        return came

    def seconds(self) -> float:
        """See Platform."""
        return time.monotonic()

    def close(self) -> None:
        """See Platform. Buffers live on until they are freed."""
        self._words = self._controller = None
        if self._interrupt is not None:
            self._interrupt.close()
            self._interrupt = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _open_words(self, offset: int = 0) -> Words:
        if self._words is None:
            raise PlatformError("the accelerator was closed")
        if offset % 4 or not 0 <= offset < REGISTER_BYTES:
            raise PlatformError(f"register {offset:#x} does not exist")
        return self._words
