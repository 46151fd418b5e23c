# SPDX-License-Identifier: BSD-3-Clause
"""Interrupts of the real pynq and stand-ins for them: used, missing, dead, stuck, stale, broken."""

import asyncio
import threading
import time
import warnings

import pytest

pytest.importorskip("pynq", reason="needs pynq: make test-pynq")

from overlay_files import ENGINE_BASE, INTC_BASE, write_overlay

from qnn.engine import regs
from qnn.platforms.pynq import PynqPlatform

BUSY, DONE, ERROR = 1, 2, 4
IER = INTC_BASE + 0x08


def status(value: int) -> tuple:
    return ("read", ENGINE_BASE + regs.STATUS, value)


class Line:
    """pynq.Interrupt as a test wants it: high after so many seconds, or never."""

    def __init__(self, after_s: float | None) -> None:
        self.after_s, self.waits, self.threads = after_s, 0, set()

    async def wait(self) -> None:
        self.waits += 1
        self.threads.add(threading.current_thread().name)
        if self.after_s is None:
            await asyncio.Event().wait()
        else:
            await asyncio.sleep(self.after_s)


class BrokenLine(Line):
    async def wait(self) -> None:
        raise RuntimeError("Interrupt invalidated by Overlay change")


@pytest.fixture
def platform(board, platform):
    """With its interrupt switched on."""
    with board.expect(("write", ENGINE_BASE + regs.IRQ_ENABLE, 1)):
        platform.write(regs.IRQ_ENABLE, 1)
    return platform


def timed_wait(platform, timeout_s: float) -> tuple[bool, float]:
    began = time.monotonic()
    return platform.wait(timeout_s), time.monotonic() - began


def test_an_interrupt_ends_the_wait(platform, board):
    platform._interrupt = line = Line(0.01)
    for end in (DONE, ERROR):
        with board.expect(status(end)):
            came, took_s = timed_wait(platform, 30)
        assert came and 0.01 <= took_s < 20
    assert line.threads == {"qnn-interrupts"}


def test_waiting_inside_a_running_loop(platform, board):
    """As in a notebook, whose own loop runs the cell."""
    platform._interrupt = Line(0.01)

    async def cell() -> bool:
        return platform.wait(30)

    with board.expect(status(DONE)):
        assert asyncio.run(cell())


def test_a_run_that_goes_on_is_waited_for_no_longer_than_asked(platform, board):
    platform._interrupt = line = Line(None)
    for _ in range(2):
        with board.expect(status(BUSY)):
            came, took_s = timed_wait(platform, 0.05)
        assert not came and 0.05 <= took_s < 20
    assert line.waits == 2  # it may still come


def test_a_dead_interrupt_is_given_up_with_the_first_run(platform, board):
    platform._interrupt = line = Line(None)
    with board.expect(status(DONE)), pytest.warns(UserWarning, match="does not come.*polling"):
        assert not platform.wait(0.02)
    waits = line.waits
    with board.expect():  # from here on it sleeps a little and touches nothing
        came, took_s = timed_wait(platform, 30)
    assert not came and took_s < 20 and line.waits == waits


def test_the_interrupt_of_the_run_before_does_not_count(platform, board):
    platform._interrupt = Line(0)
    with board.expect(status(BUSY)):
        assert not platform.wait(30)


def test_a_stuck_interrupt_does_not_hold_anything_up(platform, board):
    platform._interrupt = Line(0)
    with board.expect(*[status(BUSY)] * 20, status(DONE)):
        took_s = [timed_wait(platform, 30) for _ in range(21)]
    assert [came for came, _ in took_s] == [False] * 20 + [True]
    assert max(s for _, s in took_s) < 20


def test_a_broken_interrupt_is_replaced_by_polling(platform, board):
    platform._interrupt = BrokenLine(0)
    with board.expect(), pytest.warns(UserWarning, match="invalidated by Overlay change"):
        assert not platform.wait(30)
    with board.expect():
        assert timed_wait(platform, 30)[1] < 20


def test_no_interrupt_while_it_is_switched_off(platform, board):
    platform._interrupt = line = Line(0)
    with board.expect(("write", ENGINE_BASE + regs.IRQ_ENABLE, 0)):
        platform.write(regs.IRQ_ENABLE, 0)
        came, took_s = timed_wait(platform, 30)
    assert not came and took_s < 20 and line.waits == 0


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, 1e-9])
def test_no_time_left(platform, board, timeout_s):
    assert not platform.wait(timeout_s)
    platform._interrupt = Line(None)
    with board.expect(status(BUSY)):
        assert not platform.wait(timeout_s)


def test_a_kernel_without_a_file_for_the_interrupt(board, tmp_path, monkeypatch):
    """pynq makes the controller, which switches its inputs off, and fails to find the file."""
    monkeypatch.setattr("pynq.interrupt.get_uio_irq", lambda irq: None)
    bitstream = write_overlay(tmp_path)
    with (
        board.expect(("load", str(bitstream)), ("write", IER, 0)),
        pytest.warns(UserWarning, match="Interrupt irq not created"),
    ):
        platform = PynqPlatform(bitstream)
    with warnings.catch_warnings(), board.expect():
        warnings.simplefilter("error")
        assert platform._interrupt is None and not platform.wait(30)
    platform.close()
