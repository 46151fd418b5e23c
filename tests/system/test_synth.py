# SPDX-License-Identifier: BSD-3-Clause
"""scripts/synth.py on other devices than the XC7Z020, with a module that takes seconds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyosys", reason="the extra `dev` is not installed", exc_type=ImportError)

from netlist import block_rams

ROOT = Path(__file__).parents[2]
CELLS = """
import json, sys
from collections import Counter
from pathlib import Path
import synth
from qnn_sim import boards
name, more, top, parameters = sys.argv[2:]
board = boards.load(name) | json.loads(more)
design = synth.synthesised(Path(sys.argv[1]), top, json.loads(parameters), board)
kinds = {
    name.str().lstrip("\\\\"): Counter(
        cell.type.str().lstrip("\\\\") for cell in dict(module.cells_).values()
    )
    for name, module in dict(design.modules_).items()
}
print("cells:", json.dumps(kinds))
"""


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT / "scripts", capture_output=True, text=True, timeout=600,
    )  # fmt: skip


def cells(folder: Path, board: str, more: dict, top: str, parameters: dict) -> dict:
    """How many of each kind every module has."""
    result = run("-c", CELLS, folder, board, json.dumps(more), top, json.dumps(parameters))
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("cells: "))
    return json.loads(line.removeprefix("cells: "))


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("instances", "kind", "other"),
    [
        (["u_even"], "URAM288", "RAMB36E2"),
        ([], "RAMB36E2", "URAM288"),
    ],
)
def test_memories_that_a_board_names_become_ultra_ram(instances, kind, other, tmp_path):
    found = cells(tmp_path, "kv260", {"ultra_ram": instances}, "qnn_window", {"Words": 8192})
    assert found["qnn_ram"][kind] > 0 and other not in found["qnn_ram"]


@pytest.mark.parametrize("board", ["pynq-z1", pytest.param("aup-zu3", marks=pytest.mark.nightly)])
def test_registers_and_additions_of_products_are_in_the_dsps(board, tmp_path):
    found = cells(tmp_path, board, {}, "qnn_word_bank", {"Pixels": 1})
    assert found["qnn_word_bank"]["qnn_word_sum"] == 8
    of_one = found["qnn_word_sum"]
    assert of_one["DSP48E1"] == 4 and "DSP48E2" not in of_one
    assert of_one["CARRY4"] <= 12  # of the accumulator, of 42 bits


@pytest.mark.nightly
def test_the_device_is_that_of_the_board(tmp_path):
    result = run("synth.py", "--board", "aup-zu3", "--top", "qnn_fifo", "--out", tmp_path / "synth")
    assert result.returncode == 0, result.stderr
    written = json.loads((tmp_path / "synth.json").read_text())
    assert written["board"] == "aup-zu3" and "timing" not in written
    assert written["device"] == {"lut": 70_560, "ff": 141_120, "bram36": 216, "dsp": 360}
    assert "of   70560" in result.stdout and "(at most 59976)" in result.stdout


@pytest.mark.parametrize(
    ("width", "depth", "least"),
    [
        (72, 512, 1), (64, 512, 1), (36, 512, 0.5), (37, 512, 1), (108, 512, 1.5), (64, 1024, 2),
        (256, 512, 4), (9, 4096, 1), (64, 2048, 4), (1, 32768, 1), (1, 32769, 1.5), (64, 64, 1),
    ],
)  # fmt: skip
def test_block_rams_at_best(width, depth, least):
    assert block_rams.best(width, depth) == least


def test_memories_beside_what_they_would_take_at_best(tmp_path):
    result = run("synth.py", "--top", "qnn_window", "--out", tmp_path / "synth")
    assert result.returncode == 0, result.stderr
    written = json.loads((tmp_path / "synth.json").read_text())
    bank = {"module": "qnn_window", "times": 1, "width": 64, "depth": 2048, "best": 4, "taken": 4}
    assert written["memories"] == [bank | {"name": "u_even"}, bank | {"name": "u_odd"}]
    assert sum(m["times"] * m["taken"] for m in written["memories"]) == written["bram36"]
    shown = [line.split() for line in result.stdout.splitlines()]
    assert ["qnn_window.u_even", "1", "64", "2048", "4", "4"] in shown
    assert ["all", "8", "8"] in shown
    assert "LUTs a lane of structures" not in result.stdout  # it has no lanes


def test_lanes_beside_known_structures(tmp_path):
    result = run("synth.py", "--top", "qnn_popcount", "--out", tmp_path / "synth")
    assert result.returncode == 0, result.stderr
    written = json.loads((tmp_path / "synth.json").read_text())
    assert min(written["structures"].values()) == 0.93
    assert "1.02  ... with compressors on carry chains" in result.stdout


def test_no_such_board():
    result = run("synth.py", "--board", "pynq-z9")
    assert result.returncode == 2 and "there is no board 'pynq-z9'" in result.stderr
