# SPDX-License-Identifier: BSD-3-Clause
"""Frames from a folder that fills: each picture once it is whole, and again when it is replaced."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from pathlib import Path
from typing import TypeAlias

from qnn.errors import SourceError
from qnn.live.frame import Frame

LOOK_S = 0.2  # between two looks; a file that has not changed in between is whole
SUFFIXES = frozenset(".png .jpg .jpeg .jpe .bmp .gif .tif .tiff .webp .ppm .pgm .pbm .pnm".split())

State: TypeAlias = tuple[int, int, int]  # time of the last change in ns, size, inode


class Folder:
    """Pictures directly in a directory, by name, the oldest first.

    Files of other names, and those that begin with a dot, are left out: who writes slowly writes
    under such a name and renames, and nobody has to guess whether a file is whole.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self.name = os.fspath(path)
        # Both stay where the folder goes away and comes again.
        self._given: dict[str, State] = {}
        self._before: dict[str, State] = {}

    def frames(self, stop: threading.Event) -> Generator[Frame | None, None, None]:
        """See qnn.live.frame.FrameSource; it has no end."""
        while not stop.is_set():
            paths = self.look()
            yield from (Frame(path, path) for path in paths)
            if not paths:
                yield None
            stop.wait(LOOK_S)

    def look(self) -> list[str]:
        """The paths of pictures that are as they were at the last look, and have not been given.

        Raises:
            SourceError: the directory cannot be read.
        """
        now, before = self._pictures(), self._before
        given = {name: state for name, state in self._given.items() if name in now}
        whole = sorted(
            (state, name)
            for name, state in now.items()
            if before.get(name) == state != given.get(name) and state[1]
        )
        self._given = given | {name: state for state, name in whole}
        self._before = now
        return [os.fspath(self._path / name) for _, name in whole]

    def _pictures(self) -> dict[str, State]:
        found = {}
        try:
            with os.scandir(self._path) as entries:
                for entry in entries:
                    name = entry.name
                    if name.startswith(".") or Path(name).suffix.lower() not in SUFFIXES:
                        continue
                    try:
                        stat = entry.stat()
                        if entry.is_file():
                            found[name] = stat.st_mtime_ns, stat.st_size, stat.st_ino
                    except FileNotFoundError:  # it has gone since
                        continue
        except OSError as error:
            raise SourceError(f"{self.name} cannot be read: {error.strerror}") from None
        return found
