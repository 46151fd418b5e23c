# SPDX-License-Identifier: BSD-3-Clause
"""One user at a time: a lock that the kernel gives back when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from qnn.errors import DeviceBusyError, PlatformError

LOCK = Path("/run/qnn.lock")  # of a board: only root uses it, and only root writes here


class DeviceLock:
    """Held from its making until `release`; the file keeps the holder's process number.

    Args:
        path: a file that every user of the device may write; made where it is missing, and never
            removed, because another process may be about to open it.
        device: what the message calls the device.

    Raises:
        DeviceBusyError: somebody else holds it; the message names the process.
        PlatformError: the file cannot be opened.
    """

    def __init__(self, path: Path, device: str = "the accelerator") -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise PlatformError(
                f"cannot open {path}, the lock of {device}: {error.strerror}"
            ) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._file, 32).decode(errors="replace").strip()
            os.close(self._file)
            self._file = -1
            raise DeviceBusyError(
                f"{device} is in use by process {holder or 'unknown'}: wait for it, or end it"
            ) from None
        with contextlib.suppress(OSError):  # for whoever shares the device, not only this user
            os.fchmod(self._file, 0o666)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets others in. Idempotent."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1
