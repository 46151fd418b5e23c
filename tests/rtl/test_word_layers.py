# SPDX-License-Identifier: BSD-3-Clause
"""Convolutions of 16-bit words of the shapes that first layers of networks have, PYNQ-Z1
configuration: no value differs, and the cycles are those of the products or of the memory."""

import numpy as np
import pytest
from random_networks import random_conv, random_numbers, random_word_conv

from qnn.engine import estimate
from qnn.engine.driver import Driver
from qnn_sim.golden_network import trace
from qnn_sim.platform import SimulatedBoard
from qnn_sim.rtl_engine import IDEAL, PUBLISHED
from qnn_sim.run_options import some

# input, outputs, kernel, options; product rows, and cycles that these or comparing them take
SHAPES = {
    "dorefanet": ((224, 224, 3), 68, (12, 12), {"stride": 4, "levels": 6}, 708_588, 708_588),
    "tinier-yolo": (
        (416, 416, 3), 16, (3, 3), {"stride": 2, "padding": (0, 0, 1, 1), "levels": 14},
        194_688, 302_848,
    ),
}  # fmt: skip
BESIDE = 15_000  # cycles for first rows, first weights, and the last results of a command


@pytest.mark.nightly
@pytest.mark.parametrize("name", SHAPES)
def test_first_layers(name, seed):
    shape, outputs, kernel, options, products, work = SHAPES[name]
    rng = np.random.default_rng(seed)
    layer = random_word_conv(rng, shape, outputs, kernel, pairs=True, **options)
    # a small layer behind it, so that the planes of the codes are read without the lowest
    bits = (options["levels"] // 2).bit_length()
    behind = random_conv(rng, layer.out_shape, 8, (1, 1), name="behind", in_bits=bits, stride=4)
    numbers = random_numbers(rng, layer)
    board = SimulatedBoard()
    with Driver(board) as driver:
        driver.load([layer, behind])
        expected = list(trace([layer, behind], numbers))
        program, caps = driver.layout.program, driver.capabilities
        own = len(program.names) - 1
        assert estimate.products(program, caps)[:own].sum() == work
        moved = int(estimate.beats(program, caps)[:own].sum())
        # reads and writes share the beats of the published memory, one in five of which is a pause
        cases = ((IDEAL, work), (PUBLISHED, max(work, moved * 5 // 4)))
        for model, least in some(rng, cases, 1):
            board.engine.model(model)
            driver.run(numbers, resident=False)
            for number, values in enumerate(expected):
                np.testing.assert_array_equal(driver.map(number), values, f"layer {number}")
            account = driver.account()[:own]
            assert sum(a.busy for a in account) == products
            cycles = sum(a.cycles for a in account)
            print(f"{name}: {cycles} cycles, {products} with products, {moved} beats, {model}")
            assert cycles <= least + BESIDE
