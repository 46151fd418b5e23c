# SPDX-License-Identifier: BSD-3-Clause
"""Work on what comes next, done in another thread while the caller is busy with what is there; as
far ahead as memory allows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from qnn.memory import free_bytes

Item = TypeVar("Item")
Done = TypeVar("Done")
MOST = 64
_SHARE = 8  # one byte in so many that are free
_UNKNOWN = 256 << 20  # free, where the system does not tell


def allowed(bytes_of_one: int) -> int:
    """How many may be worked on ahead, from 1 to MOST, if each takes so much memory until it is
    wanted."""
    free = free_bytes()
    free = _UNKNOWN if free is None else free
    return min(max(free // (_SHARE * bytes_of_one), 1), MOST)


def ahead(
    items: Iterable[Item], work: Callable[[Item], Done], most: int
) -> Generator[tuple[Item, Callable[[], Done]], None, None]:
    """Each item, in order, and what gives `work(item)`: its value, or the error that it raised.

    One thread works, on at most `most` items behind the one that was given last; items are taken in
    the thread of the caller. What is under way is finished, and no more begun, once the iterator is
    closed or has come to its end.
    """
    under_way: deque[tuple[Item, Future[Done]]] = deque()
    pool = ThreadPoolExecutor(1, "ahead")
    try:
        for item in items:
            under_way.append((item, pool.submit(work, item)))
            if len(under_way) > most:
                first, future = under_way.popleft()
                yield first, future.result
        while under_way:
            first, future = under_way.popleft()
            yield first, future.result
    finally:
        pool.shutdown(cancel_futures=True)
