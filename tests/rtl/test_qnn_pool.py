# SPDX-License-Identifier: BSD-3-Clause
"""qnn_pool gives the golden max-pool of every shape, padded or not, and lets sums through."""

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge

from qnn.engine.command_list import encode
from qnn_sim import golden
from qnn_sim.streams import Sink, Source, generator, pack, reset, start

PE, COLUMNS = 8, 16


def test_qnn_pool():
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, Pe=PE, ResultW=256, Columns=COLUMNS)


class Bench:
    def __init__(self, dut, stall):
        self.dut, self.random = dut, generator("rest")
        self.rng = np.random.default_rng(cocotb.RANDOM_SEED)
        self.source = Source(dut, "in", ("data", "present"), ready="in_pop", stall=stall)
        self.sink = Sink(dut, "out", ("data", "row_end"), stall=stall)

    async def begin(self):
        await start(self.dut, start_i=0, command_i=0)

    async def command(self, **fields):
        self.dut.command_i.value = int.from_bytes(encode(fields), "little")
        await RisingEdge(self.dut.clk_i)
        self.dut.start_i.value = 1
        await RisingEdge(self.dut.clk_i)
        self.dut.start_i.value = 0
        await RisingEdge(self.dut.clk_i)

    def put(self, results):
        """Results, with some between them that belong to no pixel."""
        for result in results:
            while self.random.random() < 0.15:
                self.source.put([{"data": self.random.getrandbits(256), "present": 0}])
            self.source.put([{"data": result, "present": 1}])

    def offer(self, codes):
        """Codes (tiles, rows, columns, Pe), with anything in the bits that mean nothing."""
        rest = self.random.getrandbits(256) >> 8 * PE << 8 * PE
        self.put(pack(pixel.tolist(), 8) | rest for pixel in codes.reshape(-1, PE))

    async def pool(self, size, stride, padding, rows, columns, tiles=2, wait=True, top=256):
        """One command with random codes below `top`, every output compared."""
        top_rows, left = padding[:2]
        codes = self.rng.integers(0, top, (tiles, rows, columns, PE), dtype=np.uint16)
        want = np.stack([golden.max_pool(tile, size, stride, padding) for tile in codes])
        out_rows, out_columns = want.shape[1:3]
        await self.command(
            pool_size=size, pool_stride=stride, pool_top=top_rows, pool_left=left, tiles=tiles,
            conv_rows=rows, conv_columns=columns, out_rows=out_rows, out_columns=out_columns,
            walk_rows=max((out_rows - 1) * stride + size, top_rows + rows),
            walk_columns=max((out_columns - 1) * stride + size, left + columns),
        )  # fmt: skip
        self.offer(codes)
        if not wait:
            return
        where = f"size {size} stride {stride} padding {padding} of {rows}x{columns}"
        got = await self.sink.receive(tiles * out_rows * out_columns)
        for place, (data, row_end) in enumerate(got):
            tile, rest = divmod(place, out_rows * out_columns)
            row, column = divmod(rest, out_columns)
            pixel = [data >> 8 * c & 255 for c in range(PE)]
            assert pixel == want[tile, row, column].tolist(), (where, tile, row, column)
            assert row_end == (column == out_columns - 1), (where, row, column)
        for _ in range(2000):
            await RisingEdge(self.dut.clk_i)
            if not self.dut.busy_o.value and self.source.empty:
                break
        await ClockCycles(self.dut.clk_i, 3)
        assert not self.dut.busy_o.value and not self.sink.items, where


def fitting(rng, size):
    """Padding and sides of a map with at least one window."""
    while True:
        rows, columns = (int(v) for v in rng.integers(1, 10, 2))
        padding = tuple(int(v) for v in rng.integers(0, size, 4))
        if rows + padding[0] + padding[2] >= size <= columns + padding[1] + padding[3]:
            return padding, rows, columns


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(shape=[(1, 1), (2, 1), (2, 2), (3, 1), (3, 2)], stall=[0.0, 0.3])
async def pools_match_golden(dut, shape, stall):
    size, stride = shape
    bench = Bench(dut, stall)
    await bench.begin()
    none = (0, 0, 0, 0)
    for sides in ((size, size), (size, COLUMNS), (7, size), (6, 6), (7, 9)):
        await bench.pool(size, stride, none, *sides)
    for _ in range(12):
        await bench.pool(size, stride, *fitting(bench.rng, size), tiles=1, top=4)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(shape=[(1, 1), (2, 1), (3, 1)])
async def results_wait_for_a_slow_output(dut, shape):
    """More of them than there is room for."""
    bench = Bench(dut, 0.0)
    bench.sink.stall = 0.95
    await bench.begin()
    await bench.pool(*shape, (0, 0, 0, 0), 9, 9)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4])
async def sums_pass_untouched(dut, stall):
    bench = Bench(dut, stall)
    await bench.begin()
    await bench.command(raw=1, pool_size=1, pool_stride=1, tiles=1, conv_rows=3, conv_columns=3)
    sums = [bench.random.getrandbits(256) for _ in range(100)]
    bench.put(sums)
    assert [data for data, _ in await bench.sink.receive(100)] == sums


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def reset_in_mid_flight_leaves_nothing_behind(dut):
    bench = Bench(dut, 0.2)
    await bench.begin()
    for _ in range(10):
        await bench.pool(3, 1, (1, 1, 1, 1), 6, 5, wait=False)
        await ClockCycles(dut.clk_i, int(bench.rng.integers(1, 80)))
        await reset(dut)
        assert not dut.out_valid_o.value
        padding, rows, columns = fitting(bench.rng, 2)
        await bench.pool(2, 2, padding, rows, columns)
