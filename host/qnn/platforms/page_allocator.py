# SPDX-License-Identifier: BSD-3-Clause
"""Addresses for buffers in one piece of memory, real or simulated: first fit, whole pages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PAGE = 4096


class PageAllocator:
    """Gives out parts of `memory_bytes` bytes; page 0 and one page after each part stay free."""

    def __init__(self, memory_bytes: int) -> None:
        self._end = memory_bytes
        self._parts: dict[int, int] = {}  # address -> bytes, whole pages

    @property
    def parts(self) -> dict[int, int]:
        """Address and size in bytes, whole pages, of what is given out."""
        return dict(self._parts)

    @property
    def free_bytes(self) -> int:
        return self._end - PAGE - sum(size + PAGE for size in self._parts.values())

    def free(self) -> NDArray[np.bool_]:
        """Of every byte, whether nobody has it; shape (memory_bytes,)."""
        found = np.ones(self._end, dtype=bool)
        for address, size in self._parts.items():
            found[address : address + size] = False
        return found

    def take(self, size: int) -> int | None:
        """The address of `size` bytes that nobody has; None where there is no such gap."""
        pages = -(-size // PAGE) * PAGE
        address = PAGE
        for taken, length in sorted(self._parts.items()):
            if taken - address >= pages + PAGE:
                break
            address = taken + length + PAGE
        if size < 1 or address + pages + PAGE > self._end:
            return None
        self._parts[address] = pages
        return address

    def give(self, address: int) -> int:
        """Takes a part back; its size."""
        return self._parts.pop(address)
