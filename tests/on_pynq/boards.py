# SPDX-License-Identifier: BSD-3-Clause
"""Zynq boards for the real pynq that are nothing but Python: each is a pynq.Device.

The processing system is modelled as far as pynq touches it: clocks, and a memory that host and
programmable logic see through a cache. What the logic answers is up to the subclass.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pynq
from pynq.buffer import PynqBuffer
from pynqmetadata.frontends import Metadata

from qnn.platforms.page_allocator import PageAllocator

try:  # where pynq 4 has it, and pynq 3
    from pynqmetadata.views.runtime import RuntimeMetadataParser
except ImportError:
    from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser

SLCR = 0xF800_0000
IO_PLL_CTRL, FPGA0_CLK_CTRL = SLCR + 0x108, SLCR + 0x170
CRL = 0xFF5E_0000
IOPLL_CTRL, PL0_REF_CTRL = CRL + 0x20, CRL + 0xC0
MEMORY_BASE = 0x1000_0000


class ZynqBuffer(PynqBuffer):
    """A buffer that goes back to its board, once, however often it is freed."""

    def freebuffer(self) -> None:
        memory = self.__dict__.pop("memory", None)  # slices have none
        if memory is not None:
            memory.take_back(self)


class Zynq(pynq.Device):
    """A board.

    Attributes:
        dram: what the programmable logic sees, uint8.
        cached: what the host sees; the two meet in `flush` and `invalidate` alone.
        base: address where it begins.
        loaded: bitstreams, in the order in which they came.
    """

    _probe_priority_ = 10
    name = "zynq"

    @classmethod
    def _probe_(cls) -> list[Zynq]:
        return []  # a test says which board is there

    def __init__(self, dram: np.ndarray | None = None, base: int = MEMORY_BASE) -> None:
        super().__init__("zynq")
        self.capabilities = {"REGISTER_RW": True}
        self.arch = "armv7l"
        self.timestamp = ""
        rng = np.random.default_rng(1)
        self.dram = np.zeros(1 << 20, np.uint8) if dram is None else dram
        self.base = base
        self.cached = rng.integers(0, 256, len(self.dram), np.uint8)  # stale
        self._pages = PageAllocator(len(self.dram))
        self.loaded: list[str] = []
        # 50 MHz times 20, divided by 10 and by 1.
        self._slcr = {IO_PLL_CTRL: 20 << 12} | dict.fromkeys(
            range(FPGA0_CLK_CTRL, FPGA0_CLK_CTRL + 0x40, 0x10), 1 << 20 | 10 << 8
        )

    # what pynq asks of a device

    @property
    def default_memory(self) -> Zynq:
        return self

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False):
        parser = RuntimeMetadataParser(Metadata(input=Path(bitfile_name).with_suffix(".hwh")))
        parser.refresh_hierarchy_dict()
        return parser

    def download(self, bitstream, parser=None) -> None:
        self.loaded.append(bitstream.bitfile_name)
        bitstream.timestamp = f"load {len(self.loaded)}"
        self.reset(parser, bitstream.timestamp, bitstream.bitfile_name)

    def read_registers(self, address: int, length: int) -> bytes:
        assert length == 4 and address % 4 == 0, hex(address)
        value = self._slcr[address] if address >= SLCR else self.logic_read(address)
        return value.to_bytes(4, "little")

    def write_registers(self, address: int, data: bytes) -> None:
        assert len(bytes(data)) == 4 and address % 4 == 0, hex(address)
        value = int.from_bytes(bytes(data), "little")
        if address >= SLCR:
            assert address in self._slcr, hex(address)
            self._slcr[address] = value
        else:
            self.logic_write(address, value)

    def allocate(self, shape, dtype, **options) -> ZynqBuffer:
        assert not options.get("cacheable"), "3.1 and 4 flush more of such a buffer than is asked"
        start = self._pages.take(int(np.prod(shape)) * np.dtype(dtype).itemsize)
        if start is None:
            raise RuntimeError("BO allocation failed: Cannot allocate memory")
        buffer = ZynqBuffer(
            shape, dtype, buffer=self.cached.data, offset=start, device=self, bo=start,
            device_address=self.base + start, coherent=False,
        )  # fmt: skip
        buffer.memory = self
        return buffer

    @property
    def live(self) -> dict[int, int]:
        """Address and bytes of each buffer."""
        return {self.base + start: size for start, size in self._pages.parts.items()}

    def take_back(self, buffer: ZynqBuffer) -> None:
        """From now on nobody may touch it: the test looks at what lies there."""
        start = buffer.physical_address - self.base
        size = self._pages.give(start)
        self.dram[start : start + size] = 0xEE

    def flush(self, bo: int, offset: int, pointer: int, size: int) -> None:
        part = self._part(bo, offset, pointer, size)
        self.dram[part] = self.cached[part]

    def invalidate(self, bo: int, offset: int, pointer: int, size: int) -> None:
        part = self._part(bo, offset, pointer, size)
        self.cached[part] = self.dram[part]

    def _part(self, bo: int, offset: int, pointer: int, size: int) -> slice:
        start = bo + offset
        assert pointer == self.cached.ctypes.data + start
        assert any(
            address <= self.base + start and self.base + start + size <= address + whole
            for address, whole in self.live.items()
        ), "not in a live buffer"
        return slice(start, start + size)

    # what a subclass answers

    def logic_read(self, address: int) -> int:
        raise AssertionError(f"read of {address:#x}")

    def logic_write(self, address: int, value: int) -> None:
        raise AssertionError(f"write of {value:#x} to {address:#x}")


class UltraScale(Zynq):
    """A Zynq UltraScale+: another clock generator."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.arch = "aarch64"
        # 33.333 MHz times 90, halved, divided by 15 and by 1.
        self._slcr = {IOPLL_CTRL: 1 << 16 | 90 << 8} | dict.fromkeys(
            range(PL0_REF_CTRL, PL0_REF_CTRL + 0x10, 4), 1 << 24 | 1 << 16 | 15 << 8
        )


class ScriptedZynq(Zynq):
    """A board that knows every access that may come, in order, and refuses any other.

    Accesses are tuples: ("read", address, answer), ("write", address, value), ("load", bitstream),
    ("allocate", bytes), ("flush" or "invalidate", address, bytes), ("free", address).
    """

    def __init__(self) -> None:
        super().__init__()
        self._script: deque[tuple] = deque()

    @contextlib.contextmanager
    def expect(self, *accesses: tuple) -> Iterator[None]:
        """All of these come in the block, and nothing else."""
        self._script.extend(accesses)
        yield
        left, self._script = list(self._script), deque()
        assert not left, f"did not come: {left}"

    def _check(self, *access: object) -> tuple:
        assert self._script, f"{access} was not expected"
        expected = self._script.popleft()
        assert access == expected[: len(access)], f"{access} came, expected was {expected}"
        return expected

    def logic_read(self, address: int) -> int:
        return self._check("read", address)[2]

    def logic_write(self, address: int, value: int) -> None:
        self._check("write", address, value)

    def download(self, bitstream, parser=None) -> None:
        self._check("load", bitstream.bitfile_name)
        super().download(bitstream, parser)

    def allocate(self, shape, dtype, **options) -> ZynqBuffer:
        self._check("allocate", int(np.prod(shape)) * np.dtype(dtype).itemsize)
        return super().allocate(shape, dtype, **options)

    def take_back(self, buffer: ZynqBuffer) -> None:
        self._check("free", buffer.physical_address)
        super().take_back(buffer)

    def flush(self, bo: int, offset: int, pointer: int, size: int) -> None:
        self._check("flush", self.base + bo + offset, size)
        super().flush(bo, offset, pointer, size)

    def invalidate(self, bo: int, offset: int, pointer: int, size: int) -> None:
        self._check("invalidate", self.base + bo + offset, size)
        super().invalidate(bo, offset, pointer, size)
