# SPDX-License-Identifier: BSD-3-Clause
"""`make bitstream TOOLCHAIN=openxc7`: Yosys on the real top around a small engine, the rest against
tests/openxc7_stand_in."""

import copy
import json
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyosys", reason="the extra `dev` is not installed")
from openxc7_stand_in import bench

import bitstream
from openxc7 import bit_file, flow, synthesis
from qnn.engine import regs
from qnn.errors import QnnError
from qnn.platforms import overlay
from qnn_sim import rtl_build

PORTS = bitstream.engine_ports()


def small_engine() -> str:
    """A module with the ports of qnn_engine that has two memories, and is soon synthesised."""
    ports = ",\n".join(f"  {way} logic [{bits - 1}:0] {name}" for way, bits, name in PORTS)
    rams = "\n".join(
        f"""
  qnn_ram #(.Width(64), .Depth(1024)) u_ram{number} (
    .clk_i(aclk), .we_i(m_axi_rvalid), .waddr_i(s_axi_ctrl_awaddr[9:0]),
    .wdata_i(m_axi_rdata ^ {number}), .raddr_i(s_axi_ctrl_araddr[9:0]),
    .rdata_o(out{number})
  );"""
        for number in range(2)
    )
    rest = "\n".join(
        f"  always_ff @(posedge aclk) {name} <= {bits}'(out0 ^ out1 ^ s_axi_ctrl_wdata);"
        for way, bits, name in PORTS
        if way == "output"
    )
    return f"""module qnn_engine #(
  parameter int unsigned Pe = 32, Pixels = 4, WeightWords = 1024, ThresholdWords = 512,
  WindowWords = 4096, PoolColumns = 256, Commands = 64, Ports = 2, Requantiser = 1, DspPairs = 1
) (
{ports}
);
  logic [63:0] out0, out1;
{rams}
{rest}
endmodule
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The RTL with the small engine in the place of the real one."""
    path = tmp_path_factory.mktemp("engine") / "qnn_engine.sv"
    path.write_text(small_engine())
    needed = ("qnn_regs_pkg.sv", "qnn_pkg.sv", "qnn_ram.sv")
    return [*(file for file in rtl_build.sources() if file.name in needed), path]


@pytest.fixture(scope="module")
def placed(sources, made_once):
    """What Yosys makes of it, with places."""

    def make(folder):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rtl_build, "sources", lambda *_: sources)
            assert synthesis.synthesise(folder, {}, bench.SITES) == 4

    return json.loads((made_once("openxc7-netlist", make) / "netlist.json").read_text())


@pytest.fixture(scope="module")
def netlist(placed):
    """The same without places."""
    netlist = copy.deepcopy(placed)
    for module in netlist["modules"].values():
        for cell in module["cells"].values():
            cell["attributes"].pop("BEL", None)
    return netlist


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """OPENXC7 names the stand-in; nothing else of the kind is in the environment."""
    for name in ("CHIPDB", "PRJXRAY_DB_DIR", "OPENXC7_STAND_IN"):
        monkeypatch.delenv(name, raising=False)
    folder = bench.install(tmp_path / "openxc7")
    monkeypatch.setenv("OPENXC7", str(folder))
    return folder


@pytest.fixture
def built(tools, netlist, monkeypatch, capsys):
    """built(*arguments, **outcome): exit status, output folder, and what was said."""

    def synthesise(folder, parameters, places):
        told.update(parameters=parameters, places=places)
        (folder / "netlist.json").write_text(json.dumps(netlist))
        return 0

    told = {}
    monkeypatch.setattr(synthesis, "synthesise", synthesise)
    monkeypatch.setattr(bitstream, "commit", lambda: "0123456789abcdef0123456789abcdef01234567")

    def run(out, *arguments, **outcome):
        monkeypatch.setenv("OPENXC7_STAND_IN", json.dumps(outcome))
        command = ["bitstream", *arguments, "--toolchain", "openxc7", "--out", str(out)]
        monkeypatch.setattr(sys, "argv", command)
        status = bitstream.main()
        said = capsys.readouterr()
        return status, said.out, said.err

    run.told = told
    return run


def declared(file: str) -> dict[str, str]:
    """Parameters of a module of rtl/ with their defaults, as they are written."""
    pattern = r"^  parameter (?:int unsigned|logic \[15:0\]) +(\w+) += ([\w']+),?(?: |$)"
    return dict(re.findall(pattern, (rtl_build.RTL / file).read_text(), re.MULTILINE))


def test_the_top_has_the_defaults_of_the_engine_and_the_addresses_of_the_hwh():
    engine = declared("top/qnn_engine.sv")
    del engine["AccW"]  # the host knows one width of accumulators only
    addresses = zip(("EngineWindow", "IntcWindow"), bitstream.ADDRESSES["zynq_7000"], strict=True)
    windows = {name: f"16'h{address >> 16:04X}" for name, address in addresses}
    for file, handed_on in (
        ("zynq/qnn_zynq.sv", engine | windows), ("zynq/qnn_fabric.sv", engine),
    ):  # fmt: skip
        assert declared(file) == engine | windows
        text = (rtl_build.RTL / file).read_text()
        assert all(f".{name}({name})" in text for name in handed_on), file
    bridge = declared("zynq/qnn_axi3_lite.sv")
    assert [bridge["Window0"], bridge["Window1"]] == list(windows.values())


def test_the_netlist_is_flat_and_has_one_processing_system(netlist):
    (top,) = (m for m in netlist["modules"].values() if int(m["attributes"].get("top", "0"), 2))
    kinds = [cell["type"] for cell in top["cells"].values()]
    assert not top["ports"]
    assert (kinds.count("PS7"), kinds.count("BUFG"), kinds.count("RAMB36E1")) == (1, 1, 4)
    (system,) = (cell for cell in top["cells"].values() if cell["type"] == "PS7")
    wires = system["connections"]
    (clock,) = top["netnames"][flow.CLOCK]["bits"]
    for port in ("MAXIGP0ACLK", "SAXIHP0ACLK", "SAXIHP2ACLK"):
        assert wires[port] == [clock]
    assert wires["IRQF2P"][1:] == ["0"] * 19 and isinstance(wires["IRQF2P"][0], int)
    assert wires["SAXIHP0WID"] == ["0"] * 6 and wires["SAXIHP2AWVALID"] == ["0"]


def test_block_rams_get_their_places(placed):
    places = re.findall(r'"BEL": "(.*?)"', json.dumps(placed))
    assert places == [f"RAMB36_X0Y{y}/RAMB36E1/RAMB36E1" for y in range(4)]


def cells(netlist) -> list[dict]:
    """All of them, without where in the source they come from."""
    return [
        cell | {"attributes": {n: v for n, v in cell["attributes"].items() if n != "src"}}
        for module in netlist["modules"].values()
        for cell in module["cells"].values()
    ]


@pytest.mark.nightly
def test_without_places_the_netlist_is_the_same(sources, netlist, tmp_path, monkeypatch):
    monkeypatch.setattr(rtl_build, "sources", lambda *_: sources)
    assert synthesis.synthesise(tmp_path, {}, None) == 0
    assert cells(json.loads((tmp_path / "netlist.json").read_text())) == cells(netlist)


def test_cells_that_are_not_known():
    synthesis.check_kinds({"a": "LUT2", "b": "PS7"}, {"LUT2": 1})
    with pytest.raises(QnnError, match="cells that are not known here: DSP58, URAM288"):
        synthesis.check_kinds({"a": "URAM288", "b": "BUFG", "c": "DSP58"}, {"LUT2": 1})


def test_what_yosys_says_when_it_fails(sources, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(rtl_build, "sources", lambda *_: sources[:-1])  # without the engine
    with pytest.raises(QnnError, match=r"^Yosys: "):
        synthesis.synthesise(tmp_path, {}, None)
    assert "Traceback" not in capfd.readouterr().err
    assert not (tmp_path / "netlist.json").exists()


@pytest.mark.parametrize("board", ["pynq-z1", pytest.param("pynq-z2", marks=pytest.mark.nightly)])
def test_a_board(board, built, tools, tmp_path):
    out = tmp_path / "out"
    status, said, errors = built(out, board)
    assert (status, errors) == (0, "")
    for line in (
        f"nextpnr-xilinx 0.9.5: {tools / 'bin/nextpnr-xilinx'}", "place and route",
        "bram36            4      140    2.9%", "setup slack +0.385 ns of 10 ns",
        "hold slack  not analysed",
    ):  # fmt: skip
        assert line in said
    written = json.loads((out / "bitstream.json").read_text())
    assert written["vlnv"] == f"qnn:qnn:qnn_engine:{regs.VERSION_MAJOR}.{regs.VERSION_MINOR}"
    assert (written["toolchain"], written["nextpnr"]) == ("openxc7", "nextpnr-xilinx 0.9.5")
    assert written["utilization"]["bram36"] == {"used": 4, "available": 140}
    assert b"qnn_zynq;UserID=0X01234567;" in (out / "qnn.bit").read_bytes()
    assert {path.name for path in out.iterdir()} == {
        "qnn.bit", "qnn.hwh", "bitstream.json", "nextpnr.json", "nextpnr.log", "openxc7",
    }  # fmt: skip
    assert "Placement density 0.3" in (out / "nextpnr.log").read_text()
    assert built.told["places"] == sorted(bench.SITES)
    assert built.told["parameters"] == {"EngineWindow": 0x43C0, "IntcWindow": 0x4180}
    design = overlay.read_design(out / "qnn.bit")
    assert design == overlay.Design("qnn_engine_0", 0x43C0_0000, 100, controller=0x4180_0000)


def test_another_configuration(built, tmp_path):
    status, _, _ = built(tmp_path / "out", "pynq-z1", "--configuration", "small")
    assert status == 0 and built.told["parameters"]["Pe"] == 16
    written = json.loads((tmp_path / "out/bitstream.json").read_text())
    assert written["configuration"] == "small"


@pytest.mark.nightly
def test_himbaechel_places_by_itself(built, tools, tmp_path):
    (tools / "bin/nextpnr-xilinx").unlink()
    status, said, _ = built(tmp_path / "out", "pynq-z1", version="nextpnr-0.8-12-gabc")
    assert status == 0 and "nextpnr-himbaechel nextpnr-0.8-12-gabc" in said
    assert built.told["places"] is None
    assert "Placement density 0.3" in (tmp_path / "out/nextpnr.log").read_text()


@pytest.mark.nightly
def test_builds_repeat(built, tmp_path):
    for name in ("one", "two"):
        assert built(tmp_path / name, "pynq-z1")[0] == 0
    for file in ("qnn.bit", "qnn.hwh", "bitstream.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_clock_that_the_processing_system_can_only_come_near_to(built, tmp_path):
    out = tmp_path / "out"
    assert built(out, "pynq-z1", "--clock-mhz", "90")[0] == 0
    assert json.loads((out / "bitstream.json").read_text())["timing"]["period_ns"] == 11
    assert "90.909091" in (out / "qnn.hwh").read_text()
    assert (out / "openxc7/qnn.xdc").read_text() == "create_clock -period 11.000 [get_nets clk]\n"


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ({"reached_mhz": 96.0}, "timing is not met: setup slack is -0.417 ns of 10.000 ns; it would"
         " be met at 95.9 MHz"),
        ({"reached_mhz": None}, "nextpnr found no clock in the design"),
        ({"failing": ("nextpnr-xilinx", "Unable to place cell 'x'")},
         "nextpnr-xilinx ended with status 255: Unable to place cell 'x'"),
        ({"failing": ("fasm2frames", "prjxray.fasm_assembler.FasmLookupError: key X not found")},
         "fasm2frames ended with status 1: prjxray.fasm_assembler.FasmLookupError: key X not"),
        ({"failing": ("xc7frames2bit", "no")}, "xc7frames2bit ended with status 1: no"),
        ({"unwritten": True}, "xc7frames2bit wrote no bitstream"),
    ],
)  # fmt: skip
def test_a_build_that_fails_leaves_no_bitstream(outcome, message, built, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for stale in ("qnn.bit", "qnn.hwh", "bitstream.json", "timing.rpt"):
        (out / stale).write_text("of the build before")
    status, _, errors = built(out, "pynq-z1", **outcome)
    assert status == 1
    assert message in errors and errors.count("\n") == 1
    assert not any((out / name).exists() for name in ("qnn.bit", "qnn.hwh", "timing.rpt"))
    assert (out / "bitstream.json").exists() == ("nextpnr" not in message)


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ({"version": "0.9.2"}, "is of version 0.9.2; 0.9.3 or later is needed"),
        ({"version": "68aeeb39", "no_report": True}, "(68aeeb39) has no --report; 0.9.3 or later"),
    ],
)
def test_what_is_too_old_is_told_before_anything_is_done(outcome, message, built, tmp_path):
    status, said, errors = built(tmp_path / "out", "pynq-z1", **outcome)
    assert (status, said) == (2, "") and message in errors and errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"--seed"', '"--sead"', "unrecognised option '--sead'"),
        ('"--chipdb", str(tools.chip), ', "", "--chipdb: no file that can be read"),
        ('"--json", "netlist.json"', '"--json", "nets.json"', "--json: no file that can be read"),
        ("[get_nets {CLOCK}]", "[get_nets clock]", "no net named 'clock'"),
        ("[get_nets {CLOCK}]", "[get_nets irq]", "irq is not the clock behind the one BUFG"),
        ('"--part", part, "qnn.fasm"', '"--part", "xc7z020", "qnn.fasm"', "fasm2frames ended"),
        ('"--part_file"', '"--part-file"', "unrecognised option"),
        ('"--frm_file", "qnn.frames"', '"--frm_file", "qnn.fasm"', "xc7frames2bit ended"),
    ],
)
def test_the_stand_in_notices(old, new, said, built, tmp_path, monkeypatch):
    text = Path(flow.__file__).read_text()
    assert text.count(old) == 1
    changed = {}
    exec(compile(text.replace(old, new), flow.__file__, "exec"), changed)
    monkeypatch.setattr(flow, "build", changed["build"])
    status, _, errors = built(tmp_path / "out", "pynq-z1")
    assert status == 1 and said in errors + (tmp_path / "out/openxc7/output.log").read_text()


@pytest.mark.parametrize(
    ("bel", "said"),
    [
        ("RAMB36_X0Y10/RAMB36E1/RAMB36E1", "No Bel named"),
        ("RAMB36_X0Y1/RAMB36E1", "No Bel named"),
        ("RAMB36_X0Y1/RAMB36E1/RAMB36E1", "already bound"),
    ],
)
def test_the_stand_in_notices_wrong_places(bel, said, netlist, tools, built, tmp_path):
    (top,) = (m for m in netlist["modules"].values() if int(m["attributes"].get("top", "0"), 2))
    rams = [cell for cell in top["cells"].values() if cell["type"] == "RAMB36E1"]
    kept = [dict(cell["attributes"]) for cell in rams]
    rams[0]["attributes"]["BEL"] = "RAMB36_X0Y1/RAMB36E1/RAMB36E1"
    rams[1]["attributes"]["BEL"] = bel
    try:
        status, _, errors = built(tmp_path / "out", "pynq-z1")
    finally:
        for cell, attributes in zip(rams, kept, strict=True):
            cell["attributes"] = attributes
    assert status == 1 and said in errors


def test_a_bitstream_without_a_header():
    with pytest.raises(QnnError, match="no header that can be read"):
        bit_file.with_user_id(bytes(40), "01234567")
