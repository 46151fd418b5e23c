# SPDX-License-Identifier: BSD-3-Clause
"""The overlay, read again as the Devicetree Specification says."""

import struct

import pytest
from overlay_files import ENGINE_BASE, INTC_BASE

from qnn.errors import PlatformError
from qnn.platforms.linux.device_tree import flatten, overlay
from qnn.platforms.overlay import Design

DESIGN = Design("qnn_engine_0", ENGINE_BASE, 100.0, INTC_BASE)
REGION = "proc/device-tree/fpga-full/compatible"


def unflatten(blob: bytes) -> dict:
    """Names and values of a flattened device tree."""
    magic, total, at, strings, reserved, version, oldest, cpu, _, size = struct.unpack(
        ">10I", blob[:40]
    )
    assert (magic, total, version, oldest, cpu) == (0xD00DFEED, len(blob), 17, 16, 0)
    assert reserved % 8 == 0 and blob[reserved : reserved + 16] == bytes(16) and at % 4 == 0
    end = at + size
    stack: list[dict] = [{}]
    while True:
        (token,) = struct.unpack_from(">I", blob, at)
        at += 4
        if token == 1:
            name = blob[at : blob.index(0, at)]
            at += (len(name) + 4) // 4 * 4
            stack[-1][name.decode()] = node = {}
            stack.append(node)
        elif token == 2:
            stack.pop()
        elif token == 3:
            length, offset = struct.unpack_from(">II", blob, at)
            key = blob[strings + offset : blob.index(0, strings + offset)].decode()
            stack[-1][key] = blob[at + 8 : at + 8 + length]
            at += 8 + (length + 3) // 4 * 4
        else:
            assert token == 9 and at == end and len(stack) == 1
            return stack[0][""]


def test_a_tree_comes_back():
    tree = {"a": b"", "b": b"12345", "node": {"c": b"1234", "below": {}}, "other": {"a": b"x"}}
    assert unflatten(flatten(tree)) == tree


def cells(data: bytes) -> list[int]:
    return list(struct.unpack(f">{len(data) // 4}I", data))


def test_the_overlay(machine):
    fragment = unflatten(overlay(machine, DESIGN, "qnn.bit.bin"))["fragment@0"]
    assert fragment["target-path"] == b"/fpga-full\0"
    inside = fragment["__overlay__"]
    assert inside["firmware-name"] == b"qnn.bit.bin\0"
    assert cells(inside["#address-cells"]) == cells(inside["#size-cells"]) == [1]
    engine = inside[f"qnn@{ENGINE_BASE:x}"]
    assert engine["compatible"] == b"generic-uio\0"
    assert cells(engine["reg"]) == [ENGINE_BASE, 0x1000, INTC_BASE, 0x1000]
    assert cells(engine["interrupts"]) == [0, 29, 4]  # interrupt 61
    assert cells(engine["interrupt-parent"]) == [4]


def test_without_an_interrupt_controller_in_the_design(machine):
    blob = overlay(machine, Design("qnn_engine_0", ENGINE_BASE, 100.0), "qnn.bit.bin")
    engine = unflatten(blob)["fragment@0"]["__overlay__"][f"qnn@{ENGINE_BASE:x}"]
    assert cells(engine["reg"]) == [ENGINE_BASE, 0x1000]


def test_the_overlay_of_an_ultrascale(machine):
    """Addresses below the region have two words there, the interrupt is another."""
    old = "proc/device-tree/axi/interrupt-controller@f8f01000"
    (machine.root / old).rename(machine.root / "proc/device-tree/interrupt-controller@f9010000")
    machine.put("proc/device-tree/interrupt-controller@f9010000/compatible", "arm,gic-400\0")
    design = Design("qnn_engine_0", 0xA000_0000, 214.0, 0xA001_0000)
    fragment = unflatten(overlay(machine, design, "qnn.bit.bin"))["fragment@0"]
    inside = fragment["__overlay__"]
    assert cells(inside["#address-cells"]) == cells(inside["#size-cells"]) == [2]
    engine = inside["qnn@a0000000"]
    assert cells(engine["reg"]) == [0, 0xA000_0000, 0, 0x1000, 0, 0xA001_0000, 0, 0x1000]
    assert cells(engine["interrupts"]) == [0, 89, 4]  # interrupt 121
    assert cells(engine["interrupt-parent"]) == [4]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (REGION, "no fpga-region"),
        ("proc/device-tree/axi/interrupt-controller@f8f01000/phandle", "no interrupt controller"),
    ],
)
def test_a_tree_that_lacks_something(machine, name, words):
    machine.take(name)
    with pytest.raises(PlatformError, match=words):
        overlay(machine, DESIGN, "qnn.bit.bin")
