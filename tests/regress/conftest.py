# SPDX-License-Identifier: BSD-3-Clause
"""A small repository whose tests stand in for benches, and a run of it."""

import os
import subprocess
from pathlib import Path

import pytest

from qnn_sim.regress.run import Run

TESTS = """
import os, time
import pytest

def test_good():
    assert os.environ["SEED"]

def test_bad():
    assert int(os.environ["SEED"]) == -1, "a value differs <b>"

@pytest.mark.skip(reason="not here")
def test_skipped():
    pass

def test_hangs():
    print("before the end", flush=True)
    time.sleep(600)

@pytest.mark.parametrize("n", [1, 2])
def test_many(n):
    time.sleep(0.2)
"""


@pytest.fixture
def repository(tmp_path) -> Path:
    """A clone with tests/rtl/test_fake.py and nothing else."""
    root = tmp_path / "repository"
    folder = root / "tests" / "rtl"
    folder.mkdir(parents=True)
    (folder / "test_fake.py").write_text(TESTS)
    (root / "tests" / "coverage_exclusions.txt").write_text("# none\n")
    (root / ".gitignore").write_text("build/\n__pycache__/\n")
    (root / "pytest.ini").write_text("[pytest]\n")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "all"]):
        subprocess.run(["git", *command], cwd=root, env=clean, check=True)
    return root


@pytest.fixture
def run() -> Run:
    """A run in which something of each kind has happened."""
    case = {
        "name": "tests/rtl/test_qnn_fifo.py::test_qnn_fifo[5-2]", "seed": 7, "outcome": "passed",
        "seconds": 1.5, "message": "", "worker": "host/1", "repeat": "SEED=7 pytest x",
        "log": "cases/a/log.txt", "waves": "",
    }  # fmt: skip
    failed = {
        "outcome": "failed", "message": "1 < 2 & \\x00", "name": "tests/rtl/test_x.py::test_<x>",
        "waves": "waves/x/dump.vcd", "worker": "host/2",
    }  # fmt: skip
    run = Run("2026-01-02T03:04:05+00:00", "full", "abcdef0123456789", True, 11, "regress.py", {})
    run.cases = [
        case,
        {**case, **failed},
        {**case, "seed": 8, "outcome": "skipped", "message": "not <here>"},
        {**case, "seed": 9, "outcome": "timed out", "message": "killed after 3 s"},
    ]
    run.code = {
        "rtl/a.sv": {
            "lines": [9, 10],
            "branches": [3, 4],
            "toggles": [5, 5],
            "missing": [3],
            "still": [],
        },
        "rtl/b.sv": {
            "lines": [0, 0],
            "branches": [0, 0],
            "toggles": [1, 2],
            "missing": [],
            "still": ["u.x[2]", "on", "u.x[0]", "u.x[1]", "m[1][7]"],
        },
    }
    run.bins = {"commands: rows=1 & columns=1": 4}
    run.reasons = {"rtl/a.sv:3": "never <reached>"}
    run.complaints = ["neither covered nor listed: x"]
    run.agreement = [
        {"kernel": "conv", "implementation": "hls", "configurations": 2, "values": 12345,
         "mismatches": 1},
    ]  # fmt: skip
    layer = {
        "name": "conv1", "cycles": 100, "busy": 60, "wait_weights": 20, "wait_input": 5,
        "wait_output": 1, "ideal_cycles": 50, "beats": 80, "busy_percent": 60.0,
        "cycles_ideal_memory": 70,
    }  # fmt: skip
    small = {**layer, "name": "fc2", "ideal_cycles": 1, "beats": 900}
    least = {**small, "name": "fc3", "ideal_cycles": 0}  # less than half a cycle
    run.networks = {
        "networks": {"net": {"cycles": 310, "ideal_cycles": 51, "layers": [layer, small, least]}}
    }
    module = {"module": "qnn_x", "instances": 2, "lut": 3, "ff": 4, "bram36": 0.5, "dsp": 0,
              "longest_path": 7}  # fmt: skip
    run.synth = {"lut": 30000, "ff": 2, "bram36": 118.5, "dsp": 0, "modules": [module]}
    run.synth["device"] = {"lut": 53200, "ff": 106400, "bram36": 140, "dsp": 220}
    run.seconds = 75.0
    run.history = [{**run.row(), "lut": None, "cycles": {}}, run.row()]
    return run
