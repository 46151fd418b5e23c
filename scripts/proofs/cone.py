# SPDX-License-Identifier: BSD-3-Clause
"""The cone of influence of what is proven: which state of a module the assertions depend on.

A bit of a register or memory outside the cone may do what it likes and the proof stays; one inside
may be wrong in a way that no assertion sees, so a full cone is needed and not enough.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INSTANCE = "dut"  # of the module in its file of properties
MEMORIES = ("$mem", "$mem_v2")


@dataclass(frozen=True)
class Cone:
    """
    Attributes:
        bits: of state that the module has.
        inside: of these, in the cone.
        outside: the registers and memories that have bits outside, by name, and how many.
    """

    bits: int
    inside: int
    outside: dict[str, int]


def commands(top: str, netlist: Path, more: Sequence[str] = ()) -> list[str]:
    """Yosys commands from a design that was read to the netlist that `read` takes: flat, with all
    state that the module has, also what no property looks at."""
    return [
        f"hierarchy -top {top}", "proc", "flatten", "memory_collect",
        "setattr -set keep 1 t:$*ff* t:$mem*", *more, "opt_expr", "async2sync", "dffunmap",
        "opt_clean", f"write_json {netlist}",
    ]  # fmt: skip


def _is_state(kind: str) -> bool:
    return kind in MEMORIES or "dff" in kind.lower() or kind == "$ff"


def _of_module(name: str) -> bool:
    return f"{INSTANCE}." in name


def _ports(cell: Mapping[str, Any], direction: str) -> list[int]:
    """Bits that go in or come out."""
    return [
        bit
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == direction
        for bit in bits
        if isinstance(bit, int)
    ]


def _memory_bits(cell: Mapping[str, Any]) -> int:
    size, width = (int(cell["parameters"][name], 2) for name in ("SIZE", "WIDTH"))
    return size * width


def cone(netlist: Mapping[str, Any], top: str) -> Cone:
    """Of all assertions in a flat netlist, as Yosys writes it in JSON."""
    module = netlist["modules"][top]
    cells = module["cells"]
    names: dict[int, str] = {}
    for name, wire in module["netnames"].items():
        for bit in wire["bits"]:
            if isinstance(bit, int) and (bit not in names or _of_module(name)):
                names[bit] = name
    givers: dict[int, list[str]] = defaultdict(list)
    single: dict[int, list[int]] = {}  # of a register only the data and what controls it
    for name, cell in cells.items():
        given = _ports(cell, "output")
        for bit in given:
            givers[bit].append(name)
        if _is_state(cell["type"]) and cell["type"] not in MEMORIES:
            control = [
                bit
                for port, bits in cell["connections"].items()
                if port not in ("D", "Q")
                for bit in bits
                if isinstance(bit, int)
            ]
            pairs = zip(cell["connections"]["Q"], cell["connections"]["D"], strict=True)
            single |= {q: [d, *control] for q, d in pairs if isinstance(q, int)}
    seen: set[int] = set()
    reached: set[str] = set()
    waiting = [b for c in cells.values() if c["type"] == "$assert" for b in _ports(c, "input")]
    while waiting:
        bit = waiting.pop()
        if bit in seen:
            continue
        seen.add(bit)
        if bit in single:
            waiting += [b for b in single[bit] if isinstance(b, int)]
            continue
        for name in givers[bit]:
            if name not in reached:
                reached.add(name)
                waiting += _ports(cells[name], "input")
    total, outside = 0, defaultdict(int)
    for name, cell in cells.items():
        if cell["type"] in MEMORIES:
            memory = cell["parameters"]["MEMID"].lstrip("\\")
            if _of_module(memory) or _of_module(name):
                total += _memory_bits(cell)
                if name not in reached:
                    outside[memory] += _memory_bits(cell)
        elif _is_state(cell["type"]):
            for bit in cell["connections"]["Q"]:
                register = names.get(bit, name)
                if _of_module(register) or _of_module(name):
                    total += 1
                    if bit not in seen:
                        outside[register] += 1
    return Cone(total, total - sum(outside.values()), dict(sorted(outside.items())))


def read(path: Path, top: str) -> Cone:
    """Of a file."""
    return cone(json.loads(path.read_text()), top)
