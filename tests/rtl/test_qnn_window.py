# SPDX-License-Identifier: BSD-3-Clause
"""qnn_window reads any 64 bits of its map, three cycles later, with padding as zeros."""

from collections import deque

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from qnn_sim.streams import generator


def test_qnn_window():
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, Words=16)


class Bench:
    """The map as one string of bits; two banks of words, even and odd."""

    def __init__(self, dut):
        self.dut, self.random, self.words = dut, generator("map"), int(dut.Words.value)
        self.bytes = bytearray(self.random.randbytes(8 * self.words))

    async def begin(self):
        dut = self.dut
        dut.even_we_i.value = dut.odd_we_i.value = 0
        Clock(dut.clk_i, 2, unit="ns").start()
        for word in range(self.words):
            await RisingEdge(dut.clk_i)
            value = int.from_bytes(self.bytes[8 * word : 8 * word + 8], "little")
            self.write("odd" if word % 2 else "even", word // 2, 255, value)
            getattr(dut, "even_we_i" if word % 2 else "odd_we_i").value = 0
        await RisingEdge(dut.clk_i)
        dut.even_we_i.value = dut.odd_we_i.value = 0

    def write(self, bank, address, enables, value):
        getattr(self.dut, f"{bank}_we_i").value = enables
        getattr(self.dut, f"{bank}_waddr_i").value = address
        self.dut.wdata_i.value = value

    def piece(self, word, nibble, low, high):
        """What must come, from the bytes."""
        nibbles = [self.bytes[n // 2] >> 4 * (n % 2) & 15 for n in range(2 * len(self.bytes))]
        here = [nibbles[(16 * word + nibble + n) % len(nibbles)] for n in range(16)]
        return sum(v << 4 * n for n, v in enumerate(here) if low <= n < high)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def any_piece_can_be_read(dut):
    bench = Bench(dut)
    await bench.begin()
    pieces = [(w, n, 0, 16) for w in range(bench.words) for n in range(16)]
    pieces += [(3, 5, low, high) for low in range(17) for high in range(17)]
    for _ in range(300):
        pieces.append(tuple(bench.random.randrange(k) for k in (bench.words, 16, 17, 17)))
    waiting = deque()
    for piece in [*pieces, *[pieces[0]] * 4]:
        for name, value in zip(("word", "nibble", "low", "high"), piece, strict=True):
            getattr(dut, f"{name}_i").value = value
        waiting.append((piece, bench.piece(*piece)))
        await RisingEdge(dut.clk_i)  # takes this piece; piece_o is that of three edges before
        if len(waiting) > 3:
            piece, want = waiting.popleft()
            got = int(dut.piece_o.value)
            assert got == want, f"{piece}: got {got:#x}, expected {want:#x}"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def bytes_are_written_one_by_one(dut):
    """A write is seen by the reads after it; other bytes stay."""
    bench = Bench(dut)
    await bench.begin()
    waiting = deque()
    for _ in range(600):
        writes, value = [], bench.random.randbytes(8)  # both banks have the same
        for odd, bank in enumerate(("even", "odd")):
            enables = bench.random.choice([0, 255, 1 << bench.random.randrange(8),
                                           bench.random.getrandbits(8)])  # fmt: skip
            address = bench.random.randrange(bench.words // 2)
            bench.write(bank, address, enables, int.from_bytes(value, "little"))
            writes.append((16 * address + 8 * odd, enables, value))
        # a word that is read while it is written may give anything: read others
        taken = {first // 8 for first, enables, _ in writes if enables}
        free = [w for w in range(bench.words) if not taken & {w, (w + 1) % bench.words}]
        word, nibble = bench.random.choice(free), bench.random.randrange(16)
        dut.word_i.value, dut.nibble_i.value, dut.low_i.value, dut.high_i.value = (
            word,
            nibble,
            0,
            16,
        )
        waiting.append(bench.piece(word, nibble, 0, 16))
        for first, enables, value in writes:
            for i in range(8):
                if enables >> i & 1:
                    bench.bytes[first + i] = value[i]
        await RisingEdge(dut.clk_i)
        if len(waiting) > 3:
            assert int(dut.piece_o.value) == waiting.popleft()
