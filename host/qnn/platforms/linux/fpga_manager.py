# SPDX-License-Identifier: BSD-3-Clause
"""Programs the FPGA through the kernel: an overlay of the device tree, or the manager's own file.

The overlay needs configfs (the kernels of Xilinx; dtbocfg elsewhere) and brings a UIO device. The
attribute `firmware` is one of Xilinx' kernels; mainline has it not.
"""

from __future__ import annotations

from pathlib import Path

from qnn.errors import PlatformError
from qnn.platforms.linux import bit_file, device_tree
from qnn.platforms.linux.machine import Machine
from qnn.platforms.overlay import Design

MANAGERS = "sys/class/fpga_manager/fpga*"
OVERLAYS = ("sys/kernel/config/device-tree/overlays", "config/device-tree/overlays")
FIRMWARE = "lib/firmware"
IMAGE, OVERLAY = "qnn.bit.bin", "qnn"


def manager(machine: Machine) -> str | None:
    """The folder of the first FPGA manager."""
    return next(iter(machine.find(MANAGERS)), None)


def overlays(machine: Machine) -> str | None:
    """The folder in which a new folder is an overlay of the device tree."""
    return next((name for name in OVERLAYS if machine.exists(name)), None)


def program(machine: Machine, bitstream: Path, design: Design) -> None:
    """Loads a bitstream; registers and interrupt are those of a UIO device where overlays are.

    Raises:
        PlatformError: the kernel cannot, or says that it did not.
    """
    folder, place = manager(machine), overlays(machine)
    if folder is None:
        raise PlatformError(
            "this kernel has no FPGA manager (/sys/class/fpga_manager): take one with "
            "CONFIG_FPGA_MGR_ZYNQ_FPGA"
        )
    image = bit_file.image(bitstream)
    if place is not None:
        blob = device_tree.overlay(machine, design, IMAGE)
        machine.store(f"{FIRMWARE}/{IMAGE}", image)
        _apply(machine, f"{place}/{OVERLAY}", blob)
    elif machine.exists(f"{folder}/firmware"):
        machine.store(f"{FIRMWARE}/{IMAGE}", image)
        if machine.exists(f"{folder}/flags"):
            machine.write(f"{folder}/flags", "0")  # all of the device, not a part
        machine.write(f"{folder}/firmware", IMAGE)
    else:
        raise PlatformError(
            "this kernel takes no bitstream from a program: it has neither overlays of the device "
            f"tree (/{OVERLAYS[0]}) nor /{folder}/firmware; mount configfs, or load dtbocfg"
        )
    state = machine.read(f"{folder}/state")
    if state != "operating":
        raise PlatformError(f"the FPGA manager says {state!r} of {bitstream}; dmesg says why")


def _apply(machine: Machine, folder: str, blob: bytes) -> None:
    """Puts the overlay in the place of one that is there from before."""
    if machine.exists(folder):
        machine.remove_folder(folder)
    machine.make_folder(folder)
    machine.write(f"{folder}/dtbo", blob)
    if machine.read(f"{folder}/status") == "0":  # dtbocfg applies it only now
        machine.write(f"{folder}/status", "1")
    status = machine.read(f"{folder}/status")
    if status not in ("applied", "1"):
        machine.remove_folder(folder)
        raise PlatformError(f"the kernel did not apply the overlay ({status}); dmesg says why")
