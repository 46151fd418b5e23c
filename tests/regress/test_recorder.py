# SPDX-License-Identifier: BSD-3-Clause
"""The recorder samples a run when STATUS tells its end, from the list that was in memory at its
start; and writes what it has when the process ends."""

import json
import subprocess
import sys

import numpy as np
import pytest
import random_networks

from qnn.engine import regs
from qnn.engine.program import compile_layers
from qnn_sim.regress import functional
from qnn_sim.regress.recorder import Recorder

START, RESIDENT, ABORT, RESET = 1, 2, 4, 8
DONE, ERROR = 2, 4


@pytest.fixture
def recorder(monkeypatch) -> Recorder:
    """With the list of one layer in memory and in its registers; no bins yet."""
    monkeypatch.setattr(Recorder, "bins", type(Recorder.bins)())
    program = compile_layers([random_networks.random_conv(np.random.default_rng(0))])
    memory = np.frombuffer(program.image.ljust(1 << 16, b"\0"), np.uint8).copy()
    recorder = Recorder(memory)
    recorder.wrote(regs.LIST_ADDRESS, 0)
    recorder.wrote(regs.LIST_COUNT, program.commands)
    return recorder


def ends(recorder, status):
    recorder.was_read(regs.STATUS, status)
    return dict(recorder.bins)


def test_a_good_run_counts_once(recorder):
    recorder.memory_kind = "paced"
    recorder.wrote(regs.CTRL, START)
    assert not ends(recorder, 1)  # busy
    recorder.was_read(regs.CYCLES, DONE)
    assert not recorder.bins
    found = ends(recorder, DONE)
    assert found["commands: rows=3 & columns=3"] == 1
    assert found["endings: end=DONE & memory=paced"] == 1
    assert ends(recorder, DONE) == found


def test_the_accelerator_says_how_many_channels_a_block_has(recorder, monkeypatch):
    asked = []
    monkeypatch.setattr(functional, "sample", lambda *given: asked.append(given[2]) or {})
    lowest, _ = regs.FIELDS["LANES"]["pe"]
    recorder.was_read(regs.LANES, 32 << lowest)
    recorder.wrote(regs.CTRL, START)
    ends(recorder, DONE)
    assert asked == [32]


def test_an_error_counts_with_its_command(recorder):
    recorder.wrote(regs.CTRL, START | RESIDENT)
    lowest, _ = regs.FIELDS["STATUS"]["index"]
    found = ends(recorder, ERROR | 8 << 8 | 3 << lowest)
    assert found["endings: end=ABORTED & start=resident"] == 1
    assert found["endings: end=ABORTED & command=later"] == 1
    assert not any(name.startswith("commands") for name in found)


def test_a_start_while_busy_and_a_reset(recorder):
    recorder.wrote(regs.CTRL, START)
    recorder.wrote(regs.CTRL, START | RESIDENT)  # refused: still the first run
    recorder.wrote(regs.CTRL, ABORT)
    recorder.wrote(regs.CTRL, RESET)
    assert not ends(recorder, DONE)
    recorder.wrote(regs.CTRL, START)
    assert "endings: end=DONE & start=from memory" in ends(recorder, DONE)


@pytest.mark.parametrize(("address", "count"), [(4, 1), (1 << 16, 1), (0, 200_000)])
def test_a_list_that_is_not_in_memory_has_no_commands(recorder, address, count):
    recorder.wrote(regs.LIST_ADDRESS, address)
    recorder.wrote(regs.LIST_COUNT, count)
    recorder.wrote(regs.CTRL, START)
    assert all(name.startswith("endings") for name in ends(recorder, DONE))


def test_both_files_are_written_when_the_process_ends(tmp_path):
    code = f"""
import pathlib
from qnn_sim.regress.recorder import Recorder, write_at_exit
write_at_exit(pathlib.Path({str(tmp_path)!r}), lambda path: open(path, "w").write("counters"))
Recorder.bins["x"] += 2
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    (bins,), (counters,) = tmp_path.glob("bins-*.json"), tmp_path.glob("engine-*.dat")
    assert json.loads(bins.read_text()) == {"x": 2}
    assert counters.read_text() == "counters"
