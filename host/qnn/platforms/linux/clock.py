# SPDX-License-Identifier: BSD-3-Clause
"""The first clock of the programmable logic: set where the kernel lets it, else read."""

from __future__ import annotations

from collections.abc import Iterator

from qnn.errors import PlatformError
from qnn.platforms.board import CLOCK_STEP, CLOSE
from qnn.platforms.linux.machine import Machine

# Xilinx' driver for "xlnx,fclk", and ikwzm's fclkcfg: Hz are written and read.
SETTABLE = (
    "sys/bus/platform/drivers/xilinx_fclk/*fclk0/set_rate",
    "sys/class/fclkcfg/*clk0/rate",
)
READABLE = (  # of a Zynq-7000, and of an UltraScale+
    "sys/kernel/debug/clk/fclk0/clk_rate",
    "sys/kernel/debug/clk/pl0_ref/clk_rate",
)


def settable(machine: Machine) -> str | None:
    """The file in which the clock is set."""
    return next((name for pattern in SETTABLE for name in machine.find(pattern)), None)


def now_mhz(machine: Machine) -> float | None:
    """At what it runs; None where no file tells."""
    readable = next((name for name in READABLE if machine.exists(name)), None)
    name = settable(machine) or readable
    return None if name is None else machine.number(name) / 1e6


def adjust(machine: Machine, wanted_mhz: float, built_for_mhz: float) -> float:
    """Sets the clock to the nearest that the bitstream was built for, where it can be set.

    Returns:
        MHz, as read back.

    Raises:
        PlatformError: it cannot be read, or is faster than the bitstream was built for.
    """
    name = settable(machine)
    for rate_mhz in _tries(wanted_mhz) if name else ():
        machine.write(str(name), f"{round(rate_mhz * 1e6)}")
        found = now_mhz(machine)
        if found is not None and 0 < found <= CLOSE * built_for_mhz:
            return found
    found = now_mhz(machine)
    if found is None:
        raise PlatformError(
            f"nothing tells the clock of the FPGA: mount debugfs for /{READABLE[0]},"
            " or load fclkcfg"
        )
    if not 0 < found <= CLOSE * built_for_mhz:
        raise PlatformError(
            f"the clock of the FPGA is {found:g} MHz and the bitstream was built for "
            f"{built_for_mhz:g}: load fclkcfg, which sets it, or set it in the boot loader"
        )
    return found


def _tries(wanted_mhz: float) -> Iterator[float]:
    """Slower and slower: the kernel takes the nearest divisor, which may be of a faster clock."""
    rate_mhz = wanted_mhz
    while rate_mhz > wanted_mhz / 2:
        yield rate_mhz
        rate_mhz *= CLOCK_STEP
