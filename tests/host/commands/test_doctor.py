# SPDX-License-Identifier: BSD-3-Clause
"""qnn doctor, on boards that have all, or lack something, and where there is no board."""

import json

import pytest
from linux_machine import FakeMachine
from overlay_files import write_overlay

from qnn.backends import LINUX
from qnn.backends.pynq import PynqBackend
from qnn.platforms.linux import survey


@pytest.fixture
def board(tmp_path, monkeypatch):
    """A board on which nothing is missing, without pynq."""
    machine = FakeMachine(tmp_path / "root", memory_bytes=1 << 24)
    monkeypatch.setattr(LINUX, "machine", machine)
    monkeypatch.setattr(survey, "BITSTREAM", write_overlay(tmp_path / "overlay"))
    monkeypatch.setattr(PynqBackend, "unavailable", lambda self: "package pynq is not installed")
    return machine


def rows(text: str) -> dict[str, str]:
    """The lines of the table by their first column; the way out is part of its line."""
    text = text.replace("\n" + " " * 13, " ")
    return {line[:13].strip(): " ".join(line[13:].split()) for line in text.splitlines()}


def test_a_board(board, cli):
    result = cli("doctor")
    assert (result.status, result.err) == (0, "")
    table = rows(result.out)
    assert table["root"] == "ok yes"
    assert table["backend linux"] == "ok can be used"
    assert table["backend pynq"] == "without package pynq is not installed"
    assert table["machine"].startswith("Linux ") and "numpy" in table["versions"]
    assert "->" in table["registers"] and "->" not in table["clock"]
    assert board.log == []


def test_a_board_that_lacks_something(board, cli):
    board.root_user = False
    result = cli("doctor")
    assert (result.status, result.err) == (1, "")
    table = rows(result.out)
    assert table["root"] == "MISSING no -> the FPGA belongs to root: use sudo"
    assert table["backend linux"].startswith("without root: no; ")


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ("digilent,pynq-z1\0xlnx,zynq-7000\0", "Zynq-7000; images: PYNQ 3.0.1 to 3.1, or Debian"),
        ("xlnx,zynqmp-zcu104\0xlnx,zynqmp\0", "Zynq UltraScale+; images: PYNQ 4.0, or Debian"),
        ("raspberrypi,5-model-b\0brcm,bcm2712\0", "none that is known"),
        (None, "none that is known"),
    ],
)
def test_which_image_runs_a_board(board, cli, tree, said):
    if tree is not None:
        board.put("proc/device-tree/compatible", tree)
    assert rows(cli("doctor").out)["board"].startswith(said)
    document = json.loads(cli("doctor", "--json").out)
    assert (document["board"] or "none that is known").startswith(said)


def test_pynq_alone_is_enough(board, cli, monkeypatch):
    board.root_user = False
    monkeypatch.setattr(PynqBackend, "unavailable", lambda self: None)
    assert cli("doctor").status == 0


def test_json(board, cli):
    result = cli("doctor", "--json")
    document = json.loads(result.out)
    assert result.status == 0 and document["usable"] == ["linux"]
    assert document["backends"] == {"pynq": "package pynq is not installed", "linux": None}
    assert set(document["versions"]) == {"qnn", "numpy", "pillow", "pynq"}
    assert [line["name"] for line in document["lines"]][:2] == ["root", "FPGA manager"]
    for line in document["lines"]:
        assert line["state"] in ("ok", "missing", "without")
        assert bool(line["way_out"]) == (line["state"] != "ok")


def test_a_machine_without_an_fpga(board, cli):
    (board.root / "sys").rename(board.root / "elsewhere")
    result = cli("doctor")
    assert result.status == 1 and rows(result.out)["FPGA manager"].startswith("MISSING none -> ")
