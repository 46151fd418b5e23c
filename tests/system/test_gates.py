# SPDX-License-Identifier: BSD-3-Clause
"""scripts/gates.py: what of the netlist is simulated, and with which models."""

import pytest

pytest.importorskip("pyosys", reason="the extra `dev` is not installed", exc_type=ImportError)

from pyosys import libyosys

import gates
from qnn.errors import QnnError


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
