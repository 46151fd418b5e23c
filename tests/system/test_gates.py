# SPDX-License-Identifier: BSD-3-Clause
"""scripts/gates.py: what of the netlist is simulated, with which models, and that faults show."""

import os
import sys

import pytest

pytest.importorskip("pyosys", reason="the extra `dev` is not installed", exc_type=ImportError)

from pyosys import libyosys

import gates
import mutate
from qnn.errors import QnnError
from qnn_sim.rtl_build import ROOT


def design_with(contents: str) -> libyosys.Design:
    """A block RAM that begins with these bits in its first words."""
    design = libyosys.Design()
    module = design.addModule(libyosys.IdString("\\top"))
    cell = module.addCell(libyosys.IdString("\\ram"), libyosys.IdString("\\RAMB36E1"))
    for name, value in (("INIT_00", contents), ("READ_WIDTH_A", "1001000")):
        cell.setParam(libyosys.IdString(f"\\{name}"), libyosys.Const.from_string(value))
    return design


def cell_of(design: libyosys.Design) -> libyosys.Cell:
    (module,) = dict(design.modules_).values()
    (cell,) = dict(module.cells_).values()
    return cell


@pytest.mark.parametrize("nothing", ["xxxx", "0x0x"])
def test_a_block_ram_that_begins_empty_loses_what_says_so(nothing):
    cell = cell_of(design := design_with(nothing))
    gates.remove_contents(cell)
    assert [name.str() for name in dict(cell_of(design).parameters)] == ["\\READ_WIDTH_A"]


def test_a_block_ram_that_does_not_begin_empty_is_refused():
    cell = cell_of(design := design_with("0x1x"))
    with pytest.raises(QnnError, match=r"block RAM \\ram does not begin empty"):
        gates.remove_contents(cell)
    assert len(dict(cell_of(design).parameters)) == 2


def test_models_are_there_for_all_but_block_rams():
    assert gates.CELLS.exists() and gates.BLOCK_RAM.exists()
    ours = gates.BLOCK_RAM.read_text()
    assert all(f"`QNN_BLOCK_RAM({name}, " in ours for name in ("RAMB18E1", "RAMB36E1"))


def cells(design: libyosys.Design, kind: str) -> list[libyosys.Cell]:
    modules = dict(design.modules_).values()
    found = [cell for module in modules for cell in dict(module.cells_).values()]
    return [cell for cell in found if cell.type.str() == f"\\{kind}"]


def set_parameter(cell: libyosys.Cell, name: str, value: libyosys.Const) -> None:
    cell.setParam(libyosys.IdString(f"\\{name}"), value)


def as_it_is(design: libyosys.Design) -> None:
    """No fault."""


def lut_inverted(design: libyosys.Design) -> None:
    """What a LUT holds, inverted."""
    cell = next(cell for inputs in range(2, 7) for cell in cells(design, f"LUT{inputs}"))
    held = cell.getParam(libyosys.IdString("\\INIT")).as_string()
    other = held.translate(str.maketrans("01", "10"))
    set_parameter(cell, "INIT", libyosys.Const.from_string(other))


def no_reset(design: libyosys.Design) -> None:
    """One register that is not reset any more."""
    low = libyosys.SigSpec(libyosys.Const(0, 1))
    port = libyosys.IdString("\\R")
    cell = next(c for c in cells(design, "FDRE") if not c.getPort(port).is_fully_const())
    cell.setPort(port, low)


def write_mode(design: libyosys.Design) -> None:
    """A block RAM that gives the new word where one is read and written at once."""
    set_parameter(cells(design, "RAMB36E1")[0], "WRITE_MODE_B", libyosys.Const("WRITE_FIRST"))


def contents(design: libyosys.Design) -> None:
    """A block RAM that does not begin empty."""
    set_parameter(cells(design, "RAMB36E1")[0], "INIT_00", libyosys.Const(1, 256))


nightly = pytest.mark.nightly


@pytest.mark.parametrize(
    ("tests", "change", "text"),
    [
        pytest.param("qnn_fifo.py", as_it_is, None, marks=nightly),
        ("qnn_fifo.py::test_qnn_fifo[5-2]", lut_inverted, "tests failed"),
        pytest.param("qnn_fifo.py", no_reset, "tests failed", marks=nightly),
        pytest.param("qnn_window.py", as_it_is, None, marks=nightly),
        pytest.param("qnn_window.py", write_mode, "a mode that this model does not", marks=nightly),
        pytest.param("qnn_window.py", contents, "INIT_00", marks=nightly),
    ],
)
def test_a_changed_netlist_fails_at_its_bench(tmp_path, monkeypatch, tests, change, text):
    monkeypatch.setenv("RUN_FOLDER", str(tmp_path / "run"))
    bench = ROOT / f"tests/rtl/test_{tests}"

    def work() -> int:
        sys.stdout = os.fdopen(1, "w")  # not what pytest has in its place
        return gates.run_benches(tmp_path, [bench], 1, change)

    status = mutate.status_of(work, tmp_path / "log")
    said = (tmp_path / "log").read_text()
    assert os.WIFEXITED(status) and (status == 0) == (text is None), said
    assert text is None or text in said
