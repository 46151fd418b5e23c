# SPDX-License-Identifier: BSD-3-Clause
"""Functional coverage of the accelerator: the bins, and what is sampled into them.

A command that was run has one value in each of DIMENSIONS, read from its fields and from the
memory it ran with; every pair of values of two dimensions is a bin, "stride=2 & pool=3/1". A start
has one value in each of ENDINGS, and their pairs are bins, too. Commands count only where the run
has ended well, and not where a value lies outside its dimension: tests run nonsense, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import combinations, product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qnn.engine import regs

Numbers: TypeAlias = "int | NDArray[np.int64]"

Values = dict[str, str]

DIMENSIONS: dict[str, tuple[str, ...]] = {
    "rows": ("1", "2", "3", "4-5", "6-7", "8-16"),  # of the kernel
    "columns": ("1", "2", "3", "4-5", "6 or more"),  # of the kernel
    "stride": ("1", "2", "3-4"),
    "padding": ("none", "even", "lopsided"),
    "pool": ("none", "2/1", "2/2", "3/1", "3/2"),  # size/stride
    "planes": ("1", "2", "3", "4-8"),  # of the input
    # skipping: the first block begins with others' bytes; in part: no block is read as a whole
    "input": ("tight", "blocks", "skipping", "in part"),
    "row": ("whole words", "part of a word"),  # one row of a window
    "passes": ("1", "2", "3 or more"),
    "exponent": ("0", "1", "2 or more"),  # of the first pass
    "sums": ("short", "narrow", "wide"),
    "tiles": ("1", "2 or more"),
    "output": ("1", "2", "3", "4-8", "raw"),  # planes
    "buffer": ("map", "ring"),  # the window buffer holds all rows, or a ring of them
    "memory": ("ideal", "paced", "random"),
}
ENDINGS: dict[str, tuple[str, ...]] = {
    "end": ("DONE", *(name for name, _ in regs.ERRORS[1:])),
    "start": ("from memory", "resident"),
    "command": ("first", "later"),  # the one that STATUS.index names
    "memory": DIMENSIONS["memory"],
}
GROUPS = {"commands": DIMENSIONS, "endings": ENDINGS}


def _pairs(group: str, values: Values) -> list[str]:
    names = GROUPS[group]
    return [f"{group}: {a}={values[a]} & {b}={values[b]}" for a, b in combinations(names, 2)]


def bins() -> list[str]:
    """All bins, in a fixed order."""
    return [
        f"{group}: {a}={x} & {b}={y}"
        for group, dimensions in GROUPS.items()
        for a, b in combinations(dimensions, 2)
        for x, y in product(dimensions[a], dimensions[b])
    ]


def _span(value: int, large: str) -> str:
    return str(value) if value < 4 else "4-5" if value < 6 else large


def _planes(value: int) -> str:
    return str(value) if value < 4 else "4-8"


def in_part(blocks: Numbers, block_used: Numbers, pe: int) -> NDArray[np.bool_] | bool:
    """Whether an input is several blocks, none of which is read as a whole; of one or of arrays."""
    return (blocks > 1) & (block_used > 0) & (block_used < pe // 8)


def command_values(fields: Mapping[str, int], memory: str, pe: int) -> Values:
    """The value in each of DIMENSIONS of a command with these fields; a block has `pe` channels."""
    nibbles = fields["step_nibbles"] // fields["stride"]  # of a pixel
    columns = fields["window_nibbles"] // nibbles
    top, left = fields["top"], -fields["first_nibble"] % 0x10000 // nibbles
    bottom, right = (
        (fields[f"conv_{side}"] - 1) * fields["stride"] + kernel - first - fields[f"in_{side}"]
        for side, kernel, first in (
            ("rows", fields["kernel_rows"], top),
            ("columns", columns, left),
        )
    )
    sides = (top, left, max(bottom, 0), max(right, 0))  # zeros that are read
    if not any(sides):
        padding = "none"
    else:
        padding = "even" if sides[:2] == sides[2:] else "lopsided"
    if fields["tight"]:
        source = "tight"
    elif in_part(fields["blocks"], fields["block_used"], pe):
        source = "in part"
    else:
        source = "skipping" if fields["first_skip"] else "blocks"
    pool = fields["pool_size"], fields["pool_stride"]
    return {
        "rows": _span(fields["kernel_rows"], "6-7" if fields["kernel_rows"] < 8 else "8-16"),
        "columns": _span(columns, "6 or more"),
        "stride": str(fields["stride"]) if fields["stride"] < 3 else "3-4",
        "padding": padding,
        "pool": "none" if pool[0] == 1 else f"{pool[0]}/{pool[1]}",
        "planes": _planes(fields["planes"]),
        "input": source,
        "row": "part of a word" if fields["window_nibbles"] % 16 else "whole words",
        "passes": str(fields["passes"]) if fields["passes"] < 3 else "3 or more",
        "exponent": str(fields["exponent"]) if fields["exponent"] < 2 else "2 or more",
        "sums": "wide" if fields["wide_sums"] else "short" if fields["short_sums"] else "narrow",
        "tiles": "1" if fields["tiles"] == 1 else "2 or more",
        "output": "raw" if fields["raw"] else _planes(fields["out_planes"]),
        "buffer": "ring" if fields["reload"] else "map",
        "memory": memory,
    }


def sample(
    commands: list[dict[str, int]], memory: str, pe: int, end: str, index: int, resident: bool
) -> Counter[str]:
    """Bins that one start has reached.

    Args:
        commands: fields of the list that was run.
        memory: of DIMENSIONS["memory"].
        pe: output channels at a time of the accelerator.
        end: of ENDINGS["end"].
        index: command that ended the run badly.
        resident: whether the start was one.
    """
    values = {
        "end": end,
        "start": "resident" if resident else "from memory",
        "command": "later" if index else "first",
        "memory": memory,
    }
    found = Counter(_pairs("endings", values))
    if end == "DONE":
        for fields in commands:
            values = command_values(fields, memory, pe)
            if all(value in DIMENSIONS[name] for name, value in values.items()):
                found.update(_pairs("commands", values))
    return found
