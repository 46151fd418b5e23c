# SPDX-License-Identifier: BSD-3-Clause
"""Where the registers are found."""

from linux_machine import UIO
from overlay_files import ENGINE_BASE, INTC_BASE

from qnn.platforms.linux import uio
from qnn.platforms.linux.uio import Place
from qnn.platforms.overlay import Design

DESIGN = Design("qnn_engine_0", ENGINE_BASE, 100.0, INTC_BASE)


def test_through_uio(machine):
    machine.add_uio(0x4000_0000, ENGINE_BASE)
    assert uio.registers(machine, DESIGN) == Place("dev/uio0", 4096)


def test_through_memory(machine):
    assert uio.registers(machine, DESIGN) == Place("dev/mem", ENGINE_BASE)
    machine.add_uio(ENGINE_BASE)
    machine.put(f"{UIO}/maps/map0/size", "0x800")  # too few
    assert uio.registers(machine, DESIGN) == Place("dev/mem", ENGINE_BASE)


def test_the_interrupt_controller_is_switched_on_where_it_is_ours(machine):
    machine.add_uio(ENGINE_BASE)
    assert uio.controller(machine, DESIGN) is None  # the kernel may drive it
    machine.add_uio(ENGINE_BASE, INTC_BASE)
    assert uio.controller(machine, Design("qnn_engine_0", ENGINE_BASE, 100.0)) is None
    assert machine.logic.log == []
    assert uio.controller(machine, DESIGN) is not None
    assert machine.logic.log == [("write", INTC_BASE + 0x1C, 3), ("write", INTC_BASE + 8, 1)]
