# SPDX-License-Identifier: BSD-3-Clause
"""What a test wants to come out of the programs, and how their options are read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass


class StandInError(Exception):
    """What a program would end with."""


@dataclass(frozen=True)
class Outcome:
    """
    Attributes:
        version: that nextpnr tells.
        reached_mhz: of the slowest clock; None: no path is between registers.
        failing: the program that fails, and how it says so.
        no_report: nextpnr is so old that it has no --report.
        uarches: of nextpnr-himbaechel.
        unwritten: xc7frames2bit ends with status 0 and has written nothing.
    """

    version: str = "0.9.5"
    reached_mhz: float | None = 104.0
    failing: tuple[str, str] = ("", "")
    no_report: bool = False
    uarches: str = "example, gowin, xilinx"
    unwritten: bool = False

    @classmethod
    def of_environment(cls) -> Outcome:
        return cls(**json.loads(os.environ.get("OPENXC7_STAND_IN", "{}")))

    def fail(self, program: str) -> None:
        if self.failing[0] == program:
            raise StandInError(self.failing[1])


def options(
    arguments: list[str], flags: set[str], valued: set[str], prefix: str = "--"
) -> tuple[dict[str, list[str]], list[str]]:
    """Values of each option, and what is none. StandInError for one that is not known."""
    found: dict[str, list[str]] = {}
    plain = []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        if not word.startswith("-"):
            plain.append(word)
            continue
        name = word.removeprefix(prefix)
        if name in flags:
            found.setdefault(name, []).append("")
        elif name in valued:
            if not waiting:
                raise StandInError(f"the required argument for option '{word}' is missing")
            found.setdefault(name, []).append(waiting.pop(0))
        else:
            raise StandInError(f"unrecognised option '{word}'")
    return found, plain
