# SPDX-License-Identifier: BSD-3-Clause
"""What a bitstream says of itself, read before any device is touched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from qnn import overlays
from qnn.engine import regs
from qnn.errors import PlatformError, WrongDeviceError

# Where `make bitstream` and `make deploy` put it; pynq.Overlay("qnn.bit") finds it there too.
BITSTREAM = Path(overlays.__file__).parent / "qnn" / "qnn.bit"

IP = "qnn:qnn:qnn_engine"
VLNV = f"{IP}:{regs.VERSION_MAJOR}.{regs.VERSION_MINOR}"
REGISTER_BYTES = 0x1000
INTERRUPT_CONTROLLER = "xilinx.com:ip:axi_intc"
CLOCKS = (  # the rate of the first clock, of a Zynq-7000 and of a Zynq UltraScale+
    "PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ",
    "PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ",
)

_GET_IT = "build it with `make bitstream` and copy it to the board with `make deploy`"


@dataclass(frozen=True)
class Design:
    """The block design of a bitstream, as far as it concerns the accelerator.

    Attributes:
        instance: path of the accelerator in it, as in "qnn_engine_0".
        address: of its registers.
        clock_mhz: for which its timing was met.
        controller: address of the interrupt controller between it and the processor, if there is
            one.
    """

    instance: str
    address: int
    clock_mhz: float
    controller: int | None = None


def read_design(bitstream: Path) -> Design:
    """Reads the hardware description (.hwh) beside a bitstream and checks it against this package.

    Raises:
        PlatformError: bitstream or description is missing or cannot be read.
        WrongDeviceError: it holds no accelerator, or one of another version.
    """
    description = bitstream.with_suffix(".hwh")
    for path, what in ((bitstream, "bitstream"), (description, "description of the bitstream")):
        if not path.is_file():
            raise PlatformError(f"there is no {what} {path}: {_GET_IT}")
    try:
        root = ElementTree.parse(description).getroot()
    except (OSError, ElementTree.ParseError, LookupError, ValueError) as error:
        raise PlatformError(f"{description} cannot be read ({error}): {_GET_IT}") from None

    engines = [m for m in root.iter("MODULE") if _ip(m) == IP]
    if len(engines) != 1:
        raise WrongDeviceError(
            f"{description} describes {len(engines) or 'no'} qnn_engine, not one: {_GET_IT}"
        )
    version = engines[0].get("VLNV", "").rpartition(":")[2]
    _check_version(version, bitstream)
    name = engines[0].get("INSTANCE", "")
    controllers = [
        m.get("INSTANCE", "") for m in root.iter("MODULE") if _ip(m) == INTERRUPT_CONTROLLER
    ]
    return Design(
        instance=engines[0].get("FULLNAME", name).lstrip("/"),
        address=_address(root, name, description),
        clock_mhz=_clock_mhz(root, description),
        controller=_address(root, controllers[0], description) if controllers else None,
    )


def _ip(module: ElementTree.Element) -> str:
    """Vendor, library and name, without the version."""
    return module.get("VLNV", "").rpartition(":")[0]


def _check_version(version: str, bitstream: Path) -> None:
    """A later minor version only adds; see VERSION in rtl/regs/README.md."""
    major, _, minor = version.partition(".")
    if major != str(regs.VERSION_MAJOR) or not minor.isdecimal() or int(minor) < regs.VERSION_MINOR:
        raise WrongDeviceError(
            f"{bitstream} holds version {version or 'unknown'} of the accelerator and this package "
            f"drives {regs.VERSION_MAJOR}.{regs.VERSION_MINOR}: take both from one checkout"
        )


def _address(root: ElementTree.Element, instance: str, description: Path) -> int:
    """Where the processor finds the registers of an instance."""
    for segment in root.iter("MEMRANGE"):
        if segment.get("INSTANCE") != instance or segment.get("MEMTYPE") != "REGISTER":
            continue
        try:
            first = int(segment.get("BASEVALUE", ""), 16)
            last = int(segment.get("HIGHVALUE", ""), 16)
        except ValueError:
            continue
        if last - first + 1 >= REGISTER_BYTES:
            return first
        raise WrongDeviceError(
            f"{description} gives {instance} {last - first + 1} bytes of addresses; its registers "
            f"take {REGISTER_BYTES}"
        )
    raise WrongDeviceError(f"{description} gives {instance} no address")


def _clock_mhz(root: ElementTree.Element, description: Path) -> float:
    """The rate of the processing system's first clock, which drives the accelerator."""
    for parameter in root.iter("PARAMETER"):
        if parameter.get("NAME") in CLOCKS:
            try:
                clock_mhz = float(parameter.get("VALUE", ""))
            except ValueError:
                break
            if 0 < clock_mhz < 1000:
                return clock_mhz
    raise WrongDeviceError(f"{description} names no clock of a Zynq for the accelerator")
