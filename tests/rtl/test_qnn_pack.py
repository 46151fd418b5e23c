# SPDX-License-Identifier: BSD-3-Clause
"""qnn_pack puts codes and sums into words as the maps in memory have them."""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ClockCycles

from qnn.engine.maps import BlockMap
from qnn_sim.streams import Sink, Source, generator, pack, reset, start


@pytest.mark.parametrize("pe", [8, pytest.param(32, marks=pytest.mark.nightly), 64])
def test_qnn_pack(pe):
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, Pe=pe, ResultW=max(256, 8 * pe))


async def begin(dut, stall):
    source = Source(dut, "in", ("data", "row_end"), stall=stall)
    sink = Sink(dut, "out", stall=stall)
    await start(dut, raw_i=0, planes_i=1)
    return source, sink


def garbage(dut, used):
    """Bits of a result that mean nothing."""
    return generator("rest").getrandbits(int(dut.ResultW.value)) >> used << used


async def codes_of_a_map(dut, source, sink, rng, rows, columns, planes, kind):
    """One block of a map goes in, its words come out: read them as the software does."""
    pe = int(dut.Pe.value)
    codes = rng.integers(0, 2**planes, (rows, columns, pe), dtype=np.uint8)
    if kind != "random":
        codes[:] = 2**planes - 1 if kind == "ones" else 0
    out = BlockMap(rows, columns, planes, pe, ((0, pe),))
    dut.raw_i.value, dut.planes_i.value = 0, planes
    source.put(
        {"data": pack(pixel, 8) | garbage(dut, 8 * pe), "row_end": int(column == columns - 1)}
        for row in codes
        for column, pixel in enumerate(row)
    )
    words = await sink.receive(out.size // 8)
    got = out.unpack(np.array(words, dtype="<u8").tobytes())
    assert (got == codes).all(), (rows, columns, planes)
    # bits of pixels beyond the row are zeros
    share = 64 // pe
    if columns % share:
        beyond = columns % share * pe
        last = np.array(words, dtype=np.uint64).reshape(rows, -1, planes)[:, -1]
        assert not (last >> np.uint64(beyond)).any()
    await ClockCycles(dut.clk_i, 3)
    assert not dut.busy_o.value and not sink.items


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4])
async def codes_are_planes_of_pixels(dut, stall):
    source, sink = await begin(dut, stall)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for planes in range(1, 9):
        for columns in (1, int(rng.integers(2, 20)), 64 // int(dut.Pe.value)):
            await codes_of_a_map(dut, source, sink, rng, 3, columns, planes, "random")
        for kind in ("ones", "zeros"):
            await codes_of_a_map(dut, source, sink, rng, 1, 5, planes, kind)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4])
async def sums_are_two_a_word(dut, stall):
    source, sink = await begin(dut, stall)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    dut.raw_i.value = 1
    sums = rng.integers(0, 2**32, (50, 8), dtype=np.uint64)
    sums[:2] = [[0], [2**32 - 1]]
    source.put(
        {"data": pack(row.tolist(), 32) | garbage(dut, 256), "row_end": int(rng.integers(2))}
        for row in sums
    )
    words = await sink.receive(200)
    assert (np.array(words, dtype="<u8").view("<u4").reshape(50, 8) == sums).all()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_drops_half_a_word(dut):
    source, sink = await begin(dut, 0.3)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for _ in range(10):
        dut.planes_i.value = 8
        source.put({"data": int(rng.integers(2**63)), "row_end": 0} for _ in range(30))
        await ClockCycles(dut.clk_i, int(rng.integers(1, 40)))
        await reset(dut)
        assert not dut.out_valid_o.value and not dut.busy_o.value
        await codes_of_a_map(dut, source, sink, rng, 2, 5, 3, "random")
