# SPDX-License-Identifier: BSD-3-Clause
"""A directory of openXC7 as OPENXC7 names one, with the stand-in in it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
PART, PACKAGE, DIE = "xc7z020clg400-1", "xc7z020clg400", "xc7z020"
PROGRAMS = ("nextpnr-xilinx", "nextpnr-himbaechel", "fasm2frames", "xc7frames2bit")
# Columns 0 and 1 of an XC7Z020 end where its processing system begins.
SITES = [(x, y) for x in range(6) for y in range(10 if x < 2 else 30)]


def install(folder: Path, programs: tuple[str, ...] = PROGRAMS) -> Path:
    """Writes programs and databases below a folder; returns it."""
    (folder / "bin").mkdir(parents=True)
    for name in programs:
        path = folder / "bin" / name
        path.write_text(
            f'#!/bin/sh\nPYTHONPATH={TESTS} exec {sys.executable} -m openxc7_stand_in {name} "$@"\n'
        )
        path.chmod(0o755)
    chips = folder / "share" / "chipdb"
    chips.mkdir(parents=True)
    for name, kind in ((PACKAGE, "xilinx"), (f"chipdb-{DIE}", "himbaechel")):
        (chips / f"{name}.bin").write_text(json.dumps({"kind": kind, "sites": SITES}))
    family = folder / "share" / "prjxray-db" / "zynq7"
    part = family / PART
    part.mkdir(parents=True)
    (part / "part.yaml").write_text("!<xilinx/xc7series/part>\n")
    (part / "part.json").write_text(json.dumps({"iobanks": {}}))
    (part / "package_pins.csv").write_text("pin,bank,site,tile,pin_function\n")
    (family / DIE).mkdir()
    (family / DIE / "tilegrid.json").write_text(
        json.dumps(
            {
                f"BRAM_L_X{x}Y{5 * y}": {
                    "sites": {
                        f"RAMB18_X{x}Y{2 * y}": "FIFO18E1",
                        f"RAMB18_X{x}Y{2 * y + 1}": "RAMB18E1",
                        f"RAMB36_X{x}Y{y}": "RAMBFIFO36E1",
                    }
                }
                for x, y in SITES
            }
            | {"CLBLL_L_X2Y0": {"sites": {"SLICE_X0Y0": "SLICEL", "SLICE_X1Y0": "SLICEL"}}}
        )
    )
    return folder
