# SPDX-License-Identifier: BSD-3-Clause
"""Frames of a source, read in a thread; a source that goes away is waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from qnn.errors import QnnError, SourceError
from qnn.live.frame import Frame, FrameSource
from qnn.live.latest import Latest

AGAIN_S = 0.5  # between two tries to open a source that went away
JOIN_S = 3.0  # a driver that does not answer keeps its thread no longer than the process


class Feed:
    """`with Feed(source, latest, 30, tell):` puts the frames of `source` into `latest`.

    Where the source goes away after it was there, it is opened again and again for `wait_s`
    seconds; then, or where it never was, `latest` ends with its error. At its end it ends without.

    Args:
        tell: called, in the thread, when the source went away and when it is back.
    """

    def __init__(
        self,
        source: FrameSource,
        latest: Latest[Frame],
        wait_s: float,
        tell: Callable[[str], None],
    ) -> None:
        self._source, self._latest, self._wait_s, self._tell = source, latest, wait_s, tell
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._latest.end()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        try:
            self._read()
        except BaseException as error:  # whatever it is, the reader is the one to hear of it
            self._latest.end(error)
        else:
            self._latest.end()

    def _read(self) -> None:
        number, gone_at, was_there = 0, None, False
        while not self._stop.is_set():
            try:
                with closing(self._source.frames(self._stop)) as frames:
                    for frame in frames:
                        if gone_at is not None:
                            self._tell(f"{self._source.name} is back")
                            gone_at = None
                        was_there = True
                        if frame is None:
                            continue
                        number += 1
                        if not self._latest.put(replace(frame, number=number, at_s=_now())):
                            return
                return
            except SourceError as error:
                if not was_there:
                    raise
                if gone_at is None:
                    gone_at = _now()
                    self._tell(f"{error}; waiting for it, {self._wait_s:g} s at most")
                if _now() - gone_at >= self._wait_s:
                    raise QnnError(
                        f"{self._source.name} did not come back within {self._wait_s:g} s"
                    ) from None
                self._stop.wait(AGAIN_S)


def _now() -> float:
    return time.monotonic()
