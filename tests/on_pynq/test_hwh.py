# SPDX-License-Identifier: BSD-3-Clause
"""PYNQ's parser finds what it needs in the block design that scripts/vivado builds."""

import pytest

pytest.importorskip("tkinter", reason="this Python has no Tcl interpreter")
metadata = pytest.importorskip("pynqmetadata.frontends", reason="pynqmetadata is missing")
runtime = pytest.importorskip("pynqmetadata.views.runtime")
bench = pytest.importorskip("vivado_stand_in.bench")


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    work = tmp_path_factory.mktemp("hwh") / "work"
    bench.run(work)
    return metadata.Metadata(input=str(work / "qnn.hwh"))


def test_addresses(design):
    blocks = runtime.IpDictView(design)
    assert (blocks["qnn_engine_0"]["phys_addr"], blocks["qnn_engine_0"]["addr_range"]) == (
        0x43C0_0000,
        0x1_0000,
    )
    assert blocks["axi_intc_0"]["phys_addr"] == 0x4180_0000


def test_the_interrupt_of_the_engine(design):
    controllers = runtime.InterruptControllersView(design).view
    assert controllers == {"axi_intc_0": {"parent": "", "index": 0, "raw_irq": 61}}
    pins = runtime.InterruptPinsView(design, controllers).view
    assert pins["qnn_engine_0/irq"]["controller"] == "axi_intc_0"


def test_registers_are_named(design):
    registers = runtime.IpDictView(design)["qnn_engine_0"]["registers"]
    assert registers["STATUS"]["address_offset"] == 0x24
    assert registers["STATUS"]["fields"]["done"]["bit_offset"] == 1
