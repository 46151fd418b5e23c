# SPDX-License-Identifier: BSD-3-Clause
"""Coroutines waited for in ordinary calls; tests/on_pynq has the interrupts of pynq itself."""

import asyncio
import threading
import time

import pytest

from qnn.platforms import interrupt


class Line:
    """An interrupt that stays registered when nobody waits any more, as pynq's do."""

    def __init__(self) -> None:
        self.event = interrupt.call(asyncio.Event)

    async def wait(self) -> None:
        await self.event.wait()


def test_what_is_called_runs_in_one_thread_beside_ours():
    name = interrupt.call(lambda: threading.current_thread().name)
    assert name == "qnn-interrupts" and threading.current_thread().name != name
    loops = {interrupt.call(asyncio.get_running_loop) for _ in range(3)}
    assert len(loops) == 1


def test_what_is_called_may_fail():
    with pytest.raises(ZeroDivisionError):
        interrupt.call(lambda: 1 // 0)


def test_an_interrupt_that_comes_after_we_gave_up_is_not_lost():
    line = Line()
    assert not interrupt.wait(line, 0.01)
    interrupt.call(line.event.set)
    assert interrupt.wait(line, 30)


def test_an_interrupt_during_the_wait():
    line = Line()
    timer = threading.Timer(0.02, lambda: interrupt.call(line.event.set))
    timer.start()
    began = time.monotonic()
    assert interrupt.wait(line, 600) and time.monotonic() - began < 300
    timer.join()


def test_a_wait_that_is_interrupted_leaves_nothing_behind(monkeypatch):
    """Ctrl-C in the middle: no task goes on waiting."""
    line = Line()

    class Interrupted:
        def __init__(self, future):
            self.future = future
            self.cancel = future.cancel

        def result(self, timeout_s):
            raise KeyboardInterrupt

    original = asyncio.run_coroutine_threadsafe
    monkeypatch.setattr(
        asyncio, "run_coroutine_threadsafe", lambda *args: Interrupted(original(*args))
    )
    with pytest.raises(KeyboardInterrupt):
        interrupt.wait(line, 30)
    monkeypatch.undo()
    end = time.monotonic() + 20
    while interrupt.call(lambda: len(asyncio.all_tasks())) > 1:  # the one that counts
        assert time.monotonic() < end
        time.sleep(0.01)
