# SPDX-License-Identifier: BSD-3-Clause
"""Convolutions of 16-bit words of the shapes that first layers of networks have, PYNQ-Z1
configuration: no value differs, and the cycles are those of the products."""

import numpy as np
import pytest
from random_networks import random_conv, random_numbers, random_word_conv

from qnn.engine import estimate
from qnn.engine.driver import Driver
from qnn_sim.golden_network import trace
from qnn_sim.platform import SimulatedBoard

# input, outputs, kernel, options; product rows
SHAPES = {
    "dorefanet": ((224, 224, 3), 68, (12, 12), {"stride": 4, "levels": 6}, 708_588),
    "tinier-yolo": (
        (416, 416, 3), 16, (3, 3), {"stride": 2, "padding": (0, 0, 1, 1), "levels": 14}, 194_688,
    ),
}  # fmt: skip
BESIDE = 3000  # cycles for lists, first rows, first weights, and the last results


@pytest.mark.parametrize("name", SHAPES)
def test_first_layers(name, seed):
    shape, outputs, kernel, options, products = SHAPES[name]
    rng = np.random.default_rng(seed)
    layer = random_word_conv(rng, shape, outputs, kernel, pairs=True, **options)
    # a small layer behind it, so that the planes of the codes are read without the lowest
    bits = (options["levels"] // 2).bit_length()
    behind = random_conv(rng, layer.out_shape, 8, (1, 1), name="behind", in_bits=bits, stride=4)
    numbers = random_numbers(rng, layer)
    with Driver(SimulatedBoard()) as driver:
        driver.load([layer, behind])
        driver.run(numbers)
        for number, expected in enumerate(trace([layer, behind], numbers)):
            np.testing.assert_array_equal(driver.map(number), expected, f"layer {number}")
        account = [a for a in driver.account() if a.name.startswith(layer.name)]
        planned = estimate.products(driver.layout.program, driver.capabilities)
    assert sum(a.busy for a in account) == products == planned[: len(account)].sum()
    cycles = sum(a.cycles for a in account)
    print(f"{name}: {cycles} cycles, {products} of them products")
    assert cycles <= products + BESIDE
