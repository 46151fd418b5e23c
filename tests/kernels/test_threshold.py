# SPDX-License-Identifier: BSD-3-Clause
"""threshold: how many thresholds of its channel each sum reaches, or its code by multiplication."""

import cocotb
import pytest
from kernel_bench import CONFIGURATIONS, IMPLEMENTATIONS, Bench, run

from qnn_sim import kernel_frames
from qnn_sim.run_options import draws


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_threshold(implementation, configuration):
    run(__file__, implementation, configuration)


def random_frames(bench, count):
    """Every number of thresholds that codes of 1 to 8 bits have, and odd ones; beside each a
    frame of codes by multiplication."""
    for n in range(count):
        levels = int(bench.rng.choice([1, 2, 3, 5, 7, 15, 31, 127, 255]))
        shape = int(bench.rng.integers(1, 5)), int(bench.rng.integers(1, 8))
        yield kernel_frames.threshold(bench.rng, bench.caps, levels, shape, n % 3 + 1)
        planes = int(bench.rng.integers(1, 9))
        yield kernel_frames.requantise(bench.rng, bench.caps, planes, shape, n % 3 + 1)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4])
async def matches_golden(dut, stall):
    bench = await Bench.begin(dut, stall)
    await bench.compare(list(random_frames(bench, draws(12, 3))))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_drops_a_frame(dut):
    bench = await Bench.begin(dut, 0.3)
    await bench.compare_after_resets(random_frames(bench, draws(6, 2)))
