# SPDX-License-Identifier: BSD-3-Clause
"""A board that remembers what its accelerator said and wrote, and one that says it again.

What the host does around an accelerator can be run, timed and counted by the second where nothing
can simulate: on another processor. It must ask for the very same things, in the same order. The
memory that is played is coherent: what flushing takes is up to a board, and is not among the host's
instructions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.errors import PlatformError
from qnn.platforms.protocol import Buffer, Platform

_ANOTHER = "the recording is of something else: record it again"


class RecordingBoard:
    """A platform as qnn.platforms.protocol has it, in front of another one.

    Args:
        board: which is asked; closed with this one.
    """

    def __init__(self, board: Platform) -> None:
        self._board, self.name, self.clock_mhz = board, board.name, board.clock_mhz
        self._read: list[tuple[int, int]] = []
        self._waited: list[bool] = []
        self._written: list[NDArray[np.uint8]] = []  # by the accelerator, at the end of each wait
        self._buffers: list[Buffer] = []

    def read(self, offset: int) -> int:
        self._read.append((offset, self._board.read(offset)))
        return self._read[-1][1]

    def write(self, offset: int, value: int) -> None:
        self._board.write(offset, value)

    def allocate(self, size: int) -> Buffer:
        self._buffers.append(self._board.allocate(size))
        return self._buffers[-1]

    def wait(self, timeout_s: float) -> bool:
        self._waited.append(self._board.wait(timeout_s))
        buffer = self._buffers[-1]
        before = buffer.array.copy()
        buffer.invalidate()
        self._written.append(buffer.array.copy())
        buffer.array[:] = before  # the host has not looked yet
        return self._waited[-1]

    def seconds(self) -> float:
        return self._board.seconds()

    def close(self) -> None:
        self._board.close()

    def recorded(self) -> dict[str, NDArray[Any]]:
        """All of it, for a RecordedBoard."""
        return {
            "clock_mhz": np.array(self.clock_mhz),
            "buffers": np.array([(len(one.array), one.address) for one in self._buffers]),
            "read": np.array(self._read, np.int64),
            "waited": np.array(self._waited, bool),
            "written": np.array(self._written),
        }


class _RecordedBuffer:
    """See qnn.platforms.protocol.Buffer."""

    def __init__(self, size: int, address: int) -> None:
        self.address = address
        self.array: NDArray[np.uint8] = np.zeros(size, np.uint8)

    def flush(self, start: int = 0, stop: int | None = None) -> None:
        """The accelerator looks at nothing."""

    def invalidate(self, start: int = 0, stop: int | None = None) -> None:
        """What it has written is there."""

    def free(self) -> None:
        """It goes when nobody has it any more."""


class RecordedBoard:
    """Says what a RecordingBoard has heard; a platform as qnn.platforms.protocol has it.

    Args:
        recorded: what that gives.
    """

    name = "recorded"

    def __init__(self, recorded: dict[str, NDArray[Any]]) -> None:
        self.clock_mhz = float(recorded["clock_mhz"])
        self._allocated = iter(recorded["buffers"].tolist())
        self._said = iter(recorded["read"].tolist())
        self._ended = zip(recorded["waited"].tolist(), recorded["written"], strict=True)
        self._last = _RecordedBuffer(0, 0)
        self._asked = 0

    def read(self, offset: int) -> int:
        asked, value = next(self._said, (None, 0))
        if asked != offset:
            raise PlatformError(_ANOTHER)
        return int(value)

    def write(self, offset: int, value: int) -> None:
        """Nobody is there."""

    def allocate(self, size: int) -> _RecordedBuffer:
        of, address = next(self._allocated, (None, 0))
        if of != size:
            raise PlatformError(_ANOTHER)
        self._last = _RecordedBuffer(size, address)
        return self._last

    def wait(self, timeout_s: float) -> bool:
        ended, written = next(self._ended, (False, None))
        if written is None:
            raise PlatformError(_ANOTHER)
        self._last.array[:] = written
        return bool(ended)

    def seconds(self) -> float:
        """A clock that hardly goes on: nothing takes too long."""
        self._asked += 1
        return self._asked * 1e-9

    def close(self) -> None:
        """Nothing is held."""


def save(path: Path, recorded: dict[str, NDArray[Any]]) -> None:
    """Into an .npz file."""
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **recorded)


def load(path: Path) -> dict[str, NDArray[Any]]:
    """Of such a file; PlatformError if there is none."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError) as problem:
        raise PlatformError(f"{path} is no recording: {problem}") from None
