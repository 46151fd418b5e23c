# SPDX-License-Identifier: BSD-3-Clause
"""Memory that host and accelerator share: the device u-dma-buf of ikwzm, parted by ourselves.

It is cached, and its files sync_* write a range back or throw it away, so that host code is fast;
where it has no such files it is opened with O_SYNC, uncached. Where the memory lies in a reserved
region, u-dma-buf has it by the property memory-region of its node.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qnn.errors import OutOfMemoryError, PlatformError
from qnn.platforms.board import BELOW
from qnn.platforms.linux.machine import Machine
from qnn.platforms.page_allocator import PAGE, PageAllocator

CLASSES = ("sys/class/u-dma-buf", "sys/class/udmabuf")  # since version 2, before
TO_DEVICE, FROM_DEVICE = 1, 2  # sync_direction, as enum dma_data_direction of the kernel

_alive: set[DmaMemory] = set()  # the accelerator may write to what nobody refers to any more


def devices(machine: Machine) -> list[str]:
    """The folder of each device, the largest first."""
    found = [name for kind in CLASSES for name in machine.find(f"{kind}/*")]
    return sorted(found, key=lambda name: -machine.number(f"{name}/size"))


class DmaBuffers:
    """All memory of one device.

    Raises:
        PlatformError: there is none, it cannot be opened, or the accelerator cannot address it.
    """

    def __init__(self, machine: Machine) -> None:
        found = devices(machine)
        if not found:
            raise PlatformError(
                "there is no memory to share with the accelerator: `modprobe u-dma-buf "
                "udmabuf0=0x4000000`"
            )
        self._machine, self.folder = machine, found[0]
        name = self.folder.rpartition("/")[2]
        self.size = machine.number(f"{self.folder}/size") // PAGE * PAGE
        self.address = machine.number(f"{self.folder}/phys_addr")
        if self.address % PAGE or self.address + self.size > 1 << 32:
            raise PlatformError(
                f"{name} lies at {self.address:#x}, which is no 32-bit address of a page: {BELOW}"
            )
        self._syncs = machine.exists(f"{self.folder}/sync_for_cpu")
        self._memory = machine.memory(f"dev/{name}", self.size, sync=not self._syncs)
        self._pages = PageAllocator(self.size)

    def allocate(self, size: int) -> DmaMemory:
        """See Platform."""
        start = self._pages.take(size)
        if start is None:
            raise OutOfMemoryError(
                f"no {size / 2**20:.1f} MiB in one piece are left of the {self.size / 2**20:.1f} "
                f"MiB of /{self.folder}: close other networks, or load u-dma-buf with more"
            )
        memory = DmaMemory(self, start, self._memory[start : start + size])
        self.sync("sync_for_device", start, size, TO_DEVICE)  # no line of before is written later
        return memory

    def give(self, start: int) -> None:
        """Takes a part back."""
        self._pages.give(start)

    def sync(self, command: str, start: int, size: int, direction: int) -> None:
        """Lets the kernel write a range of the cache back, or throw it away."""
        if not self._syncs or size <= 0:
            return
        for name, value in (
            ("sync_offset", start),
            ("sync_size", size),
            ("sync_direction", direction),
            (command, 1),
        ):
            self._machine.write(f"{self.folder}/{name}", str(value))


class DmaMemory:
    """See qnn.platforms.protocol.Buffer."""

    def __init__(self, buffers: DmaBuffers, start: int, array: NDArray[np.uint8]) -> None:
        self.address = buffers.address + start
        self.array = array
        self._buffers: DmaBuffers | None = buffers
        self._start = start
        _alive.add(self)

    def flush(self, start: int = 0, stop: int | None = None) -> None:
        """See Buffer."""
        self._sync("sync_for_device", start, stop, TO_DEVICE)

    def invalidate(self, start: int = 0, stop: int | None = None) -> None:
        """See Buffer."""
        self._sync("sync_for_cpu", start, stop, FROM_DEVICE)

    def free(self) -> None:
        """See Buffer."""
        buffers, self._buffers = self._buffers, None
        if buffers is not None:
            _alive.discard(self)
            self.array = np.empty(0, np.uint8)
            buffers.give(self._start)

    def _sync(self, command: str, start: int, stop: int | None, direction: int) -> None:
        if self._buffers is None:
            raise PlatformError("the buffer was freed")
        stop = len(self.array) if stop is None else stop
        self._buffers.sync(command, self._start + start, stop - start, direction)
