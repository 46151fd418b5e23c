# SPDX-License-Identifier: BSD-3-Clause
"""qnn_popcount counts equal lanes, two cycles later, one count a cycle."""

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from qnn_sim.streams import generator

ONES = 2**64 - 1


def test_qnn_popcount():
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__)


def pairs(random):
    """Every single lane, every count of lanes, checkers, and random words of all densities."""
    yield from ((ONES ^ 1 << lane, 0) for lane in range(64))
    yield from ((1 << lane, ONES) for lane in range(64))
    yield from ((ONES >> count, 0) for count in range(65))
    yield from ((ONES << count & ONES, ONES) for count in range(65))
    yield from ((word, other) for word in (0, ONES, 0x5555555555555555, 0x0F0F0F0F0F0F0F0F)
                for other in (0, ONES, 0xAAAAAAAAAAAAAAAA, 0x00FF00FF00FF00FF))  # fmt: skip
    for density in range(1, 8):
        for _ in range(200):
            word = sum((random.randrange(8) < density) << lane for lane in range(64))
            other = random.getrandbits(64)
            yield word ^ other, other


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def counts_equal_lanes(dut):
    Clock(dut.clk_i, 2, unit="ns").start()
    dut.clear_i.value = 0
    await RisingEdge(dut.clk_i)
    waiting = []
    for w, x in [*pairs(generator("words")), (0, 0), (0, 0), (0, 0)]:
        dut.w_i.value, dut.x_i.value = w, x
        waiting.append((w, x))
        await RisingEdge(dut.clk_i)  # takes these; the output still shows those of two edges before
        if len(waiting) > 2:
            w, x = waiting.pop(0)
            got, want = int(dut.count_o.value), 64 - (w ^ x).bit_count()
            assert got == want, f"w {w:#x}, x {x:#x}: got {got}, expected {want}"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def clear_gives_0(dut):
    Clock(dut.clk_i, 2, unit="ns").start()
    dut.w_i.value, dut.x_i.value, dut.clear_i.value = ONES, ONES, 0
    random, cleared = generator("clear"), []
    for _ in range(100):
        cleared.append(random.getrandbits(1))
        dut.clear_i.value = cleared[-1]
        await RisingEdge(dut.clk_i)
        if len(cleared) > 4:
            assert int(dut.count_o.value) == (0 if cleared[-2] else 64)
