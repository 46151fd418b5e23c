# SPDX-License-Identifier: BSD-3-Clause
"""The backend of a board without pynq; tests/system/test_linux_board.py has the rest."""

import pytest
from linux_machine import FakeMachine
from overlay_files import write_overlay

from qnn.backends import BACKENDS
from qnn.backends.linux import LinuxBackend
from qnn.platforms.linux import survey


@pytest.fixture
def backend(tmp_path, monkeypatch):
    """Of a board with all that it needs."""
    monkeypatch.setattr(survey, "BITSTREAM", write_overlay(tmp_path / "overlay"))
    backend = LinuxBackend()
    backend.machine = FakeMachine(tmp_path / "root", memory_bytes=1 << 24)
    return backend


def test_a_board(backend):
    assert backend.on_board() and backend.unavailable() is None
    assert backend.machine.log == []  # to look costs nothing


def test_what_is_missing(backend):
    backend.machine.root_user = False
    assert "use sudo" in backend.unavailable()


def test_no_board(backend):
    (backend.machine.root / "sys").rename(backend.machine.root / "elsewhere")
    assert not backend.on_board() and backend.unavailable() == "this machine has no FPGA"


def test_auto_takes_it_after_pynq():
    assert list(BACKENDS)[:3] == ["pynq", "linux", "cpu"]
