# SPDX-License-Identifier: BSD-3-Clause
"""qnn_at_least_part compares unsigned numbers part by part: the low one, then the other with it."""

import cocotb
import pytest
from cocotb.triggers import Timer
from test_qnn_at_least import pairs

from qnn_sim.streams import generator


@pytest.mark.parametrize(("width", "part"), [(6, 4), (24, 18), (32, 18), (8, 4)])
def test_qnn_at_least_part(width, part):
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, Width=width, PartW=part)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def numbers_are_compared(dut):
    width, part = int(dut.Width.value), int(dut.PartW.value)
    random = generator("numbers")
    for a, b in pairs(width, random):
        dut.a_i.value = a
        reached = 1  # nothing below
        for high in range(2):
            dut.high_i.value, dut.below_i.value = high, reached
            dut.b_i.value = b >> part if high else b % 2**part
            await Timer(1, unit="ns")
            reached = int(dut.at_least_o.value)
            if not high:
                assert reached == (a % 2**part >= b % 2**part), f"{a:#x} {b:#x}, low part"
        assert reached == (a >= b), f"{a:#x} {b:#x}"
