# SPDX-License-Identifier: BSD-3-Clause
"""Looks at the newest frame, again and again: the next one is opened while layers run."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from qnn.errors import QnnError
from qnn.live.frame import Frame
from qnn.live.latest import Latest
from qnn.model import Classification, Decoded, Detections, Model

Result: TypeAlias = Classification | Detections
Look: TypeAlias = Callable[[Iterator[Decoded]], Iterator[Result]]
Skip: TypeAlias = Callable[[Frame, QnnError], None]


@dataclass(frozen=True)
class Seen:
    """A frame that was looked at.

    Attributes:
        frame: it.
        result: what is there.
        dropped: frames so far that were too late, and nobody looked at.
        age_ms: from the moment when it was there to its result.
    """

    frame: Frame
    result: Result
    dropped: int
    age_ms: float


class Watch:
    """Frames of `latest`, in turn.

    A thread opens the newest one as soon as the one before is taken by the layers, so that it is
    not older than one run; a frame is opened only if it is looked at.

    Args:
        model: opens frames.
        latest: where they come from.
        look: what is done with opened ones.
        skip: called, in that thread, with what cannot be read.
    """

    def __init__(self, model: Model, latest: Latest[Frame], look: Look, skip: Skip) -> None:
        self._model, self._latest, self._look, self._skip = model, latest, look, skip
        self._opened: Latest[tuple[Frame, Decoded]] = Latest()

    @property
    def came(self) -> int:
        """Frames that came so far, those that were dropped among them."""
        return self._latest.put_in

    def __iter__(self) -> Generator[Seen, None, None]:
        """What is seen in each, until no frame comes any more.

        Raises:
            QnnError: the source ended with it, or the network does not do what is asked.
        """
        with self._opening():
            while (first := self._opened.take()) is not None:
                yield from self._run(first)

    def _run(self, first: tuple[Frame, Decoded]) -> Generator[Seen, None, None]:
        """What is there without waiting: no result waits for a frame that has yet to come."""
        under_way: deque[Frame] = deque()

        def opened() -> Generator[Decoded, None, None]:
            one: tuple[Frame, Decoded] | None = first
            while one is not None:
                under_way.append(one[0])
                yield one[1]
                one = self._opened.take_now()

        with closing(opened()) as given:
            for result in self._look(given):
                frame = under_way.popleft()
                age_ms = 1e3 * (time.monotonic() - frame.at_s)
                yield Seen(frame, result, self._latest.dropped, age_ms)

    @contextmanager
    def _opening(self) -> Generator[None, None, None]:
        thread = threading.Thread(target=self._open_all, name="open", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._latest.end()
            self._opened.end()
            thread.join()

    def _open_all(self) -> None:
        try:
            while self._opened.wait_until_free():
                frame = self._latest.take()
                if frame is None:
                    break
                try:
                    decoded = self._model.decode(frame.source)
                except QnnError as error:
                    self._skip(frame, error)
                else:
                    self._opened.put((frame, decoded))
        except BaseException as error:  # the end of the source; whatever it is, it is told
            self._opened.end(error)
        else:
            self._opened.end()
