# SPDX-License-Identifier: BSD-3-Clause
"""Whole networks with real parameters through the RTL, PYNQ-Z1 configuration: no value differs."""

import os
from pathlib import Path

import numpy as np
import pytest

from qnn import library
from qnn_sim import rtl_cases
from qnn_sim.rtl_engine import IDEAL, PUBLISHED, RtlEngine, compile_for

MOST_CYCLES = {  # with the memory as published, and what the resident run may take
    "fashion-cnv": (60_000, None),
    "dorefanet": (300_000, None),
    "tinier-yolo": (950_000, None),
    "cnv-w1a1": (60_000, 25_000),
    "cnv-w1a2": (60_000, None),
    "cnv-w2a2": (80_000, None),
}


@pytest.mark.parametrize("name", rtl_cases.NAMES)
def test_network_equals_its_expected_results(name, request):
    if name != "fashion-cnv":
        request.getfixturevalue("reference")
    reference = Path(os.environ["QNN_REFERENCE"]) if name != "fashion-cnv" else None
    case = rtl_cases.case(name, reference)
    most, most_resident = MOST_CYCLES[name]
    with RtlEngine("pynq-z1", model=PUBLISHED) as engine:
        program = compile_for(engine, case.layers)
        engine.load(program)
        assert engine.run(program, case.codes) <= most
        assert case.mismatches(engine, program) == 0
        if most_resident is not None:
            assert engine.run(program, case.codes, resident=True) <= most_resident
            assert case.mismatches(engine, program) == 0
        assert engine.count("violations") == 0


@pytest.mark.parametrize("model", [PUBLISHED, IDEAL])
def test_shipped_model_on_its_pictures(model):
    pictures = sorted((library.shipped_directory().parent / "samples").glob("*.png"))
    assert len(pictures) == 10
    cases = [rtl_cases.shipped(picture) for picture in pictures]
    with RtlEngine("pynq-z1", model=model) as engine:
        program = compile_for(engine, cases[0].layers)
        engine.load(program)
        labels = []
        for number, case in enumerate(cases):
            engine.run(program, case.codes, resident=number > 0 and engine.status().resident)
            assert case.mismatches(engine, program) == 0
            labels.append(int(np.argmax(engine.get(program))))
    assert len(set(labels)) > 1
