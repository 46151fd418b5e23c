# SPDX-License-Identifier: BSD-3-Clause
"""Code coverage out of the files that Verilator writes: lines, branches and toggles of rtl/.

A point is what Verilator counts, in all instances and configurations of a module together; its key
is "kind|file|line|column|name|lines". A line is covered where every block and branch on it ran,
an else that nobody has written, too; a bit toggled where it rose and fell.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

KINDS = ("line", "branch", "toggle")


def read(path: Path, root: Path) -> Counter[str]:
    """Points of one file of Verilator's that lie in sources below `root`/rtl."""
    points: Counter[str] = Counter()
    with open(path, errors="replace") as file:
        for line in file:
            if not line.startswith("C '"):
                continue
            text, _, count = line[3:].rpartition("' ")
            parts = dict(p.partition("\2")[::2] for p in text.split("\1") if "\2" in p)
            source = Path(parts["f"])
            kind = parts["page"].partition("/")[0].removeprefix("v_")
            if kind in KINDS and source.is_relative_to(root / "rtl"):
                name = source.relative_to(root).as_posix()
                key = (kind, name, parts["l"], parts["n"], parts.get("o", ""), parts.get("S", ""))
                points["|".join(key)] += int(count)
    return points


def merge(total: Counter[str], points: Mapping[str, int]) -> None:
    """Add `points` to `total`, those that were never reached too (`+=` would drop them)."""
    for key, count in points.items():
        total[key] += count


@dataclass
class FileCoverage:
    """Of one source file.

    Attributes:
        lines: whether a line that does something was covered.
        branches, toggles: reached, and all.
        bits: whether each toggled, "row[3]".
    """

    lines: dict[int, bool] = field(default_factory=dict)
    branches: list[int] = field(default_factory=lambda: [0, 0])
    toggles: list[int] = field(default_factory=lambda: [0, 0])
    bits: dict[str, bool] = field(default_factory=dict)

    @property
    def missing(self) -> list[int]:
        return sorted(line for line, covered in self.lines.items() if not covered)

    @property
    def still(self) -> list[str]:
        """Bits that did not toggle."""
        return [bit for bit, toggled in self.bits.items() if not toggled]


def _span(text: str) -> list[int]:
    """Lines of "3,5-7"."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first:
            found.extend(range(int(first), int(last or first) + 1))
    return found


def by_file(points: Mapping[str, int]) -> dict[str, FileCoverage]:
    """Coverage of each source file, in the order of their names."""
    found: dict[str, FileCoverage] = defaultdict(FileCoverage)
    for key, count in points.items():
        kind, name, begin, _, what, lines = key.split("|")
        file = found[name]
        if kind == "toggle":
            file.toggles[0] += count > 0
            file.toggles[1] += 1
            bit = what.rpartition(":")[0]  # of "row[3]:0->1"
            file.bits[bit] = file.bits.get(bit, True) and count > 0
            continue
        if kind == "branch":
            file.branches[0] += count > 0
            file.branches[1] += 1
        for line in _span(lines or begin):
            file.lines[line] = file.lines.get(line, True) and count > 0
    return dict(sorted(found.items()))
