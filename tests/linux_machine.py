# SPDX-License-Identifier: BSD-3-Clause
"""A machine whose kernel is a folder: its files are there, and each write to one is answered.

A file that a program writes and that is not there is an error, as in sysfs. `log` has all writes.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from overlay_files import CONFIGURATION, ENGINE_BASE, INTC_BASE

from qnn.platforms.linux.machine import Machine

MANAGER = "sys/class/fpga_manager/fpga0"
OVERLAYS = "sys/kernel/config/device-tree/overlays"
MEMORY = "sys/class/u-dma-buf/udmabuf0"
SYNC = ("sync_offset", "sync_size", "sync_direction", "sync_for_cpu", "sync_for_device")
CLOCK = "sys/bus/platform/drivers/xilinx_fclk/amba:fclk0/set_rate"
DEBUG_CLOCK = "sys/kernel/debug/clk/fclk0/clk_rate"
UIO = "sys/class/uio/uio0"
PLL_HZ = 1_000_000_000
MEMORY_BASE = 0x1000_0000


class FakeMachine(Machine):
    """All is there unless a test removes it.

    Args:
        root: an empty folder.
        overlays: the kernel takes overlays of the device tree; else it has `firmware`.
        memory_bytes: of u-dma-buf.

    Attributes:
        log: (name, data) of each write.
        dram: what the accelerator sees of the shared memory.
        cached: what the host sees, stale at first; only sync_* bring the two together.
        logic: what the registers answer; by address.
    """

    def __init__(self, root: Path, overlays: bool = False, memory_bytes: int = 1 << 20) -> None:
        super().__init__(root)
        self.log: list[tuple[str, bytes]] = []
        self.logic = Logic()
        self.root_user = True
        self.put(f"{MANAGER}/name", "Xilinx Zynq FPGA Manager")
        self.put(f"{MANAGER}/state", "unknown")
        self.put(f"{MANAGER}/flags", "0")
        if overlays:
            self.make(OVERLAYS)
        else:
            self.put(f"{MANAGER}/firmware", "")
        for name in SYNC:
            self.put(f"{MEMORY}/{name}", "0")
        self.put(f"{MEMORY}/phys_addr", f"{MEMORY_BASE:#010x}")
        self.put(f"{MEMORY}/size", str(memory_bytes))
        self.put(CLOCK, "50000000")
        self.put("dev/mem", "")
        self.make("run")
        self.put("proc/device-tree/fpga-full/compatible", "fpga-region\0")
        self.put("proc/device-tree/axi/interrupt-controller@f8f01000/compatible", GIC)
        (self.root / "proc/device-tree/axi/interrupt-controller@f8f01000/phandle").write_bytes(
            (4).to_bytes(4, "big")
        )
        self.dram = np.zeros(memory_bytes, np.uint8)
        stale = np.random.default_rng(1).integers(0, 256, memory_bytes, np.uint8)
        self.make("dev")
        (root / "dev/udmabuf0").write_bytes(stale.tobytes())
        self.cached = super().memory("dev/udmabuf0", memory_bytes)
        self.put("proc/meminfo", "MemTotal: 500000 kB\nCmaTotal:       131072 kB\n")

    # what a test does

    def put(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text + "\n" * (not text.endswith("\0")))

    def make(self, name: str) -> None:
        (self.root / name).mkdir(parents=True, exist_ok=True)

    def take(self, name: str) -> None:
        (self.root / name).unlink()

    def add_uio(self, *addresses: int) -> None:
        for number, address in enumerate(addresses):
            self.put(f"{UIO}/maps/map{number}/addr", f"{address:#010x}")
            self.put(f"{UIO}/maps/map{number}/size", "0x00001000")
        self.put("dev/uio0", "")

    # what the kernel does

    def is_root(self) -> bool:
        return self.root_user

    def write(self, name: str, data: str | bytes) -> None:
        data = data.encode() if isinstance(data, str) else data
        assert (self.root / name).exists(), f"{name} is not there"
        self.log.append((name, data))
        folder, _, attribute = name.rpartition("/")
        answer = getattr(self, f"_{attribute}", None)
        if answer is None:
            self.put(name, data.decode())
        else:
            answer(folder, data)

    def make_folder(self, name: str) -> None:
        super().make_folder(name)
        self.log.append((name, b"mkdir"))
        if name.startswith(OVERLAYS):
            self.put(f"{name}/dtbo", "")
            self.put(f"{name}/status", "unapplied")

    def remove_folder(self, name: str) -> None:
        self.log.append((name, b"rmdir"))
        for path in (self.root / name).iterdir():
            path.unlink()
        super().remove_folder(name)

    def words(self, name: str, size: int, offset: int = 0) -> MappedWords:
        if name == "dev/mem":
            return MappedWords(self.logic, offset, size)
        number = offset // 4096
        address = self.number(f"{UIO}/maps/map{number}/addr")
        return MappedWords(self.logic, address, size)

    def _firmware(self, folder: str, data: bytes) -> None:
        self._load(data.decode())

    def _dtbo(self, folder: str, data: bytes) -> None:
        magic, total, at_structure, at_strings = struct.unpack(">4I", data[:16])
        assert magic == 0xD00DFEED and total == len(data)
        assert b"qnn.bit.bin\0" in data[at_structure:at_strings]
        self._load("qnn.bit.bin")
        self.put(f"{folder}/status", "applied")
        self.add_uio(ENGINE_BASE, INTC_BASE)

    def _load(self, firmware: str) -> None:
        image = (self.root / "lib/firmware" / firmware).read_bytes()
        swapped = np.frombuffer(CONFIGURATION, ">u4").astype("<u4").tobytes()
        self.put(f"{MANAGER}/state", "operating" if image == swapped else "write init error")

    def _set_rate(self, folder: str, data: bytes) -> None:
        """The nearest that one divisor makes."""
        divisor = max(1, min(63, round(PLL_HZ / int(data))))
        self.put(f"{folder}/set_rate", str(PLL_HZ // divisor))

    def _sync_for_device(self, folder: str, data: bytes) -> None:
        assert data == b"1" and self.number(f"{folder}/sync_direction") == 1
        part = self._part(folder)
        self.dram[part] = self.cached[part]

    def _sync_for_cpu(self, folder: str, data: bytes) -> None:
        assert data == b"1" and self.number(f"{folder}/sync_direction") == 2
        part = self._part(folder)
        self.cached[part] = self.dram[part]

    def _part(self, folder: str) -> slice:
        start = self.number(f"{folder}/sync_offset")
        stop = start + self.number(f"{folder}/sync_size")
        assert start < stop <= len(self.dram)
        return slice(start, stop)


GIC = "arm,cortex-a9-gic\0"


class MappedWords:
    """See qnn.platforms.linux.machine.Words."""

    def __init__(self, logic: Logic, address: int, size: int) -> None:
        self._logic, self._address, self._size = logic, address, size

    def __getitem__(self, index: int) -> int:
        assert 0 <= 4 * index < self._size
        return self._logic.read(self._address + 4 * index)

    def __setitem__(self, index: int, value: int) -> None:
        assert 0 <= 4 * index < self._size
        self._logic.write(self._address + 4 * index, value)


class Logic:
    """Registers that keep what is written; `log` has every access."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int, int]] = []
        self.values: dict[int, int] = {}

    def read(self, address: int) -> int:
        value = self.values.get(address, 0)
        self.log.append(("read", address, value))
        return value

    def write(self, address: int, value: int) -> None:
        self.log.append(("write", address, value))
        self.values[address] = value
