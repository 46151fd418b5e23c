# SPDX-License-Identifier: BSD-3-Clause
"""The accelerator on a PYNQ board."""

from __future__ import annotations

import importlib.util

from qnn.backends.protocol import DEFAULTS, Session, Settings
from qnn.network import Network


class PynqBackend:
    """Takes the device for as long as a session is open; "auto" prefers it where it can run."""

    name = "pynq"

    def unavailable(self) -> str | None:
        if importlib.util.find_spec("pynq") is None:
            return "package pynq is not installed; it is part of a board's image (extra `board`)"
        from qnn.platforms import pynq

        return pynq.unavailable()

    def on_board(self) -> bool:
        """Whether this is a board with pynq: somebody may wonder why its FPGA is not used."""
        from qnn.platforms import pynq

        return importlib.util.find_spec("pynq") is not None and pynq.on_board()

    def open(self, network: Network, settings: Settings = DEFAULTS) -> Session:
        from qnn.backends.accelerator import AcceleratorSession
        from qnn.platforms.pynq import PynqPlatform

        return AcceleratorSession(PynqPlatform(clock_mhz=settings.clock_mhz), network, settings)
