# SPDX-License-Identifier: BSD-3-Clause
"""Work on what comes next, done in another thread while the caller is busy with what is there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")


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
