# SPDX-License-Identifier: BSD-3-Clause
"""What comes through a pipe: standard input, a fifo, a file descriptor; read once, and bounded."""

from __future__ import annotations

import io
import os
import re
import select
import stat
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from qnn.errors import QnnError

STDIN = "-"
MAX_BYTES = 256 << 20  # the largest picture that is read takes 192 MB as a PPM file
WRITER_S = 10.0  # how long a fifo may stay without a writer

_CHUNK = 1 << 20
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,9})")


@dataclass(frozen=True)
class Piped:
    """All bytes that came through a pipe, and its name as given."""

    name: str
    data: bytes


def is_pipe(name: str) -> bool:
    """Whether `name` is "-", which is standard input, or a pipe or socket: to be read only once.

    False for files, for directories and devices, and where there is nothing of that name.
    """
    if name == STDIN:
        return True
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def read(name: str, error: type[QnnError], max_bytes: int = MAX_BYTES) -> Piped:
    """Reads what `is_pipe` said True of, to its end.

    It waits as long as a writer keeps its end open, but for the first writer of a fifo at most
    WRITER_S.

    Args:
        error: what to raise.
        max_bytes: more than this are refused.

    Raises:
        QnnError: of the class `error`: nothing came, or too much, or the pipe cannot be read.
    """
    try:
        data = _read(name, max_bytes + 1)
    except OSError as failure:
        raise error(f"{name} cannot be read: {failure.strerror or failure}") from None
    if not data:
        what = "standard input" if name == STDIN else "the pipe"
        raise error(f"{name}: nothing came through {what}; check the command that writes into it")
    if len(data) > max_bytes:
        raise error(f"{name}: more than {max_bytes >> 20} MiB came through the pipe; use a file")
    return Piped(name, data)


def _read(name: str, size: int) -> bytes:
    """Up to `size` bytes."""
    if name == STDIN:
        if sys.stdin is None:
            raise OSError("standard input is closed")
        if sys.stdin.isatty():
            raise OSError("standard input is a terminal; pipe something into it, or name a file")
        try:
            number = sys.stdin.fileno()
        except OSError:  # it is an object of Python
            return _drain(sys.stdin.buffer.read, size)
        return _drain_descriptor(os.dup(number), size)
    # A descriptor is not opened again: a socket cannot be, and of a pipe the end might be missed.
    if name == "/dev/stdin":
        return _drain_descriptor(os.dup(0), size)
    if (named := _DESCRIPTOR.fullmatch(name)) is not None:
        return _drain_descriptor(os.dup(int(named[1])), size)
    return _drain_fifo(name, size)


def _drain(read_some: Callable[[int], bytes], size: int) -> bytes:
    """Memory is taken by what comes, not by what may come."""
    data = io.BytesIO()
    while (room := size - data.tell()) > 0 and (chunk := read_some(min(room, _CHUNK))):
        data.write(chunk)
    return data.getvalue()


def _drain_descriptor(descriptor: int, size: int) -> bytes:
    """As _drain; the descriptor is closed."""
    try:
        os.set_blocking(descriptor, True)
        return _drain(lambda some: os.read(descriptor, some), size)
    finally:
        os.close(descriptor)


def _drain_fifo(name: str, size: int) -> bytes:
    """As _drain, once the fifo has a writer, or had one; OSError if none comes."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
    try:
        first = _first_of_fifo(descriptor, min(size, _CHUNK))
    except BaseException:
        os.close(descriptor)
        raise
    return first + _drain_descriptor(descriptor, size - len(first))


def _first_of_fifo(descriptor: int, size: int) -> bytes:
    """What a writer has written by now: nothing, too, if it is silent or has gone."""
    hung_up = select.poll()
    hung_up.register(descriptor, 0)
    deadline = time.monotonic() + WRITER_S
    while time.monotonic() < deadline:
        try:
            chunk = os.read(descriptor, size)
        except BlockingIOError:  # a silent one
            return b""
        if chunk or hung_up.poll(20):
            return chunk
    raise OSError(f"no program has opened it for writing within {WRITER_S:g} seconds")
