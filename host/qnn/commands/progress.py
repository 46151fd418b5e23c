# SPDX-License-Identifier: BSD-3-Clause
"""A progress bar on standard error; silent where that is not a terminal."""

from __future__ import annotations

import sys
import time
from typing import TextIO

WIDTH = 30
INTERVAL_S = 0.1


class Bar:
    """`with Bar("fetching", "files") as bar: bar.update(done, total)`."""

    def __init__(self, title: str, unit: str, stream: TextIO | None = None) -> None:
        self._title, self._unit = title, unit
        self._stream = sys.stderr if stream is None else stream
        self._shown = 0.0

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Takes the bar off the screen, to make room for a line; the next update draws it again."""
        if self._shown:
            self._stream.write("\r\033[K")
            self._stream.flush()
            self._shown = 0.0

    def update(self, done: int, total: int) -> None:
        """Draws that `done` of `total` are done, not more often than ten times a second."""
        now = time.monotonic()
        if not self._stream.isatty() or (done < total and now - self._shown < INTERVAL_S):
            return
        self._shown = now
        filled = WIDTH * done // max(total, 1)
        bar = "#" * filled + "." * (WIDTH - filled)
        self._stream.write(f"\r\033[K{self._title} [{bar}] {done}/{total} {self._unit}")
        self._stream.flush()
