# SPDX-License-Identifier: BSD-3-Clause
"""qnn_weight_loader fills the parameter rings tile by tile, and never where a tile is in use."""

from collections import deque

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ClockCycles, RisingEdge

from qnn.engine import regs
from qnn_sim.run_options import draws, some
from qnn_sim.streams import generator, reset, start

PE, WEIGHTS, THRESHOLDS = 16, 32, 16
SHORT = regs.SHORT_W
AHEAD = 9  # tiles asked for and not yet there


@pytest.mark.parametrize(
    ("parts", "part"), [(1, 0), pytest.param(2, 0, marks=pytest.mark.nightly), (2, 1)]
)
def test_qnn_weight_loader(parts, part):
    from qnn_sim.bench_runner import run_bench

    sizes = {"Pe": PE, "WeightWords": WEIGHTS, "ThresholdWords": THRESHOLDS}
    run_bench(__file__, **sizes, Parts=parts, Part=part)


class Bench:
    """The command store, the bus, the rings, and a datapath that takes and gives back tiles."""

    def __init__(self, dut, stall):
        self.dut, self.stall, self.random = dut, stall, generator("bus")
        self.commands, self.data = [], b""
        self.silent, self.asked = False, 0  # the memory answers nothing; beats asked for
        own = PE // int(dut.Parts.value)
        self.own = slice(own * int(dut.Part.value), own * (int(dut.Part.value) + 1))  # channels

    async def begin(self):
        cocotb.start_soon(self.store())
        cocotb.start_soon(self.bus())
        cocotb.start_soon(self.rings())
        dut = self.dut
        await start(dut, start_i=0, commands_i=0, req_ready_i=0, data_valid_i=0, tile_take_i=0,
                    tile_done_i=0)  # fmt: skip

    def program(self, rng, count, fits=False, most=(3, 3), first=2):
        """Random commands (tiles, weight words, thresholds) and their parameters in memory; `first`
        tiles in the first one."""
        most = most if fits else (WEIGHTS, THRESHOLDS)
        self.commands, self.tiles, data = [], [], b""
        self.base = 128 * int(rng.integers((1 << 25) - (1 << 13)))  # anywhere in 4 GiB
        for number in range(count):
            tiles = 1 if fits else int(rng.integers(1, 6))
            words = int(rng.integers(1, most[0] + 1))
            thresholds = int(rng.integers(0, most[1] + 1))
            if not fits and number % 4 < 3:  # tiles that fill both rings, or one of them
                words, thresholds = ((WEIGHTS, 0), most, (1, THRESHOLDS))[number % 4]
                tiles = 2 if number else first
            # 16-bit words, which always have thresholds
            channels = 8 if thresholds and rng.random() < 0.4 else PE
            address = self.base + len(data)
            for _ in range(tiles):
                tile = (
                    rng.integers(0, 2**32, (thresholds, PE), dtype=np.uint32),
                    rng.integers(0, 2**64, (words, channels), dtype=np.uint64),
                )
                data += tile[0].astype("<u4").tobytes() + tile[1].astype("<u8").tobytes()
                self.tiles.append(tile)
            data += rng.bytes(8 * int(rng.integers(0, 20)))  # commands begin anywhere
            fields = {
                "params_address": address, "tiles": tiles, "tile_words": words,
                "thresholds": thresholds, "word_products": int(channels < PE),
            }  # fmt: skip
            self.commands.append(sum(v << regs.COMMAND[n][1] for n, v in fields.items()))
        self.data = data

    async def store(self):
        while True:
            await RisingEdge(self.dut.clk_i)
            asked, beat = self.dut.command_o.value, self.random.getrandbits(64)
            if asked.is_resolvable and int(asked) < len(self.commands):  # unknown before a start
                beat = self.commands[int(asked)]
            self.dut.beat_i.value = beat

    async def bus(self):
        dut, words, ready = self.dut, deque(), False
        while True:
            await RisingEdge(dut.clk_i)
            if dut.rst_i.value:
                words.clear()
            elif ready and dut.req_valid_o.value:
                address, beats = int(dut.req_address_o.value), int(dut.req_beats_o.value)
                assert address % 8 == 0 and 1 <= beats <= 16
                assert address // 128 == (address + 8 * beats - 1) // 128, "crosses a line"
                place = address - self.base
                assert place >= 0 and place + 8 * beats <= len(self.data)
                self.asked += beats
                for i in range(beats):
                    words.append(int.from_bytes(self.data[place + 8 * i :][:8], "little"))
            ready = self.random.random() >= self.stall
            dut.req_ready_i.value = int(ready)
            comes = bool(words) and not self.silent and self.random.random() >= self.stall
            dut.data_valid_i.value = int(comes)
            dut.data_i.value = words.popleft() if comes else self.random.getrandbits(64)

    async def rings(self):
        """Rings of words, one for each channel."""
        dut = self.dut
        self.weights = np.zeros((WEIGHTS, PE), dtype=np.uint64)
        self.thresholds = np.zeros((THRESHOLDS, PE), dtype=np.uint64)
        while True:
            await RisingEdge(dut.clk_i)
            if dut.rst_i.value:
                continue
            weight_we, threshold_we = int(dut.weight_we_o.value), int(dut.threshold_we_o.value)
            assert weight_we.bit_count() <= 1 and threshold_we.bit_count() <= 1
            first = self.own.start
            data = int(dut.weight_data_o.value)
            if weight_we:
                lane = first + weight_we.bit_length() - 1
                self.weights[int(dut.weight_waddr_o.value), lane] = data
            if threshold_we:
                lane = first + 4 * (threshold_we.bit_length() - 1)
                part, high = int(dut.threshold_data_o.value), int(dut.threshold_high_o.value)
                address = int(dut.threshold_waddr_o.value)
                for k in range(4):
                    own = part >> SHORT * k & 2**SHORT - 1
                    kept = int(self.thresholds[address, lane + k]) % 2**SHORT
                    self.thresholds[address, lane + k] = own << SHORT | kept if high else own

    def own_of(self, tile):
        """Thresholds and weights of a tile, of the channels that this loader has."""
        thresholds, weights = tile
        return thresholds[:, self.own], weights[:, self.own]

    def check(self, tile, weight, threshold):
        """A tile that begins at these ring places is there, whole."""
        thresholds, weights = self.own_of(tile)
        places = (weight + np.arange(len(weights))) % WEIGHTS
        own = slice(self.own.start, self.own.start + weights.shape[1])
        assert (self.weights[places, own] == weights).all()
        places = (threshold + np.arange(len(thresholds))) % THRESHOLDS
        assert (self.thresholds[places, self.own] == thresholds).all()

    async def run(self, count):
        """Take and give back all tiles of `count` commands; each is checked all the while."""
        dut = self.dut
        dut.commands_i.value, dut.start_i.value = count, 1
        await RisingEdge(dut.clk_i)
        dut.start_i.value = 0
        weight = threshold = 0
        waiting, in_use = deque(self.tiles), deque()
        idle = 0
        while waiting or in_use:
            await RisingEdge(dut.clk_i)
            dut.tile_take_i.value = dut.tile_done_i.value = 0
            await RisingEdge(dut.clk_i)
            for held in in_use:
                self.check(*held)
            idle += 1
            assert idle < 20_000, "no tile comes"
            if dut.tile_ready_o.value and self.random.random() < 0.3:
                assert waiting, "more tiles than there are"
                tile = waiting.popleft()
                await ClockCycles(dut.clk_i, 2)  # a write takes a cycle
                self.check(tile, weight, threshold)
                in_use.append((tile, weight, threshold))
                weight += len(tile[1])
                threshold += len(tile[0])
                dut.tile_take_i.value = 1
                idle = 0
            elif in_use and self.random.random() < 0.03:
                tile, *_ = in_use.popleft()
                dut.tile_done_words_i.value = len(tile[1])
                dut.tile_done_thresholds_i.value = len(tile[0])
                dut.tile_done_i.value = 1
        await RisingEdge(dut.clk_i)
        dut.tile_take_i.value = dut.tile_done_i.value = 0
        await ClockCycles(dut.clk_i, 100)
        assert not dut.tile_ready_o.value and not dut.req_valid_o.value
        fits = weight <= WEIGHTS and threshold <= THRESHOLDS
        assert dut.resident_o.value == fits


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4])
async def tiles_come_whole_and_in_order(dut, stall):
    bench = Bench(dut, stall)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for count in some(rng, (1, 3, 7), 1):
        await reset(dut)
        bench.program(rng, count)
        await bench.run(count)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def what_fits_stays_resident(dut):
    bench = Bench(dut, 0.2)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for count in (1, 4, 5):
        await reset(dut)
        bench.program(rng, count, fits=True)
        await bench.run(count)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def tiles_asked_for_stay_what_they_are_until_they_come(dut):
    """As many as it can ask for ahead, of commands that differ, before the first answer."""
    bench = Bench(dut, 0.1)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for _ in range(4):
        await reset(dut)
        bench.program(rng, 12, fits=True, most=(2, 1))
        ahead = [tile.nbytes for pair in bench.tiles[:AHEAD] for tile in bench.own_of(pair)]
        bench.silent, bench.asked = True, 0
        task = cocotb.start_soon(bench.run(12))
        await ClockCycles(dut.clk_i, 1000)
        assert 8 * bench.asked == sum(ahead)
        bench.silent = False
        await task


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def reset_in_mid_flight_leaves_nothing_behind(dut):
    bench = Bench(dut, 0.3)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for _ in range(draws(8, 2)):
        bench.program(rng, 3, first=int(rng.choice([2, 40])))  # of 40 many are left
        task = cocotb.start_soon(bench.run(3))
        await ClockCycles(dut.clk_i, int(rng.integers(1, 1000)))
        task.cancel()
        dut.start_i.value = dut.tile_take_i.value = dut.tile_done_i.value = 0
        await reset(dut)
        assert not dut.req_valid_o.value and not dut.tile_ready_o.value
    bench.program(rng, 3)
    await bench.run(3)
