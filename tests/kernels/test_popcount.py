# SPDX-License-Identifier: BSD-3-Clause
"""popcount: equal bits of 64 weights and 64 activations."""

import cocotb
import pytest
from kernel_bench import CONFIGURATIONS, IMPLEMENTATIONS, Bench, run

from qnn_sim import kernel_frames


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_popcount(implementation, configuration):
    run(__file__, implementation, configuration)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4])
async def matches_golden(dut, stall):
    bench = await Bench.begin(dut, stall)
    await bench.compare([kernel_frames.popcount(bench.rng, pairs) for pairs in (1, 2, 64, 500)])


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_drops_a_frame(dut):
    bench = await Bench.begin(dut, 0.3)
    await bench.compare_after_resets(kernel_frames.popcount(bench.rng, 20) for _ in range(20))
