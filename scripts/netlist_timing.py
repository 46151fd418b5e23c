# SPDX-License-Identifier: BSD-3-Clause
"""Timing of a mapped netlist of Yosys: all modules in one graph, from register to register.

Delays of cells are those of Yosys' own models of the 7 series (xilinx/cells_sim.v, from the timing
files of Project X-Ray, slow corner). Inputs of a LUT can be exchanged: each counts as the fastest.

A net that leaves its slice counts as 0.60 + 0.11 * sqrt(loads) ns: the least-squares line through
the 18 such nets (1 to 62 loads) of two reports of routed designs, which students of the course
DigitalSystems (EURECOM) published with their SHA-256 accelerators for the Zybo. They are Vivado's,
for the XC7Z010-1: fabric and speed grade of the XC7Z020-1. The root is for area: n loads lie
sqrt(n) apart. Nets inside a slice, between DSPs and along carry chains count as 0.

It is an estimate: no placement, no clock skew. What it is for is to see which change hurts.

    python scripts/netlist_timing.py build/synth/netlist.json [--top qnn_engine]
"""

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path

from pyosys import libyosys

NET_NS, LOADS_NS = 0.60, 0.11
MOST_LOADS = 64
CLOCK_PORTS = {"C", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK"}
CLOCK_AND_RESET = {"clk_i", "rst_i", "aclk", "aresetn"}  # by the names of ports
SLICE = ("LUT", "CARRY4", "MUXF", "INV")
Pin = tuple[str, int]  # port and bit of a cell


@dataclass
class CellTiming:
    """Delays of one kind of cell, ns.

    Attributes:
        arcs: from an input to the outputs that follow it without a clock.
        launch: of outputs, from the clock.
        setup: of inputs, before the clock.
    """

    arcs: dict[Pin, dict[Pin, float]] = field(default_factory=lambda: defaultdict(dict))
    launch: dict[Pin, float] = field(default_factory=dict)
    setup: dict[Pin, float] = field(default_factory=dict)


class Library:
    """Delays of the cells of the 7 series."""

    def __init__(self) -> None:
        self._design = libyosys.Design()
        libyosys.run_pass("tee -q read_verilog -lib -specify +/xilinx/cells_sim.v", self._design)
        self._known: dict[tuple, CellTiming] = {}

    def timing(self, kind: str, parameters: dict[str, str]) -> CellTiming:
        """Of a cell whose parameters are as write_json writes them (bits)."""
        if not kind.startswith(("DSP48", "RAMB")):  # the only ones with registers to choose
            parameters = {}
        else:
            parameters = {k: v for k, v in parameters.items() if re.fullmatch(r"\w*REG", k)
                          or k in ("USE_MULT", "USE_DPORT")}  # fmt: skip
        key = kind, *sorted(parameters.items())
        if key not in self._known:
            self._known[key] = self._read(kind, parameters)
        return self._known[key]

    def _read(self, kind: str, parameters: dict[str, str]) -> CellTiming:
        name = libyosys.IdString("\\" + kind)
        module = self._design.module(name)
        if module is None:
            raise SystemExit(f"no delays are known of {kind}")
        if kind.startswith("DSP48"):
            module = self._design.module(
                module.derive(
                    self._design,
                    {libyosys.IdString("\\" + k): _constant(v) for k, v in parameters.items()},
                )
            )
        registered = {f"DO{p}_REG" for p in "AB" if "1" in parameters.get(f"DO{p}_REG", "0")}
        timing = CellTiming()
        for cell in dict(module.cells_).values():
            sort = cell.type.str()
            if sort not in ("$specify2", "$specify3", "$specrule"):
                continue
            signals = {k.str(): _pins(s) for k, s in dict(cell.connections_).items()}
            values = {k.str(): v for k, v in dict(cell.parameters).items()}
            if sort == "$specrule":
                limit = values["\\T_LIMIT_MAX"].as_int() / 1000
                timing.setup |= dict.fromkeys(signals["\\SRC"], limit)
                continue
            ns = values["\\T_RISE_MAX"].as_int() / 1000
            if sort == "$specify3":
                for pin in signals["\\DST"]:
                    # both delays of a block RAM are there, with and without its output register
                    of_ram = re.match(r"DOP?([AB])DO", pin[0])
                    fast = of_ram and f"DO{of_ram[1]}_REG" in registered
                    timing.launch[pin] = (min if fast else max)(ns, timing.launch.get(pin, ns))
            elif values["\\FULL"].as_int():
                for start in signals["\\SRC"]:
                    timing.arcs[start] |= dict.fromkeys(signals["\\DST"], ns)
            else:
                for start, end in zip(signals["\\SRC"], signals["\\DST"], strict=True):
                    timing.arcs[start][end] = ns
        if kind.startswith("LUT"):
            fastest = min(min(ends.values()) for ends in timing.arcs.values())
            for ends in timing.arcs.values():
                ends.update(dict.fromkeys(ends, fastest))
        return timing


def _constant(value: str) -> libyosys.Const:
    if re.fullmatch("[01]+", value):
        return libyosys.Const(int(value, 2), len(value))
    return libyosys.Const(value)


def _pins(signal: libyosys.SigSpec) -> list[Pin]:
    return [(b.wire.name.str()[1:], b.offset) for b in signal.bits() if b.wire is not None]


@dataclass(frozen=True)
class Cell:
    """A cell of the flattened netlist; nets are numbers, -1 where the bit is constant."""

    place: str  # path of the module it is in
    module: str
    name: str
    kind: str
    timing: CellTiming
    inputs: dict[Pin, int]
    outputs: dict[Pin, int]
    local: dict[Pin, int]  # the bits of the outputs in the module


class Netlist:
    """The cells of a design and the nets between them, over all borders of modules."""

    def __init__(self, modules: dict, top: str, library: Library) -> None:
        self._modules, self._library = modules, library
        self._names: dict[str, dict[int, str]] = {}
        self.cells: list[Cell] = []
        self.nets = 0
        self.spared: set[int] = set()  # clock and reset
        self.ports: dict[int, str] = {}  # inputs
        self.out_ports: list[tuple[str, int]] = []
        bound: dict[int, int] = {}
        for name, port in modules[top]["ports"].items():
            for i, bit in enumerate(port["bits"]):
                if not isinstance(bit, int):
                    continue
                net = bound.setdefault(bit, len(bound))
                label = f"{name}[{i}]" if len(port["bits"]) > 1 else name
                if port["direction"] == "output":
                    self.out_ports.append((label, net))
                else:
                    self.ports[net] = label
        self.nets = len(bound)
        self._add(top, "", bound)

    def _add(self, module: str, place: str, nets: dict[int, int]) -> None:
        def net(bit: int | str) -> int:
            if not isinstance(bit, int):
                return -1
            if bit not in nets:
                nets[bit] = self.nets
                self.nets += 1
            return nets[bit]

        content = self._modules[module]
        for name, port in content["ports"].items():
            if name in CLOCK_AND_RESET:
                self.spared |= {net(bit) for bit in port["bits"]}
        for name, cell in content["cells"].items():
            kind = cell["type"]
            if kind in self._modules and not _is_box(self._modules[kind]):
                inner = self._modules[kind]
                bound = {}
                for port, bits in cell["connections"].items():
                    for inside, bit in zip(inner["ports"][port]["bits"], bits, strict=True):
                        if isinstance(inside, int):
                            bound[inside] = net(bit)
                self._add(kind, f"{place}{name}.", bound)
                continue
            sides: dict[str, dict[Pin, int]] = {"input": {}, "output": {}}
            local = {}
            for port, bits in cell["connections"].items():
                direction = cell["port_directions"][port]
                for i, bit in enumerate(bits):
                    sides[direction][port, i] = net(bit)
                    if direction == "output" and isinstance(bit, int):
                        local[port, i] = bit
            timing = self._library.timing(kind, cell.get("parameters", {}))
            self.cells.append(
                Cell(place, module, name, kind, timing, sides["input"], sides["output"], local)
            )

    def own_name(self, cell: Cell, pin: Pin) -> str | None:
        """What the source calls the net at an output of a cell, in its module; None: nothing."""
        if cell.module not in self._names:
            names: dict[int, tuple] = {}
            for name, entry in self._modules[cell.module]["netnames"].items():
                for i, bit in enumerate(entry["bits"]):
                    label = f"{name}[{i}]" if len(entry["bits"]) > 1 else name
                    rank = name.count("."), len(name), label
                    shown = isinstance(bit, int) and not entry["hide_name"]
                    if shown and (bit not in names or rank < names[bit]):
                        names[bit] = rank
            self._names[cell.module] = {bit: rank[-1] for bit, rank in names.items()}
        return self._names[cell.module].get(cell.local.get(pin, -1))

    def name(self, cell: Cell, pin: Pin) -> str:
        """The same with the path of the module, and for a net without a name, too."""
        return cell.place + (self.own_name(cell, pin) or f"(unnamed {cell.kind})")


def _whole(name: str) -> str:
    """The register that a bit belongs to."""
    return re.sub(r"\[\d+\](?=$| )", "", name)


def _is_box(module: dict) -> bool:
    return bool(int(module.get("attributes", {}).get("blackbox", "0"), 2))


@dataclass
class _End:
    """Where a path ends: a register, block RAM, DSP or port."""

    name: str
    kind: str
    net: int
    setup: float
    wire: float


class Timing:
    """Arrival times of all nets of a netlist, and the paths to where they end."""

    def __init__(self, netlist: Netlist) -> None:
        self._netlist = netlist
        count = netlist.nets
        self.driver: list[tuple[Cell, Pin] | None] = [None] * count
        self.loads = [0] * count
        for cell in netlist.cells:
            for pin, net in cell.outputs.items():
                if net >= 0:
                    self.driver[net] = cell, pin
            for pin, net in cell.inputs.items():
                if net >= 0 and pin[0] not in CLOCK_PORTS:
                    self.loads[net] += 1
        for _, net in netlist.out_ports:
            self.loads[net] += 1
        # by time and by cells in a row
        self.arrival = [0.0] * count
        self.depth = [0] * count
        self._before = [-1] * count
        self._before_by_cells = [-1] * count
        self.ends: list[_End] = []
        self._propagate()

    def wire(self, net: int, cell: Cell, port: str) -> float:
        """Delay of a net to a pin of a cell, ns."""
        driver = self.driver[net]
        if driver is not None:
            kind = driver[0].kind
            alone = self.loads[net] == 1 and kind.startswith(SLICE)
            beside = (
                (cell.kind == "CARRY4" and port == "CI")
                or (cell.kind == "CARRY4" and port in ("S", "DI") and alone)
                or (cell.kind.startswith("MUXF") and port != "S")
                or (cell.kind.startswith("FD") and port == "D" and alone)
                or port in ("PCIN", "ACIN", "BCIN")
            )
            if beside:
                return 0.0
        return NET_NS + LOADS_NS * sqrt(self.loads[net])

    def _propagate(self) -> None:
        edges: dict[int, list[tuple[int, float, int]]] = defaultdict(list)
        waiting = [0] * self._netlist.nets
        for cell in self._netlist.cells:
            timing = cell.timing
            clocked = bool(timing.launch)
            for pin, net in cell.inputs.items():
                if net < 0:
                    continue
                arcs = timing.arcs.get(pin)
                if arcs:
                    wire = self.wire(net, cell, pin[0])
                    for end, ns in arcs.items():
                        after = cell.outputs.get(end, -1)
                        if after >= 0:
                            edges[net].append((after, wire + ns, cell.kind != "INV"))
                            waiting[after] += 1
                if clocked and pin[0] not in CLOCK_PORTS and (pin in timing.setup or not arcs):
                    self.ends.append(self._end(cell, pin, net))
            for pin, ns in timing.launch.items():
                net = cell.outputs.get(pin, -1)
                if net >= 0:
                    self.arrival[net] = ns
        for label, net in self._netlist.out_ports:
            self.ends.append(_End(f"port {label}", "port", net, 0.0, 0.0))
        ready = [net for net, number in enumerate(waiting) if not number]
        for net in ready:
            for after, ns, cells in edges[net]:
                if self.arrival[net] + ns > self.arrival[after]:
                    self.arrival[after] = self.arrival[net] + ns
                    self._before[after] = net
                if self.depth[net] + cells > self.depth[after]:
                    self.depth[after] = self.depth[net] + cells
                    self._before_by_cells[after] = net
                waiting[after] -= 1
                if not waiting[after]:
                    ready.append(after)
        if len(ready) != len(waiting):
            where = next(self.label(net) for net, number in enumerate(waiting) if number)
            raise SystemExit(f"a combinational loop goes through {where}")

    def _end(self, cell: Cell, pin: Pin, net: int) -> _End:
        port, bit = pin
        if cell.kind.startswith("FD"):
            name = self._netlist.name(cell, ("Q", 0)) + ("" if port == "D" else f" {port}")
        else:
            name = f"{cell.place.rstrip('.') or cell.name} {cell.kind} {port}[{bit}]"
        wire = self.wire(net, cell, port)
        return _End(name, cell.kind, net, cell.timing.setup.get(pin, 0.0), wire)

    def label(self, net: int) -> str:
        """Name of a net, by what drives it."""
        if (driver := self.driver[net]) is None:
            return f"port {self._netlist.ports.get(net, '?')}"
        cell, pin = driver
        if cell.kind.startswith(("RAMB", "DSP")):
            return f"{cell.place.rstrip('.') or cell.name} {cell.kind} {pin[0]}[{pin[1]}]"
        if self._netlist.own_name(cell, pin) is None and self._before[net] >= 0:
            return f"{cell.kind} behind {self.label(self._first(net))}"
        return self._netlist.name(cell, pin)

    def _first(self, net: int) -> int:
        """Where the latest change of a net comes from."""
        while self._before[net] >= 0:
            net = self._before[net]
        return net

    def nanoseconds(self, end: _End) -> float:
        return self.arrival[end.net] + end.wire + end.setup

    def path(self, end: _End, by_cells: bool = False) -> dict:
        """What lies on the worst path to an end, by time or by cells in a row."""
        before = self._before_by_cells if by_cells else self._before
        nets = [end.net]
        while before[nets[-1]] >= 0:
            nets.append(before[nets[-1]])
        nets.reverse()
        kinds = [driver[0].kind for net in nets[1:] if (driver := self.driver[net])]
        first = self.driver[nets[0]]
        levels = Counter(re.sub(r"^(LUT|MUXF)\d$", r"\1", kind) for kind in kinds if kind != "INV")
        widest = max(nets, key=lambda net: self.loads[net])
        return {
            "ns": round(self.nanoseconds(end), 2),
            "cells": levels.total(),
            "kinds": dict(sorted(levels.items())),
            "from": self.label(nets[0]),
            "from_kind": first[0].kind if first else "port",
            "to": end.name,
            "to_kind": end.kind,
            "loads": self.loads[widest],
            "loads_of": self.label(widest),
            "nets": [{"net": self.label(net), "loads": self.loads[net]} for net in nets],
        }

    def worst(self, count: int, by_cells: bool = False) -> list[dict]:
        """The worst paths, one for each pair of registers (not of their bits)."""
        rank = (lambda e: (self.depth[e.net], self.nanoseconds(e))) if by_cells else (
            self.nanoseconds)  # fmt: skip
        found: dict[tuple[str, str], dict] = {}
        for end in sorted(self.ends, key=rank, reverse=True):
            path = self.path(end, by_cells)
            key = _whole(path["from"]), _whole(path["to"])
            if key in found:
                found[key]["ends"] += 1
            elif len(found) < count:
                found[key] = path | {"ends": 1}
            else:
                break
        return list(found.values())

    def wide_nets(self) -> list[dict]:
        """Nets other than clock and reset with more loads than MOST_LOADS, widest first."""
        loaded: dict[int, Counter] = {
            net: Counter()
            for net, loads in enumerate(self.loads)
            if loads > MOST_LOADS and net not in self._netlist.spared
        }
        for cell in self._netlist.cells:
            for pin, net in cell.inputs.items():
                if net in loaded and pin[0] not in CLOCK_PORTS:
                    if cell.kind.startswith("FD"):
                        register = _whole(self._netlist.name(cell, ("Q", 0)))
                        loaded[net][f"{register} {pin[0]}"] += 1
                    else:
                        loaded[net][f"{cell.place.rstrip('.')} {cell.kind}".strip()] += 1
        wide = [
            {
                "net": self.label(net),
                "loads": self.loads[net],
                "driver": driver[0].kind if (driver := self.driver[net]) else "port",
                "most_at": most.most_common(1)[0][0] if most else "port",
            }
            for net, most in loaded.items()
        ]
        return sorted(wide, key=lambda entry: (-entry["loads"], entry["net"]))


def report(netlist: dict, top: str, count: int = 20) -> dict:
    """Timing of a netlist as write_json writes it.

    Returns:
        `ns` and `cells` of the longest paths by either; `paths` and `deepest`, the `count` worst by
        time and by cells in a row; `ends`, how many ends of paths have how many cells at most
        before them; `wide_nets`.
    """
    timing = Timing(Netlist(netlist["modules"], top, Library()))
    cells = Counter(timing.depth[end.net] for end in timing.ends)
    return {
        "ns": round(max(map(timing.nanoseconds, timing.ends), default=0.0), 2),
        "cells": max(cells, default=0),
        "ends": dict(sorted(cells.items())),
        "paths": timing.worst(count),
        "deepest": timing.worst(count, by_cells=True),
        "wide_nets": timing.wide_nets(),
    }


def _row(path: dict) -> str:
    kinds = " ".join(f"{number} {kind}" for kind, number in path["kinds"].items())
    return (f"{path['ns']:6.2f}{path['cells']:6}{path['loads']:6}{path['ends']:6}  "
            f"{path['from']} -> {path['to']}  ({kinds})")  # fmt: skip


def show(found: dict) -> None:
    """Print a report."""
    heading = f"{'ns':>6}{'cells':>6}{'loads':>6}{'ends':>6}  from -> to"
    print(f"worst paths of the whole design, estimated (without place and route)\n{heading}")
    for path in found["paths"]:
        print(_row(path))
    print(f"\nmost cells in a row\n{heading}")
    for path in found["deepest"]:
        print(_row(path))
    print(f"\nnets with more than {MOST_LOADS} loads, without clock and reset:"
          f" {len(found['wide_nets'])}")  # fmt: skip
    for net in found["wide_nets"]:
        print(f"{net['loads']:6}  {net['net']}, most at {net['most_at']}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="example:\n  python scripts/netlist_timing.py build/synth/netlist.json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("netlist", type=Path, help="as `make synth` writes it")
    parser.add_argument("--top", default="qnn_engine", help="module to look at")
    arguments = parser.parse_args()
    try:
        netlist = json.loads(arguments.netlist.read_text())
    except (OSError, ValueError) as problem:
        parser.error(f"cannot read {arguments.netlist}: {problem}")
    if arguments.top not in netlist.get("modules", {}):
        parser.error(f"{arguments.netlist} has no module {arguments.top}")
    show(report(netlist, arguments.top))
    return 0


if __name__ == "__main__":
    sys.exit(main())
