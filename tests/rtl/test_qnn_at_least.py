# SPDX-License-Identifier: BSD-3-Clause
"""qnn_at_least compares unsigned numbers: all small ones, and wide ones that differ in little."""

import cocotb
import pytest
from cocotb.triggers import Timer

from qnn_sim.streams import generator


@pytest.mark.parametrize("width", [4, 14, 32])
def test_qnn_at_least(width):
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, Width=width)


def pairs(width, random):
    """All pairs of the lowest four bits, below the same random ones; ends; one bit apart."""
    most = 2**width - 1
    yield from ((a, b) for a in (0, 1, most - 1, most) for b in (0, 1, most - 1, most))
    for a in range(16):
        for b in range(16):
            above = random.getrandbits(width) >> 4 << 4
            yield above | a, above | b
    for bit in range(width):
        for _ in range(10):
            a = random.getrandbits(width)
            yield a, a ^ 1 << bit
            yield random.getrandbits(bit + 1), random.getrandbits(bit + 1)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def numbers_are_compared(dut):
    for a, b in pairs(int(dut.Width.value), generator("numbers")):
        dut.a_i.value, dut.b_i.value = a, b
        await Timer(1, unit="ns")
        assert int(dut.at_least_o.value) == (a >= b), f"{a:#x} {b:#x}"
