# SPDX-License-Identifier: BSD-3-Clause
"""Block RAMs of memories with one write and one read port: how many at best, and how many it is.

A RAMB36 gives 72 bits a cycle of 512 words, 36 of 1,024, and so on down to one bit of 32,768; each
of its halves, a RAMB18, gives half as many bits of as many words. So width decides, or bits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

WIDTHS = {512: 72, 1024: 36, 2048: 18, 4096: 9, 8192: 4, 16384: 2, 32768: 1}  # of RAMB36, by words
HALF_WIDTHS = {512: 36, 1024: 18, 2048: 9, 4096: 4, 8192: 2, 16384: 1}  # of RAMB18


def best(width: int, depth: int) -> float:
    """The fewest RAMB36, in halves, of which a memory of `depth` words can be made."""
    counts = []
    for words, whole in WIDTHS.items():
        half = HALF_WIDTHS.get(words)
        for wholes in range(ceil(width / whole) + 1):
            rest = max(width - wholes * whole, 0)
            if rest and not half:
                continue
            halves = ceil(rest / half) if rest else 0
            counts.append(ceil(depth / words) * (wholes + Fraction(halves, 2)))
    return float(min(counts))


@dataclass(frozen=True)
class Memory:
    """All instances of one memory of one module.

    Attributes:
        best, taken: BRAM36 of one instance.
    """

    module: str
    name: str
    times: int
    width: int
    depth: int
    best: float
    taken: float


def memories(
    modules: Mapping[str, Any], uses: Mapping[str, int], taken: Mapping[str, float]
) -> list[Memory]:
    """The memories of a design, those of most block RAMs first.

    Args:
        modules: as Yosys' write_json writes them.
        uses: how often each module is in the design.
        taken: BRAM36 of each kind of qnn_ram; of those that are not here nothing is said.
    """
    found = [
        Memory(
            module, name.removeprefix("\\"), uses[module],
            width := len(modules[kind]["ports"]["rdata_o"]["bits"]),
            depth := 2 ** len(modules[kind]["ports"]["raddr_i"]["bits"]),
            best(width, depth), taken[kind],
        )
        for module in uses
        for name, cell in modules[module]["cells"].items()
        if (kind := cell["type"]) in taken
    ]  # fmt: skip
    return sorted(found, key=lambda m: (-m.times * m.taken, m.module, m.name))
