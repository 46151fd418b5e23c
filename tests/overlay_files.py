# SPDX-License-Identifier: BSD-3-Clause
"""A bitstream that programs nothing, and the hardware description that Vivado would write with it.

The block design: processing_system7_0 (M_AXI_GP0, FCLK_CLK0, IRQ_F2P), qnn_engine_0 and axi_intc_0,
which collects the interrupt of the engine.
"""

from pathlib import Path

from qnn.platforms.overlay import VLNV

ENGINE_BASE = 0x43C0_0000
INTC_BASE = 0x4180_0000
CLOCK_MHZ = 100.0
CONFIGURATION = bytes.fromhex("ffffffff 000000bb 11220044 ffffffff aa995566 20000000")


def write_overlay(
    folder: Path,
    vlnv: str = VLNV,
    engine_bytes: int = 0x1_0000,
    clock_mhz: float = CLOCK_MHZ,
    interrupt: bool = True,
) -> Path:
    """Writes qnn.bit and qnn.hwh; the path of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    bitstream = folder / "qnn.bit"
    bitstream.write_bytes(bit_file(CONFIGURATION))
    bitstream.with_suffix(".hwh").write_text(
        hardware_description(vlnv, engine_bytes, clock_mhz, interrupt)
    )
    return bitstream


def bit_file(configuration: bytes) -> bytes:
    """A .bit: its header, and what configures the device."""
    fields = b"\x00\x09\x0f\xf0\x0f\xf0\x0f\xf0\x0f\xf0\x00\x00\x01"
    for letter, text in zip("abcd", ("qnn", "7z020clg400", "2026/01/05", "12:00:00"), strict=True):
        value = text.encode() + b"\0"
        fields += letter.encode() + len(value).to_bytes(2, "big") + value
    return fields + b"e" + len(configuration).to_bytes(4, "big") + configuration


def hardware_description(vlnv: str, engine_bytes: int, clock_mhz: float, interrupt: bool) -> str:
    """The text of a .hwh."""
    engine_ports = [_bus_port("s_axi_ctrl_awaddr", "I"), _wire("irq", "O", "axi_intc_0", "intr")]
    intc_ports = [
        _bus_port("s_axi_awaddr", "I"),
        _wire("intr", "I", "qnn_engine_0", "irq"),
        _wire("irq", "O", "processing_system7_0", "IRQ_F2P"),
    ]
    ps_ports = [
        _bus_port("M_AXI_GP0_AWADDR", "O"),
        _wire("IRQ_F2P", "I", "axi_intc_0", "irq"),
    ]
    intc = _module(
        "axi_intc_0",
        "xilinx.com:ip:axi_intc:4.1",
        {},
        intc_ports,
        _interface("s_axi", "SLAVE", "s_axi_awaddr"),
    )
    segments = [_segment("qnn_engine_0", "s_axi_ctrl", ENGINE_BASE, engine_bytes)]
    if interrupt:
        segments.append(_segment("axi_intc_0", "s_axi", INTC_BASE, 0x1_0000))
    else:
        intc, engine_ports, ps_ports = "", engine_ports[:1], ps_ports[:1]
    engine = _module(
        "qnn_engine_0",
        vlnv,
        {},
        engine_ports,
        _interface("s_axi_ctrl", "SLAVE", "s_axi_ctrl_awaddr"),
    )
    ps = _module(
        "processing_system7_0",
        "xilinx.com:ip:processing_system7:5.5",
        _clock_parameters(clock_mhz),
        ps_ports,
        _interface("M_AXI_GP0", "MASTER", "M_AXI_GP0_AWADDR"),
        f"<MEMORYMAP>{''.join(segments)}</MEMORYMAP>",
    )
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no" ?>
<EDKSYSTEM EDWVERSION="1.2" TIMESTAMP="Mon Jan 5 12:00:00 2026" VIVADOVERSION="2022.1">
<SYSTEMINFO ARCH="zynq" BOARD="" DEVICE="7z020" NAME="qnn" PACKAGE="clg400" SPEEDGRADE="-1"/>
<EXTERNALPORTS/><EXTERNALINTERFACES/>
<MODULES>
{engine}
{intc}
{ps}
</MODULES>
</EDKSYSTEM>
"""


def _clock_parameters(clock_mhz: float) -> dict[str, object]:
    """Of the four clocks; only the first is on."""
    found: dict[str, object] = {}
    for i in range(4):
        found |= {
            f"PCW_ACT_FPGA{i}_PERIPHERAL_FREQMHZ": f"{clock_mhz if i == 0 else 10:.6f}",
            f"PCW_FPGA_FCLK{i}_ENABLE": int(i == 0),
            f"PCW_FCLK{i}_PERIPHERAL_CLKSRC": "IO PLL",
            f"PCW_FCLK{i}_PERIPHERAL_DIVISOR0": 5,
            f"PCW_FCLK{i}_PERIPHERAL_DIVISOR1": 2,
        }
    return found


def _module(
    name: str,
    vlnv: str,
    parameters: dict[str, object],
    ports: list[str],
    interface: str,
    rest: str = "",
) -> str:
    _, _, kind, version = vlnv.split(":")
    values = "".join(f'<PARAMETER NAME="{k}" VALUE="{v}"/>' for k, v in parameters.items())
    return f"""<MODULE FULLNAME="/{name}" HWVERSION="{version}" INSTANCE="{name}"
  IPTYPE="PERIPHERAL" IS_ENABLE="1" MODCLASS="PERIPHERAL" MODTYPE="{kind}" VLNV="{vlnv}">
<PARAMETERS>{values}</PARAMETERS>
<PORTS>{"".join(ports)}</PORTS>
<BUSINTERFACES>{interface}</BUSINTERFACES>
{rest}
</MODULE>"""


def _bus_port(name: str, direction: str) -> str:
    return (
        f'<PORT DIR="{direction}" LEFT="31" NAME="{name}" RIGHT="0" SIGIS="undef" SIGNAME="gp0"/>'
    )


def _wire(name: str, direction: str, instance: str, port: str) -> str:
    return (
        f'<PORT DIR="{direction}" NAME="{name}" SIGIS="INTERRUPT" SIGNAME="{instance}_{port}">'
        f'<CONNECTIONS><CONNECTION INSTANCE="{instance}" PORT="{port}"/></CONNECTIONS></PORT>'
    )


def _interface(name: str, kind: str, address: str) -> str:
    return (
        f'<BUSINTERFACE BUSNAME="gp0" DATAWIDTH="32" NAME="{name}" TYPE="{kind}" '
        f'VLNV="xilinx.com:interface:aximm:1.0"><PORTMAPS>'
        f'<PORTMAP LOGICAL="AWADDR" PHYSICAL="{address}"/></PORTMAPS></BUSINTERFACE>'
    )


def _segment(instance: str, interface: str, base: int, size: int) -> str:
    return (
        f'<MEMRANGE ADDRESSBLOCK="reg0" BASENAME="C_BASEADDR" BASEVALUE="{base:#010X}" '
        f'HIGHNAME="C_HIGHADDR" HIGHVALUE="{base + size - 1:#010X}" INSTANCE="{instance}" '
        f'IS_DATA="TRUE" IS_INSTRUCTION="TRUE" MASTERBUSINTERFACE="M_AXI_GP0" MEMTYPE="REGISTER" '
        f'SLAVEBUSINTERFACE="{interface}"/>'
    )
