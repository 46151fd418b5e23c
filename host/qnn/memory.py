# SPDX-License-Identifier: BSD-3-Clause
"""Reads that take memory by what is there, not by what is stated or allowed; how much is free, and
its end."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path

from qnn.errors import FormatError, QnnError

_CHUNK = 1 << 20
_TABLE = Path("/proc/meminfo")


def drain(read_some: Callable[[int], bytes], size: int) -> bytes:
    """What `read_some` gives until it gives nothing, at most `size` bytes.

    Python reserves what a single call asks for before it reads.

    Args:
        read_some: takes a number of bytes and gives at most as many, as `read` of a file.
    """
    data = io.BytesIO()
    while (room := size - data.tell()) > 0 and (chunk := read_some(min(room, _CHUNK))):
        data.write(chunk)
    return data.getvalue()


def free_bytes() -> int | None:
    """Memory that programs may still take, in bytes, without what the system keeps for buffers of
    devices (CMA), which it counts as free, too; None where it does not tell."""
    try:
        table = dict(line.split(":", 1) for line in _TABLE.read_text().splitlines())
        available, kept = (
            1024 * int(table.get(name, "0 kB").removesuffix("kB"))
            for name in ("MemAvailable", "CmaFree")
        )
    except (OSError, ValueError):
        return None
    return max(available - kept, 0) if "MemAvailable" in table else None


@contextlib.contextmanager
def enough_for(name: object, error: type[QnnError] = FormatError) -> Iterator[None]:
    """Turns MemoryError into one of the package, of the class `error`; `name` is what is read."""
    try:
        yield
    except MemoryError:
        raise error(f"{name} does not fit into the memory of this machine") from None
