# SPDX-License-Identifier: BSD-3-Clause
"""The registers are written and awaited in the right order: every access is checked."""

import pytest

from qnn.engine import regs
from qnn.engine.control import ABORT, RESET, START, Control
from qnn.engine.status import CLEAR
from qnn.errors import EngineStuckError, EngineTimeoutError

BUSY, DONE, ERROR = 1, 2, 4


class Registers:
    """A platform with a script: STATUS reads as `statuses` one after the other, then as the last.

    Attributes:
        written: every write, (register, value), in order.
        waits: every wait, in seconds.
    """

    name, clock_mhz = "registers", 100.0

    def __init__(self, *statuses: int, interrupts: bool = True) -> None:
        self._statuses = list(statuses)
        self._interrupts, self._now = interrupts, 0.0
        self.written: list[tuple[int, int]] = []
        self.waits: list[float] = []

    def read(self, offset: int) -> int:
        if offset == regs.CYCLES:
            return 50
        assert offset == regs.STATUS
        return self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]

    def write(self, offset: int, value: int) -> None:
        self.written.append((offset, value))

    def wait(self, timeout_s: float) -> bool:
        assert timeout_s > 0
        self.waits.append(timeout_s)
        self._now += timeout_s / 2 if self._interrupts else timeout_s
        return self._interrupts

    def seconds(self) -> float:
        return self._now


def test_prepare_and_start():
    board = Registers(0)
    control = Control(board)
    control.prepare((0x1000, 0x2000), (0x8000, 0x1000))
    assert dict(board.written) == {
        regs.TIMEOUT: 100_000,
        regs.READ_BASE: 0x1000,
        regs.READ_LAST: 0x2FFF,
        regs.WRITE_BASE: 0x8000,
        regs.WRITE_LAST: 0x8FFF,
    }
    board.written.clear()
    control.start(0x1000, 7, resident=True)
    assert board.written == [
        (regs.LIST_ADDRESS, 0x1000),
        (regs.LIST_COUNT, 7),
        (regs.STATUS, CLEAR),
        (regs.IRQ_ENABLE, 1),
        (regs.CTRL, START | 2),
    ]


def test_forbid_leaves_no_window():
    board = Registers(0)
    Control(board).forbid()
    found = dict(board.written)
    assert found[regs.READ_BASE] > found[regs.READ_LAST]
    assert found[regs.WRITE_BASE] > found[regs.WRITE_LAST]


@pytest.mark.parametrize("end", [DONE, ERROR | 5 << 8 | 2 << 16])
def test_wait_ends_with_the_interrupt(end):
    board = Registers(BUSY, end)
    status = Control(board).wait(1000)
    assert (status.done, status.error) == (end == DONE, end != DONE)
    assert len(board.waits) == 1
    assert board.written == []


def test_wait_polls_where_there_are_no_interrupts():
    board = Registers(BUSY, BUSY, BUSY, DONE, interrupts=False)
    assert Control(board).wait(1000).done
    assert board.waits == [pytest.approx(2000 / 100e6)] * 3


def test_wait_shows_progress():
    board = Registers(BUSY, BUSY, DONE, interrupts=False)
    seen = []
    Control(board).wait(200_000, lambda done, total: seen.append((done, total)))
    assert seen == [(50, 200_000)] * 2
    assert board.waits == [pytest.approx(2000 / 100e6)] * 2


@pytest.mark.parametrize("interrupts", [True, False])
def test_wait_is_bounded(interrupts):
    board = Registers(BUSY, interrupts=interrupts)
    with pytest.raises(
        EngineTimeoutError, match=r"in 0\.010 s at 100 MHz \(cycle 50, expected 9\)"
    ):
        Control(board).wait(9)
    assert board.seconds() == pytest.approx(10 * 100_009 / 100e6)
    # an interrupt that STATUS knows nothing of is switched off
    assert ((regs.IRQ_ENABLE, 0) in board.written) == interrupts


def test_a_run_that_ended_while_the_host_slept_is_no_time_out():
    board, later = Registers(BUSY, DONE), iter((0.0, 99.0))
    board.seconds = lambda: next(later, 99.0)
    assert Control(board).wait(1000).done


def test_quiet_of_an_idle_accelerator_starts_nothing():
    board = Registers(0)
    Control(board).quiet()
    assert board.written == [(regs.IRQ_ENABLE, 0), (regs.STATUS, CLEAR)]
    assert board.waits == []


def test_quiet_aborts_and_waits():
    board = Registers(BUSY, BUSY, BUSY, 0, interrupts=False)
    Control(board).quiet()
    assert board.written == [(regs.IRQ_ENABLE, 0), (regs.CTRL, ABORT), (regs.STATUS, CLEAR)]
    assert len(board.waits) == 2


def test_quiet_resets_and_then_gives_up():
    board = Registers(BUSY, interrupts=False)
    with pytest.raises(EngineStuckError, match="load its bitstream again, or restart the board"):
        Control(board).quiet()
    assert board.written == [(regs.IRQ_ENABLE, 0), (regs.CTRL, ABORT), (regs.CTRL, RESET)]
    assert board.seconds() == pytest.approx(2 * 50_000 / 100e6, rel=0.01)


def test_account():
    board = Registers(0)
    board.read = lambda offset: offset
    (first, second) = Control(board).account(["a", "b"])
    assert (first.name, first.cycles, first.wait_output) == ("a", regs.PERF, regs.PERF + 16)
    assert (second.name, second.cycles, second.busy) == ("b", regs.PERF + 32, regs.PERF + 36)
