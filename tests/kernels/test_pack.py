# SPDX-License-Identifier: BSD-3-Clause
"""pack: codes and sums as they lie in memory."""

import cocotb
import pytest
from kernel_bench import CONFIGURATIONS, IMPLEMENTATIONS, Bench, run

from qnn_sim import kernel_frames
from qnn_sim.run_options import draws


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_pack(implementation, configuration):
    run(__file__, implementation, configuration)


def random_frames(bench, count):
    """Sums, and codes of 1 to 8 planes; rows that end in the middle of a word."""
    for n in range(count):
        shape = int(bench.rng.integers(1, 4)), int(bench.rng.integers(1, 20))
        yield kernel_frames.pack(bench.rng, bench.caps, n % 9, shape, n % 2 + 1)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4])
async def matches_golden(dut, stall):
    bench = await Bench.begin(dut, stall)
    await bench.compare(list(random_frames(bench, draws(36, 9))))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_drops_a_frame(dut):
    bench = await Bench.begin(dut, 0.3)
    await bench.compare_after_resets(random_frames(bench, draws(12, 4)))
