# SPDX-License-Identifier: BSD-3-Clause
"""Codes of 8 bits by multiplication and by comparison, PYNQ-Z1 configuration: no value differs, and
the cycles are those of rtl/README.md."""

from dataclasses import replace

import numpy as np
import pytest
from random_networks import coefficients_of, random_conv

from qnn.engine import estimate
from qnn.engine.command_list import CommandList
from qnn.engine.driver import Driver
from qnn_sim.golden_network import run_layer
from qnn_sim.platform import SimulatedBoard
from qnn_sim.rtl_engine import IDEAL
from qnn_sim.run_options import some

BESIDE = 10_000  # cycles for first rows, first parameters, and the last results
# kernel; cycles of a group of pixels by multiplication and by comparison
SHAPES = {"1x1": ((1, 1), 34, 255), "3x3": ((3, 3), 180, 255)}


@pytest.mark.parametrize("name", SHAPES)
def test_weights_and_codes_of_4_bits_to_8(name, seed):
    kernel, *least = SHAPES[name]
    rng = np.random.default_rng(seed)
    layer = random_conv(
        rng, (28, 28, 64), 64, kernel, in_bits=4, levels=255, coefficients=coefficients_of(4),
        even=True, padding=(kernel[0] // 2,) * 4,
    )  # fmt: skip
    moved = layer.thresholds.copy()
    moved[:, 100] = moved[:, 101]  # no multiplication gives this
    codes = rng.integers(0, 16, layer.in_shape)
    board = SimulatedBoard()
    board.engine.model(IDEAL)
    with Driver(board) as driver:
        for multiplied, cycles in some(rng, zip((1, 0), least, strict=True), 1):
            one = layer if multiplied else replace(layer, thresholds=moved)
            driver.load([one])
            program = driver.layout.program
            told = CommandList(program.image, program.commands).get("requantise").tolist()
            assert told == [multiplied]
            run = driver.run(codes, resident=False)
            np.testing.assert_array_equal(driver.map(0), run_layer(one, codes))
            expected = 28 * 28 // 4 * cycles
            assert estimate.products(program, driver.capabilities).tolist() == [expected]
            how = "multiplication" if multiplied else "comparison"
            print(f"{name} by {how}: {run.cycles} cycles, {expected} by the formula")
            assert expected <= run.cycles <= expected + BESIDE
