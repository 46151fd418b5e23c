# SPDX-License-Identifier: BSD-3-Clause
"""LUTs of a netlist that are the second output of another one, because of the carry chains.

A place of a carry chain takes two functions, S and DI, from the LUT beside it: S is its output O6,
DI its output O5 or a signal that passes by it. So where a LUT drives one DI alone, and another one
S of the same place alone, and both together have at most five inputs, they are one LUT with two
outputs. That is how nextpnr-xilinx packs them, too.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

MOST_INPUTS = 5  # of a LUT with two outputs


def shared(module: Mapping[str, Any]) -> int:
    """How many of them a module has, as Yosys' write_json writes it, without those below it."""
    cells = module["cells"]
    loads: Counter[int | str] = Counter(
        bit
        for cell in cells.values()
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "input"
        for bit in bits
    )
    loads.update(
        bit
        for port in module["ports"].values()
        if port["direction"] == "output"
        for bit in port["bits"]
    )
    luts = {
        cell["connections"]["O"][0]: {bits[0] for port, bits in cell["connections"].items()
                                      if port != "O" and bits[0] not in ("0", "1")}
        for cell in cells.values()
        if cell["type"].startswith("LUT")
    }  # fmt: skip
    places = (
        (s, di)
        for cell in cells.values()
        if cell["type"] == "CARRY4"
        for s, di in zip(cell["connections"]["S"], cell["connections"]["DI"], strict=True)
    )
    return sum(
        s != di
        and s in luts
        and di in luts
        and loads[s] == loads[di] == 1
        and len(luts[s] | luts[di]) <= MOST_INPUTS
        for s, di in places
    )
