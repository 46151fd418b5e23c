# SPDX-License-Identifier: BSD-3-Clause
"""Layers whose strides in rows and in columns differ, on the simulated accelerator."""

import numpy as np
import pytest
from random_networks import random_conv

from qnn.engine.driver import Driver
from qnn.network import MaxPool
from qnn_sim.golden_network import run_conv
from qnn_sim.platform import SimulatedBoard


@pytest.mark.parametrize("strides", [(2, 1), (1, 2), (4, 1), (1, 3), (3, 2)])
def test_strides_differ(strides):
    rng = np.random.default_rng(strides)
    down, across = strides
    pooled = random_conv(
        rng, (13, 11, 5), 9, (3, 2), stride=down, across=across, padding=(1, 0, 2, 1),
        pool=MaxPool(2, 1),
    )  # fmt: skip
    grouped = random_conv(
        rng, (14, 15, 70), 34, (3, 3), stride=down, across=across, groups=2, levels=7
    )
    with Driver(SimulatedBoard()) as driver:
        for layer in (pooled, grouped):
            codes = rng.integers(0, 4, layer.in_shape)
            driver.load([layer])
            np.testing.assert_array_equal(driver.run(codes).maps, run_conv(layer, codes))
