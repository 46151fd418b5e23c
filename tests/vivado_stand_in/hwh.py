# SPDX-License-Identifier: BSD-3-Clause
"""The hardware hand-off of a block design, as far as PYNQ reads it."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from vivado_stand_in.catalogue import Interface
from vivado_stand_in.design import Cell, Design, split
from vivado_stand_in.packager import Described

LOGICAL = "AWADDR"  # one signal stands for all of a bus


def _parameters(design: Design, cell: Cell) -> dict[str, str]:
    """A processing system tells of all its clocks, used or not."""
    values = {**cell.kind.defaults, **cell.values}
    if "processing_system7" in cell.kind.vlnv:
        for clock in range(4):
            divisors = design.clock_divisors if clock == 0 else (1, 1)
            values[f"PCW_FCLK{clock}_PERIPHERAL_CLKSRC"] = "IO PLL"
            values[f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR0"] = str(divisors[0])
            values[f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR1"] = str(divisors[1])
            values.setdefault(f"PCW_FPGA_FCLK{clock}_ENABLE", "0")
            actual = 1000 / divisors[0] / divisors[1] if clock == 0 else 10
            values[f"PCW_ACT_FPGA{clock}_PERIPHERAL_FREQMHZ"] = f"{actual:.6f}"
    elif "zynq_ultra_ps_e" in cell.kind.vlnv:
        for clock in range(4):
            divisors = design.clock_divisors if clock == 0 else (4, 1)
            name = f"PSU__CRL_APB__PL{clock}_REF_CTRL"
            values.setdefault(f"PSU__FPGA_PL{clock}_ENABLE", "0")
            values.setdefault(f"{name}__SRCSEL", "RPLL")
            values[f"{name}__DIVISOR0"] = str(divisors[0])
            values[f"{name}__DIVISOR1"] = str(divisors[1])
            actual = design.pll_mhz / divisors[0] / divisors[1] if clock == 0 else 100
            values[f"{name}__ACT_FREQMHZ"] = f"{actual:.6f}"
        for bus in ("MAXIGP0", "SAXIGP2", "SAXIGP4"):
            values[f"C_{bus}_DATA_WIDTH"] = values[f"PSU__{bus}__DATA_WIDTH"]
    return values


def _add_pins(design: Design, name: str, cell: Cell, ports: Element) -> None:
    for pin, what in cell.shape.pins.items():
        path = f"{name}/{pin}"
        driver = design.nets.get(path, path)
        port = SubElement(
            ports, "PORT", DIR=what.direction, NAME=pin, SIGIS=what.kind,
            SIGNAME=driver.replace("/", "_"),
        )  # fmt: skip
        loads = [load for load, source in design.nets.items() if source == path]
        connections = SubElement(port, "CONNECTIONS")
        for end in loads or ([driver] if driver != path else []):
            instance, other = split(end)
            SubElement(connections, "CONNECTION", INSTANCE=instance, PORT=other)


def _add_bus(
    design: Design, name: str, bus: str, what: Interface, ports: Element, buses: Element
) -> None:
    """A bus, and the address lines of it as its only port."""
    path = f"{name}/{bus}"
    other = design.links[path]
    net = (path if what.mode == "Master" else other).replace("/", "_")
    physical = f"{bus}_{LOGICAL.lower()}"
    port = SubElement(
        ports, "PORT", DIR="O" if what.mode == "Master" else "I", LEFT="31", RIGHT="0",
        NAME=physical, SIGIS="undef", SIGNAME=f"{net}_{LOGICAL}",
    )  # fmt: skip
    if other not in design.ports:
        instance, far = split(other)
        connections = SubElement(port, "CONNECTIONS")
        SubElement(connections, "CONNECTION", INSTANCE=instance, PORT=f"{far}_{LOGICAL.lower()}")
    element = SubElement(
        buses, "BUSINTERFACE", BUSNAME=net, NAME=bus, DATAWIDTH=str(what.width),
        TYPE=what.mode.upper(), VLNV="xilinx.com:interface:aximm:1.0",
    )  # fmt: skip
    maps = SubElement(element, "PORTMAPS")
    SubElement(maps, "PORTMAP", LOGICAL=LOGICAL, PHYSICAL=physical)


def _properties(element: Element, part: Described) -> None:
    for key, value in part.properties.items():
        SubElement(element, "PROPERTY", NAME=key.upper(), VALUE=value)


def _add_registers(cell: Cell, module: Element) -> None:
    blocks = SubElement(module, "ADDRESSBLOCKS")
    for interface, part in cell.kind.maps.items():
        for label, block in part.parts.items():
            element = SubElement(
                blocks, "ADDRESSBLOCK", INTERFACE=interface, NAME=label,
                RANGE=str(int(block.properties["range"], 0)), USAGE=block.properties["usage"],
            )  # fmt: skip
            registers = SubElement(element, "REGISTERS")
            for name, register in block.parts.items():
                one = SubElement(registers, "REGISTER", NAME=name)
                _properties(one, register)
                SubElement(one, "PROPERTY", NAME="IS_ENABLED", VALUE="true")
                fields = SubElement(one, "FIELDS")
                for field_name, field in register.parts.items():
                    _properties(SubElement(fields, "FIELD", NAME=field_name), field)


def _add_memory_map(design: Design, name: str, cell: Cell, module: Element) -> None:
    memory = SubElement(module, "MEMORYMAP")
    for placed in design.placed:
        owner, space = split(placed.space)
        if owner != name:
            continue
        target, block = split(placed.segment)
        address_block = block.split("/")[1]
        shape = design.cells[target].shape
        named = split(design.slave(placed.segment))[1]
        slave = next(bus for bus in shape.interfaces if bus.lower() == named.lower())
        SubElement(
            memory, "MEMRANGE", ADDRESSBLOCK=address_block, INSTANCE=target,
            BASENAME="C_BASEADDR", BASEVALUE=f"0x{placed.base:08X}", HIGHNAME="C_HIGHADDR",
            HIGHVALUE=f"0x{placed.base + placed.bytes - 1:08X}", IS_DATA="TRUE",
            IS_INSTRUCTION="TRUE", MASTERBUSINTERFACE=cell.shape.spaces[space],
            MEMTYPE=shape.segments[block].usage.upper(), SLAVEBUSINTERFACE=slave,
        )  # fmt: skip


def hwh(design: Design, part: str, version: str) -> str:
    root = Element("EDKSYSTEM", EDWVERSION="1.2", TIMESTAMP="", VIVADOVERSION=version)
    if "processing_system7" in design.system[1].kind.vlnv:
        arch, device, package, grade = "zynq", part[2:7], part[7:13], part[13:]
    else:
        device, package, grade, _ = part.split("-")
        arch, grade = "zynquplus", f"-{grade}"
    SubElement(
        root, "SYSTEMINFO", ARCH=arch, DEVICE=device, NAME=design.name, PACKAGE=package,
        SPEEDGRADE=grade,
    )  # fmt: skip
    SubElement(root, "EXTERNALPORTS")
    SubElement(root, "EXTERNALINTERFACES")
    modules = SubElement(root, "MODULES")
    for name, cell in design.cells.items():
        vlnv = cell.kind.vlnv.split(":")
        module = SubElement(
            modules, "MODULE", COREREVISION="1", FULLNAME=f"/{name}", HWVERSION=vlnv[3],
            INSTANCE=name, IPTYPE="PERIPHERAL", IS_ENABLE="1", MODCLASS="PERIPHERAL",
            MODTYPE=vlnv[2], VLNV=cell.kind.vlnv,
        )  # fmt: skip
        _add_registers(cell, module)
        parameters = SubElement(module, "PARAMETERS")
        for key, value in _parameters(design, cell).items():
            SubElement(parameters, "PARAMETER", NAME=key, VALUE=value)
        ports, buses = SubElement(module, "PORTS"), SubElement(module, "BUSINTERFACES")
        _add_pins(design, name, cell, ports)
        for bus, what in cell.shape.interfaces.items():
            if what.clock:
                _add_bus(design, name, bus, what, ports, buses)
        _add_memory_map(design, name, cell, module)
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True)
