# SPDX-License-Identifier: BSD-3-Clause
"""qnn_sequencer, with its qnn_walker, issues every product row of a layer once, in order, in time.

The bench holds a window buffer, filled row by row as room is given back. What a product row must
read is worked out from the map itself: 64 bits of one row of a window, one plane, zeros outside.
"""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ClockCycles, RisingEdge
from random_networks import random_conv

from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import encode
from qnn.engine.passes import passes_of
from qnn.engine.program import _ring, _shape
from qnn.errors import DoesNotFitError
from qnn.network import MaxPool
from qnn_sim.kernel_frames import products
from qnn_sim.run_options import draws, some
from qnn_sim.streams import generator, reset, start, unpack

WEIGHTS, WINDOW, RESULTS = 64, 256, 32
LANES = np.arange(64)
FLAGS = ("first", "last", "pass_last", "shift", "tile_last")
COEFFICIENTS = ((1,), (1,), (1, 1), (1, 2), (2, 1, 1), (8, 4, 2, 1, 1), (16, 8, 4, 2, 1))


@pytest.mark.parametrize(
    ("pe", "pixels"), [(8, 2), (16, 4), pytest.param(64, 8, marks=pytest.mark.nightly)]
)
def test_qnn_sequencer(pe, pixels):
    from qnn_sim.bench_runner import run_bench

    run_bench(
        __file__, Pe=pe, Pixels=pixels, WeightWords=WEIGHTS, WindowWords=WINDOW,
        ResultDepth=max(RESULTS, pe // 8 * pixels),  # raw sums of a group
    )  # fmt: skip


class Case:
    """A random layer, its command, and the bits of its map."""

    def __init__(self, rng, caps, large=False):
        while True:
            self.rng, self.pixels = rng, caps.pixels
            lanes = 4 * int(rng.integers(1, 12))
            sides = [int(v) for v in rng.integers(1, 10, 2)]
            if large:
                lanes, sides = 64, [20, 10]
            tall = rng.random() < 0.2 and not large
            if tall:
                sides[0], lanes = 16, 4
            kernel = [int(rng.integers(1, min(5, side) + 1)) for side in sides]
            if tall:
                kernel[0] = int(rng.integers(8, 17))
            padding = tuple(int(v) for v in rng.integers(0, 4, 4))
            levels = None if rng.random() < 0.3 else int(rng.choice([1, 3, 15]))
            layer = random_conv(
                rng, (*sides, lanes), 2, tuple(kernel), in_bits=int(rng.integers(1, 5)),
                levels=levels, stride=int(rng.integers(1, 5)), padding=padding,
                coefficients=COEFFICIENTS[int(rng.integers(len(COEFFICIENTS)))],
                pool=MaxPool(2, 1, (1, 1, 0, 0)) if levels and rng.random() < 0.2 else None,
            )  # fmt: skip
            try:
                shape = _shape(layer, lanes, caps)
                ring = _ring(layer, shape["row_words"], caps)
            except DoesNotFitError:
                continue
            weights = passes_of(layer)
            tile_words = len(weights) * kernel[0] * shape["words"]
            if tile_words <= WEIGHTS and bool(ring["reload"]) == large:
                break
        self.layer, self.lanes = layer, lanes
        self.tiles = int(rng.integers(1, 4))
        self.fields = {
            **shape, **ring, "raw": int(levels is None), "passes": len(weights),
            "exponent": weights.exponent, "tiles": self.tiles, "tile_words": tile_words,
            "thresholds": levels or 0,
        }  # fmt: skip
        # cycles from the last product row of one group to that of the next
        groups, pixels = caps.pe // 8, caps.pixels
        chain = max(groups, 2)
        short = int(levels is not None and rng.random() < 0.5)
        self.fields["short_sums"] = short
        self.least = max((2 - short) * (levels or 0), pixels, 4)
        if levels is None:
            self.least = groups * pixels + chain - groups + 2
        elif rng.random() < 0.3:
            self.fields["requantise"] = 1
            self.least = groups * max(pixels, 4) + chain - groups + 2
        elif layer.in_bits == 1 and weights.exponent == 0:  # each pass is a sum of its own
            self.fields["word_products"] = int(rng.integers(2))
        if not self.fields.get("word_products"):
            self.fields["wide_sums"] = int(rng.random() < 0.3)
        rows, columns = sides
        self.bits = rng.integers(0, 2, (layer.in_bits, rows, columns * lanes), dtype=np.uint8)

    def string(self, row):
        """A row as it lies in the window buffer."""
        plane_bits = 64 * self.fields["plane_words"]
        out = self.rng.integers(0, 2, (self.layer.in_bits, plane_bits), dtype=np.uint8)
        out[:, : self.bits.shape[2]] = self.bits[:, row]
        return out.ravel()

    def window_row(self, plane, y, x, kernel_row):
        """Bits of one row of the window of output pixel (y, x), in whole words."""
        layer, lanes = self.layer, self.lanes
        row = y * layer.stride - layer.padding[0] + kernel_row
        left = (x * layer.stride - layer.padding[1]) * lanes
        out = np.zeros(64 * self.fields["words"], dtype=np.uint8)
        if 0 <= row < layer.in_shape[0]:
            inside = self.bits[plane, row, max(left, 0) : max(left + layer.kernel[1] * lanes, 0)]
            begin = max(-left, 0)
            out[begin : begin + inside.size] = inside
        return out

    def product_rows(self):
        """(tile, pixels by lane, (plane, pass, kernel row, word)) of every product row, flags."""
        rows, columns, _ = self.layer.conv_shape
        places = [(y, x) for y in range(rows) for x in range(columns)]
        step = 2 if self.fields.get("wide_sums") else 1
        together = self.pixels // step
        groups = [
            {m * step: place for m, place in enumerate(places[i : i + together])}
            for i in range(0, len(places), together)
        ]
        passes, exponent = self.fields["passes"], self.fields["exponent"]
        order = products(self.layer.in_bits, passes, exponent)
        inner = [
            (plane, passed, kernel_row, word)
            for passed, plane in order
            for kernel_row in range(self.layer.kernel[0])
            for word in range(self.fields["words"])
        ]
        levels = [max(exponent - passed, 0) + plane for plane, passed, _, _ in inner]
        for tile in range(self.tiles):
            for group in groups:
                for i, row in enumerate(inner):
                    pass_end = i == len(inner) - 1 or inner[i + 1][:2] != row[:2]
                    begins = row[2:] == (0, 0) if self.fields.get("word_products") else i == 0
                    flags = {
                        "first": begins, "last": i == len(inner) - 1, "pass_last": pass_end,
                        "shift": i == 0 or levels[i] < levels[i - 1],
                        "tile_last": group is groups[-1], "tile_first": group is groups[0],
                    }  # fmt: skip
                    yield tile, group, row, flags


class Bench:
    """Window buffer, weights and results around the sequencer."""

    def __init__(self, dut):
        self.dut, self.random = dut, generator("around")
        self.pe, self.pixels = int(dut.Pe.value), int(dut.Pixels.value)
        self.caps = Capabilities(
            pe=self.pe, pixels=self.pixels, weight_words=WEIGHTS, window_words=WINDOW
        )
        self.weight_base = 0  # since the run began

    async def begin(self):
        await start(self.dut, run_start_i=0, start_i=0, command_i=0, rows_loaded_i=0,
                    upper_half_i=0, tile_ready_i=0, result_taken_i=0)  # fmt: skip
        await self.run_start()

    async def run_start(self):
        self.dut.run_start_i.value = 1
        await RisingEdge(self.dut.clk_i)
        self.dut.run_start_i.value = 0
        self.weight_base = 0

    def piece(self, pixel, values):
        """The 64 bits that one window reader would give."""
        word, nibble, low, high = (v[pixel] for v in values)
        inside = slice(4 * low, 4 * high)
        out = np.zeros(64, dtype=np.uint8)
        out[inside] = self.ram[(64 * word + 4 * nibble + LANES[inside]) % self.ram.size]
        return out

    async def layer(self, case, slow):
        """One command; each channel of the surroundings waits a cycle with its chance in `slow`."""
        dut, fields = self.dut, case.fields
        loading, weights, results = slow
        self.ram = case.rng.integers(0, 2, 64 * WINDOW, dtype=np.uint8)
        dut.command_i.value = int.from_bytes(encode(fields), "little")
        dut.rows_loaded_i.value = 0
        upper = fields["ring_words"] <= WINDOW // 2 and self.random.random() < 0.5
        dut.upper_half_i.value = int(upper)
        await RisingEdge(dut.clk_i)
        dut.start_i.value = 1
        await RisingEdge(dut.clk_i)
        dut.start_i.value = 0
        rows = fields["in_rows"] * (case.tiles if fields["reload"] else 1)
        row_bits, ring_rows = 64 * fields["row_words"], fields["ring_rows"]
        result_rows = self.pixels * (self.pe // 8 if fields["raw"] else 1)
        loaded = stored = tiles_taken = 0
        tile_ready = result_taken = False
        dut.tile_ready_i.value = dut.result_taken_i.value = 0
        idle, interval = 0, 10_000
        waits = [getattr(dut, f"wait_{name}_o") for name in ("weights", "input", "output")]
        named = [(name, getattr(dut, f"{name}_o")) for name in FLAGS]
        widths = {"word": WINDOW.bit_length() - 1, "nibble": 4, "low": 5, "high": 5}
        window = [(getattr(dut, f"window_{name}_o"), width) for name, width in widths.items()]
        expected = list(case.product_rows())
        position, tile_words = 0, fields["tile_words"]
        while position < len(expected) or stored:
            await RisingEdge(dut.clk_i)
            idle += 1
            interval += 1
            assert idle < 3000, f"stands still at product row {position}: {fields}"
            assert sum(bool(wait.value) for wait in waits) <= 1
            if result_taken:
                stored -= 1
            if dut.issue_o.value:
                idle = 0
                assert position < len(expected), "too many product rows"
                tile, group, (plane, passed, kernel_row, word), flags = expected[position]
                where = f"row {position}: tile {tile} plane {plane} {group[0]} {kernel_row} {word}"
                for name, flag in named:
                    assert bool(flag.value) == flags[name], f"{where}: {name}; {fields}"
                assert int(dut.present_o.value) == sum(1 << m for m in group), where
                weight = (passed * fields["kernel_rows"] + kernel_row) * fields["words"] + word
                weight += self.weight_base + tile * tile_words
                assert int(dut.weight_address_o.value) == weight % WEIGHTS, where
                assert tiles_taken == tile + 1, where
                values = [unpack(int(of.value), width, self.pixels) for of, width in window]
                for m, (y, x) in group.items():
                    want = case.window_row(plane, y, x, kernel_row)[64 * word : 64 * word + 64]
                    got = self.piece(m, values)
                    assert (got == want).all(), f"{where}: pixel {m}; {fields}"
                if flags["last"]:
                    # results of the group before leave first
                    assert interval >= case.least, where
                    interval = 0
                    stored += result_rows
                    assert stored <= int(dut.ResultDepth.value), "more results than there is room"
                position += 1
            # a tile is taken with its first product row, in the cycle before it shows
            if dut.tile_take_o.value:
                assert tile_ready, "took a tile that is not there"
                tiles_taken += 1
            # the loader: one row more where there is room
            room = loaded - int(dut.rows_done_o.value) < ring_rows
            if loaded < rows and room and self.random.random() >= loading:
                place = upper * 32 * WINDOW + loaded % ring_rows * row_bits
                self.ram[place : place + row_bits] = case.string(loaded % fields["in_rows"])
                loaded += 1
                dut.rows_loaded_i.value = loaded
            tile_ready = self.random.random() >= weights
            dut.tile_ready_i.value = int(tile_ready)
            result_taken = stored > 0 and self.random.random() >= results
            dut.result_taken_i.value = int(result_taken)
        dut.result_taken_i.value = 0
        await ClockCycles(dut.clk_i, 20)
        assert not dut.busy_o.value and not dut.issue_o.value
        self.weight_base += case.tiles * tile_words


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(slow=[(0.0, 0.0, 0.0), (0.9, 0.5, 0.9)])
async def product_rows_come_in_order(dut, slow):
    bench = Bench(dut)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for number in some(rng, range(12), 3):
        await bench.layer(Case(rng, bench.caps, number % 6 == 5), slow)
        if number % 4 == 3:
            await bench.run_start()


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(which=[0, 1, 2])
async def each_thing_that_is_missing_is_waited_for(dut, which):
    bench = Bench(dut)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    slow = [0.0, 0.0, 0.0]
    slow[which] = 0.97
    for _ in range(draws(3, 1)):
        await bench.layer(Case(rng, bench.caps), slow)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def reset_in_mid_flight_leaves_nothing_behind(dut):
    bench = Bench(dut)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for _ in range(draws(6, 2)):
        task = cocotb.start_soon(bench.layer(Case(rng, bench.caps), (0.1, 0.1, 0.1)))
        await ClockCycles(dut.clk_i, int(rng.integers(1, 60)))
        task.cancel()
        dut.start_i.value = dut.result_taken_i.value = 0
        await reset(dut)
        assert not dut.issue_o.value and not dut.busy_o.value
        await bench.run_start()
        await bench.layer(Case(rng, bench.caps), (0.1, 0.1, 0.1))
