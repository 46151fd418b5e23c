# SPDX-License-Identifier: BSD-3-Clause
"""What a regression need not cover, and why: a file of lines "kind | what | reason".

    line | rtl/core/qnn_walker.sv: `some text of the line` | why it is never reached
    bin  | commands: pool=* & output=raw | why there are none (* stands for anything)

Every line of the RTL and every bin must be covered or listed, and what is listed must exist and not
be covered: the file cannot go stale.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from qnn.errors import QnnError
from qnn_sim.regress import functional
from qnn_sim.regress.code_coverage import FileCoverage

KINDS = ("line", "bin")


@dataclass(frozen=True)
class Exclusion:
    """One line of the file."""

    kind: str
    what: str
    reason: str

    def lines(self, root: Path) -> list[tuple[str, int]]:
        """File and numbers of the source lines that it names; none where there are none."""
        name, _, text = self.what.partition(": ")
        path = root / name
        if not path.is_file():
            return []
        wanted = text.strip("`")
        numbered = enumerate(path.read_text().splitlines(), 1)
        return [(name, number) for number, line in numbered if wanted in line]

    def bins(self) -> list[str]:
        return [name for name in functional.bins() if fnmatchcase(name, self.what)]


def read(path: Path) -> list[Exclusion]:
    """
    Raises:
        QnnError: a line is not of the format.
    """
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in re.split(r" +\| +", line)]
        if len(parts) != 3 or parts[0] not in KINDS or not all(parts):
            raise QnnError(f"{path}:{number} is not `line | file: text | reason` or `bin | ...`")
        found.append(Exclusion(*parts))
    return found


@dataclass(frozen=True)
class Verdict:
    """
    Attributes:
        complaints: what must be changed in the file or in the tests, one sentence each.
        reasons: of uncovered lines ("file:number") and bins.
    """

    complaints: list[str]
    reasons: dict[str, str]


def check(
    listed: list[Exclusion],
    files: Mapping[str, FileCoverage],
    bins: Mapping[str, int],
    root: Path,
    full: bool,
) -> Verdict:
    """Compare the list with what was covered.

    Args:
        full: everything was run; else what is uncovered and not listed is no complaint.
    """
    complaints, reasons = [], {}
    for item in listed:
        if item.kind == "line":
            names = [f"{n}:{i}" for n, i in item.lines(root) if n in files and i in files[n].lines]
            covered = [f for f in names if files[f.partition(":")[0]].lines[int(f.split(":")[1])]]
        else:
            names = item.bins()
            covered = [name for name in names if bins.get(name)]
        if full and not names:
            complaints.append(f"listed, but there is no such {item.kind}: {item.what}")
        for name in covered:
            complaints.append(f"listed, but covered: {name} ({item.what})")
        reasons.update({name: item.reason for name in names if name not in covered})
    if full:
        for name, file in files.items():
            missing = [f"{name}:{line}" for line in file.missing]
            complaints += [f"neither covered nor listed: {m}" for m in missing if m not in reasons]
        for name in functional.bins():
            if not bins.get(name) and name not in reasons:
                complaints.append(f"neither covered nor listed: {name}")
    return Verdict(complaints, reasons)
