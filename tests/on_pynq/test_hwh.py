# SPDX-License-Identifier: BSD-3-Clause
"""PYNQ's parsers find what they need in what scripts/vivado and scripts/openxc7 build."""

import pytest
from openxc7_stand_in import prjxray
from openxc7_stand_in.outcome import Outcome

import bitstream
from openxc7 import bit_file, handoff
from qnn_sim import boards

pytest.importorskip("tkinter", reason="this Python has no Tcl interpreter")
metadata = pytest.importorskip("pynqmetadata.frontends", reason="pynqmetadata is missing")
runtime = pytest.importorskip("pynqmetadata.views.runtime")
bench = pytest.importorskip("vivado_stand_in.bench")


@pytest.fixture(scope="module", params=["vivado", "openxc7"])
def description(request, tmp_path_factory):
    """The path of a .hwh."""
    work = tmp_path_factory.mktemp("hwh") / "work"
    if request.param == "vivado":
        bench.run(work)
    else:
        work.mkdir()
        told = bitstream.settings(boards.load("pynq-z1"), [], "01234567", 1)
        (work / "qnn.hwh").write_text(handoff.description(told))
    return work / "qnn.hwh"


@pytest.fixture(scope="module")
def design(description):
    return metadata.Metadata(input=str(description))


def test_addresses(design):
    blocks = runtime.IpDictView(design)
    assert (blocks["qnn_engine_0"]["phys_addr"], blocks["qnn_engine_0"]["addr_range"]) == (
        0x43C0_0000,
        0x1_0000,
    )
    assert blocks["axi_intc_0"]["phys_addr"] == 0x4180_0000


def test_the_interrupt_of_the_engine(design):
    controllers = runtime.InterruptControllersView(design).view
    assert controllers == {"axi_intc_0": {"parent": "", "index": 0, "raw_irq": 61}}
    pins = runtime.InterruptPinsView(design, controllers).view
    assert pins["qnn_engine_0/irq"]["controller"] == "axi_intc_0"


def test_registers_are_named(design):
    registers = runtime.IpDictView(design)["qnn_engine_0"]["registers"]
    assert registers["STATUS"]["address_offset"] == 0x24
    assert registers["STATUS"]["fields"]["done"]["bit_offset"] == 1


def test_clock_and_ports(description):
    """What an overlay sets of the processing system when it is loaded."""
    parser = runtime.RuntimeMetadataParser(metadata.Metadata(input=description))
    first = parser.clock_dict[0]
    assert (first["enable"], first["divisor0"] * first["divisor1"]) == (1, 10)
    assert [parser.clock_dict[number]["enable"] for number in range(1, 4)] == [0, 0, 0]
    for port in ("HP0", "HP2"):
        values = parser.ip_dict["processing_system7_0"]["parameters"]
        assert values[f"PCW_S_AXI_{port}_DATA_WIDTH"] == "64"


def test_the_header_of_a_bitstream_of_openxc7(tmp_path, monkeypatch):
    device = pytest.importorskip("pynq.pl_server.embedded_device")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "part.yaml").touch()
    (tmp_path / "qnn.frames").write_text("0x00000000 " + ",".join(["0x00000001"] * 101) + "\n")
    prjxray.frames2bit(
        ["--part_file", "part.yaml", "--part_name", "xc7z020clg400-1", "--frm_file", "qnn.frames",
         "--output_file", "unnamed.bit"],
        Outcome(),
    )  # fmt: skip
    text = bit_file.with_user_id((tmp_path / "unnamed.bit").read_bytes(), "01234567")
    header = device.parse_bit_header(text)
    assert (header["design"], header["part"]) == ("qnn_zynq", "xc7z020clg400-1")
    assert (header["date"], header["time"]) == ("2026/01/05", "12:00:00")
    assert int(header["length"]) == len(header["data"]) and text.endswith(header["data"])
    assert b"UserID=0X01234567" in text
    words = device.bit2bin(text)
    assert words[20:24] == bytes.fromhex("665599aa")  # the sync word, as the kernel wants it
