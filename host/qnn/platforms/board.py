# SPDX-License-Identifier: BSD-3-Clause
"""What holds on every board, whatever carries the accelerator: its clock and its interrupt."""

from __future__ import annotations

from pathlib import Path

from qnn.errors import PlatformError
from qnn.platforms.overlay import Design

POLL_S = 200e-6  # between two looks at STATUS; a run takes some milliseconds
LATE_S = 0.1  # an interrupt that has not come so long after the end of a run will never come
CLOSE = 1.001  # factor that counts as the same clock
NEAR = 1.01  # factor from which on a clock is worth a warning, as pynq sees it
BELOW = "let the kernel keep its contiguous memory below 2 GiB (cma=256M@0-2G)"
CLOCK_STEP = 0.99  # less than divisors up to 63 lie apart: PLLs of 1 GHz down to 16 MHz


def wanted_clock(clock_mhz: float | None, design: Design, bitstream: Path) -> float:
    """The clock to set, MHz: the one asked for, or that of the bitstream.

    Raises:
        PlatformError: it is faster than what the bitstream was built for.
    """
    if clock_mhz is None:
        return design.clock_mhz
    if not 0 < clock_mhz <= design.clock_mhz:
        raise PlatformError(
            f"{clock_mhz:g} MHz: {bitstream} was built for clocks up to {design.clock_mhz:g}"
        )
    return clock_mhz
