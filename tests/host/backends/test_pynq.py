# SPDX-License-Identifier: BSD-3-Clause
"""The backend of a board where there is none; tests/on_pynq has the rest."""

import subprocess
import sys

import pytest

from qnn.backends import BACKENDS, open_session
from qnn.backends.pynq import PynqBackend
from qnn.platforms import pynq as platform
from qnn.store import library


@pytest.fixture
def found(monkeypatch):
    """found(pynq=, board=, root=, bitstream=): what there is on this machine."""

    def machine(tmp_path, pynq: bool, board: bool, root: bool, bitstream: bool) -> PynqBackend:
        spec = (lambda name: object()) if pynq else (lambda name: None)
        monkeypatch.setattr("importlib.util.find_spec", spec)
        monkeypatch.setattr("os.geteuid", lambda: 0 if root else 1000)
        for name, there in (("FPGA_MANAGER", board), ("BITSTREAM", bitstream)):
            path = tmp_path / name
            monkeypatch.setattr(platform, name, path)
            if there:
                path.touch()
        return PynqBackend()

    return machine


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ((False, True, True, True), "pynq is not installed"),
        ((True, False, True, True), "no FPGA"),
        ((True, True, False, True), "sudo"),
        ((True, True, True, False), "make bitstream"),
    ],
)
def test_what_is_missing(found, tmp_path, monkeypatch, there, words):
    monkeypatch.delitem(sys.modules, "pynq", raising=False)
    assert words in found(tmp_path, *there).unavailable()


def test_a_board(found, tmp_path):
    assert found(tmp_path, True, True, True, True).unavailable() is None


def test_auto_without_root_says_what_it_took_and_why(found, tmp_path, capsys):
    found(tmp_path, pynq=True, board=True, root=False, bitstream=True)
    name, session = open_session("auto", library.find(library.DEFAULT))
    session.close()
    assert name == "cpu"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("layers run on backend cpu: ") and "use sudo" in line


def test_auto_says_nothing_where_there_is_no_board(found, tmp_path, capsys):
    found(tmp_path, pynq=True, board=False, root=False, bitstream=False)
    open_session("auto", library.find(library.DEFAULT))[1].close()
    assert capsys.readouterr().err == ""


def test_auto_prefers_the_board():
    assert next(iter(BACKENDS)) == "pynq"


def test_nothing_is_imported_before_it_is_needed():
    """On a board, pynq takes seconds and asyncio some tenths."""
    code = "import sys, qnn.cli; print({'pynq', 'asyncio'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("set()\n", "")
