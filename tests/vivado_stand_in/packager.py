# SPDX-License-Identifier: BSD-3-Clause
"""The IP packager: ports and attributes of a Verilog module, and the description of an IP."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from vivado_stand_in.catalogue import (
    Interface,
    Kind,
    Pin,
    Segment,
    Shape,
    VivadoError,
)

# Signals that an AXI interface must have, and all it may have, without IDs and users.
LITE = {
    f"{c}{s}"
    for c, signals in {
        "AW": "VALID READY ADDR",
        "W": "VALID READY DATA STRB",
        "B": "VALID READY RESP",
        "AR": "VALID READY ADDR",
        "R": "VALID READY DATA RESP",
    }.items()
    for s in signals.split()
}
FULL = LITE | {"AWLEN", "AWSIZE", "AWBURST", "WLAST", "ARLEN", "ARSIZE", "ARBURST", "RLAST"}
OPTIONAL = {"AWPROT", "ARPROT", "AWCACHE", "ARCACHE"}


@dataclass
class Port:
    direction: str
    bits: int
    attributes: dict[str, str]


def module_ports(path: Path, module: str) -> dict[str, Port]:
    """Ports of an ANSI Verilog module with their attributes."""
    text = re.sub(r"//.*", "", path.read_text())
    found = re.search(rf"\bmodule\s+{module}\s*\((.*?)\);", text, re.DOTALL)
    if not found:
        raise VivadoError(f"{path} has no module {module}")
    pattern = r"((?:\(\*.*?\*\)\s*)*)(input|output)\s+wire\s+(?:\[(\d+):0\]\s*)?(\w+)\s*(?:,|$)"
    ports, end = {}, 0
    for one in re.finditer(pattern, found[1].strip(), re.DOTALL):
        if found[1].strip()[end : one.start()].strip():
            raise VivadoError(f"ports of {module}: cannot read before {one[4]}")
        end = one.end()
        attributes = dict(re.findall(r'\(\*\s*(\w+)\s*=\s*"([^"]*)"\s*\*\)', one[1]))
        ports[one[4]] = Port(one[2], int(one[3] or 0) + 1, attributes)
    if found[1].strip()[end:].strip():
        raise VivadoError(f"ports of {module}: cannot read {found[1].strip()[end:]}")
    return ports


@dataclass
class Bus:
    kind: str
    ports: dict[str, str] = field(default_factory=dict)  # logical -> physical
    parameters: dict[str, str] = field(default_factory=dict)
    memory_map: str = ""
    address_space: str = ""


@dataclass
class Described:
    """A core, memory map, address block, register or field: its properties and what it holds."""

    kind: str
    properties: dict[str, str] = field(default_factory=dict)
    parts: dict[str, Described] = field(default_factory=dict)


class Core(Described):
    """An IP that is being packaged."""

    def __init__(self, top: Path, module: str, block: str) -> None:
        """`block` names the address blocks that are inferred; empty: no address is."""
        super().__init__("core", {"name": module, "version": "1.0"})
        self.ports = module_ports(top, module)
        self.buses: dict[str, Bus] = {}
        self.spaces: dict[str, Described] = {}
        for name, port in self.ports.items():
            self._infer(name, port)
        for name, bus in self.buses.items():
            if bus.kind != "aximm" or not block:
                continue
            if self.mode(name) == "Slave":
                span = Described("block", {"range": str(1 << self._address_bits(name))})
                self.parts[name] = Described("map", parts={block: span})
                bus.memory_map = name
            else:
                self.spaces[name] = Described("space", {"width": "32", "range": "4294967296"})
                bus.address_space = name
        self.checked = False

    def _infer(self, name: str, port: Port) -> None:
        if "X_INTERFACE_INFO" in port.attributes:
            vlnv, interface, logical = port.attributes["X_INTERFACE_INFO"].split()
            kind = vlnv.split(":")[2]
            bus = self.buses.setdefault(interface, Bus(kind))
            if logical in bus.ports or bus.kind != kind:
                raise VivadoError(f"{name}: {interface} has {logical} already, or is no {kind}")
            bus.ports[logical] = name
        for text in port.attributes.get("X_INTERFACE_PARAMETER", "").split(","):
            if text.strip():
                key, value = text.strip().split(" ", 1)
                self.buses[interface].parameters[key] = value

    def _address_bits(self, name: str) -> int:
        return self.ports[self.buses[name].ports["AWADDR"]].bits

    def mode(self, name: str) -> str:
        """Of an AXI interface, by its directions; VivadoError where they contradict."""
        found = set()
        for logical, physical in self.buses[name].ports.items():
            channel = re.match("AW|AR|W|B|R", logical)[0]
            from_master = channel not in ("B", "R")
            if logical.endswith("READY"):
                from_master = not from_master
            out = self.ports[physical].direction == "output"
            found.add("Master" if from_master == out else "Slave")
        if len(found) != 1:
            raise VivadoError(f"directions of {name} contradict each other")
        return found.pop()

    def check(self) -> None:
        """What `ipx::check_integrity` and the block design need to hold."""
        lost = [n for n, port in self.ports.items() if "X_INTERFACE_INFO" not in port.attributes]
        if lost:
            raise VivadoError(f"ports without an interface: {lost}")
        clocks = {name: bus for name, bus in self.buses.items() if bus.kind == "clock"}
        clocked = []
        for bus in clocks.values():
            clocked += bus.parameters.get("ASSOCIATED_BUSIF", "").split(":")
            reset = bus.parameters.get("ASSOCIATED_RESET", "")
            if self.buses.get(reset, Bus("")).kind != "reset":
                raise VivadoError(f"ASSOCIATED_RESET {reset!r} is no reset")
        for name, bus in self.buses.items():
            if bus.parameters.get("XIL_INTERFACENAME") != name:
                raise VivadoError(f"{name} has no X_INTERFACE_PARAMETER of its own")
            if bus.kind == "aximm":
                self._check_axi(name, bus)
                if name not in clocked:
                    raise VivadoError(f"{name} is associated with no clock")
                if self.mode(name) == "Slave" and bus.memory_map not in self.parts:
                    raise VivadoError(f"{name} has no memory map")
                if self.mode(name) == "Master" and bus.address_space not in self.spaces:
                    raise VivadoError(f"{name} has no address space")
        for part in self.parts.values():
            for block in part.parts.values():
                self._check_block(block)
        self.checked = True

    def _check_axi(self, name: str, bus: Bus) -> None:
        lite = bus.parameters.get("PROTOCOL") == "AXI4LITE"
        needed = LITE if lite else FULL
        if bus.parameters.get("READ_WRITE_MODE") == "READ_ONLY":
            needed = {signal for signal in needed if signal.startswith(("AR", "R"))}
        if needed - set(bus.ports) or set(bus.ports) - needed - OPTIONAL:
            wrong = needed.symmetric_difference(bus.ports) - OPTIONAL
            raise VivadoError(f"{name}: signals {sorted(wrong)} are missing or too many")
        for logical, key in {"WDATA": "DATA_WIDTH", "RDATA": "DATA_WIDTH", "AWADDR": "ADDR_WIDTH",
                             "ARADDR": "ADDR_WIDTH"}.items():  # fmt: skip
            if logical not in needed:
                continue
            if str(self.ports[bus.ports[logical]].bits) != bus.parameters.get(key):
                raise VivadoError(f"{name}: {logical} does not have {key} bits")
        strobes, data = (bus.ports.get(signal) for signal in ("WSTRB", "WDATA"))
        if strobes and data and 8 * self.ports[strobes].bits != self.ports[data].bits:
            raise VivadoError(f"{name}: WSTRB does not fit WDATA")

    def _check_block(self, block: Described) -> None:
        end = int(block.properties["range"], 0)
        taken: dict[int, str] = {}
        for name, register in block.parts.items():
            offset = int(register.properties["address_offset"], 0)
            if offset % 4 or offset + 4 > end or offset in taken:
                raise VivadoError(f"register {name} at {offset:#x} does not fit in")
            taken[offset] = name
            bits: set[int] = set()
            for label, part in register.parts.items():
                lowest = int(part.properties["bit_offset"])
                own = set(range(lowest, lowest + int(part.properties["bit_width"])))
                if own & bits or max(own) > 31:
                    raise VivadoError(f"field {name}.{label} does not fit in")
                bits |= own

    @property
    def vlnv(self) -> str:
        keys = ("vendor", "library", "name", "version")
        return ":".join(self.properties[key] for key in keys)

    def as_kind(self) -> Kind:
        """The packaged IP in the catalogue."""
        shape = Shape()
        clock = next(name for name, bus in self.buses.items() if bus.kind == "clock")
        for name, bus in self.buses.items():
            port = next(iter(bus.ports.values()))
            if bus.kind == "aximm":
                protocol, width = bus.parameters["PROTOCOL"], int(bus.parameters["DATA_WIDTH"])
                mode = self.mode(name)
                shape.interfaces[name] = Interface(mode, protocol, width, clock)
                if mode == "Master":
                    shape.spaces[bus.address_space] = name
            else:
                short = {"clock": "clk", "reset": "rst", "interrupt": "intr"}[bus.kind]
                direction = "O" if self.ports[port].direction == "output" else "I"
                low = bus.parameters.get("POLARITY") == "ACTIVE_LOW"
                if short == "intr" and bus.parameters.get("SENSITIVITY") != "LEVEL_HIGH":
                    raise VivadoError(f"{name}: axi_intc would take it for an edge")
                shape.pins[port] = Pin(direction, short, low)
        for name, part in self.parts.items():
            for label, block in part.parts.items():
                size, usage = int(block.properties["range"], 0), block.properties["usage"]
                shape.segments[f"{name}/{label}"] = Segment(size, usage)
        return Kind(self.vlnv, {}, {}, lambda _: shape, self.parts)
