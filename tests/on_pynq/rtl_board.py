# SPDX-License-Identifier: BSD-3-Clause
"""A board whose programmable logic and memory are the Verilated accelerator, for the real pynq."""

from __future__ import annotations

import os
import pty
import select
import threading
import tty

import numpy as np
from boards import Zynq, ZynqBuffer
from overlay_files import ENGINE_BASE, INTC_BASE

from qnn_sim.rtl_engine import RtlEngine

MEMORY_BYTES = 1 << 23
ACCESS_CYCLES = 1000  # that pass while the host gets to its next access
ISR, IPR, IER, IAR, SIE, CIE, MER = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x1C


class RtlZynq(Zynq):
    """`with RtlZynq("small") as board:`

    Args:
        configuration: of qnn_sim.rtl_build.
        uio: a file for the interrupt controller, and time passes while the host waits at it; None:
            the accelerator's interrupt leads nowhere, and time passes while the host reads.

    Attributes:
        engine: the simulation.
    """

    def __init__(self, configuration: str, uio: Uio | None = None) -> None:
        self.engine = RtlEngine(configuration, MEMORY_BYTES)
        super().__init__(self.engine.memory, base=0)
        self._uio, self._intc = uio, AxiIntc()
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._pump = threading.Thread(target=self._run)

    def __enter__(self) -> RtlZynq:
        if self._uio is not None:
            self._pump.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._uio is not None:
            self._pump.join()
        self.engine.close()

    def seconds(self) -> float:
        """Since it was switched on, at 100 MHz."""
        return self.engine.count("cycles") / 100e6

    def untouched(self) -> bool:
        """Memory outside the buffers of the moment holds what it held when it became so."""
        return bool(np.isin(self.dram[self._pages.free()], (0, 0xEE)).all())

    def allocate(self, shape, dtype, **options) -> ZynqBuffer:
        buffer = super().allocate(shape, dtype, **options)
        address = buffer.physical_address
        with self._lock:
            self.engine.live(address, self.live[address], True)
        return buffer

    def take_back(self, buffer: ZynqBuffer) -> None:
        address = buffer.physical_address
        with self._lock:
            self.engine.live(address, self.live[address], False)
        super().take_back(buffer)

    def logic_read(self, address: int) -> int:
        with self._lock:
            if INTC_BASE <= address < INTC_BASE + 32:
                return self._intc.read(address - INTC_BASE)
            if self._uio is None:
                self.engine.clocks(ACCESS_CYCLES)
            return self.engine.read(address - ENGINE_BASE)

    def logic_write(self, address: int, value: int) -> None:
        with self._lock:
            if INTC_BASE <= address < INTC_BASE + 32:
                self._intc.write(address - INTC_BASE, value)
            else:
                self.engine.write(address - ENGINE_BASE, value)

    def _run(self) -> None:
        """Time passes where somebody waits, and the interrupt finds its way to the file."""
        while not self._stop.wait(0.001):
            with self._lock:
                if self._uio.armed():
                    self.engine.clocks(ACCESS_CYCLES)
                self._intc.input(self.engine.clocks(1) == 0)
                self._uio.update(self._intc.output)


class AxiIntc:
    """Xilinx's interrupt controller (PG099) with one input, a level."""

    def __init__(self) -> None:
        self._level = False
        self._pending = self._enabled = self._master = 0

    @property
    def output(self) -> bool:
        return self._master == 3 and bool(self._pending & self._enabled)

    def input(self, level: bool) -> None:
        self._level = level
        self._pending |= level

    def read(self, offset: int) -> int:
        return {ISR: self._pending, IPR: self._pending & self._enabled, IER: self._enabled}[offset]

    def write(self, offset: int, value: int) -> None:
        if offset == IER:
            self._enabled = value
        elif offset == SIE:
            self._enabled |= value
        elif offset == CIE:
            self._enabled &= ~value
        elif offset == IAR:  # a level that is still there comes back at once
            self._pending = self._pending & ~value | self._level
        else:
            assert offset == MER
            self._master = value


class Uio:
    """What a kernel's /dev/uio0 is to pynq: 1 written arms it, one interrupt is one read."""

    def __init__(self) -> None:
        self._kernel, self._user = pty.openpty()
        tty.setraw(self._user)
        self.path = os.ttyname(self._user)
        self._armed = False
        self.interrupts = 0

    def armed(self) -> bool:
        if select.select([self._kernel], [], [], 0)[0]:
            word = os.read(self._kernel, 4)
            assert word == b"\0\0\0\1", word  # as pynq writes it on every machine
            self._armed = True
        return self._armed

    def update(self, level: bool) -> None:
        if self._armed and level:
            self._armed = False
            self.interrupts += 1
            os.write(self._kernel, self.interrupts.to_bytes(4, "little"))
