# SPDX-License-Identifier: BSD-3-Clause
"""The accelerator through its registers: start it, wait for it, and always get it quiet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qnn.engine import regs
from qnn.engine.registers import flags
from qnn.engine.status import CLEAR, Status
from qnn.errors import EngineStuckError, EngineTimeoutError
from qnn.platforms.protocol import Platform

START, RESIDENT, ABORT, RESET = (flags("CTRL", n) for n in ("start", "resident", "abort", "reset"))
NO_PROGRESS_CYCLES = 100_000  # then the accelerator ends a run by itself
QUIET_CYCLES = 50_000  # the bus may take after an abort, and again after a reset
SLACK = 10  # a run may take so many times its estimate
STEPS = 100  # of a progress bar
POLL_CYCLES = 5_000  # between two looks at STATUS without an interrupt

Progress = Callable[[int, int], None]  # cycles done, cycles expected
Window = tuple[int, int]  # first address, bytes


@dataclass(frozen=True)
class CommandCycles:
    """Account of one command, in cycles."""

    name: str
    cycles: int
    busy: int
    wait_weights: int
    wait_input: int
    wait_output: int


class Control:
    """The registers of one accelerator on a platform."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def status(self) -> Status:
        return Status.decode(self._platform.read(regs.STATUS))

    def cycles(self) -> int:
        """Of the present or last run."""
        return self._platform.read(regs.CYCLES)

    def account(self, names: Sequence[str]) -> list[CommandCycles]:
        """Where the cycles of the last run went; `names` of its commands."""
        read = self._platform.read
        return [
            CommandCycles(name, *(read(regs.PERF + 32 * i + 4 * k) for k in range(5)))
            for i, name in enumerate(names)
        ]

    def prepare(self, read: Window, write: Window) -> None:
        """What may be read, and what written and read; only while quiet."""
        self._platform.write(regs.TIMEOUT, NO_PROGRESS_CYCLES)
        for base, last, (address, size) in (
            (regs.READ_BASE, regs.READ_LAST, read),
            (regs.WRITE_BASE, regs.WRITE_LAST, write),
        ):
            self._platform.write(base, address)
            self._platform.write(last, address + size - 1)

    def forbid(self) -> None:
        """No access to memory at all, as after a reset of the board; only while quiet."""
        for base, last in ((regs.READ_BASE, regs.READ_LAST), (regs.WRITE_BASE, regs.WRITE_LAST)):
            self._platform.write(base, 0xFFFFFFFF)
            self._platform.write(last, 0)

    def start(self, list_address: int, commands: int, resident: bool) -> None:
        """Begins a run; only while quiet.

        Args:
            list_address: of the list.
            commands: how long it is.
            resident: with the parameters of the run before.
        """
        write = self._platform.write
        write(regs.LIST_ADDRESS, list_address)
        write(regs.LIST_COUNT, commands)
        write(regs.STATUS, CLEAR)
        write(regs.IRQ_ENABLE, 1)
        write(regs.CTRL, START | RESIDENT * resident)

    def wait(self, expected: int, progress: Progress | None = None) -> Status:
        """Waits for the end of a run that should take `expected` cycles.

        Raises:
            EngineTimeoutError: it neither ended well nor badly in SLACK times that.
        """
        platform = self._platform
        bound_s = self._seconds(SLACK * (expected + NO_PROGRESS_CYCLES))
        # Looks at STATUS also without an interrupt, should one get lost.
        slice_s = self._seconds(2 * expected if progress is None else max(expected // STEPS, 1000))
        end_s = platform.seconds() + bound_s
        interrupted = False
        while not (status := self.status()).ended:
            if interrupted:  # not by this accelerator: from here on without interrupts
                platform.write(regs.IRQ_ENABLE, 0)
                slice_s = self._seconds(POLL_CYCLES)
            left_s = end_s - platform.seconds()
            if left_s <= 0:
                if (status := self.status()).ended:  # this process may have slept all the while
                    break
                raise EngineTimeoutError(
                    f"the accelerator did not end its run in {bound_s:.3f} s at "
                    f"{platform.clock_mhz:g} MHz (cycle {self.cycles()}, expected {expected}); it "
                    f"was stopped: start again, and if that does not help, load its bitstream"
                )
            interrupted = platform.wait(min(left_s, slice_s))
            if progress is not None:
                progress(min(self.cycles(), expected), expected)
        return status

    def acknowledge(self) -> None:
        """Takes the interrupt of a run that has ended away."""
        self._platform.write(regs.STATUS, CLEAR)

    def quiet(self) -> None:
        """Ends whatever goes on: no access to memory is under way or to come.

        Raises:
            EngineStuckError: the memory does not answer, so the bus is not quiet.
        """
        write = self._platform.write
        write(regs.IRQ_ENABLE, 0)  # its level would end every wait below at once
        for action in (ABORT, RESET):
            if self.status().busy:
                write(regs.CTRL, action)
                self._wait_idle()
        if self.status().busy:
            raise EngineStuckError(
                "the accelerator waits for an answer of the memory and cannot be stopped; its "
                "buffers stay reserved: load its bitstream again, or restart the board"
            )
        self.acknowledge()

    def _wait_idle(self) -> None:
        platform = self._platform
        end_s = platform.seconds() + self._seconds(QUIET_CYCLES)
        while self.status().busy and (left_s := end_s - platform.seconds()) > 0:
            platform.wait(min(left_s, self._seconds(POLL_CYCLES)))

    def _seconds(self, cycles: float) -> float:
        return cycles / (self._platform.clock_mhz * 1e6)
