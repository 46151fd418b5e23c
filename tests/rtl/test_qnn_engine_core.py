# SPDX-License-Identifier: BSD-3-Clause
"""rtl/qnn_engine.core, for FuseSoC, says the same as the RTL; fusesoc is run where there is one."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from qnn.engine import regs
from qnn_sim import verilator_package

RTL = Path(__file__).parents[2] / "rtl"
CORE = (RTL / "qnn_engine.core").read_text()


def section(title: str) -> str:
    """The indented lines below a top-level key."""
    found = re.search(rf"^{title}:\n((?:[ ].*\n|\n)*)", CORE, re.MULTILINE)
    assert found, title
    return found[1]


def test_files_are_those_of_files_f():
    listed = re.findall(r"^      - (\S+)$", section("filesets"), re.MULTILINE)
    assert listed == (RTL / "files.f").read_text().split()
    (waivers,) = re.findall(r"files: \[(\S+)\]", section("filesets"))
    assert (RTL / waivers).exists()


def test_version_is_that_of_the_registers():
    (name,) = re.findall(r"^name: (\S+)$", CORE, re.MULTILINE)
    assert name == f"qnn:qnn:qnn_engine:{regs.VERSION_MAJOR}.{regs.VERSION_MINOR}"


def test_parameters_are_those_of_the_engine():
    text = (RTL / "top/qnn_engine.sv").read_text()
    there = set(re.findall(r"^  parameter int unsigned (\w+)", text, re.MULTILINE))
    told = re.findall(r"^  (\w+):$", section("parameters"), re.MULTILINE)
    (passed,) = re.findall(r"parameters: \[(.*)\]", section("targets"))
    assert told == passed.split(", ")
    assert set(told) == there - {"AccW"}  # the host knows one width of accumulators only


@pytest.mark.parametrize(
    "flags",
    [pytest.param([], marks=pytest.mark.nightly), ["--Pe=16", "--Pixels=2"], ["--Pe=12"]],
)
def test_fusesoc_lints_it(flags, tmp_path):
    fusesoc = shutil.which("fusesoc") or shutil.which("fusesoc", path=Path(sys.executable).parent)
    if fusesoc is None:
        pytest.skip("fusesoc is not installed")
    result = subprocess.run(
        [fusesoc, "--cores-root", RTL, "run", "--target=lint", "--work-root", tmp_path / "lint",
         "qnn:qnn:qnn_engine", *flags],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
        env=verilator_package.environment()
        | {"PATH": f"{verilator_package.root() / 'bin'}:{os.environ['PATH']}"},
    )  # fmt: skip
    said = result.stdout + result.stderr
    if "--Pe=12" in flags:
        assert result.returncode and "Pe=12 is not 8, 16, 32 or 64" in said
    else:
        assert result.returncode == 0 and "%Warning" not in said, said
