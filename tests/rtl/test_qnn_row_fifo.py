# SPDX-License-Identifier: BSD-3-Clause
"""qnn_row_fifo hands out whole rows in order, with parts that come at times of their own."""

from collections import deque

import cocotb
import pytest
from cocotb.triggers import FallingEdge, RisingEdge

from qnn_sim.streams import generator, start

PART = 9


@pytest.mark.parametrize(("parts", "depth"), [(4, 32), (8, 64), (2, 2)])
def test_qnn_row_fifo(parts, depth):
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, PartW=PART, Parts=parts, Depth=depth)


async def random_steps(dut, steps, push, pop):
    """Parts are pushed with one chance each, the last one of a row last; rows are popped with
    another chance, and where there is none, too."""
    parts, depth = int(dut.Parts.value), int(dut.Depth.value)
    random, rows, held = generator(f"{push} {pop}"), [], deque()
    pushed, popped = [0] * parts, 0
    for _ in range(steps):
        pops = random.random() < pop
        valid, data, flag = 0, random.getrandbits(PART * parts), random.getrandbits(1)
        for p in range(parts):
            # room for its row, and of the last part: all others are there or come with it
            there = pushed[p] - popped < depth and pushed[-1] <= pushed[p]
            if p == parts - 1:
                there = there and min(pushed[:-1]) > pushed[-1]
            if there and random.random() < push:
                valid |= 1 << p
                rows += [{}] * (pushed[p] == len(rows))
                rows[pushed[p]] = rows[pushed[p]] | {p: data >> PART * p & 2**PART - 1}
                if p == 0:
                    rows[pushed[p]] = rows[pushed[p]] | {"flag": flag}
                pushed[p] += 1
        dut.push_i.value, dut.data_i.value, dut.flag_i.value = valid, data, flag
        dut.pop_i.value = pops
        await RisingEdge(dut.clk_i)
        if pops and held:
            held.popleft()
            popped += 1
        if valid >> parts - 1:
            held.append(rows[pushed[-1] - 1])
        await FallingEdge(dut.clk_i)
        assert int(dut.valid_o.value) == bool(held)
        if held:
            want = sum(held[0][p] << PART * p for p in range(parts))
            assert (int(dut.data_o.value), int(dut.flag_o.value)) == (want, held[0]["flag"])


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(chances=[(0.5, 0.5), (0.9, 0.3), (0.3, 0.9), (1.0, 1.0)])
async def keeps_rows_together(dut, chances):
    await start(dut, push_i=0, pop_i=0)
    await random_steps(dut, 300, *chances)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_empties_it(dut):
    await start(dut, push_i=0, pop_i=0)
    for _ in range(5):
        await random_steps(dut, 7, 0.7, 0.1)
        dut.rst_i.value, dut.push_i.value, dut.pop_i.value = 1, 0, 0
        await RisingEdge(dut.clk_i)
        dut.rst_i.value = 0
        await FallingEdge(dut.clk_i)
        assert not dut.valid_o.value
    await random_steps(dut, 50, 0.6, 0.6)
