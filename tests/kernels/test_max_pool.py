# SPDX-License-Identifier: BSD-3-Clause
"""max_pool: the largest code of each window."""

import cocotb
import pytest
from kernel_bench import CONFIGURATIONS, IMPLEMENTATIONS, Bench, run

from qnn_sim import kernel_frames
from qnn_sim.run_options import draws


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_max_pool(implementation, configuration):
    run(__file__, implementation, configuration)


def random_frames(bench, count):
    """Every size and stride; any padding; maps of one pixel and more."""
    rng = bench.rng
    for n in range(count):
        size, stride = n % 3 + 1, n // 3 % 2 + 1
        padding = tuple(int(v) for v in rng.integers(0, size, 4))
        least = [max(1, size - padding[side] - padding[side + 2]) for side in (0, 1)]
        shape = tuple(int(rng.integers(side, side + 9)) for side in least)
        yield kernel_frames.max_pool(rng, bench.caps, size, stride, padding, shape, n % 2 + 1)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4])
async def matches_golden(dut, stall):
    bench = await Bench.begin(dut, stall)
    await bench.compare(list(random_frames(bench, draws(36, 9))))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def rows_as_wide_as_the_line_buffer(dut):
    bench = await Bench.begin(dut)
    columns = bench.caps.pool_columns
    await bench.compare(
        [
            kernel_frames.max_pool(bench.rng, bench.caps, 2, 2, (0, 0, 0, 0), (4, 2 * columns)),
            kernel_frames.max_pool(bench.rng, bench.caps, 3, 1, (1, 1, 1, 1), (4, columns)),
        ]
    )


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_drops_a_frame(dut):
    bench = await Bench.begin(dut, 0.3)
    await bench.compare_after_resets(random_frames(bench, draws(12, 4)))
