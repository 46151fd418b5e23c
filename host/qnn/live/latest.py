# SPDX-License-Identifier: BSD-3-Clause
"""One place between two threads, in which what is newer takes the place of what is there."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Latest(Generic[Item]):
    """What one thread puts and another takes.

    Args:
        every: nothing is dropped: who puts waits until the place is free.

    Attributes:
        put_in: items that were put.
        dropped: of them, those that nobody had taken when a newer one came.
    """

    def __init__(self, every: bool = False) -> None:
        self._every = every
        self._changed = threading.Condition()
        self._items: list[Item] = []
        self._ended = False
        self._error: BaseException | None = None
        self.put_in = self.dropped = 0

    def put(self, item: Item) -> bool:
        """Puts an item; False if the end has come, and nobody will take it."""
        with self._changed:
            if self._every:
                self._changed.wait_for(lambda: self._ended or not self._items)
            if self._ended:
                return False
            self.put_in += 1
            self.dropped += len(self._items)
            self._items = [item]
            self._changed.notify_all()
            return True

    def take(self) -> Item | None:
        """The newest item, once there is one; None if there will be none any more.

        Raises:
            BaseException: that with which it was ended, once, after the last item.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended)
            if not self._items and self._error is not None:
                error, self._error = self._error, None
                raise error
            return self.take_now()

    def take_now(self) -> Item | None:
        """The newest item; None if there is none at this moment."""
        with self._changed:
            self._changed.notify_all()
            return self._items.pop() if self._items else None

    def wait_until_free(self) -> bool:
        """Waits until the place is free; False if the end has come."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or not self._items)
            return not self._ended

    def end(self, error: BaseException | None = None) -> None:
        """Nothing comes after what is there; `error`: why, for the one who takes."""
        with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
            self._changed.notify_all()
