# SPDX-License-Identifier: BSD-3-Clause
"""qnn_input_loader lays rows into the window buffer as the arithmetic reads them.

What must be there is worked out from the codes alone: each plane of a row is one string of bits,
pixel after pixel, and the lanes of a pixel are those that the program gives its weights.
"""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ClockCycles, RisingEdge

from qnn.engine.blocks import blocks_of, borders_of
from qnn.engine.command_list import encode
from qnn.engine.maps import BlockMap, TightMap
from qnn.engine.reading import read_blocks, read_tight
from qnn_sim.run_options import draws
from qnn_sim.streams import Driven, generator, reset, start

ADDRESS = 0x4000  # of a map, as `case` has it; on the bus it is anywhere


# Engines of `make test` have 16 and 64, those of the night 32, too.
@pytest.mark.parametrize(
    "pe", [8, *(pytest.param(n, marks=pytest.mark.nightly) for n in (16, 32)), 64]
)
def test_qnn_input_loader(pe):
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, Pe=pe, WindowWords=256, Depth=32)


class Bench:
    """The bus, the window buffer, and whoever gives rows back."""

    def __init__(self, dut, stall):
        self.dut, self.stall, self.random = dut, stall, generator("bus")
        self.data = b""
        self.base = ADDRESS  # of the map
        self.limit = None  # the line that may not be asked for, nor any above it

    async def begin(self):
        self.dut.rows_done_i.value = 0
        cocotb.start_soon(self.bus())
        cocotb.start_soon(self.buffer())
        await start(
            self.dut, start_i=0, command_i=0, upper_half_i=0, limited_i=0, limit_i=0, req_ready_i=0,
            data_valid_i=0,
        )  # fmt: skip

    async def bus(self):
        """Words in the order of the requests; the loader must be able to take them at once."""
        dut, words, ready = self.dut, [], False
        names = ("limited", "limit", "req_ready", "data_valid")
        limited, limit, takes, gives = (Driven(getattr(dut, f"{name}_i")) for name in names)
        while True:
            await RisingEdge(dut.clk_i)
            if dut.rst_i.value:
                words.clear()
            elif ready and dut.req_valid_o.value:
                address, beats = int(dut.req_address_o.value), int(dut.req_beats_o.value)
                assert address % 8 == 0 and 1 <= beats <= 16
                assert address // 128 == (address + 8 * beats - 1) // 128, "crosses a line"
                assert self.limit is None or address // 128 < self.limit, "may not be there yet"
                place = address - self.base
                assert place >= 0 and place + 8 * beats <= len(self.data), "not of this map"
                words += [
                    int.from_bytes(self.data[place + 8 * i :][:8], "little") for i in range(beats)
                ]
            if self.limit is not None and self.random.random() < 0.2:
                self.limit += self.random.choice((1, 1, 5))
                if self.random.random() < 0.02:
                    self.limit = None
            limited.drive(int(self.limit is not None))
            limit.drive(self.limit or self.random.getrandbits(25))
            ready = self.random.random() >= self.stall
            takes.drive(int(ready))
            comes = bool(words) and self.random.random() >= self.stall
            gives.drive(int(comes))
            dut.data_i.value = words.pop(0) if comes else self.random.getrandbits(64)

    async def buffer(self):
        """The two banks of the window buffer as one string of bytes."""
        dut = self.dut
        self.bytes = bytearray(8 * int(dut.WindowWords.value))
        banks = [
            (getattr(dut, f"{name}_we_o"), getattr(dut, f"{name}_waddr_o"))
            for name in ("even", "odd")
        ]
        while True:
            await RisingEdge(dut.clk_i)
            if dut.rst_i.value:
                continue
            for bank, (written, address) in enumerate(banks):
                enables = int(written.value)
                if enables:
                    word = 2 * int(address.value) + bank
                    value = int(dut.wdata_o.value).to_bytes(8, "little")
                    for i in range(8):
                        if enables >> i & 1:
                            self.bytes[8 * word + i] = value[i]

    async def load(self, data, fields, expected, lanes):
        """One command; `expected` is bits (rows, planes, columns, lanes) of the input map."""
        dut = self.dut
        self.data = data
        moved = 128 * self.random.randrange((1 << 25) - (1 << 12))
        fields = fields | {"in_address": fields["in_address"] + moved}
        self.base = ADDRESS + moved
        rows, planes, columns, _ = expected.shape
        maps = fields["tiles"] if fields["reload"] else 1
        dut.command_i.value = int.from_bytes(encode(fields), "little")
        dut.rows_done_i.value = 0
        half = int(dut.WindowWords.value) // 2
        upper = fields["ring_words"] <= half and self.random.random() < 0.5
        dut.upper_half_i.value = int(upper)
        self.limit = self.random.choice((None, self.base // 128 - 3, self.base // 128 + 2))
        await ClockCycles(dut.clk_i, 2)
        dut.start_i.value = 1
        await RisingEdge(dut.clk_i)
        dut.start_i.value = 0
        await RisingEdge(dut.clk_i)
        row_bytes, ring_rows = 8 * fields["row_words"], fields["ring_rows"]
        plane_bytes = 8 * fields["plane_words"]
        for done in range(rows * maps):
            for _ in range(5000):
                if int(dut.rows_loaded_o.value) > done:
                    break
                await RisingEdge(dut.clk_i)
            if self.random.random() < 0.3:
                await ClockCycles(dut.clk_i, 40)  # so that the ring fills
            await ClockCycles(dut.clk_i, 2)
            loaded = int(dut.rows_loaded_o.value)
            assert done < loaded <= done + ring_rows, f"{loaded} rows with {done} given back"
            place = upper * 8 * half + done % ring_rows * row_bytes
            for plane in range(planes):
                first = place + plane * plane_bytes
                got = np.unpackbits(
                    np.frombuffer(self.bytes[first : first + plane_bytes], dtype=np.uint8),
                    bitorder="little",
                )[: columns * len(lanes)].reshape(columns, len(lanes))
                want = expected[done % rows, plane]
                wrong = np.argwhere((got != want) & (lanes >= 0))
                assert not len(wrong), (done, plane, wrong[0], fields)
            if fields["reload"]:
                dut.rows_done_i.value = done + 1
        await ClockCycles(dut.clk_i, 3)
        assert not dut.busy_o.value
        assert int(dut.rows_loaded_o.value) == rows * maps


def case(rng, pe, tight, window_words, most=None):
    """A random map as it lies in memory, the command that reads a group of it, and its bits.

    Blocks have at most `most` channels, or any number.
    """
    while True:
        groups = int(rng.choice([1, 1, 2, 3]))
        rows, columns = (int(v) for v in rng.integers(1, 9, 2))
        share, planes = int(rng.integers(1, 40)), int(rng.integers(1, 9))
        channels = groups * share * int(rng.choice([1, 8]))
        group, dropped = int(rng.integers(groups)), 0
        if not tight and planes < 8:
            dropped = int(rng.integers(2))
        codes = rng.integers(0, 2 ** (planes + dropped), (rows, columns, channels), dtype=np.uint8)
        if tight:
            source = TightMap(rows, columns, channels // groups, planes, groups)
            read, data = read_tight(source, ADDRESS, group), source.pack(codes)
        else:
            own = most or 8 * int(rng.integers(1, pe // 8 + 1))
            places = blocks_of(channels, own, set(), borders_of(channels, groups))
            source = BlockMap(rows, columns, planes + dropped, pe, places)
            read, data = read_blocks([(source, ADDRESS)], group, groups), blocks(rng, source, codes)
        pixel = len(read.lanes)
        plane_words = -(-columns * pixel // 64)
        row_words = planes * plane_words
        ring_rows = min(window_words // row_words, rows)
        if not ring_rows:
            continue
        reload = int(rng.integers(2))
        if reload:
            ring_rows = int(rng.integers(1, ring_rows + 1))
        elif ring_rows < rows:
            continue
        fields = {
            "planes": planes, "in_rows": rows, "in_columns": columns, "reload": reload,
            "tiles": int(rng.integers(1, 4)), "plane_words": plane_words, "row_words": row_words,
            "ring_rows": ring_rows, "ring_words": ring_rows * row_words, **read.fields,
            "drop_lowest": dropped,
        }  # fmt: skip
        share = channels // groups
        own = codes[..., group * share + np.maximum(read.lanes, 0)]
        bits = own[:, None] >> dropped >> np.arange(planes)[:, None, None] & 1
        return data, fields, bits, read.lanes


def blocks(rng, source, codes):
    """Channel blocks as qnn_pack writes them, with anything where no channel is."""
    share = 64 // source.pe
    words = []
    for first, count in source.blocks:
        for row in codes:
            for column in range(0, source.columns, share):
                for plane in range(source.planes):
                    word = int(rng.integers(2**63))
                    for p in range(min(share, source.columns - column)):
                        for c in range(count):
                            bit = int(row[column + p, first + c]) >> plane & 1
                            word &= ~(1 << p * source.pe + c)
                            word |= bit << p * source.pe + c
                    words.append(word)
    return np.array(words, dtype="<u8").tobytes()


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(tight=[True, False], stall=[0.0, 0.4])
async def rows_lie_as_the_arithmetic_reads_them(dut, tight, stall):
    bench = Bench(dut, stall)
    await bench.begin()
    rng = np.random.default_rng([cocotb.RANDOM_SEED, tight])
    for _ in range(draws(25, 6)):
        await bench.load(*case(rng, int(dut.Pe.value), tight, int(dut.WindowWords.value)))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def blocks_in_part_have_no_gaps_between_them(dut):
    """As many bytes of each block as there can be; three blocks or more, the last of any size."""
    bench = Bench(dut, 0.2)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    pe, words = int(dut.Pe.value), int(dut.WindowWords.value)
    for used in range(1, pe // 8 + 1):
        while True:
            data, fields, bits, lanes = case(rng, pe, False, words, 8 * used)
            if fields["blocks"] > 2:
                break
        assert fields["block_used"] == used
        await bench.load(data, fields, bits, lanes)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def reset_in_mid_flight_leaves_nothing_behind(dut):
    bench = Bench(dut, 0.3)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for number in range(draws(16, 4)):
        job = case(rng, int(dut.Pe.value), number % 2, int(dut.WindowWords.value))
        task = cocotb.start_soon(bench.load(*job))
        await ClockCycles(dut.clk_i, int(rng.integers(1, 60)))
        task.cancel()
        dut.start_i.value = 0
        await reset(dut)
        assert not dut.busy_o.value and not dut.req_valid_o.value
        await bench.load(*case(rng, int(dut.Pe.value), number % 3, int(dut.WindowWords.value)))
