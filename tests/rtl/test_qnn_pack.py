# SPDX-License-Identifier: BSD-3-Clause
"""qnn_pack puts codes and sums into words as the maps in memory have them."""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ClockCycles, RisingEdge

from qnn.engine.maps import BlockMap
from qnn_sim.streams import Sink, Source, generator, pack, reset, start

ROOM = 10  # words, PACK_ROOM in rtl/core/qnn_pkg.sv


@pytest.mark.parametrize("pe", [8, pytest.param(32, marks=pytest.mark.nightly), 64])
def test_qnn_pack(pe):
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, Pe=pe, ResultW=max(256, 8 * pe))


class Store(Sink):
    """Takes all words, and counts on ROOM of them at most from the last cycle on in which it had
    room."""

    def __init__(self, dut, stall):
        self.cycles = []  # in which they came
        super().__init__(dut, "out", ready="room", stall=stall)

    async def _run(self):
        cycle, credit, room = 0, 0, False
        while True:
            await RisingEdge(self._dut.clk_i)
            cycle += 1
            if self._dut.rst_i.value:
                self.items.clear()
                credit = 0
            else:
                credit = ROOM if room else credit
                if self._valid.value:
                    assert credit, "a word for which there was no room"
                    credit -= 1
                    self.items.append(int(self._fields[0].value))
                    self.cycles.append(cycle)
            room = self._random.random() >= self.stall
            self._ready.drive(int(room))


async def begin(dut, stall):
    source = Source(dut, "in", ("data", "row_end"), stall=stall)
    store = Store(dut, stall)
    await start(dut, raw_i=0, planes_i=1)
    return source, store


def garbage(dut, used):
    """Bits of a result that mean nothing."""
    return generator("rest").getrandbits(int(dut.ResultW.value)) >> used << used


async def codes_of_a_map(dut, source, store, rng, rows, columns, planes, kind):
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
    words = await store.receive(out.size // 8)
    got = out.unpack(np.array(words, dtype="<u8").tobytes())
    assert (got == codes).all(), (rows, columns, planes)
    # bits of pixels beyond the row are zeros
    share = 64 // pe
    if columns % share:
        beyond = columns % share * pe
        last = np.array(words, dtype=np.uint64).reshape(rows, -1, planes)[:, -1]
        assert not (last >> np.uint64(beyond)).any()
    await ClockCycles(dut.clk_i, 3)
    assert not dut.busy_o.value and not store.items


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4, 0.9])
async def codes_are_planes_of_pixels(dut, stall):
    source, store = await begin(dut, stall)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for planes in range(1, 9):
        for columns in (1, int(rng.integers(2, 20)), 64 // int(dut.Pe.value)):
            await codes_of_a_map(dut, source, store, rng, 3, columns, planes, "random")
        for kind in ("ones", "zeros"):
            await codes_of_a_map(dut, source, store, rng, 1, 5, planes, kind)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4])
async def sums_are_two_a_word(dut, stall):
    source, store = await begin(dut, stall)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    dut.raw_i.value = 1
    sums = rng.integers(0, 2**32, (50, 8), dtype=np.uint64)
    sums[:2] = [[0], [2**32 - 1]]
    source.put(
        {"data": pack(row.tolist(), 32) | garbage(dut, 256), "row_end": int(rng.integers(2))}
        for row in sums
    )
    words = await store.receive(200)
    assert (np.array(words, dtype="<u8").view("<u4").reshape(50, 8) == sums).all()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def words_follow_each_other(dut):
    """A word a cycle; behind those of shared words their next results are gathered first."""
    source, store = await begin(dut, 0.0)
    share = 64 // int(dut.Pe.value)
    for raw, planes in ((0, 1), (0, 2), (0, 8), (1, 1)):
        dut.raw_i.value, dut.planes_i.value = raw, planes
        words, results = (4, 20) if raw else (planes, 20 * share)
        source.put({"data": n, "row_end": 0} for n in range(results))
        store.cycles.clear()
        await store.receive(20 * words)
        apart = words + (0 if raw else share - 1)
        steady = [apart * (n // words) + n % words for n in range(20 * words)]
        assert [cycle - store.cycles[0] for cycle in store.cycles] == steady, (raw, planes)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_drops_half_a_word(dut):
    source, store = await begin(dut, 0.3)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for _ in range(10):
        dut.planes_i.value = 8
        source.put({"data": int(rng.integers(2**63)), "row_end": 0} for _ in range(30))
        await ClockCycles(dut.clk_i, int(rng.integers(1, 40)))
        await reset(dut)
        assert not dut.out_valid_o.value and not dut.busy_o.value
        await codes_of_a_map(dut, source, store, rng, 2, 5, 3, "random")
