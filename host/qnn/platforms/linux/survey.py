# SPDX-License-Identifier: BSD-3-Clause
"""What a board with a plain Linux has of what the accelerator needs, and the way to the rest.

Looks only: nothing is opened, loaded or set.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qnn.errors import BackendError, PlatformError
from qnn.platforms.board import CLOSE
from qnn.platforms.linux import clock, dma_buffer, fpga_manager, uio
from qnn.platforms.linux.machine import Machine
from qnn.platforms.linux.platform import ROOT
from qnn.platforms.overlay import BITSTREAM, Design, read_design

_BITSTREAM = "`make bitstream`, then `make deploy`"
SMALLEST = 8 << 20  # bytes that are enough for the shipped network


@dataclass(frozen=True)
class Line:
    """One thing.

    Attributes:
        name: what it is.
        state: "ok"; "missing", and nothing goes without it; "without", it goes without.
        found: what there is.
        way_out: what to do; empty where it is ok.
    """

    name: str
    state: str
    found: str
    way_out: str = ""


def survey(machine: Machine, bitstream: Path | None = None) -> list[Line]:
    """A line for each thing, in the order in which to mend them."""
    design: Design | None = None
    with contextlib.suppress(BackendError):
        design = read_design(bitstream or BITSTREAM)
    lines = [
        _root(machine),
        _guarded("FPGA manager", lambda: _manager(machine)),
        _guarded("programming", lambda: _programming(machine)),
        _guarded("shared memory", lambda: _memory(machine)),
        _bitstream(bitstream or BITSTREAM),
        _guarded("clock", lambda: _clock(machine, design)),
        _guarded("registers", lambda: _registers(machine, design)),
    ]
    return lines


def missing(lines: Sequence[Line]) -> str | None:
    """The first thing without which nothing goes, in a sentence; None: the board can be used."""
    for line in lines:
        if line.state == "missing":
            return f"{line.name}: {line.found}; {line.way_out}"
    return None


def _guarded(name: str, look: Callable[[], Line]) -> Line:
    """A file of the kernel that cannot be read is a line, too."""
    try:
        return look()
    except PlatformError as error:
        return Line(name, "missing", str(error), "see dmesg")


def _root(machine: Machine) -> Line:
    if machine.is_root():
        return Line("root", "ok", "yes")
    return Line("root", "missing", "no", ROOT)


def _manager(machine: Machine) -> Line:
    folder = fpga_manager.manager(machine)
    if folder is None:
        way_out = "this is no board, or take a kernel with CONFIG_FPGA_MGR_ZYNQ_FPGA"
        return Line("FPGA manager", "missing", "none", way_out)
    found = f"{machine.read(f'{folder}/name')}, {machine.read(f'{folder}/state')}"
    return Line("FPGA manager", "ok", found)


def _programming(machine: Machine) -> Line:
    place, folder = fpga_manager.overlays(machine), fpga_manager.manager(machine)
    if place is not None:
        return Line("programming", "ok", f"overlays of the device tree, /{place}")
    if folder is not None and machine.exists(f"{folder}/firmware"):
        return Line("programming", "ok", f"/{folder}/firmware")
    way_out = "mount -t configfs none /sys/kernel/config, or load dtbocfg"
    return Line("programming", "missing", "no way in", way_out)


def _memory(machine: Machine) -> Line:
    found = dma_buffer.devices(machine)
    if not found:
        way_out = "modprobe u-dma-buf udmabuf0=0x4000000 (github.com/ikwzm/udmabuf)"
        return Line("shared memory", "missing", f"no u-dma-buf{_contiguous(machine)}", way_out)
    size = machine.number(f"{found[0]}/size")
    text = f"/{found[0]}, {size / 2**20:.1f} MiB{_contiguous(machine)}"
    if size < SMALLEST:
        way_out = f"load u-dma-buf with {SMALLEST >> 20} MiB or more; cma=64M for the kernel"
        return Line("shared memory", "missing", text, way_out)
    return Line("shared memory", "ok", text)


def _contiguous(machine: Machine) -> str:
    """How much of it the kernel could give."""
    if not machine.exists("proc/meminfo"):
        return ""
    fields = dict(line.partition(":")[::2] for line in machine.read("proc/meminfo").splitlines())
    total = fields.get("CmaTotal", "").split()
    return f"; CMA {int(total[0]) >> 10} MiB" if total and total[0].isdecimal() else ""


def _bitstream(bitstream: Path) -> Line:
    try:
        design = read_design(bitstream)
    except BackendError as error:
        found, _, way_out = str(error).rpartition(": ")
        return Line("bitstream", "missing", found or way_out, way_out if found else _BITSTREAM)
    return Line("bitstream", "ok", f"{bitstream}, {design.clock_mhz:g} MHz")


def _clock(machine: Machine, design: Design | None) -> Line:
    now = clock.now_mhz(machine)
    if now is None:
        return Line("clock", "missing", "unknown", "mount debugfs, or load fclkcfg")
    if name := clock.settable(machine):
        return Line("clock", "ok", f"{now:g} MHz, set by /{name}")
    if design is not None and now > CLOSE * design.clock_mhz:
        way_out = f"load fclkcfg, or let the boot loader set {design.clock_mhz:g} MHz or less"
        return Line("clock", "missing", f"{now:g} MHz, too fast", way_out)
    return Line("clock", "ok", f"{now:g} MHz, as the boot loader set it")


def _registers(machine: Machine, design: Design | None) -> Line:
    place = None if design is None else uio.find(machine, design.address)
    if place is not None:
        return Line("registers", "ok", f"/{place.device}, with its interrupt")
    module = machine.exists("sys/bus/platform/drivers/uio_pdrv_genirq")
    way_out = "modprobe uio_pdrv_genirq of_id=generic-uio"
    if module and fpga_manager.overlays(machine) is not None:
        return Line("registers", "ok", "UIO, as soon as the overlay is applied")
    if machine.exists(uio.MEMORY):
        found = f"/{uio.MEMORY}, no interrupt: polling"
        return Line("registers", "without", found, f"{way_out}, and overlays or a node of UIO")
    return Line("registers", "missing", "neither UIO nor /dev/mem", way_out)
