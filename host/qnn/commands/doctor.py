# SPDX-License-Identifier: BSD-3-Clause
"""qnn doctor: what this machine has of what the accelerator needs."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import PackageNotFoundError, version

from qnn.backends import BOARDS, LINUX
from qnn.commands import options
from qnn.platforms.linux.machine import Machine
from qnn.platforms.linux.survey import Line, survey

PACKAGES = ("qnn", "numpy", "pillow", "pynq")
TREE = "proc/device-tree/compatible"
IMAGES = {  # by what a kernel says of its processor
    b"xlnx,zynq-7000": "Zynq-7000; images: PYNQ 3.0.1 to 3.1, or Debian or Ubuntu, armhf",
    b"xlnx,zynqmp": "Zynq UltraScale+; images: PYNQ 4.0, or Debian or Ubuntu, arm64",
}
MARKS = {"ok": "ok", "missing": "MISSING", "without": "without"}


def add_parser(commands: options.Commands) -> None:
    parser = options.add_command(
        commands,
        "doctor",
        "Print what this machine has of what an accelerator needs, and the way out for each thing "
        "that is missing. Looks only. Exit status 0: an accelerator can be used; 1: it cannot.",
        "qnn doctor",
    )
    options.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    reasons = {board.name: board.unavailable() for board in BOARDS}
    lines = survey(LINUX.machine)
    usable = [name for name, reason in reasons.items() if reason is None]
    if args.json:
        options.print_json(
            {
                "usable": usable,
                "backends": reasons,
                "machine": _machine(),
                "board": _board(LINUX.machine),
                "versions": _versions(),
                "lines": [
                    {
                        "name": line.name,
                        "state": line.state,
                        "found": line.found,
                        "way_out": line.way_out,
                    }
                    for line in lines
                ],
            }
        )
    else:
        _print(lines, reasons)
    return 0 if usable else 1


def _print(lines: list[Line], reasons: dict[str, str | None]) -> None:
    names = [line.name for line in lines] + ["backend linux"]
    width = max(map(len, names))

    def row(name: str, state: str, found: str, way_out: str = "") -> None:
        print(f"{name:<{width}}  {state:<7}  {found}")
        if way_out:
            print(f"{'':<{width}}  {'':<7}  -> {way_out}")

    row("machine", "", _machine())
    row("board", "", _board(LINUX.machine) or "none that is known")
    row("versions", "", ", ".join(f"{name} {text or 'none'}" for name, text in _versions().items()))
    for line in lines:
        row(line.name, MARKS[line.state], line.found, line.way_out)
    for name, reason in reasons.items():
        state = MARKS["ok" if reason is None else "without"]
        row(f"backend {name}", state, "can be used" if reason is None else reason)


def _machine() -> str:
    """Kernel, architecture, Python."""
    return f"Linux {platform.release()} {platform.machine()}, Python {platform.python_version()}"


def _board(machine: Machine) -> str | None:
    """What a board with an accelerator it is, and which images run it; None: none of these."""
    kinds = machine.read_bytes(TREE).split(b"\0") if machine.exists(TREE) else []
    return next((text for kind, text in IMAGES.items() if kind in kinds), None)


def _versions() -> dict[str, str | None]:
    """Of the packages; None: not installed."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
