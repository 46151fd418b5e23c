# SPDX-License-Identifier: BSD-3-Clause
"""The .hwh of scripts/openxc7 says what the one says that Vivado's block design would come with."""

from xml.etree import ElementTree

import pytest

pytest.importorskip("tkinter", reason="this Python has no Tcl interpreter")
from vivado_stand_in import bench

import bitstream
from openxc7 import handoff
from qnn.errors import QnnError
from qnn_sim import boards


def settings(board="pynq-z1", **changes):
    return bitstream.settings({**boards.load(board), **changes}, [], "01234567", 1)


def facts(root):
    """All that is read of a .hwh by PYNQ or by this package, for the parts that both have."""
    modules = {m.get("INSTANCE"): m for m in root.iter("MODULE")}
    names = ("qnn_engine_0", "axi_intc_0", "processing_system7_0")
    found = {name: modules[name].get("VLNV") for name in names}
    found["ranges"] = {
        (r.get("INSTANCE"), r.get("ADDRESSBLOCK"), r.get("BASEVALUE"), r.get("HIGHVALUE"),
         r.get("MASTERBUSINTERFACE"), r.get("SLAVEBUSINTERFACE"), r.get("MEMTYPE"))
        for name in names for r in modules[name].iter("MEMRANGE")
    }  # fmt: skip
    found["interrupts"] = {
        (name, port.get("NAME"), end.get("INSTANCE"), end.get("PORT"))
        for name in names
        for port in modules[name].iter("PORT")
        if port.get("NAME") in ("irq", "intr", "IRQ_F2P")
        for end in port.iter("CONNECTION")
    }
    found["registers"] = {
        (
            register.get("NAME"),
            register.find("PROPERTY[@NAME='ADDRESS_OFFSET']").get("VALUE"),
            field.get("NAME"),
            field.find("PROPERTY[@NAME='BIT_OFFSET']").get("VALUE"),
            field.find("PROPERTY[@NAME='BIT_WIDTH']").get("VALUE"),
        )
        for register in modules["qnn_engine_0"].iter("REGISTER")
        for field in register.iter("FIELD")
    }
    return found


def parameters(root):
    (system,) = (m for m in root.iter("MODULE") if m.get("INSTANCE") == "processing_system7_0")
    return {p.get("NAME"): p.get("VALUE") for p in system.iter("PARAMETER")}


def test_it_says_what_the_block_design_says(tmp_path):
    bench.run(tmp_path / "work")
    vivado = ElementTree.parse(tmp_path / "work" / "qnn.hwh").getroot()
    ours = ElementTree.fromstring(handoff.description(settings()))
    theirs, own = facts(vivado), facts(ours)
    assert own == theirs and len(own["interrupts"]) == 4 and len(own["ranges"]) == 4
    before, after = parameters(vivado), parameters(ours)
    for name in before:
        if name.startswith(("PCW_USE", "PCW_S_AXI", "PCW_UIPARAM", "PCW_ACT_FPGA0")):
            assert after[name] == before[name], name
    info, other = (root.find("SYSTEMINFO").attrib for root in (vivado, ours))
    assert {key: other[key] for key in ("DEVICE", "PACKAGE", "SPEEDGRADE", "ARCH")} == {
        key: info[key] for key in ("DEVICE", "PACKAGE", "SPEEDGRADE", "ARCH")
    }


@pytest.mark.parametrize(
    ("mhz", "actual"),
    [(100, 100), (90, 90.909), (142, 142.857), (10, 10), (250, 250), (83, 83.333)],
)
def test_clocks_that_the_pll_can_be_divided_to(mhz, actual):
    first, second = handoff.clock_divisors(mhz)
    assert 1 <= second <= first <= 63
    assert handoff.divided(first, second) == pytest.approx(actual, abs=1e-3)
    assert handoff.actual_mhz(mhz) == handoff.divided(first, second)


def test_a_clock_that_is_too_far_from_any():
    with pytest.raises(QnnError, match="the nearest to 222 MHz that FCLK_CLK0 can be is 200 MHz"):
        handoff.clock_divisors(222)
