# SPDX-License-Identifier: BSD-3-Clause
"""An overlay for the device tree that programs the FPGA and gives the accelerator to UIO.

A flattened device tree, version 17, as the Devicetree Specification defines it. What it refers to
is found in the tree of the running kernel, so that this needs no symbols.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from qnn.errors import PlatformError
from qnn.platforms.linux.machine import Machine
from qnn.platforms.overlay import REGISTER_BYTES, Design

TREE = "proc/device-tree"

Node: TypeAlias = "Mapping[str, bytes | Node]"  # properties and nodes by their names

_BEGIN, _END, _PROPERTY, _FINISH = 1, 2, 3, 9


@dataclass(frozen=True)
class _Processor:
    """What differs between the trees of processors.

    Attributes:
        peripheral: number of the accelerator's interrupt among the shared peripherals.
        words: 32-bit words of an address, or a size, below the region of the FPGA.
    """

    peripheral: int
    words: int


_PROCESSORS = {  # by their interrupt controllers
    b"arm,cortex-a9-gic": _Processor(61 - 32, 1),  # Zynq-7000, IRQ_F2P[0]
    b"arm,gic-400": _Processor(121 - 32, 2),  # Zynq UltraScale+, pl_ps_irq0[0]
}
_HIGH_LEVEL = 4


def overlay(machine: Machine, design: Design, firmware: str) -> bytes:
    """The overlay as the kernel reads it (.dtbo).

    Raises:
        PlatformError: the kernel's tree has no region for an FPGA, or no interrupt controller.
    """
    registers = [design.address, REGISTER_BYTES]
    if design.controller is not None:
        registers += [design.controller, REGISTER_BYTES]
    controller, processor = _interrupt_controller(machine)
    engine: Node = {
        "compatible": _text("generic-uio"),
        "reg": b"".join(value.to_bytes(4 * processor.words, "big") for value in registers),
        "interrupt-parent": machine.read_bytes(f"{controller}/phandle"),
        "interrupts": _cells(0, processor.peripheral, _HIGH_LEVEL),
    }
    inside: Node = {
        "#address-cells": _cells(processor.words),
        "#size-cells": _cells(processor.words),
        "firmware-name": _text(firmware),
        f"qnn@{design.address:x}": engine,
    }
    fragment: Node = {"target-path": _text(_region(machine)), "__overlay__": inside}
    return flatten({"fragment@0": fragment})


def flatten(root: Node) -> bytes:
    """A tree as one block of bytes."""
    strings = bytearray()
    structure = _node("", root, strings) + struct.pack(">I", _FINISH)
    header, reserved = 40, bytes(16)
    at_structure = header + len(reserved)
    at_strings = at_structure + len(structure)
    return (
        struct.pack(
            ">10I", 0xD00DFEED, at_strings + len(strings), at_structure, at_strings, header,
            17, 16, 0, len(strings), len(structure),
        ) + reserved + structure + bytes(strings)
    )  # fmt: skip


def _node(name: str, node: Node, strings: bytearray) -> bytes:
    """Properties come before nodes."""
    parts = [struct.pack(">I", _BEGIN), _padded(_text(name))]
    for key, value in node.items():
        if isinstance(value, bytes):
            parts += [struct.pack(">III", _PROPERTY, len(value), len(strings)), _padded(value)]
            strings += _text(key)
    parts += [
        _node(key, below, strings) for key, below in node.items() if not isinstance(below, bytes)
    ]
    return b"".join([*parts, struct.pack(">I", _END)])


def _region(machine: Machine) -> str:
    """The path of the node that stands for the whole FPGA."""
    for name in machine.find(f"{TREE}/*/compatible"):
        if b"fpga-region" in machine.read_bytes(name).split(b"\0"):
            return name.removeprefix(TREE).removesuffix("/compatible")
    raise PlatformError("the kernel's device tree has no fpga-region: take one of this board")


def _interrupt_controller(machine: Machine) -> tuple[str, _Processor]:
    """The name of the folder of the processor's own, and which processor it is."""
    for name in machine.find(f"{TREE}/*/*/compatible") + machine.find(f"{TREE}/*/compatible"):
        kinds = machine.read_bytes(name).split(b"\0")
        folder = name.removesuffix("/compatible")
        found = next((p for kind, p in _PROCESSORS.items() if kind in kinds), None)
        if found is not None and machine.exists(f"{folder}/phandle"):
            return folder, found
    raise PlatformError("the kernel's device tree has no interrupt controller of a Zynq")


def _text(text: str) -> bytes:
    return text.encode() + b"\0"


def _cells(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
