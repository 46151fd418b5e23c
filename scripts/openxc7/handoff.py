# SPDX-License-Identifier: BSD-3-Clause
"""The hardware description (.hwh) of qnn_zynq, as far as PYNQ reads one.

It names what the block design of scripts/vivado has, and qnn_zynq too: processing_system7_0,
qnn_engine_0, and axi_intc_0, which is our qnn_intc with the registers of that IP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from qnn.errors import QnnError

IO_PLL_MHZ = 1000  # the images of the boards set it: 20 times their crystal of 50 MHz
DIVISORS = range(1, 64)
SYSTEM, ENGINE, INTC = "processing_system7_0", "qnn_engine_0", "axi_intc_0"
MASTER = "M_AXI_GP0"
AXI = "xilinx.com:interface:aximm:1.0"


def divided(first: int, second: int) -> float:
    """MHz of a clock with these divisors of the IO PLL."""
    return IO_PLL_MHZ / first / second


def clock_divisors(mhz: float) -> tuple[int, int]:
    """The two divisors of the IO PLL that come nearest to a clock.

    Raises:
        QnnError: even the nearest is 5% off.
    """
    first, second = min(
        ((a, b) for a in DIVISORS for b in DIVISORS if a >= b),
        key=lambda pair: abs(divided(*pair) - mhz),
    )
    actual = divided(first, second)
    if abs(actual / mhz - 1) > 0.05:
        raise QnnError(f"the nearest to {mhz:g} MHz that FCLK_CLK0 can be is {actual:g} MHz")
    return first, second


def actual_mhz(mhz: float) -> float:
    """What FCLK_CLK0 is where `mhz` is asked for; QnnError as of clock_divisors."""
    return divided(*clock_divisors(mhz))


def _clocks(mhz: float) -> dict[str, str]:
    """Of the four clocks; the first drives everything, the others are off."""
    values = {}
    for number in range(4):
        first, second = clock_divisors(mhz) if number == 0 else (10, 10)
        values |= {
            f"PCW_FPGA_FCLK{number}_ENABLE": str(int(number == 0)),
            f"PCW_FCLK{number}_PERIPHERAL_CLKSRC": "IO PLL",
            f"PCW_FCLK{number}_PERIPHERAL_DIVISOR0": str(first),
            f"PCW_FCLK{number}_PERIPHERAL_DIVISOR1": str(second),
            f"PCW_ACT_FPGA{number}_PERIPHERAL_FREQMHZ": f"{divided(first, second):.6f}",
        }
    return values


def _system(told: Mapping[str, Any]) -> dict[str, str]:
    """Parameters of the processing system: the board's, and what qnn_zynq connects."""
    return {
        **told["ps"],
        **_clocks(told["clock_mhz"]),
        "PCW_USE_M_AXI_GP0": "1",
        "PCW_USE_S_AXI_HP0": "1",
        "PCW_S_AXI_HP0_DATA_WIDTH": "64",
        "PCW_USE_S_AXI_HP2": "1",
        "PCW_S_AXI_HP2_DATA_WIDTH": "64",
        "PCW_FPGA0_PERIPHERAL_FREQMHZ": str(told["clock_mhz"]),
        "PCW_USE_FABRIC_INTERRUPT": "1",
        "PCW_IRQ_F2P_INTR": "1",
    }


def _module(modules: Element, name: str, vlnv: str, parameters: Mapping[str, str]) -> Element:
    _, _, kind, version = vlnv.split(":")
    module = SubElement(
        modules, "MODULE", COREREVISION="1", FULLNAME=f"/{name}", HWVERSION=version, INSTANCE=name,
        IPTYPE="PERIPHERAL", IS_ENABLE="1", MODCLASS="PERIPHERAL", MODTYPE=kind, VLNV=vlnv,
    )  # fmt: skip
    SubElement(module, "ADDRESSBLOCKS")
    values = SubElement(module, "PARAMETERS")
    for key, value in parameters.items():
        SubElement(values, "PARAMETER", NAME=key, VALUE=value)
    SubElement(module, "PORTS")
    SubElement(module, "BUSINTERFACES")
    SubElement(module, "MEMORYMAP")
    return module


def _wire(module: Element, port: str, direction: str, kind: str, net: str, *ends: str) -> None:
    """A port of one bit on a net, with the other ends of it as instance/port."""
    ports = module.find("PORTS")
    assert ports is not None
    element = SubElement(ports, "PORT", DIR=direction, NAME=port, SIGIS=kind, SIGNAME=net)
    connections = SubElement(element, "CONNECTIONS")
    for end in ends:
        instance, _, other = end.partition("/")
        SubElement(connections, "CONNECTION", INSTANCE=instance, PORT=other)


def _bus(module: Element, bus: str, kind: str, width: int, net: str) -> None:
    """A bus; the address lines of it stand for all."""
    ports, buses = module.find("PORTS"), module.find("BUSINTERFACES")
    assert ports is not None and buses is not None
    physical = f"{bus}_awaddr" if bus.islower() else f"{bus}_AWADDR"
    SubElement(
        ports, "PORT", DIR="O" if kind == "MASTER" else "I", LEFT="31", RIGHT="0", NAME=physical,
        SIGIS="undef", SIGNAME=f"{net}_AWADDR",
    )  # fmt: skip
    element = SubElement(
        buses, "BUSINTERFACE", BUSNAME=net, NAME=bus, DATAWIDTH=str(width), TYPE=kind, VLNV=AXI
    )
    maps = SubElement(element, "PORTMAPS")
    SubElement(maps, "PORTMAP", LOGICAL="AWADDR", PHYSICAL=physical)


def _segment(
    module: Element, instance: str, block: str, base: int, size: int, master: str, slave: str,
    kind: str,
) -> None:  # fmt: skip
    memory = module.find("MEMORYMAP")
    assert memory is not None
    SubElement(
        memory, "MEMRANGE", ADDRESSBLOCK=block, INSTANCE=instance, BASENAME="C_BASEADDR",
        BASEVALUE=f"0x{base:08X}", HIGHNAME="C_HIGHADDR", HIGHVALUE=f"0x{base + size - 1:08X}",
        IS_DATA="TRUE", IS_INSTRUCTION="TRUE", MASTERBUSINTERFACE=master, MEMTYPE=kind,
        SLAVEBUSINTERFACE=slave,
    )  # fmt: skip


def _registers(module: Element, told: Mapping[str, Any]) -> None:
    """What the Tcl tells the packager of registers and fields, in the form of a .hwh."""
    blocks = module.find("ADDRESSBLOCKS")
    assert blocks is not None
    block = SubElement(
        blocks, "ADDRESSBLOCK", INTERFACE="s_axi_ctrl", NAME="reg0",
        RANGE=str(told["address_bytes"]), USAGE="register",
    )  # fmt: skip
    registers = SubElement(block, "REGISTERS")

    def properties(element: Element, values: Mapping[str, object]) -> None:
        for key, value in values.items():
            SubElement(element, "PROPERTY", NAME=key, VALUE=str(value))

    rows: Sequence[tuple] = told["registers"]
    for name, offset, access, text, fields in rows:
        register = SubElement(registers, "REGISTER", NAME=name)
        properties(register, {"DESCRIPTION": text, "ADDRESS_OFFSET": offset, "ACCESS": access,
                              "IS_ENABLED": "true", "SIZE": 32})  # fmt: skip
        parts = SubElement(register, "FIELDS")
        for field, lowest, width, meaning in fields:
            properties(
                SubElement(parts, "FIELD", NAME=field),
                {"DESCRIPTION": meaning, "BIT_OFFSET": lowest, "BIT_WIDTH": width,
                 "ACCESS": access},
            )  # fmt: skip


def description(told: Mapping[str, Any]) -> str:
    """The text of a .hwh, from the settings that the Tcl of scripts/vivado is told too."""
    part = told["part"]
    root = Element("EDKSYSTEM", EDWVERSION="1.2", TIMESTAMP="", VIVADOVERSION="2022.1")
    SubElement(
        root, "SYSTEMINFO", ARCH="zynq", BOARD="", DEVICE=part[2:7], NAME="qnn", PACKAGE=part[7:13],
        SPEEDGRADE=part[13:],
    )  # fmt: skip
    SubElement(root, "EXTERNALPORTS")
    SubElement(root, "EXTERNALINTERFACES")
    modules = SubElement(root, "MODULES")
    system = _module(modules, SYSTEM, "xilinx.com:ip:processing_system7:5.5", _system(told))
    engine = _module(modules, ENGINE, told["vlnv"], {})
    intc = _module(modules, INTC, "xilinx.com:ip:axi_intc:4.1", {"C_IRQ_CONNECTION": "1"})
    _registers(engine, told)

    clock, line, asked = "fclk_clk0", "qnn_engine_0_irq", "axi_intc_0_irq"
    _wire(system, "FCLK_CLK0", "O", "clk", clock, f"{ENGINE}/aclk", f"{INTC}/s_axi_aclk")
    _wire(engine, "aclk", "I", "clk", clock, f"{SYSTEM}/FCLK_CLK0")
    _wire(intc, "s_axi_aclk", "I", "clk", clock, f"{SYSTEM}/FCLK_CLK0")
    _wire(engine, "irq", "O", "INTERRUPT", line, f"{INTC}/intr")
    _wire(intc, "intr", "I", "INTERRUPT", line, f"{ENGINE}/irq")
    _wire(intc, "irq", "O", "INTERRUPT", asked, f"{SYSTEM}/IRQ_F2P")
    _wire(system, "IRQ_F2P", "I", "INTERRUPT", asked, f"{INTC}/irq")

    _bus(system, MASTER, "MASTER", 32, "gp0")
    _bus(engine, "s_axi_ctrl", "SLAVE", 32, "gp0")
    _bus(intc, "s_axi", "SLAVE", 32, "gp0")
    size = told["segment_bytes"]
    _segment(system, ENGINE, "reg0", told["engine_address"], size, MASTER, "s_axi_ctrl", "REGISTER")
    _segment(system, INTC, "Reg", told["intc_address"], size, MASTER, "s_axi", "REGISTER")
    for master, port in (("m_axi", "HP0"), ("m_axi_read", "HP2")):
        _bus(engine, master, "MASTER", 64, port.lower())
        _bus(system, f"S_AXI_{port}", "SLAVE", 64, port.lower())
        _segment(
            engine, SYSTEM, f"{port}_DDR_LOWOCM", 0, told["memory_bytes"], master, f"S_AXI_{port}",
            "MEMORY",
        )  # fmt: skip
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True)
