# SPDX-License-Identifier: BSD-3-Clause
"""conv: a whole layer, from parameters and input map to output map."""

import cocotb
import pytest
from kernel_bench import CONFIGURATIONS, IMPLEMENTATIONS, Bench, run

from qnn_sim import kernel_frames


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_conv(implementation, configuration):
    run(__file__, implementation, configuration)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4])
async def matches_golden(dut, stall):
    bench = await Bench.begin(dut, stall)
    await bench.compare(bench.frames_of_random_layers(kernel_frames.conv, 16))


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4])
async def layers_of_words_match_golden(dut, stall):
    """16-bit numbers, with thresholds in pairs or not, between layers of codes."""
    bench = await Bench.begin(dut, stall)
    frames = bench.frames_of_random_layers(kernel_frames.conv, 4)
    words = bench.frames_of_random_words(8)
    await bench.compare([frame for both in zip(words, frames * 2, strict=False) for frame in both])


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def corners_match_golden(dut):
    bench = await Bench.begin(dut, 0.1)
    await bench.compare(bench.frames_of_corners(kernel_frames.conv))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def reset_drops_a_frame(dut):
    bench = await Bench.begin(dut, 0.3)
    await bench.compare_after_resets(bench.frames_of_random_layers(kernel_frames.conv, 6))
