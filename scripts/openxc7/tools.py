# SPDX-License-Identifier: BSD-3-Clause
"""The programs and databases of openXC7: where they are, and whether they will do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qnn.errors import QnnError

XILINX, HIMBAECHEL = "nextpnr-xilinx", "nextpnr-himbaechel"
FAMILY = "zynq7"
LEAST = (0, 9, 3)  # of nextpnr-xilinx: block RAMs of odd widths, and --report
WAYS = "put them into the PATH or name their directory with OPENXC7=DIRECTORY"
ANSWER_S = 60  # for a program to tell its version


@dataclass(frozen=True)
class Tools:
    """What a build needs.

    Attributes:
        nextpnr: nextpnr-xilinx or nextpnr-himbaechel.
        version: of it, in its own words.
        chip: its database of the device.
        database: folder of prjxray's database of the family.
    """

    nextpnr: Path
    version: str
    fasm2frames: Path
    frames2bit: Path
    chip: Path
    database: Path

    @property
    def himbaechel(self) -> bool:
        return self.nextpnr.name == HIMBAECHEL

    def part_file(self, part: str) -> Path:
        return self.database / part / "part.yaml"

    def lines(self) -> list[str]:
        """For the reader: what is used. Only nextpnr knows a version of itself."""
        return [
            f"{self.nextpnr.name} {self.version}: {self.nextpnr}",
            f"fasm2frames: {self.fasm2frames}",
            f"xc7frames2bit: {self.frames2bit}",
            f"chip database: {self.chip}",
            f"prjxray database: {self.database}",
        ]


def directory() -> Path | None:
    """That of OPENXC7, if it is set."""
    given = os.environ.get("OPENXC7")
    if not given:
        return None
    if not Path(given).is_dir():
        raise QnnError(f"OPENXC7 is {given}, which is no directory")
    return Path(given)


def program(name: str) -> Path | None:
    """In the directory of OPENXC7 or its bin/, else in the PATH."""
    root = directory()
    path = None if root is None else os.pathsep.join(map(str, (root / "bin", root)))
    found = (path and shutil.which(name, path=path)) or shutil.which(name)
    return Path(found).absolute() if found else None


def place_and_route() -> Path | None:
    """The first of the two programs that is there."""
    return program(XILINX) or program(HIMBAECHEL)


def find(part: str) -> Tools:
    """All that a build for `part` needs, such as xc7z020clg400-1.

    Raises:
        QnnError: something is missing, or too old.
    """
    nextpnr = place_and_route()
    if nextpnr is None:
        raise QnnError(f"there is no {XILINX} and no {HIMBAECHEL}: {WAYS}")
    version = checked_version(nextpnr)
    converters = []
    for name in ("fasm2frames", "xc7frames2bit"):
        found = program(name)
        if found is None:
            raise QnnError(f"there is no {name}, which comes with prjxray: {WAYS}")
        converters.append(found)
    return Tools(nextpnr, version, *converters, chip_database(nextpnr, part), family(part))


def _said(command: list[str | Path]) -> str:
    """All output of a program that is asked about itself."""
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise QnnError(f"{command[0]} does not run: {error}") from None
    return result.stdout + result.stderr


def checked_version(nextpnr: Path) -> str:
    """The version, after it was found to be one that will do."""
    found = re.search(r"\(Version ([^)]+)\)", _said([nextpnr, "--version"]))
    if found is None:
        raise QnnError(f"{nextpnr} does not tell its version")
    if nextpnr.name == HIMBAECHEL:
        if not re.search(r"uarches:.*\bxilinx\b", _said([nextpnr, "--list-uarch"])):
            raise QnnError(f"{nextpnr} was built without the micro-architecture xilinx")
        return found[1]
    least = ".".join(map(str, LEAST))
    numbers = re.search(r"(\d+)\.(\d+)\.(\d+)", found[1])
    if numbers and tuple(map(int, numbers.groups())) < LEAST:
        raise QnnError(f"{nextpnr} is of version {found[1]}; {least} or later is needed")
    if "--report" not in _said([nextpnr, "--help"]):  # where the version is only a commit
        raise QnnError(f"{nextpnr} ({found[1]}) has no --report; {least} or later is needed")
    return found[1]


def die(part: str) -> str:
    """xc7z020 of xc7z020clg400-1."""
    found = re.match(r"xc7[a-z]\d+t?", part)
    if found is None:
        raise QnnError(f"{part} is no device of the 7 series: openXC7 knows no other")
    return found[0]


def _candidates(variable: str, pattern: str) -> Iterator[Path]:
    """Below OPENXC7 and below what `variable` names, which may be the file itself."""
    if root := directory():
        yield from sorted(root.rglob(pattern))
    if given := os.environ.get(variable):
        if Path(given).is_file():
            yield Path(given)
        yield from sorted(Path(given).rglob(pattern))


def chip_database(nextpnr: Path, part: str) -> Path:
    """nextpnr-xilinx has one for each package, nextpnr-himbaechel for each die; no speed grades."""
    package = part.rpartition("-")[0]
    name = f"{package}.bin" if nextpnr.name == XILINX else f"chipdb-{die(part)}.bin"
    for found in _candidates("CHIPDB", name):
        return found.absolute()
    raise QnnError(
        f"there is no chip database {name} of {nextpnr.name}: name its directory with CHIPDB, or"
        " put it below OPENXC7"
    )


def family(part: str) -> Path:
    """prjxray's database of the family, with a folder for `part`."""
    for found in _candidates("PRJXRAY_DB_DIR", f"{FAMILY}/{part}/part.yaml"):
        return found.absolute().parents[1]
    raise QnnError(
        f"there is no {FAMILY}/{part}/part.yaml of prjxray's database: name its directory with"
        " PRJXRAY_DB_DIR, or put it below OPENXC7"
    )
