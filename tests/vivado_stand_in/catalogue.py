# SPDX-License-Identifier: BSD-3-Clause
"""IPs of Vivado's catalogue as far as the block design uses them: what has which pins, when."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field


class VivadoError(Exception):
    """What Vivado would refuse."""


@dataclass(frozen=True)
class Pin:
    direction: str  # "I" or "O"
    kind: str  # "clk", "rst", "intr"
    active_low: bool = False


@dataclass(frozen=True)
class Interface:
    mode: str  # "Master" or "Slave"
    protocol: str  # "AXI4", "AXI4LITE", "AXI3", "ANY" or that of a port
    width: int = 0
    clock: str = ""  # pin of the same cell


@dataclass(frozen=True)
class Segment:
    """What an address space may reach; named interface/block."""

    bytes: int
    usage: str  # "register", which may lie anywhere, or "memory", which is where it is
    base: int = 0
    bus: str = ""  # where the interface is named otherwise


@dataclass
class Shape:
    """Of a cell with its parameters set."""

    pins: dict[str, Pin] = field(default_factory=dict)
    interfaces: dict[str, Interface] = field(default_factory=dict)
    segments: dict[str, Segment] = field(default_factory=dict)
    spaces: dict[str, str] = field(default_factory=dict)  # address space -> its interface


@dataclass(frozen=True)
class Kind:
    vlnv: str
    patterns: dict[str, str]  # parameter -> pattern of its values
    defaults: dict[str, str]
    shape: Callable[[dict[str, str]], Shape]
    maps: dict = field(default_factory=dict)  # of a packaged IP: its described memory maps

    def check(self, name: str, value: str) -> None:
        if name not in self.patterns:
            raise VivadoError(f"{self.vlnv} has no parameter CONFIG.{name}")
        if not re.fullmatch(self.patterns[name], value):
            raise VivadoError(f"CONFIG.{name} of {self.vlnv} cannot be {value!r}")


SWITCH = "[01]"
MIO = r"MIO \d+( \.\. \d+)?"
NUMBER = r"-?\d+(\.\d+)?"
VOLTAGE = r"LVCMOS (1\.8|2\.5|3\.3)V"
# Names as the hwh of a real XC7Z020 design spells them.
PS7 = {
    **dict.fromkeys(
        """PCW_CRYSTAL_PERIPHERAL_FREQMHZ PCW_APU_PERIPHERAL_FREQMHZ PCW_FPGA0_PERIPHERAL_FREQMHZ
        PCW_UIPARAM_DDR_FREQ_MHZ PCW_SDIO_PERIPHERAL_FREQMHZ PCW_UIPARAM_DDR_DQS_TO_CLK_DELAY_0
        PCW_UIPARAM_DDR_DQS_TO_CLK_DELAY_1 PCW_UIPARAM_DDR_DQS_TO_CLK_DELAY_2
        PCW_UIPARAM_DDR_DQS_TO_CLK_DELAY_3 PCW_UIPARAM_DDR_BOARD_DELAY0
        PCW_UIPARAM_DDR_BOARD_DELAY1 PCW_UIPARAM_DDR_BOARD_DELAY2
        PCW_UIPARAM_DDR_BOARD_DELAY3""".split(),
        NUMBER,
    ),
    **dict.fromkeys(
        """PCW_UIPARAM_DDR_TRAIN_WRITE_LEVEL PCW_UIPARAM_DDR_TRAIN_READ_GATE
        PCW_UIPARAM_DDR_TRAIN_DATA_EYE PCW_UIPARAM_DDR_USE_INTERNAL_VREF
        PCW_QSPI_PERIPHERAL_ENABLE PCW_QSPI_GRP_SINGLE_SS_ENABLE PCW_QSPI_GRP_FBCLK_ENABLE
        PCW_UART0_PERIPHERAL_ENABLE PCW_ENET0_PERIPHERAL_ENABLE PCW_ENET0_GRP_MDIO_ENABLE
        PCW_ENET0_RESET_ENABLE PCW_USB0_PERIPHERAL_ENABLE PCW_USB0_RESET_ENABLE
        PCW_SD0_PERIPHERAL_ENABLE PCW_SD0_GRP_CD_ENABLE PCW_GPIO_MIO_GPIO_ENABLE PCW_USE_M_AXI_GP0
        PCW_USE_S_AXI_HP0 PCW_USE_S_AXI_HP2 PCW_FPGA_FCLK0_ENABLE PCW_EN_CLK0_PORT PCW_EN_RST0_PORT
        PCW_USE_FABRIC_INTERRUPT PCW_IRQ_F2P_INTR""".split(),
        SWITCH,
    ),
    **dict.fromkeys(
        """PCW_QSPI_QSPI_IO PCW_UART0_UART0_IO PCW_ENET0_ENET0_IO PCW_ENET0_GRP_MDIO_IO
        PCW_ENET0_RESET_IO PCW_USB0_USB0_IO PCW_USB0_RESET_IO PCW_SD0_SD0_IO
        PCW_SD0_GRP_CD_IO""".split(),
        MIO,
    ),
    "PCW_PRESET_BANK0_VOLTAGE": VOLTAGE,
    "PCW_PRESET_BANK1_VOLTAGE": VOLTAGE,
    "PCW_UIPARAM_DDR_MEMORY_TYPE": r"DDR 3|DDR 3 \(Low Voltage\)|DDR 2|LPDDR 2",
    "PCW_UIPARAM_DDR_PARTNO": r"MT4[017][A-Z]\d+M\d+ [A-Z]{2}-\d+[A-Z]*",
    "PCW_UIPARAM_DDR_BUS_WIDTH": "16 Bit|32 Bit",
    "PCW_S_AXI_HP0_DATA_WIDTH": "32|64",
    "PCW_S_AXI_HP2_DATA_WIDTH": "32|64",
}
PS7_DEFAULTS = {
    "PCW_USE_M_AXI_GP0": "1",
    "PCW_USE_S_AXI_HP0": "0",
    "PCW_S_AXI_HP0_DATA_WIDTH": "64",
    "PCW_USE_S_AXI_HP2": "0",
    "PCW_S_AXI_HP2_DATA_WIDTH": "64",
    "PCW_FPGA_FCLK0_ENABLE": "1",
    "PCW_EN_CLK0_PORT": "1",
    "PCW_EN_RST0_PORT": "1",
    "PCW_FPGA0_PERIPHERAL_FREQMHZ": "50",
    "PCW_USE_FABRIC_INTERRUPT": "0",
    "PCW_IRQ_F2P_INTR": "0",
    "PCW_CRYSTAL_PERIPHERAL_FREQMHZ": "33.333333",
}
DDR_BYTES = 0x2000_0000


def processing_system(set_to: dict[str, str]) -> Shape:
    def on(*names: str) -> bool:
        return all(set_to[name] == "1" for name in names)

    shape = Shape(
        interfaces={"DDR": Interface("Master", "DDR"), "FIXED_IO": Interface("Master", "FIXED_IO")}
    )
    if on("PCW_FPGA_FCLK0_ENABLE", "PCW_EN_CLK0_PORT"):
        shape.pins["FCLK_CLK0"] = Pin("O", "clk")
    if on("PCW_EN_RST0_PORT"):
        shape.pins["FCLK_RESET0_N"] = Pin("O", "rst", active_low=True)
    if on("PCW_USE_FABRIC_INTERRUPT", "PCW_IRQ_F2P_INTR"):
        shape.pins["IRQ_F2P"] = Pin("I", "intr")
    if on("PCW_USE_M_AXI_GP0"):
        shape.pins["M_AXI_GP0_ACLK"] = Pin("I", "clk")
        shape.interfaces["M_AXI_GP0"] = Interface("Master", "AXI3", 32, "M_AXI_GP0_ACLK")
        shape.spaces["Data"] = "M_AXI_GP0"
    for port in ("HP0", "HP2"):
        if on(f"PCW_USE_S_AXI_{port}"):
            bus, width = f"S_AXI_{port}", int(set_to[f"PCW_S_AXI_{port}_DATA_WIDTH"])
            shape.pins[f"{bus}_ACLK"] = Pin("I", "clk")
            shape.interfaces[bus] = Interface("Slave", "AXI3", width, f"{bus}_ACLK")
            shape.segments[f"{bus}/{port}_DDR_LOWOCM"] = Segment(DDR_BYTES, "memory")
    return shape


# Names as the hwh of a real design with zynq_ultra_ps_e spells them; no board sets DDR or pins.
PSU_DEFAULTS = {
    "PSU__USE__M_AXI_GP0": "1",
    "PSU__USE__M_AXI_GP1": "1",
    "PSU__USE__M_AXI_GP2": "0",
    "PSU__MAXIGP0__DATA_WIDTH": "128",
    "PSU__USE__S_AXI_GP2": "0",
    "PSU__USE__S_AXI_GP4": "0",
    "PSU__SAXIGP2__DATA_WIDTH": "128",
    "PSU__SAXIGP4__DATA_WIDTH": "128",
    "PSU__FPGA_PL0_ENABLE": "1",
    "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": "100",
    "PSU__CRL_APB__PL0_REF_CTRL__SRCSEL": "IOPLL",
    "PSU__CRL_APB__IOPLL_CTRL__FBDIV": "90",
    "PSU__PSS_REF_CLK__FREQMHZ": "33.333",
    "PSU__USE__FABRIC__RST": "1",
    "PSU__NUM_FABRIC_RESETS": "1",
    "PSU__USE__IRQ0": "0",
}
PSU = {
    **dict.fromkeys(PSU_DEFAULTS, SWITCH),
    **dict.fromkeys((name for name in PSU_DEFAULTS if "DATA_WIDTH" in name), "32|64|128"),
    **dict.fromkeys((name for name in PSU_DEFAULTS if "FREQMHZ" in name), NUMBER),
    "PSU__CRL_APB__PL0_REF_CTRL__SRCSEL": "IOPLL|RPLL|DPLL",
    "PSU__CRL_APB__IOPLL_CTRL__FBDIV": r"\d+",
    "PSU__NUM_FABRIC_RESETS": "[1-4]",
}
PSU_SEGMENTS = {"DDR_LOW": (0, 0x8000_0000), "QSPI": (0xC000_0000, 0x2000_0000),
                "LPS_OCM": (0xFF00_0000, 0x100_0000)}  # fmt: skip


def processing_system_ultrascale(set_to: dict[str, str]) -> Shape:
    def on(*names: str) -> bool:
        return all(set_to[f"PSU__{name}"] == "1" for name in names)

    shape = Shape()
    if on("FPGA_PL0_ENABLE"):
        shape.pins["pl_clk0"] = Pin("O", "clk")
    if on("USE__FABRIC__RST"):
        shape.pins["pl_resetn0"] = Pin("O", "rst", active_low=True)
    if on("USE__IRQ0"):
        shape.pins["pl_ps_irq0"] = Pin("I", "intr")
    for number, master in enumerate(("hpm0_fpd", "hpm1_fpd", "hpm0_lpd")):
        if on(f"USE__M_AXI_GP{number}"):
            bus, width = f"M_AXI_{master.upper()}", set_to.get(f"PSU__MAXIGP{number}__DATA_WIDTH")
            shape.pins[f"maxi{master}_aclk"] = Pin("I", "clk")
            shape.interfaces[bus] = Interface(
                "Master", "AXI4", int(width or 128), f"maxi{master}_aclk"
            )
            shape.spaces["Data"] = "M_AXI_HPM0_FPD"
    for port, number in (("HP0", 2), ("HP2", 4)):
        if on(f"USE__S_AXI_GP{number}"):
            bus, clock = f"S_AXI_{port}_FPD", f"saxi{port.lower()}_fpd_aclk"
            width = int(set_to[f"PSU__SAXIGP{number}__DATA_WIDTH"])
            shape.pins[clock] = Pin("I", "clk")
            shape.interfaces[bus] = Interface("Slave", "AXI4", width, clock)
            for name, (base, size) in PSU_SEGMENTS.items():
                shape.segments[f"SAXIGP{number}/{port}_{name}"] = Segment(size, "memory", base, bus)
    return shape


def system_reset(_: dict[str, str]) -> Shape:
    pins = {"slowest_sync_clk": Pin("I", "clk"), "mb_reset": Pin("O", "rst")}
    pins["ext_reset_in"] = Pin("I", "rst", active_low=True)  # either; taken from its source
    for name in ("interconnect_aresetn", "peripheral_aresetn"):
        pins[name] = Pin("O", "rst", active_low=True)
    for name in ("bus_struct_reset", "peripheral_reset"):
        pins[name] = Pin("O", "rst")
    return Shape(pins)


def interconnect(set_to: dict[str, str]) -> Shape:
    shape = Shape({"ACLK": Pin("I", "clk"), "ARESETN": Pin("I", "rst", active_low=True)})
    for letter, mode in (("S", "Slave"), ("M", "Master")):
        for number in range(int(set_to[f"NUM_{letter}I"])):
            port = f"{letter}{number:02}"
            shape.pins[f"{port}_ACLK"] = Pin("I", "clk")
            shape.pins[f"{port}_ARESETN"] = Pin("I", "rst", active_low=True)
            shape.interfaces[f"{port}_AXI"] = Interface(mode, "ANY", 0, f"{port}_ACLK")
    return shape


def interrupt_controller(set_to: dict[str, str]) -> Shape:
    shape = Shape(
        {
            "s_axi_aclk": Pin("I", "clk"),
            "s_axi_aresetn": Pin("I", "rst", active_low=True),
            "intr": Pin("I", "intr"),
        },
        {"s_axi": Interface("Slave", "AXI4LITE", 32, "s_axi_aclk")},
        {"S_AXI/Reg": Segment(4096, "register")},
    )
    if set_to["C_IRQ_CONNECTION"] == "1":
        shape.pins["irq"] = Pin("O", "intr")
    else:
        shape.interfaces["interrupt"] = Interface("Master", "INTERRUPT")
    return shape


CATALOGUE = {
    kind.vlnv: kind
    for kind in (
        Kind("xilinx.com:ip:processing_system7:5.5", PS7, PS7_DEFAULTS, processing_system),
        Kind("xilinx.com:ip:zynq_ultra_ps_e:3.4", PSU, PSU_DEFAULTS, processing_system_ultrascale),
        Kind("xilinx.com:ip:proc_sys_reset:5.0", {}, {}, system_reset),
        Kind(
            "xilinx.com:ip:axi_interconnect:2.1",
            {"NUM_SI": r"[1-9]|1[0-6]", "NUM_MI": r"[1-9]|[1-5]\d|6[0-4]"},
            {"NUM_SI": "1", "NUM_MI": "2"},
            interconnect,
        ),
        Kind(
            "xilinx.com:ip:axi_intc:4.1",
            {"C_IRQ_CONNECTION": SWITCH},
            {"C_IRQ_CONNECTION": "0"},
            interrupt_controller,
        ),
    )
}
PORTS = {
    "xilinx.com:interface:ddrx_rtl:1.0": "DDR",
    "xilinx.com:display_processing_system7:fixedio_rtl:1.0": "FIXED_IO",
}
