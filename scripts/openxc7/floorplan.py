# SPDX-License-Identifier: BSD-3-Clause
"""Places for the block RAMs of a netlist: those of a unit side by side.

nextpnr spreads the block RAMs of a full device over all columns before it looks at what is between
them; the engine, which takes six of seven, comes out better where they have their places first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from openxc7.tools import die
from qnn.errors import QnnError

SITE = re.compile(r"RAMB36_X(\d+)Y(\d+)")
WHOLE, HALF = "RAMB36E1", "RAMB18E1"
GROUP = re.compile(r"^(.*\bgen_group\[\d+\])")  # of qnn_datapath


def sites(database: Path, part: str) -> list[tuple[int, int]]:
    """Column and row of each RAMB36 of a device, from prjxray's database of its family."""
    path = database / die(part) / "tilegrid.json"
    try:
        tiles = json.loads(path.read_text())
        named = [name for tile in tiles.values() for name in tile.get("sites", {})]
    except (OSError, ValueError, AttributeError) as error:
        raise QnnError(f"the floorplan needs {path}, which cannot be read: {error}") from None
    found = sorted((int(m[1]), int(m[2])) for m in map(SITE.fullmatch, named) if m)
    if not found:
        raise QnnError(f"{path} names no block RAM")
    return found


def _natural(name: str) -> list[tuple[int, str]]:
    """The key under which x[10] comes after x[9]."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def in_order(cells: Iterable[str]) -> list[str]:
    """Names such that those of one memory, and memories of one unit, follow each other.

    What all groups of output channels work on, and what all else needs, is in the middle of them.
    """
    ordered = sorted(cells, key=_natural)
    groups: dict[str, list[str]] = {}
    shared = []
    for name in ordered:
        if found := GROUP.match(name):
            groups.setdefault(found[1], []).append(name)
        else:
            shared.append(name)
    halves = list(groups.values())
    middle = (len(halves) + 1) // 2
    before, after = halves[:middle], halves[middle:]
    return [name for part in (*before, shared, *after) for name in part]


def along(places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The sites up one column and down the next, so that neighbours in it are neighbours."""
    columns = sorted({x for x, _ in places})
    path = []
    for number, column in enumerate(columns):
        rows = sorted(y for x, y in places if x == column)
        path += [(column, y) for y in (rows if number % 2 == 0 else rows[::-1])]
    return path


def bels(kinds: dict[str, str], places: Sequence[tuple[int, int]]) -> dict[str, str]:
    """BEL of each RAMB36E1 of a netlist; the RAMB18E1 keep what is left, wherever they like it.

    Args:
        kinds: type of each block RAM, by the name of its cell.
        places: column and row of the sites of the device.
    """
    whole = [name for name, kind in kinds.items() if kind == WHOLE]
    halves = sum(kind == HALF for kind in kinds.values())
    if 2 * len(whole) + halves > 2 * len(places):
        raise QnnError(
            f"{len(whole) + halves / 2:g} block RAMs do not fit the {len(places)} of the device"
        )
    return {
        name: f"RAMB36_X{x}Y{y}/{WHOLE}/{WHOLE}"
        for name, (x, y) in zip(in_order(whole), along(places), strict=False)
    }
