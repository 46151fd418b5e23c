# SPDX-License-Identifier: BSD-3-Clause
"""qnn_threshold_parts writes the low bits of four thresholds, and in the next cycle the rest."""

import cocotb
import pytest
from cocotb.triggers import FallingEdge, RisingEdge
from test_qnn_pe_group import threshold_parts

from qnn_sim.streams import generator, pack, start


@pytest.mark.parametrize("channels", [8, 32])
def test_qnn_threshold_parts(channels):
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, Channels=channels)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(chance=[1.0, 0.6, 0.2])
async def beats_become_parts(dut, chance):
    random = generator(f"beats {chance}")
    lanes = int(dut.Channels.value) // 2
    await start(dut, valid_i=0, lane_i=0, address_i=0, data_i=0)
    lane, four, due = 0, [], []  # writes that must come: which four, address, part, whether high
    for _ in range(400):
        comes = random.random() < chance
        dut.valid_i.value, dut.data_i.value = int(comes), random.getrandbits(64)
        address = random.getrandbits(12)
        dut.address_i.value = address
        dut.lane_i.value = lane if comes else random.randrange(lanes)
        if comes:
            four += [random.getrandbits(32), random.getrandbits(32)]
            dut.data_i.value = pack(four[-2:], 32)
            if len(four) == 4:
                due += [
                    (1 << lane // 2, address, part, high)
                    for high, part in enumerate(threshold_parts(four))
                ]
                four = []
            lane = (lane + 1) % lanes
        await RisingEdge(dut.clk_i)
        await FallingEdge(dut.clk_i)
        if not due:
            assert not dut.we_o.value
            continue
        got = (dut.we_o, dut.waddr_o, dut.data_o, dut.high_o)
        assert tuple(int(signal.value) for signal in got) == due.pop(0)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_leaves_nothing_to_come(dut):
    await start(dut, valid_i=0, lane_i=0, address_i=0, data_i=0)
    for cycles in range(1, 4):
        for lane in range(2):
            dut.valid_i.value, dut.lane_i.value = 1, lane
            await RisingEdge(dut.clk_i)
        dut.valid_i.value = 0
        for _ in range(cycles - 1):
            await RisingEdge(dut.clk_i)
        dut.rst_i.value = 1
        await RisingEdge(dut.clk_i)
        dut.rst_i.value = 0
        for _ in range(3):
            await FallingEdge(dut.clk_i)
            assert not dut.we_o.value
