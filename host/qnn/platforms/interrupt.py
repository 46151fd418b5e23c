# SPDX-License-Identifier: BSD-3-Clause
"""Interrupts of pynq, which are coroutines, for code that waits in an ordinary call.

pynq ties an interrupt to the event loop of the thread that makes it, and a notebook's own loop is
never free to be waited on. So one loop in a thread of its own serves this process; it lives as long
as the process, because pynq keeps the files of its interrupts open that long.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Interrupt(Protocol):
    """pynq.Interrupt."""

    def wait(self) -> Coroutine[Any, Any, None]:
        """Ends when the interrupt line is high."""


def call(function: Callable[[], T]) -> T:
    """The result of a function called in the thread of the loop: interrupts are made there."""

    async def called() -> T:
        return function()

    return asyncio.run_coroutine_threadsafe(called(), _loop()).result()


def wait(interrupt: Interrupt, timeout_s: float) -> bool:
    """Sleeps until an interrupt, at most `timeout_s`; True: it came.

    Whatever else the interrupt raises comes out of here.
    """
    waiting = asyncio.run_coroutine_threadsafe(
        asyncio.wait_for(interrupt.wait(), timeout_s), _loop()
    )
    try:
        waiting.result(timeout_s + 1)  # the loop itself is late or dead
    except (asyncio.TimeoutError, concurrent.futures.TimeoutError):  # one and the same from 3.11 on
        return False
    finally:
        waiting.cancel()
    return True


@lru_cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="qnn-interrupts", daemon=True).start()
    return loop
