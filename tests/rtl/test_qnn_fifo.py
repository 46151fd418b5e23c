# SPDX-License-Identifier: BSD-3-Clause
"""qnn_fifo hands out what was pushed, in order, at any fill, and counts it."""

from collections import deque

import cocotb
import pytest
from cocotb.triggers import FallingEdge, RisingEdge

from qnn_sim.streams import generator, start


@pytest.mark.parametrize(("width", "depth"), [(5, 2), (64, 8)])
def test_qnn_fifo(width, depth):
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, Width=width, Depth=depth)


async def check(dut, held):
    """The outputs after the edge, against what must be in there."""
    await FallingEdge(dut.clk_i)
    assert int(dut.count_o.value) == len(held)
    assert int(dut.valid_o.value) == bool(held)
    if held:
        assert int(dut.data_o.value) == held[0]


async def random_steps(dut, steps, push, pop):
    """Push and pop with these chances; a push into a full FIFO and a pop of nothing are lost."""
    width, depth = int(dut.Width.value), int(dut.Depth.value)
    random, held = generator(f"{push} {pop}"), deque()
    for _ in range(steps):
        pushes, pops = random.random() < push, random.random() < pop
        data = random.getrandbits(width)
        dut.push_i.value, dut.pop_i.value, dut.data_i.value = pushes, pops, data
        room = len(held) < depth
        await RisingEdge(dut.clk_i)
        if pops and held:
            held.popleft()
        if pushes and room:
            held.append(data)
        await check(dut, held)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(chances=[(0.5, 0.5), (0.9, 0.3), (0.3, 0.9), (1.0, 1.0)])
async def keeps_the_order(dut, chances):
    await start(dut, push_i=0, pop_i=0)
    await random_steps(dut, 300, *chances)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_empties_it(dut):
    await start(dut, push_i=0, pop_i=0)
    for _ in range(5):
        await random_steps(dut, 3, 1.0, 0.0)
        dut.rst_i.value, dut.push_i.value, dut.pop_i.value = 1, 1, 0  # this push is lost, too
        await RisingEdge(dut.clk_i)
        dut.rst_i.value, dut.push_i.value = 0, 0
        await RisingEdge(dut.clk_i)
        await check(dut, deque())
    await random_steps(dut, 50, 0.6, 0.6)
