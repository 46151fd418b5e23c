# SPDX-License-Identifier: BSD-3-Clause
"""Every stage around the layers has its figure, and the process that looks at one picture, too."""

import dataclasses
import math

import numpy as np
import pytest
import random_networks
from PIL import Image

from qnn.commands.stages import document, lines
from qnn.engine.float_first import FloatFirst
from qnn.errors import QnnError
from qnn.measure import stages as measured
from qnn.measure.stages import PICTURE, stages
from qnn.store import library

AROUND = ["pixels", "scale", "decode"]


def assert_figures(report, names):
    assert [one.name for one in report.stages] == names
    assert report.pillow.ratio == 1
    for one in [report.pillow, *report.stages]:
        assert math.isfinite(one.ms) and one.ms >= 0
        assert one.ratio is None or math.isfinite(one.ratio)


def test_stages_of_a_network_that_classifies():
    report = stages(library.find("fashion-cnv"), "auto", 2)
    assert_figures(report, [*AROUND, "scores", "first_layer", "offload", "last_layers"])
    assert (report.backend, report.picture) == ("cpu", ("noise.jpg", PICTURE))
    assert report.resized_to == (28, 28) and report.pictures_per_s > 0
    process = report.process
    assert process.import_s > 0 and process.ready_s > 0
    assert process.peak_mb > process.libraries_mb > 1  # it imports them, and works


def test_pillow_scales_to_what_lies_in_the_letterbox(detector, tmp_path):
    path = tmp_path / "wide.png"
    Image.new("RGB", (128, 100)).save(path)
    report = stages(library.find(detector), "cpu", 1, picture=path)
    assert (report.picture, report.resized_to) == (("wide.png", (128, 100)), (64, 50))
    assert_figures(report, [*AROUND, "scores", "first_layer", "offload", "last_layers"])


def test_a_simulated_accelerator(sim):
    network = random_networks.KINDS["scoring"](np.random.default_rng(1))
    report = stages(network, "sim", 2)
    names = [*AROUND, *measured.AROUND, "first_layer", "offload", "last_layers"]
    assert_figures(report, names)
    assert [one.name for one in report.stages if one.ratio is None] == ["offload"]
    assert report.pictures_per_s is None
    if report.process.peak_mb is not None:  # the memory of the simulated board is 64 MiB
        over = report.process.peak_mb - report.process.libraries_mb
        assert 0 < over < 60


@pytest.mark.parametrize("kind", ["connected", "detecting"])
def test_floats_that_an_accelerator_reads_are_quantised_in_decode(kind, sim, monkeypatch):
    """Not while they are packed."""
    made = []
    quantised = FloatFirst.quantised
    monkeypatch.setattr(
        FloatFirst, "quantised", lambda *given: made.append(given) or quantised(*given)
    )
    network = random_networks.KINDS[kind](np.random.default_rng(1))
    meter_of = measured.Meter.of

    def counted(meter, action):
        made.clear()
        cost = meter_of(meter, action)
        counts.append(len(made))
        return cost

    counts = []
    monkeypatch.setattr(measured.Meter, "of", counted)
    report = stages(network, "sim", 1)
    names = ["pixels", "scale", "quantise", "decode", *measured.AROUND]
    assert_figures(report, [*names, "first_layer", "offload", "last_layers"])
    assert counts == 2 * [0, 0, 0, 1, 1, 0, 0, 0, 0]
    said = lines(report, network.task)
    assert any(line.endswith("decode is pixels, scale and quantise in one") for line in said)


def test_lines_say_that_a_simulation_is_not_counted():
    process = measured.Process(0.1, 0.2, 100.0, 30.0)
    pillow = measured.Stage("pillow", 1.0, 1.0)
    for rate, words in ((None, "100 MB at its peak, without the simulation; "), (2.0, "peak; ")):
        report = measured.Report(
            "x", ("a", (1, 1)), pillow, (1, 1), [], rate, process, "instructions", 0.25
        )
        said = lines(report, "classify")
        assert words in said[-1]
        assert "packing, between, unpacking and scores take 25.0% of decode" in said
        assert "ratios and this share are of instructions, as counted in this run" in said


def test_instructions_where_they_are_counted(monkeypatch, tmp_path):
    """A counter that stands still but for Pillow and decode: times have no ratio then."""
    count = tmp_path / "count"
    count.write_bytes(bytes(8))
    monkeypatch.setenv("QNN_INSTRUCTIONS", str(count))
    costs = iter([100, 1, 2, 150, 30] * 2)
    monkeypatch.setattr(measured.Meter, "of", lambda _, action: (action(), next(costs))[1])
    report = stages(library.find("fashion-cnv"), "cpu", 1)
    assert (report.unit, report.share) == ("instructions", 30 / 150)
    assert [one.ratio for one in report.stages] == [0.01, 0.02, 1.5, 0.3, None, None, None]
    assert document(report)["ratios_of"] == "instructions"


def test_what_cannot_be_looked_at_is_refused(tmp_path):
    network = library.find("fashion-cnv")
    with pytest.raises(QnnError, match=r"there is no file .*none\.jpg"):
        stages(network, "cpu", 1, picture=tmp_path / "none.jpg")
    with pytest.raises(QnnError, match="incomplete: no scores"):
        stages(dataclasses.replace(network, result=None, missing=("no scores",)), "cpu", 1)


def test_a_process_that_fails():
    with pytest.raises(QnnError, match=r"to be measured failed: there is no file a$"):
        measured._child("import sys; sys.exit('trouble\\nqnn: there is no file a')")
