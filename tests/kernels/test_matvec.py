# SPDX-License-Identifier: BSD-3-Clause
"""matvec: sums of products of weight bits and activation planes."""

import cocotb
import pytest
from kernel_bench import CONFIGURATIONS, IMPLEMENTATIONS, Bench, run

from qnn_sim import kernel_frames
from qnn_sim.run_options import draws


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_matvec(implementation, configuration):
    run(__file__, implementation, configuration)


def random_frames(bench, count):
    """1 to 8 planes; pixels that fill no group; weights that fill the memory."""
    for n in range(count):
        words = int(bench.rng.integers(1, 20))
        shape = int(bench.rng.integers(1, 4)), int(bench.rng.integers(1, 6))
        yield kernel_frames.matvec(bench.rng, bench.caps, n % 8 + 1, words, shape, n % 3 + 1)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4])
async def matches_golden(dut, stall):
    bench = await Bench.begin(dut, stall)
    frames = list(random_frames(bench, draws(16, 4)))
    frames.append(kernel_frames.matvec(bench.rng, bench.caps, 1, 1, (1, 1)))
    frames.append(kernel_frames.matvec(bench.rng, bench.caps, 2, 255, (1, bench.caps.pixels)))
    await bench.compare(frames)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def reset_drops_a_frame(dut):
    bench = await Bench.begin(dut, 0.3)
    await bench.compare_after_resets(random_frames(bench, draws(8, 3)))
