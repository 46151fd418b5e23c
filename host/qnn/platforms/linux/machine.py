# SPDX-License-Identifier: BSD-3-Clause
"""The files of a kernel, each access in one place: tests put another root, and other answers."""

from __future__ import annotations

import contextlib
import mmap
import os
import select
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qnn.errors import PlatformError


class Words(Protocol):
    """Registers of 32 bits by their number; each is read or written in one access."""

    def __getitem__(self, index: int) -> int: ...

    def __setitem__(self, index: int, value: int) -> None: ...


class Machine:
    """A machine with the kernel's files below `root`; names are those below it, without "/" first.

    Every method but those that only look raises PlatformError with the file and the reason.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def is_root(self) -> bool:
        """Whether this process may use what belongs to root."""
        return os.geteuid() == 0

    def exists(self, name: str) -> bool:
        """Whether there is such a file or folder."""
        return os.path.exists(self.root / name)

    def find(self, pattern: str) -> list[str]:
        """Names that match a pattern, sorted; none where nothing can be looked at."""
        with contextlib.suppress(OSError):
            return sorted(str(path.relative_to(self.root)) for path in self.root.glob(pattern))
        return []

    def read_bytes(self, name: str) -> bytes:
        """All of a small file."""
        try:
            return (self.root / name).read_bytes()
        except OSError as error:
            raise _failed("read", self.root / name, error) from None

    def read(self, name: str) -> str:
        """All of a file of text, without what is around it."""
        return self.read_bytes(name).decode(errors="replace").strip()

    def number(self, name: str) -> int:
        """The number in a file, decimal or with 0x."""
        text = self.read(name)
        try:
            return int(text, 0)
        except ValueError:
            raise PlatformError(f"{self.root / name} holds {text[:40]!r}, no number") from None

    def write(self, name: str, data: str | bytes) -> None:
        """Gives data to a file of the kernel, in one write."""
        data = data.encode() if isinstance(data, str) else data
        try:
            file = os.open(self.root / name, os.O_WRONLY | os.O_CLOEXEC)
            try:
                written = os.write(file, data)
            finally:
                os.close(file)
        except OSError as error:
            raise _failed("write", self.root / name, error) from None
        if written != len(data):
            raise PlatformError(f"{self.root / name} took {written} of {len(data)} bytes")

    def store(self, name: str, data: bytes) -> None:
        """Writes an ordinary file, whole or not at all; its folder is made where it is missing."""
        path = self.root / name
        part = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                part.write_bytes(data)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise _failed("write", path, error) from None

    def make_folder(self, name: str) -> None:
        """Makes one folder."""
        try:
            (self.root / name).mkdir()
        except OSError as error:
            raise _failed("make", self.root / name, error) from None

    def remove_folder(self, name: str) -> None:
        """Removes one; the kernel removes what it has put inside."""
        try:
            (self.root / name).rmdir()
        except OSError as error:
            raise _failed("remove", self.root / name, error) from None

    def memory(self, name: str, size: int, sync: bool = False) -> NDArray[np.uint8]:
        """The first `size` bytes of a device, uint8; `sync`: not cached (O_SYNC)."""
        return np.frombuffer(self._map(name, size, 0, sync), dtype=np.uint8)

    def words(self, name: str, size: int, offset: int = 0) -> Words:
        """Registers: `size` bytes of a device from `offset` on, which is of a page."""
        return _Words(np.frombuffer(self._map(name, size, offset, True), dtype="<u4"))

    def interrupt(self, name: str) -> Interrupt:
        """Those of a UIO device."""
        return Interrupt(self.root / name)

    def _map(self, name: str, size: int, offset: int, sync: bool) -> mmap.mmap:
        path = self.root / name
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_SYNC if sync else 0))
            try:
                return mmap.mmap(file, size, mmap.MAP_SHARED, offset=offset)
            finally:
                os.close(file)
        except (OSError, ValueError, OverflowError) as error:  # ValueError: shorter than that
            raise _failed("map", path, error) from None


class _Words:
    """See Words; numpy moves an aligned element of 32 bits at once."""

    def __init__(self, words: NDArray[np.uint32]) -> None:
        self._words = words

    def __getitem__(self, index: int) -> int:
        return int(self._words[index])

    def __setitem__(self, index: int, value: int) -> None:
        self._words[index] = value


class Interrupt:
    """A UIO device: 1 written switches its interrupt on, each interrupt switches it off."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise _failed("open", path, error) from None

    def wait(self, timeout_s: float) -> bool:
        """Switches it on and sleeps until it comes, at most `timeout_s`; True: it came."""
        try:
            os.write(self._file, (1).to_bytes(4, "little"))
            poll = select.poll()
            poll.register(self._file, select.POLLIN)
            if not poll.poll(max(0, timeout_s) * 1000):
                return False
            return len(os.read(self._file, 4)) == 4
        except BlockingIOError:
            return False
        except OSError as error:
            raise _failed("wait at", self._path, error) from None

    def close(self) -> None:
        """Gives the file back. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _failed(verb: str, path: Path, error: Exception) -> PlatformError:
    reason = getattr(error, "strerror", None) or error
    return PlatformError(f"cannot {verb} {path}: {reason}")
