# SPDX-License-Identifier: BSD-3-Clause
"""qnn_readout compares every finished group once and collects all its results in order.

The bench stands for the chain: group g of channels shows the codes of a copy 4 + g cycles after it,
of the pixel that was asked for 1 + g cycles before, and the sums of a group of pixels 8 + g cycles
after its last product row, until the next ones come.
It also stands for qnn_requant, whose rows come 8 cycles after the last sums of a pixel.
"""

from itertools import product

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge

from qnn_sim.streams import generator, pack, reset, start

ACC, THRESHOLDS = 32, 16
COMPARE = ("threshold_address", "compare_first", "compare_high", "compare_last", "compare_code")


@pytest.mark.parametrize(
    ("pe", "pixels"), [(8, 4), (32, 2), pytest.param(64, 8, marks=pytest.mark.nightly)]
)
def test_qnn_readout(pe, pixels):
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, Pe=pe, Pixels=pixels, AccW=ACC, ThresholdWords=THRESHOLDS)


class Bench:
    def __init__(self, dut):
        self.dut, self.random = dut, generator("chain")
        self.pe, self.pixels = int(dut.Pe.value), int(dut.Pixels.value)
        self.groups = self.pe // 8
        self.chain = max(self.groups, 2)  # one group is read as late as two
        self.parts = max(self.groups, 4)
        self.cycle, self.addresses, self.asked = 0, {}, {}

    async def begin(self):
        self.clear()
        cocotb.start_soon(self.watch())
        await start(self.dut, run_start_i=0, raw_i=0, requantise_i=0, thresholds_i=1, short_i=0,
                    words_i=0, finish_i=0, codes_i=0, sums_i=0, requant_valid_i=0,
                    requant_present_i=0, requant_row_i=0, requant_busy_i=0)  # fmt: skip
        await self.run_start()

    def clear(self):
        self.finished, self.copies = [], []  # (cycle, values [pixel][channel])
        self.compares, self.presents, self.tiles_done = [], [], 0
        self.came = [[] for _ in range(self.parts)]
        self.loads, self.sums, self.made, self.rows = [], [], [], {}

    async def run_start(self):
        self.dut.run_start_i.value = 1
        await RisingEdge(self.dut.clk_i)
        self.dut.run_start_i.value = 0
        self.base = 0

    def values(self, width):
        """Random ones, [pixel][channel]."""
        bits = self.random.getrandbits
        return [[bits(width) for _ in range(self.pe)] for _ in range(self.pixels)]

    def shown(self, history, delay, pixels):
        """Channels of one pixel, of each group its own, as the chain shows them in this cycle."""
        out = []
        for g, pixel in enumerate(pixels):
            seen = [v for cycle, v in history if cycle + delay + g <= self.cycle]
            out += seen[-1][pixel][8 * g : 8 * g + 8] if seen else [0] * 8
        return out

    @property
    def results(self):
        """Rows, of which all parts have come, and whether their pixels exist."""
        assert {len(part) for part in self.came} == {len(self.presents)}, "parts without others"
        return [(pack(row, 64), own) for *row, own in zip(*self.came, self.presents, strict=True)]

    async def watch(self):
        dut = self.dut
        while True:
            await FallingEdge(dut.clk_i)  # all but the chain has settled
            pixel = self.asked[self.cycle] = int(dut.pixel_o.value)
            asked = [self.asked.get(self.cycle - 1 - g, 0) for g in range(self.groups)]
            dut.codes_i.value = pack(self.shown(self.copies, 4, asked), 8)
            dut.sums_i.value = pack(self.shown(self.finished, 8, [pixel] * self.groups), ACC)
            if dut.rst_i.value:
                self.rows.clear()
            due = self.rows.pop(self.cycle, None)
            row, present = due or (self.random.getrandbits(8 * self.pe), self.random.getrandbits(1))
            dut.requant_valid_i.value = int(due is not None)
            dut.requant_row_i.value, dut.requant_present_i.value = row, present
            dut.requant_busy_i.value = int(due is not None or bool(self.rows))
            self.addresses[self.cycle] = int(dut.threshold_address_o.value)
            await RisingEdge(dut.clk_i)
            if not dut.rst_i.value:
                if dut.compare_valid_o.value:
                    seen = tuple(int(getattr(dut, f"{name}_o").value) for name in COMPARE)
                    self.compares.append((self.cycle, *seen))
                if dut.finish_i.value:
                    self.finished.append((self.cycle, self.values(ACC)))
                if dut.copy_o.value:
                    self.copies.append((self.cycle, self.values(8)))
                self.watch_requant()
                self.watch_results()
                self.tiles_done += int(dut.tile_done_o.value)
            self.cycle += 1

    def watch_results(self):
        dut = self.dut
        valid, result = int(dut.result_valid_o.value), int(dut.result_o.value)
        for p, part in enumerate(self.came):
            if valid >> p & 1:
                part.append(result >> 64 * p & 2**64 - 1)
        if valid & 1:
            self.presents.append(int(dut.result_present_o.value))
        assert all(len(part) >= len(self.came[-1]) for part in self.came), "the last one too early"

    def watch_requant(self):
        """Words that the chain shows, 3 cycles after their address and one after what tells of
        them, and sums of eight channels."""
        dut = self.dut
        if load := int(dut.requant_load_o.value):
            address = self.addresses[self.cycle - 2]
            self.loads.append((self.cycle + 1, load.bit_length() - 1, address))
            assert load & (load - 1) == 0, "two words at once"
        if dut.requant_valid_o.value:
            last, present = int(dut.requant_last_o.value), int(dut.requant_present_o.value)
            self.sums.append((self.cycle, int(dut.requant_sums_o.value), last, present))
            if last:
                row = self.random.getrandbits(8 * self.pe)
                self.rows[self.cycle + 8] = row, present
                self.made.append(row)

    async def requantise(self, rng, tiles, per_tile):
        """Likewise, as close together as they may be: words and sums in the order that qnn_requant
        wants, each sum from before the next group of pixels overwrites it."""
        dut = self.dut
        slot, words = max(self.pixels, 4), 4 * self.groups
        self.clear()
        dut.raw_i.value, dut.requantise_i.value, dut.thresholds_i.value = 0, 1, words
        base, wanted, present_of = self.base, [], []
        for tile in range(tiles):
            for group in range(per_tile):
                last = group == per_tile - 1
                count = int(rng.integers(1, self.pixels + 1)) if last else self.pixels
                present_of.append(count)
                wanted += [(base + tile * words + k) % THRESHOLDS for k in range(words)]
                dut.finish_i.value, dut.tile_last_i.value = 1, int(last)
                dut.present_i.value = (1 << count) - 1
                await RisingEdge(dut.clk_i)
                dut.finish_i.value, dut.tile_last_i.value = 0, self.random.getrandbits(1)
                pause = self.groups * slot + self.chain - self.groups + 1
                pause += 0 if rng.random() < 0.7 else int(rng.integers(20))
                await ClockCycles(dut.clk_i, pause)
        await ClockCycles(dut.clk_i, 100)
        assert not dut.busy_o.value and not self.compares
        dut.requantise_i.value = 0
        self.base += tiles * words
        assert self.tiles_done == tiles and len(self.copies) == tiles * per_tile
        assert [address for _, _, address in self.loads] == wanted
        assert [word for _, word, _ in self.loads] == [0, 1, 2, 3] * (len(wanted) // 4)
        sums = iter(self.sums)
        for number, (_, values) in enumerate(self.finished):
            for g in range(self.groups):
                begin = self.loads[4 * (number * self.groups + g)][0]
                for m in range(self.pixels):
                    present = int(m < present_of[number])
                    row = pack(values[m][8 * g : 8 * g + 8], 32)
                    expected = begin + 1 + m, row, int(g == self.groups - 1), present
                    assert next(sums) == expected, f"group {number}, channels {g}, pixel {m}"
        assert next(sums, None) is None
        assert len(self.results) == self.pixels * len(present_of)
        assert [p for _, p in self.results] == [
            int(m < count) for count in present_of for m in range(self.pixels)
        ]
        assert [row for row, _ in self.results] == self.made

    async def command(self, rng, raw, thresholds, tiles, per_tile, words=False, short=False):
        """Groups of pixels as close together as qnn_sequencer lets them come."""
        dut = self.dut
        parts = 1 if short else 2  # of a threshold
        distance = self.groups * self.pixels + self.chain - self.groups + 2
        if not raw:
            distance = max(parts * thresholds, self.pixels, 4)
        self.clear()
        dut.raw_i.value, dut.thresholds_i.value = int(raw), thresholds
        dut.words_i.value, dut.short_i.value = int(words), int(short)
        # a sum of words is there from 13 + half the pixels cycles after the issue on
        there = 13 + self.pixels // 2 if words else 5
        compares, present_of = [], []
        for tile in range(tiles):
            for group in range(per_tile):
                last = group == per_tile - 1
                count = int(rng.integers(1, self.pixels + 1)) if last else self.pixels
                dut.finish_i.value, dut.tile_last_i.value = 1, int(last)
                dut.present_i.value = (1 << count) - 1
                await RisingEdge(dut.clk_i)
                present_of.append(count)
                for k in range(thresholds):
                    address = (self.base + tile * thresholds + k) % THRESHOLDS
                    compares += [
                        (address, int(k == 0), high, int(high == parts - 1), k + 1)
                        for high in range(parts)
                    ]
                dut.finish_i.value = 0
                dut.tile_last_i.value = self.random.getrandbits(1)
                dut.present_i.value = self.random.getrandbits(self.pixels)
                pause = distance - 1 + (0 if rng.random() < 0.7 else int(rng.integers(20)))
                await ClockCycles(dut.clk_i, pause)
        for _ in range(300):
            await RisingEdge(dut.clk_i)
            if not dut.busy_o.value:
                break
        await ClockCycles(dut.clk_i, 3)
        assert not dut.busy_o.value
        self.base += tiles * thresholds
        assert self.tiles_done == tiles and len(self.copies) == tiles * per_tile
        if not raw:
            assert [seen[1:] for seen in self.compares] == compares
            cycles_each = parts * thresholds
            for number, (at, _) in enumerate(self.finished):
                mine = self.compares[number * cycles_each : (number + 1) * cycles_each]
                cycles = [seen[0] for seen in mine]
                assert cycles == list(range(cycles[0], cycles[0] + cycles_each)), "with gaps"
                # the sum is there from so many cycles after the issue on, until the next one is
                assert cycles[0] >= at + there
                if number + 1 < len(self.finished):
                    assert cycles[-1] < self.finished[number + 1][0] + there
                assert self.copies[number][0] == cycles[-1] + 1
        else:
            assert not self.compares
        wanted = [values for _, values in (self.finished if raw else self.copies)]
        self.check_results(raw, wanted, present_of)

    def check_results(self, raw, wanted, present_of):
        expected = []
        for values, count in zip(wanted, present_of, strict=True):
            for m, channels in enumerate(values):
                if raw:
                    rows = [pack(channels[8 * g : 8 * g + 8], 32) for g in range(self.groups)]
                else:
                    rows = [pack(channels, 8)]
                expected += [(row, int(m < count)) for row in rows]
        assert len(self.results) == len(expected)
        for number, (got, want) in enumerate(zip(self.results, expected, strict=True)):
            assert got == want, f"result {number}"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def codes_come_in_order(dut):
    bench = Bench(dut)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for thresholds in (1, 2, 3, 7, 8, 9, 15, 1):
        for words, short in product((False, True), repeat=2):
            await bench.command(rng, False, thresholds, 3, int(rng.integers(1, 6)), words, short)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def sums_come_in_order(dut):
    bench = Bench(dut)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for per_tile in (1, 2, 5):
        await bench.command(rng, True, 0, 2, per_tile)
    await bench.command(rng, False, 3, 2, 3)
    await bench.run_start()
    await bench.command(rng, False, 3, 2, 3)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def sums_leave_for_multiplication(dut):
    bench = Bench(dut)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for per_tile in (1, 2, 5):
        await bench.requantise(rng, 3, per_tile)
        await bench.command(rng, False, 3, 2, 3)
    await bench.command(rng, True, 0, 2, 3)
    await bench.requantise(rng, 1, 2)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_in_mid_flight_leaves_nothing_behind(dut):
    bench = Bench(dut)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for _ in range(12):
        raw = bool(rng.integers(2))
        command = (
            bench.command(rng, raw, 3, 2, 4) if rng.integers(2) else bench.requantise(rng, 2, 4)
        )
        task = cocotb.start_soon(command)
        await ClockCycles(dut.clk_i, int(rng.integers(1, 60)))
        task.cancel()
        dut.finish_i.value = dut.requantise_i.value = 0
        await reset(dut)
        assert not dut.busy_o.value and not dut.result_valid_o.value
        await bench.run_start()
        await bench.command(rng, False, 3, 1, 2)
