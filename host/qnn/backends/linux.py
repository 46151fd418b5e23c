# SPDX-License-Identifier: BSD-3-Clause
"""The accelerator on a board with a plain Linux: Debian or Ubuntu, without pynq."""

from __future__ import annotations

from qnn.backends.protocol import DEFAULTS, Session, Settings
from qnn.network import Network
from qnn.platforms.linux import fpga_manager
from qnn.platforms.linux.machine import Machine


class LinuxBackend:
    """Takes the device for as long as a session is open; "auto" takes it where pynq cannot.

    Attributes:
        machine: where the kernel's files are.
    """

    name = "linux"

    def __init__(self) -> None:
        self.machine = Machine()

    def unavailable(self) -> str | None:
        if not self.on_board():
            return "this machine has no FPGA"
        from qnn.platforms.linux import survey

        return survey.missing(survey.survey(self.machine))

    def on_board(self) -> bool:
        """Whether this machine is a board, so that somebody may wonder why its FPGA is not used."""
        return fpga_manager.manager(self.machine) is not None

    def open(self, network: Network, settings: Settings = DEFAULTS) -> Session:
        from qnn.backends.accelerator import AcceleratorSession
        from qnn.platforms.linux.platform import LinuxPlatform

        platform = LinuxPlatform(clock_mhz=settings.clock_mhz, machine=self.machine)
        return AcceleratorSession(platform, network, settings)
