# SPDX-License-Identifier: BSD-3-Clause
"""`make hls`: reports are read, tools are called; the test bench of each kernel runs under g++."""

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from processes import assert_gone

import hls
from qnn.errors import QnnError
from qnn_sim import hls_csim
from qnn_sim.hls_headers import include_flags

ROOT = Path(__file__).resolve().parents[2]
# In the form that Vitis HLS gives it; the numbers are made up.
CSYNTH = """<?xml version="1.0"?>
<profile>
<ReportVersion><Version>2022.1</Version></ReportVersion>
<UserAssignments><TopModelName>pack</TopModelName><TargetClockPeriod>10.00</TargetClockPeriod>
</UserAssignments>
<PerformanceEstimates><PipelineType>no</PipelineType>
<SummaryOfTimingAnalysis><EstimatedClockPeriod>7.123</EstimatedClockPeriod>
</SummaryOfTimingAnalysis>
<SummaryOfOverallLatency><unit>clock cycles</unit><Best-caseLatency>12</Best-caseLatency>
<Average-caseLatency>undef</Average-caseLatency><Worst-caseLatency>undef</Worst-caseLatency>
<Interval-min>13</Interval-min><Interval-max>1300</Interval-max></SummaryOfOverallLatency>
</PerformanceEstimates>
<AreaEstimates><Resources><BRAM_18K>2</BRAM_18K><FF>1234</FF><LUT>5678</LUT><DSP>0</DSP>
<URAM>0</URAM></Resources>
<AvailableResources><BRAM_18K>280</BRAM_18K><DSP>220</DSP><FF>106400</FF><LUT>53200</LUT>
</AvailableResources></AreaEstimates>
<ModuleInformation><Module><Name>send</Name><PerformanceEstimates><SummaryOfLoopLatency>
<VITIS_LOOP_1><Name>VITIS_LOOP_1</Name><PipelineII>1</PipelineII></VITIS_LOOP_1>
<VITIS_LOOP_2><Name>VITIS_LOOP_2</Name><PipelineII>3</PipelineII></VITIS_LOOP_2>
</SummaryOfLoopLatency></PerformanceEstimates></Module></ModuleInformation>
</profile>
"""
COSIM = """
|      RTL |   Status |    min|    avg|    max|
|      VHDL|        NA|     NA|     NA|     NA|
|   Verilog|      Pass|     40|     45|     50|
"""


def test_reports_are_read():
    report = hls.parse("pack", CSYNTH, COSIM)
    assert report == hls.Report("pack", 7.123, (12, None), (13, 1300), 3, 5678, 1234, 2, 0, "Pass")
    row = hls.table([report]).splitlines()[-1]
    assert row == "| pack | 7.12 | 12..? | 13..1,300 | 3 | 5,678 | 1,234 | 2 | 0 | Pass |"
    assert hls.parse("pack", CSYNTH).cosim == ""
    assert hls.parse("pack", CSYNTH, COSIM.replace("Pass", "Fail")).cosim == "Fail"


@pytest.mark.parametrize("text", ["", "<profile></profile>", CSYNTH.replace("Resources", "R")])
def test_other_reports_are_refused(text):
    with pytest.raises(QnnError, match=r"kernel pack: its csynth\.xml"):
        hls.parse("pack", text)


def test_without_vitis_it_says_so_in_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert hls.main([]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "no Vitis HLS" in err


def test_unknown_kernel(capsys):
    with pytest.raises(SystemExit) as stopped:
        hls.main(["dense"])
    assert stopped.value.code == 2
    assert "unknown kernel dense" in capsys.readouterr().err


@pytest.fixture
def tools(monkeypatch, tmp_path):
    """Programs in the place of Vitis: they write reports, and which arguments they were given."""

    def install(*names, cosim=COSIM, status=0):
        folder = tmp_path / "bin"
        folder.mkdir()
        for name, text in (("csynth.xml", CSYNTH), ("cosim.rpt", cosim)):
            (tmp_path / name).write_text(text)
        for name in names:
            path = folder / name
            path.write_text(
                f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/calls\nmkdir -p work/syn\n'
                f"cp {tmp_path}/csynth.xml work/syn\n"
                f'case "$*" in *cosim*|*run.tcl) cp {tmp_path}/cosim.rpt work/pack_cosim.rpt;; esac'
                f"\nexit {status}\n"
            )
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        monkeypatch.setattr(hls, "WORK", tmp_path / "vitis")
        monkeypatch.setattr(hls, "ROOT", tmp_path)
        return tmp_path

    return install


def test_with_vitis_2023_2(tools, capsys):
    folder = tools("v++", "vitis-run")
    assert hls.main(["pack", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["kernel"], row["lut"], row["cosim"]) == ("pack", 5678, "Pass")
    assert json.loads((folder / "build/hls.json").read_text())["rows"] == [row]
    options = "--config hls_config.cfg --work_dir work"
    assert (folder / "calls").read_text().splitlines() == [
        f"vitis-run --mode hls --csim {options}",
        f"v++ -c --mode hls {options}",
        f"vitis-run --mode hls --cosim {options}",
    ]
    written = (folder / "vitis/pack/hls_config.cfg").read_text()
    paths = re.findall(r"(?:=|-I)(/\S+)", written)
    assert len(paths) == 8 and all(Path(path).exists() for path in paths)


def test_with_vitis_2022_1(tools):
    folder = tools("vitis_hls")
    assert hls.main(["pack"]) == 0
    assert (folder / "calls").read_text() == "vitis_hls -f run.tcl\n"
    script = (folder / "vitis/pack/run.tcl").read_text()
    for command in ("set_top pack", "csynth_design", "cosim_design", "create_clock -period 10ns"):
        assert command in script


def test_failures_are_told(tools, capsys):
    tools("v++", "vitis-run", cosim=COSIM.replace("Pass", "Fail"))
    assert hls.main(["pack"]) == 1
    assert "kernel pack: co-simulation says Fail" in capsys.readouterr().err


def test_failed_step_names_its_log(tools, capsys):
    folder = tools("vitis_hls", status=3)
    assert hls.main(["pack"]) == 1
    assert f"vitis_hls failed: see {folder}/vitis/pack/step0.log" in capsys.readouterr().err


def test_a_tool_that_hangs_is_ended_with_its_children(tools, capsys):
    folder = tools("vitis_hls")
    tool = f"#!/bin/sh\nsleep 600 &\necho $! > {folder}/child\nwait\n"
    (folder / "bin/vitis_hls").write_text(tool)
    assert hls.main(["pack", "--timeout", "1"]) == 1
    assert "kernel pack: no end after 1 s: " in capsys.readouterr().err
    assert_gone(int((folder / "child").read_text()))


@pytest.mark.parametrize("kernel", hls.NAMES)
def test_each_kernel_has_its_config_and_frames(kernel):
    entries = hls.config(kernel)
    board = json.loads((ROOT / "params/boards/pynq-z1.json").read_text())
    assert entries["part"] == board["part"]
    assert entries["clock"] == f"{1000 / board['clock_mhz']:g}ns"
    assert entries["syn.top"] == kernel and f"-DQNN_KERNEL={kernel}" in entries["tb.cflags"]
    assert Path(entries["syn.file"]).exists() and Path(entries["tb.file"]).exists()
    pairs = hls.frames(kernel)
    assert pairs and all(len(given) and len(out) for given, out in pairs)


@pytest.mark.parametrize("kernel", ["pack", pytest.param("engine", marks=pytest.mark.nightly)])
def test_bench_passes_and_finds_a_wrong_word(kernel, tmp_path):
    entries, program = hls.config(kernel), tmp_path / "bench"
    command = [
        "g++", *include_flags(), "-std=c++14", *entries["tb.cflags"].split(), *hls_csim.WARNINGS,
        "-O1", entries["syn.file"], entries["tb.file"], "-o", str(program),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr[:2000]
    pairs = hls.frames(kernel)
    data = tmp_path / "frames.txt"
    for wrong in (0, 1):
        pairs[-1][1][-1] ^= np.uint64(wrong)
        hls.write_frames(data, pairs)
        done = subprocess.run(
            [str(program), str(data)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (wrong, f"{len(pairs)} frames, {wrong} differ\n")
