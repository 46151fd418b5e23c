# SPDX-License-Identifier: BSD-3-Clause
"""The estimate of a run is near what the RTL takes for whole networks; see rtl/README.md."""

import re
from pathlib import Path

from qnn.engine import estimate
from qnn.engine.capabilities import Capabilities
from qnn.engine.lowering import folded
from qnn.engine.placement import integer_layers
from qnn.engine.stages import laid_out
from qnn.measure.random_dorefanet import random_dorefanet
from qnn.store import library

PAGE = Path(__file__).parents[3] / "rtl/README.md"  # tests/rtl/test_networks.py proves its cycles


def stated(title: str) -> tuple[int, int]:
    """Ideal cycles, and those of the RTL, that the page states."""
    number = r"([\d,]+) \|"
    row = re.search(rf"^\| {re.escape(title)} \| {number} {number}", PAGE.read_text(), re.M)
    ideal, cycles = (int(found.replace(",", "")) for found in row.groups())
    return ideal, cycles


def ratio(network, title: str) -> float:
    """Of estimated cycles to those that the page states."""
    caps = Capabilities()
    layout = laid_out(folded(integer_layers(network.layers), caps), caps)
    return estimate.cycles(layout.program, caps) / stated(title)[1]


def test_near_the_cycles_of_the_rtl():
    assert 0.8 < ratio(random_dorefanet(), "DoReFa-Net") < 1.25  # bound by arithmetic
    assert 0.8 < ratio(library.find("fashion-cnv"), "fashion-cnv (shipped)") < 1.5  # by memory


def test_the_ideal_of_all_lanes():
    caps, layers = Capabilities(), integer_layers(random_dorefanet().layers)
    assert caps.lanes == 8192
    found = round(sum(estimate.ideal(layer, caps) for layer in layers))
    assert found == stated("DoReFa-Net")[0]
