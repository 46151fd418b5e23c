# SPDX-License-Identifier: BSD-3-Clause
"""Whole networks with real parameters through the RTL, PYNQ-Z1 configuration: no value differs."""

import re
from pathlib import Path

import numpy as np
import pytest

from bench_rtl import FINN, PICTURE_TARGETS, TARGETS, measure, misses_target, single_start
from qnn.engine.capabilities import Capabilities
from qnn.engine.driver import Driver
from qnn.store import library
from qnn_sim import boards, rtl_batches, rtl_cases, rtl_pictures
from qnn_sim.platform import SimulatedBoard
from qnn_sim.rtl_build import AT_NIGHT, CONFIGURATIONS
from qnn_sim.rtl_engine import IDEAL, PUBLISHED

PAGE = Path(__file__).parents[2] / "rtl/README.md"
TITLES = {  # in the table of that page
    "fashion-cnv": "fashion-cnv (shipped)",
    "dorefanet": "DoReFa-Net",
    "tinier-yolo": "Tinier-YOLO",
    "cnv-w1a1": "CNV W1A1",
    "cnv-w1a2": "CNV W1A2",
    "cnv-w2a2": "CNV W2A2",
    "lfc-w1a1": "LFC W1A1",
    "lfc-w1a2": "LFC W1A2",
}


def stated(name: str) -> tuple[int, int | None]:
    """The cycles that the page states, and those of a resident run."""
    (row,) = (
        line for line in PAGE.read_text().splitlines() if line.startswith(f"| {TITLES[name]} |")
    )
    _, _, _, cycles, _, _, resident, _ = (cell.strip().replace(",", "") for cell in row.split("|"))
    return int(cycles), int(resident) if resident else None


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.nightly) if name == "tinier-yolo" else name
        for name in rtl_cases.NAMES
    ],
)
def test_network_equals_its_expected_results(name, request):
    reference = None if name == "fashion-cnv" else request.getfixturevalue("reference")
    case = rtl_cases.case(name, reference)
    most, most_resident = TARGETS[name]
    board = SimulatedBoard(model=PUBLISHED)
    with Driver(board) as driver:
        driver.load(case.layers)
        cycles = driver.run(case.codes).cycles
        assert cycles <= most
        assert case.mismatches(driver.map) == 0
        resident = None
        if driver.status().resident:
            resident = driver.run(case.codes, resident=True).cycles
            assert case.mismatches(driver.map) == 0
        assert most_resident is None or (resident is not None and resident <= most_resident)
        assert board.violations == 0
    assert stated(name) == (cycles, resident), f"{PAGE.name} states other cycles"


PICTURES = {"dorefanet": "DoReFa-Net, conv0 to fc1", "tinier-yolo": "Tinier-YOLO, conv0 to conv7"}


@pytest.mark.nightly
@pytest.mark.parametrize("name", rtl_pictures.NAMES)
def test_a_whole_picture(reference, name):
    """No value differs, few outputs of the first layer are in doubt, the page says the cycles."""
    found = rtl_pictures.measure("pynq-z1", name, reference, PUBLISHED)
    assert found["mismatches"] == 0
    assert not misses_target(name, found)
    assert misses_target(name, found | {"cycles": PICTURE_TARGETS[name] + 1})
    assert misses_target(name, found | {"host_macs": found["macs"] // 99})
    first, left = found["layers"][0]["cycles"], found["host_macs"] / found["macs"]
    row = [f"{found['cycles']:,}", f"{first:,}", f"{found['doubts']:,}", f"{left:.2%}"]
    assert f"| {PICTURES[name]} | {' | '.join(row)} |" in PAGE.read_text()
    if name == "dorefanet":
        each = f"of {found['together']} together one takes\n{found['cycles_together']:,} cycles"
        assert each in PAGE.read_text()
    for layer in found["layers"]:
        if layer["name"] in ("fc0", "fc1"):
            said = rf"{layer['name']} \([^)]*\) (takes )?{layer['cycles']:,}"
            assert re.search(said, PAGE.read_text()), layer


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.nightly] if name in ("cnv-w1a2", "cnv-w2a2") else [])
        for name in rtl_batches.NAMES
    ],
)
def test_a_batch_of_pictures(name, request):
    """No value of any picture differs, and the page says what one takes and what it takes alone."""
    reference = None if name == library.DEFAULT else request.getfixturevalue("reference")
    found = rtl_batches.measure("pynq-z1", name, reference, PUBLISHED)
    print(f"{name}: {found}")
    assert found["mismatches"] == 0
    batch = f" {found['batch']}" if found["batch"] > 1 else ""
    row = [batch, TITLES[name], f"{found['cycles']:,}", f"{found['cycles_alone']:,}"]
    assert f"|{' | '.join(row)} |" in PAGE.read_text()


@pytest.mark.nightly
@pytest.mark.parametrize("name", FINN["aup-zu3"])
@pytest.mark.parametrize("board", ["aup-zu3", "kv260", "zcu104"])
def test_pictures_a_second_on_a_larger_board(reference, board, name):
    """No value differs, the page says how many, and they are more than FINN's."""
    facts, finn = boards.load(board), FINN.get(board, {}).get(name)
    found = measure(facts["configuration"], name, None, boards.memory_model(facts))
    assert found["mismatches"] == 0
    cycles = single_start(found)
    assert cycles == found["cycles_resident"]
    rate = facts["clock_mhz"] * 1e6 / cycles
    assert rate > (finn or 0)
    beside = f"{finn:,.1f} |" if finn else "|"
    row = f"| {board.upper()} | {TITLES[name]} | {cycles:,} | {rate:,.1f} | {beside}"
    assert row in PAGE.read_text(), row


def test_defaults_of_the_host_are_those_of_the_rtl():
    with Driver(SimulatedBoard()) as driver:
        assert driver.capabilities == Capabilities()


@pytest.mark.parametrize(
    "configuration",
    [pytest.param(n, marks=[pytest.mark.nightly] * (n in AT_NIGHT)) for n in CONFIGURATIONS],
)
def test_sizes_of_a_configuration_are_those_of_the_page(configuration):
    with Driver(SimulatedBoard(configuration, 1 << 20)) as driver:
        caps = driver.capabilities
    lanes = caps.lanes
    stores = caps.weight_words, caps.window_words
    sizes = caps.pe, caps.pixels, lanes, *stores, caps.requantiser
    cells = " | ".join(f"{size:,}" for size in sizes)
    assert re.search(rf"^\| `{configuration}`.* \| {re.escape(cells)} \|$", PAGE.read_text(), re.M)


@pytest.mark.parametrize("model", [PUBLISHED, IDEAL])
def test_shipped_model_on_its_pictures(model):
    pictures = sorted((library.shipped_directory().parent / "samples").glob("*.png"))
    assert len(pictures) == 10
    cases = [rtl_cases.shipped(picture) for picture in pictures]
    with Driver(SimulatedBoard(model=model)) as driver:
        driver.load(cases[0].layers)
        labels = []
        for case in cases:
            labels.append(int(np.argmax(driver.run(case.codes).maps)))
            assert case.mismatches(driver.map) == 0
    assert len(set(labels)) > 1
