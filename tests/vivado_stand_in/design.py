# SPDX-License-Identifier: BSD-3-Clause
"""A block design: cells, nets, address segments, and the checks of `validate_bd_design`."""

from __future__ import annotations

from dataclasses import dataclass, field

from vivado_stand_in.catalogue import Interface, Kind, Pin, Shape, VivadoError

CONTROL = {  # what a master of a processing system may reach in the programmable logic
    "M_AXI_GP0": range(0x4000_0000, 0x8000_0000),
    "M_AXI_HPM0_FPD": range(0xA000_0000, 0xB000_0000),
}


@dataclass
class Cell:
    kind: Kind
    values: dict[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        return self.kind.shape({**self.kind.defaults, **self.values})


@dataclass(frozen=True)
class Placed:
    """A segment in an address space."""

    space: str
    segment: str
    base: int
    bytes: int


def split(path: str) -> tuple[str, str]:
    cell, _, name = path.partition("/")
    return cell, name


class Design:
    def __init__(self, name: str) -> None:
        self.name = name
        self.cells: dict[str, Cell] = {}
        self.ports: dict[str, str] = {}  # interface ports -> protocol
        self.nets: dict[str, str] = {}  # input pin -> the pin that drives it
        self.links: dict[str, str] = {}  # interface -> the other interface, both ways
        self.placed: list[Placed] = []
        self.excluded: set[tuple[str, str]] = set()  # address space, segment
        self.valid = self.saved = self.generated = False

    def cell(self, name: str) -> Cell:
        if name not in self.cells:
            raise VivadoError(f"there is no cell {name}")
        return self.cells[name]

    def pins(self) -> dict[str, Pin]:
        return {f"{c}/{n}": p for c, cell in self.cells.items() for n, p in cell.shape.pins.items()}

    def interfaces(self) -> dict[str, Interface]:
        return {
            f"{c}/{n}": i
            for c, cell in self.cells.items()
            for n, i in cell.shape.interfaces.items()
        }

    def configure(self, name: str, values: dict[str, str]) -> None:
        cell = self.cell(name)
        for key, value in values.items():
            cell.kind.check(key, value)
        cell.values.update(values)
        self.valid = False

    def connect(self, first: str, second: str) -> None:
        pins = self.pins()
        drivers = [path for path in (first, second) if pins[path].direction == "O"]
        if len(drivers) != 1:
            raise VivadoError(f"{first} and {second}: one must be an output, one an input")
        driver = drivers[0]
        driven = second if driver == first else first
        if driven in self.nets:
            raise VivadoError(f"{driven} is driven by {self.nets[driven]} already")
        if pins[driver].kind != pins[driven].kind:
            raise VivadoError(f"{driver} is {pins[driver].kind}, {driven} {pins[driven].kind}")
        self.nets[driven] = driver

    def connect_interfaces(self, first: str, second: str) -> None:
        for path in (first, second):
            if path in self.links:
                raise VivadoError(f"{path} is connected to {self.links[path]} already")
        inside = self.interfaces()
        if first in self.ports or second in self.ports:
            port, path = (first, second) if first in self.ports else (second, first)
            if inside[path].protocol != self.ports[port]:
                raise VivadoError(f"port {port} does not fit {path}")
        elif {inside[first].mode, inside[second].mode} != {"Master", "Slave"}:
            raise VivadoError(f"{first} and {second} are not master and slave")
        else:
            self._check_protocols(first, second)
        self.links[first], self.links[second] = second, first

    def _check_protocols(self, first: str, second: str) -> None:
        inside = self.interfaces()
        ends = {inside[first].protocol, inside[second].protocol}
        if len(ends - {"ANY"}) > 1:
            raise VivadoError(f"{first} and {second}: {' is not '.join(sorted(ends))}")

    def reachable(self, path: str) -> set[str]:
        """Slaves that a master reaches through interconnects."""
        other = self.links.get(path)
        if other is None:
            return set()
        cell = split(other)[0]
        if "axi_interconnect" not in self.cells[cell].kind.vlnv:
            return {other}
        found: set[str] = set()
        for name, interface in self.cells[cell].shape.interfaces.items():
            if interface.mode == "Master":
                found |= self.reachable(f"{cell}/{name}")
        return found

    def slave(self, segment: str) -> str:
        """The interface that leads to a segment."""
        target, block = split(segment)
        own = self.cells[target].shape.segments[block]
        return f"{target}/{own.bus or block.split('/')[0]}"

    def exclude(self, space: str, segment: str) -> None:
        cell, name = split(space)
        reached = self.reachable(f"{cell}/{self.cell(cell).shape.spaces[name]}")
        if self.slave(segment) not in reached:
            raise VivadoError(f"{segment} cannot be reached from {space}")
        self.excluded.add((space, segment))

    def place(self, space: str, segment: str, base: int, size: int) -> None:
        cell, name = split(space)
        master = f"{cell}/{self.cell(cell).shape.spaces[name]}"
        target, block = split(segment)
        reached = {path.lower() for path in self.reachable(master)}
        if self.slave(segment).lower() not in reached:
            raise VivadoError(f"{segment} cannot be reached from {space}")
        own = self.cells[target].shape.segments[block]
        if own.usage == "memory":
            fits = base == own.base and size <= own.bytes
        else:
            fits = size >= own.bytes
        if not fits:
            raise VivadoError(
                f"{segment}, {own.bytes:#x} bytes, does not fit {size:#x} at {base:#x}"
            )
        if size & (size - 1) or base % size:
            raise VivadoError(f"{size:#x} bytes at {base:#x}: {segment} does not fit in there")
        own_range = CONTROL.get(split(master)[1])
        if own_range and not (base in own_range and base + size - 1 in own_range):
            raise VivadoError(f"{base:#x} is not in the range of {split(master)[1]}")
        for other in self.placed:
            apart = base + size <= other.base or other.base + other.bytes <= base
            if other.space == space and not apart:
                raise VivadoError(f"{segment} overlaps {other.segment}")
        self.placed.append(Placed(space, segment, base, size))

    def validate(self) -> None:
        pins = self.pins()
        for path, pin in pins.items():
            if pin.direction == "I" and path not in self.nets:
                raise VivadoError(f"{path} is not connected")
        for driven, driver in self.nets.items():
            if pins[driven].kind == "rst" and pins[driven].active_low != pins[driver].active_low:
                raise VivadoError(f"{driver} and {driven} have different polarities")
        for path in self.interfaces():
            if path not in self.links:
                raise VivadoError(f"{path} is not connected")
        for port in self.ports:
            if port not in self.links:
                raise VivadoError(f"port {port} is not connected")
        for first, second in self.links.items():
            self._check_clocks(first, second)
        for name, cell in self.cells.items():
            for space, master in cell.shape.spaces.items():
                whole = f"{name}/{space}"
                done = {p.segment for p in self.placed if p.space == whole}
                done |= {segment for owner, segment in self.excluded if owner == whole}
                reached = {path.lower() for path in self.reachable(f"{name}/{master}")}
                left = {
                    f"{target}/{block}"
                    for target, other in self.cells.items()
                    for block in other.shape.segments
                    if self.slave(f"{target}/{block}").lower() in reached
                } - done
                if left:
                    raise VivadoError(f"no address for {sorted(left)} in {whole}")
        self.valid = True

    def _check_clocks(self, first: str, second: str) -> None:
        inside = self.interfaces()
        clocks = {
            self.nets[f"{split(path)[0]}/{inside[path].clock}"]
            for path in (first, second)
            if path in inside and inside[path].clock
        }
        if len(clocks) > 1:
            raise VivadoError(f"{first} and {second} have different clocks")

    @property
    def system(self) -> tuple[str, Cell]:
        """The processing system and its name."""
        kinds = ("processing_system7", "zynq_ultra_ps_e")
        ((name, cell),) = (
            (n, c) for n, c in self.cells.items() if any(kind in c.kind.vlnv for kind in kinds)
        )
        return name, cell

    @property
    def pll_mhz(self) -> float:
        """What the first clock is divided from: 1,000 MHz of a Zynq-7000."""
        cell = self.system[1]
        values = {**cell.kind.defaults, **cell.values}
        if "processing_system7" in cell.kind.vlnv:
            return 1000.0
        reference = float(values["PSU__PSS_REF_CLK__FREQMHZ"])
        return reference * int(values["PSU__CRL_APB__IOPLL_CTRL__FBDIV"]) / 2

    @property
    def clock_divisors(self) -> tuple[int, int]:
        """What makes the first clock out of that PLL."""
        cell = self.system[1]
        values = {**cell.kind.defaults, **cell.values}
        (asked,) = (
            float(values[name])
            for name in (
                "PCW_FPGA0_PERIPHERAL_FREQMHZ", "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ",
            ) if name in values
        )  # fmt: skip
        pairs = ((a, b) for a in range(1, 64) for b in range(1, a + 1))
        return min(pairs, key=lambda pair: abs(self.pll_mhz / pair[0] / pair[1] - asked))
