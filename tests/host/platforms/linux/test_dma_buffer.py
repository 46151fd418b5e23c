# SPDX-License-Identifier: BSD-3-Clause
"""Shared memory: who sees what, and every write to the kernel that brings the two together."""

import gc

import numpy as np
import pytest
from linux_machine import MEMORY, MEMORY_BASE, SYNC, FakeMachine

from qnn.errors import OutOfMemoryError, PlatformError
from qnn.platforms.linux import dma_buffer
from qnn.platforms.linux.dma_buffer import DmaBuffers
from qnn.platforms.page_allocator import PAGE


def syncs(machine) -> list[tuple]:
    """(command, offset, size, direction) of each."""
    assert {name.rpartition("/")[0] for name, _ in machine.log} <= {MEMORY}
    writes = [(name.rpartition("/")[2], data.decode()) for name, data in machine.log]
    machine.log.clear()
    found = []
    for (a, start), (b, size), (c, direction), (command, one) in zip(
        *[iter(writes)] * 4, strict=True
    ):
        assert (a, b, c, one) == ("sync_offset", "sync_size", "sync_direction", "1")
        found.append((command, int(start), int(size), int(direction)))
    return found


def test_every_write(machine):
    buffer = DmaBuffers(machine).allocate(5000)
    assert buffer.address == MEMORY_BASE + PAGE and buffer.array.shape == (5000,)
    assert type(buffer.array) is np.ndarray and buffer.array.dtype == np.uint8
    assert syncs(machine) == [("sync_for_device", PAGE, 5000, 1)]  # stale lines are gone
    buffer.flush(8, 16)
    buffer.invalidate(4096)
    buffer.flush(7, 7)
    assert syncs(machine) == [
        ("sync_for_device", PAGE + 8, 8, 1),
        ("sync_for_cpu", PAGE + 4096, 904, 2),
    ]
    buffer.free()
    buffer.free()
    assert syncs(machine) == [] and len(buffer.array) == 0
    for use in (buffer.flush, buffer.invalidate):
        with pytest.raises(PlatformError, match="freed"):
            use()


def test_host_and_logic_see_each_other_only_through_the_cache(machine):
    buffer = DmaBuffers(machine).allocate(PAGE)
    logic = machine.dram[PAGE : 2 * PAGE]
    logic[:] = 0
    buffer.array[:] = 3
    buffer.flush(8, 16)
    assert logic[8:16].tolist() == [3] * 8 and not logic[:8].any() and not logic[16:].any()
    logic[:] = 4
    buffer.invalidate(0, 8)
    assert buffer.array[:9].tolist() == [4] * 8 + [3]
    buffer.free()


def test_without_files_to_sync_it_is_not_cached(machine, monkeypatch):
    for name in SYNC:
        machine.take(f"{MEMORY}/{name}")
    opened = []
    memory = FakeMachine.memory
    monkeypatch.setattr(
        FakeMachine, "memory", lambda self, *a, **k: opened.append((a, k)) or memory(self, *a, **k)
    )
    buffer = DmaBuffers(machine).allocate(PAGE)
    buffer.flush()
    buffer.invalidate()
    buffer.free()
    assert machine.log == [] and opened == [(("dev/udmabuf0", 1 << 20), {"sync": True})]


def test_buffers_do_not_overlap_and_end(machine):
    buffers = DmaBuffers(machine)
    first, second = buffers.allocate(3 * PAGE), buffers.allocate(PAGE)
    assert second.address >= first.address + 3 * PAGE
    with pytest.raises(OutOfMemoryError, match=r"no 1\.0 MiB .* of the 1\.0 MiB .*udmabuf0: close"):
        buffers.allocate(1 << 20)
    address = first.address
    first.free()
    again = buffers.allocate(2 * PAGE)
    assert again.address == address
    again.free(), second.free()


def test_memory_outlives_whoever_forgets_it(machine):
    address = DmaBuffers(machine).allocate(PAGE).address
    gc.collect()
    (kept,) = [one for one in dma_buffer._alive if one.address == address]
    kept.free()
    assert kept not in dma_buffer._alive


def test_an_older_driver_and_the_largest_device(machine):
    (machine.root / "sys/class/u-dma-buf").rename(machine.root / "sys/class/udmabuf")
    machine.put("sys/class/udmabuf/small/size", "4096")
    assert dma_buffer.devices(machine) == ["sys/class/udmabuf/udmabuf0", "sys/class/udmabuf/small"]
    assert DmaBuffers(machine).address == MEMORY_BASE


@pytest.mark.parametrize("address", ["0x10000040", "0xfff01000", "0x1000000000"])
def test_memory_that_the_accelerator_cannot_address(machine, address):
    machine.put(f"{MEMORY}/phys_addr", address)
    with pytest.raises(
        PlatformError, match=f"udmabuf0 lies at {address}, which is no 32-bit address"
    ):
        DmaBuffers(machine)


def test_none(machine):
    (machine.root / MEMORY).rename(machine.root / "elsewhere")
    with pytest.raises(PlatformError, match="modprobe u-dma-buf udmabuf0="):
        DmaBuffers(machine)


def test_a_device_that_cannot_be_opened(machine):
    machine.take("dev/udmabuf0")
    with pytest.raises(PlatformError, match=r"cannot map .*/dev/udmabuf0: No such file"):
        DmaBuffers(machine)
