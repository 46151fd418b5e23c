# SPDX-License-Identifier: BSD-3-Clause
"""The registers of the accelerator: through UIO, which may have its interrupt, or /dev/mem."""

from __future__ import annotations

import mmap
from dataclasses import dataclass

from qnn.platforms.linux.machine import Machine, Words
from qnn.platforms.overlay import REGISTER_BYTES, Design

MEMORY = "dev/mem"
# Xilinx' interrupt controller (PG099), which the kernel does not drive: word numbers.
IER, IAR, MER = 0x08 // 4, 0x0C // 4, 0x1C // 4


@dataclass(frozen=True)
class Place:
    """Where registers are: a device below /dev, and an offset in it."""

    device: str
    offset: int

    def words(self, machine: Machine) -> Words:
        """Those registers."""
        return machine.words(self.device, REGISTER_BYTES, self.offset)


def find(machine: Machine, address: int) -> Place | None:
    """The mapping of a UIO device that begins at an address of the processor."""
    for name in machine.find("sys/class/uio/uio*/maps/map*/addr"):
        *_, device, _, mapping, _ = name.split("/")
        size = machine.number(f"{name.removesuffix('addr')}size")
        if machine.number(name) == address and size >= REGISTER_BYTES:
            return Place(f"dev/{device}", int(mapping.removeprefix("map")) * mmap.PAGESIZE)
    return None


def registers(machine: Machine, design: Design) -> Place:
    """Of the accelerator."""
    return find(machine, design.address) or Place(MEMORY, design.address)


def controller(machine: Machine, design: Design) -> Words | None:
    """The interrupt controller between accelerator and processor, where UIO leaves it to us."""
    place = None if design.controller is None else find(machine, design.controller)
    if place is None:
        return None
    words = place.words(machine)
    words[MER] = 3
    words[IER] = 1
    return words
