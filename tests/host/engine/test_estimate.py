# SPDX-License-Identifier: BSD-3-Clause
"""The estimate of a run is near what the RTL takes for whole networks; see rtl/README.md."""

import re
from pathlib import Path

from qnn.engine import command_cycles, estimate
from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import CommandList
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
    assert caps.lanes == 16384
    found = round(sum(estimate.ideal(layer, caps) for layer in layers))
    assert found == stated("DoReFa-Net")[0]


def test_runs_behind_each_other():
    """Near what the RTL takes, with the parameters of the run before and without."""
    caps = Capabilities()
    layers = folded(integer_layers(library.find("fashion-cnv").layers), caps)
    layout = laid_out(layers, caps)
    first, second = (estimate.runs(layout, caps, count) for count in (1, 2))
    assert estimate.again(layout, caps) == second - first <= first
    assert estimate.stays(layout, caps)
    _, cycles = stated("fashion-cnv (shipped)")
    assert 0.9 < first / cycles < 1.1
    found = re.search(r"^\| \| fashion-cnv.*\| ([\d,]+) \| ", PAGE.read_text(), re.M)
    resident = int(found[1].replace(",", ""))
    assert 0.9 < (second - first) / resident < 1.1


def test_a_stage_takes_its_arithmetic_or_what_its_busier_port_moves():
    caps, cases = Capabilities(), ((random_dorefanet(), True), (library.find("fashion-cnv"), False))
    for network, computes in cases:
        layout = laid_out(folded(integer_layers(network.layers), caps), caps)
        (stage,) = layout.stages
        get = CommandList(layout.program.image, layout.program.commands).get
        arithmetic = command_cycles.products(get, caps).sum()
        arithmetic += stage.count * command_cycles.BETWEEN
        one, other = command_cycles.by_port(get, caps).sum(axis=1) * command_cycles.BEATS
        assert one != other and stage.count > 1
        assert (arithmetic > max(one, other)) == computes
        assert estimate.runs(layout, caps, 1) == int(max(arithmetic, one, other))


def test_what_does_not_stay_on_chip_is_read_in_every_run():
    layers = integer_layers(library.find("fashion-cnv").layers)
    for caps in (Capabilities(weight_words=128), Capabilities(threshold_words=16)):
        layout = laid_out(layers, caps)
        assert not estimate.stays(layout, caps)
        assert estimate.runs(layout, caps, 5) == 5 * estimate.runs(layout, caps, 1)
    caps = Capabilities()
    staged = laid_out(layers, Capabilities(commands=4))
    assert not estimate.stays(staged, caps) and len(staged.stages) == 2
