# SPDX-License-Identifier: BSD-3-Clause
"""The accelerator of rtl/, simulated: every cycle and every value, slowly. Only in a checkout."""

from __future__ import annotations

import importlib.util
import sys

from qnn.backends.protocol import DEFAULTS, Session, Settings
from qnn.network import Network


class SimBackend:
    """Runs the Verilated PYNQ-Z1 configuration; compiles it where that was not done yet."""

    name = "sim"

    def unavailable(self) -> str | None:
        if importlib.util.find_spec("qnn_sim") is None:
            return "package qnn_sim is not installed; use a checkout of the project"
        from qnn_sim import rtl_build

        return rtl_build.unavailable()

    def open(self, network: Network, settings: Settings = DEFAULTS) -> Session:
        from qnn.backends.accelerator import AcceleratorSession
        from qnn_sim import rtl_build
        from qnn_sim.platform import CLOCK_MHZ, SimulatedBoard

        if not rtl_build.library().exists():
            print("compiling the RTL for the simulation, once: a minute or two", file=sys.stderr)
        board = SimulatedBoard(clock_mhz=settings.clock_mhz or CLOCK_MHZ)
        return AcceleratorSession(board, network, settings, simulated=True)
