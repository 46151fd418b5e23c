# SPDX-License-Identifier: BSD-3-Clause
"""qnn_threshold_parts gives the low bits of four thresholds, and in the next cycle the rest."""

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge
from test_qnn_pe_group import threshold_parts

from qnn_sim.streams import generator, pack, start


def test_qnn_threshold_parts():
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(chance=[1.0, 0.6, 0.2])
async def beats_become_parts(dut, chance):
    random = generator(f"beats {chance}")
    await start(dut, valid_i=0, second_i=0, data_i=0)
    four, due = [], None  # thresholds that have come; the part that must come next
    for _ in range(400):
        comes = random.random() < chance
        dut.valid_i.value, dut.data_i.value = int(comes), random.getrandbits(64)
        dut.second_i.value = int(len(four) == 2) if comes else random.getrandbits(1)
        if comes:
            four += [random.getrandbits(32), random.getrandbits(32)]
            dut.data_i.value = pack(four[-2:], 32)
        await RisingEdge(dut.clk_i)
        low = None
        if len(four) == 4:
            low, rest = threshold_parts(four)
            four = []
        await FallingEdge(dut.clk_i)
        assert int(dut.low_valid_o.value) == (low is not None)
        assert int(dut.high_valid_o.value) == (due is not None)
        want = due if due is not None else low
        if want is not None:
            assert int(dut.data_o.value) == want
        due = rest if low is not None else None


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_leaves_nothing_to_come(dut):
    await start(dut, valid_i=0, second_i=0, data_i=0)
    for cycles in range(1, 4):
        for second in range(2):
            dut.valid_i.value, dut.second_i.value = 1, second
            await RisingEdge(dut.clk_i)
        dut.valid_i.value = 0
        for _ in range(cycles - 1):
            await RisingEdge(dut.clk_i)
        dut.rst_i.value = 1
        await RisingEdge(dut.clk_i)
        dut.rst_i.value = 0
        for _ in range(3):
            await FallingEdge(dut.clk_i)
            assert not dut.low_valid_o.value and not dut.high_valid_o.value
