# SPDX-License-Identifier: BSD-3-Clause
"""qnn_read_dma gives each client its words in order, and nothing leaves the windows."""

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge

from qnn_sim.axi_memory import DECERR, LINE, SLVERR, AxiMemory, serve_reads
from qnn_sim.streams import generator, pack, reset, start

SIZE = 1 << 16
WINDOWS = ((0x10, 0x3F), (0x80, 0xFF))  # first and last line


@pytest.mark.parametrize(("clients", "outstanding"), [(3, 8)])
def test_qnn_read_dma(clients, outstanding):
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, Clients=clients, Outstanding=outstanding)


class Bench:
    """Clients that ask for random bursts; an item of `asked` is (address, beats)."""

    def __init__(self, dut, stall, chance):
        self.dut, self.chance, self.random = dut, chance, generator("clients")
        self.clients, self.outstanding = int(dut.Clients.value), int(dut.Outstanding.value)
        self.memory = AxiMemory(SIZE, stall, (1, 30))
        self.memory.data[:] = self.random.randbytes(SIZE)
        self.memory.allowed = {"read": [range(a * LINE, (b + 1) * LINE) for a, b in WINDOWS]}

    def forget(self):
        self.asked = [[] for _ in range(self.clients)]
        self.got = [[] for _ in range(self.clients)]
        self.errors = []
        self.offers = [None] * self.clients
        self.since = [None] * self.clients  # the first cycle of the offer
        self.cycle = self.taken = 0  # the last cycle in which one was taken
        self.asking = True
        self.memory.bursts.clear()

    async def begin(self):
        dut = self.dut
        self.forget()
        dut.window_base_i.value = pack([a for a, _ in WINDOWS], 25)
        dut.window_last_i.value = pack([b for _, b in WINDOWS], 25)
        serve_reads(self.memory, dut, "", dut.clk_i, dut.rst_i)
        cocotb.start_soon(self.run())
        await start(dut, stop_i=0, req_valid_i=0, req_address_i=0, req_beats_i=0)

    async def restart(self):
        self.dut.stop_i.value = 0
        await reset(self.dut)

    def request(self):
        """A burst inside a line of a window, often at its ends."""
        first, last = self.random.choice(WINDOWS)
        line = self.random.choice([first, last, self.random.randint(first, last)])
        word = self.random.randrange(16)
        beats = self.random.choice([1, 16 - word, self.random.randint(1, 16 - word)])
        return line * LINE + 8 * word, beats

    async def run(self):
        dut = self.dut
        while True:
            await RisingEdge(dut.clk_i)
            if dut.rst_i.value:
                self.forget()
                self.drive()
                continue
            self.cycle += 1
            for i, offer in enumerate(self.offers):
                if offer and self.since[i] is None:
                    self.since[i] = self.cycle
            ready = int(dut.req_ready_o.value)
            assert ready.bit_count() <= 1
            for i, offer in enumerate(self.offers):
                if offer and ready >> i & 1:
                    since = [seen for seen in self.since if seen is not None]
                    chosen = max(self.taken + 1, min(since))  # the cycle of the choice
                    lower = [seen for seen in self.since[:i] if seen is not None]
                    assert all(seen > chosen for seen in lower), f"{i} went before a lower client"
                    self.since[i], self.taken = None, self.cycle
                    self.asked[i].append(offer)
                    self.offers[i] = None
            valid = int(dut.data_valid_o.value)
            assert valid.bit_count() <= 1
            for i in range(self.clients):
                if valid >> i & 1:
                    self.got[i].append(int(dut.data_o.value))
            if dut.error_window_o.value or dut.error_response_o.value:
                window, response = int(dut.error_window_o.value), int(dut.error_response_o.value)
                self.errors.append((window, response, int(dut.error_client_o.value)))
            assert self.memory.pending <= self.outstanding
            for i in range(self.clients):
                if self.offers[i] is None and self.asking and self.random.random() < self.chance:
                    self.offers[i] = self.request()
            self.drive()

    def drive(self):
        offers = [offer or (self.random.getrandbits(32), 0) for offer in self.offers]
        self.dut.req_valid_i.value = pack([offer is not None for offer in self.offers], 1)
        self.dut.req_address_i.value = pack([address for address, _ in offers], 32)
        self.dut.req_beats_i.value = pack([beats for _, beats in offers], 5)

    async def settle(self):
        """Ask no more; wait until the bus is quiet."""
        self.asking = False
        for _ in range(3000):
            await RisingEdge(self.dut.clk_i)
            if not any(self.offers) and not self.dut.busy_o.value:
                break
        await ClockCycles(self.dut.clk_i, 4)
        assert not self.dut.busy_o.value and self.memory.pending == 0
        assert not self.memory.violations, self.memory.violations

    def words(self, client):
        """What the memory holds where this client has asked."""
        return [
            int.from_bytes(self.memory.data[a + 8 * i : a + 8 * i + 8], "little")
            for a, beats in self.asked[client] for i in range(beats)
        ]  # fmt: skip


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4], chance=[0.03, 0.3, 1.0])
async def words_come_in_order(dut, stall, chance):
    bench = Bench(dut, stall, chance)
    await bench.begin()
    await ClockCycles(dut.clk_i, 1500)
    await bench.settle()
    assert not bench.errors
    for client in range(bench.clients):
        assert bench.got[client] == bench.words(client)
    if chance < 1.0:  # else the first client leaves nothing to the others
        assert all(bench.asked)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def nothing_leaves_the_windows(dut):
    bench = Bench(dut, 0.0, 0.0)
    await bench.begin()
    beyond = [line for first, last in WINDOWS for line in (first - 1, last + 1)]
    for client in range(bench.clients):
        for line in (*beyond, 0, 2**25 - 1):
            await bench.restart()
            bench.offers[client] = (line * LINE, 4)
            await ClockCycles(dut.clk_i, 10)
            last = client == bench.clients - 1
            assert bench.errors and set(bench.errors) == {(1, 0, last)}, (line, bench.errors)
            assert not bench.memory.bursts and bench.offers[client]
            bench.offers[client] = None
            await bench.settle()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def error_responses_are_told_with_their_client(dut):
    bench = Bench(dut, 0.3, 0.0)
    await bench.begin()
    first, _ = WINDOWS[0]
    bench.memory.faults = {("read", first + 5): SLVERR, ("read", first + 9): DECERR}
    for client in range(bench.clients):
        await bench.restart()
        for number, line in enumerate((first, first + 5, first + 6, first + 9)):
            bench.offers[client] = (line * LINE, 3)
            bench.offers[(client + 1) % bench.clients] = (first * LINE, 16)
            await ClockCycles(dut.clk_i, 200)
            want = [(0, 1, client == bench.clients - 1)] * 3 * ((number + 1) // 2)
            assert bench.errors == want, (line, bench.errors)
        await bench.settle()


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4])
async def stop_begins_no_burst_and_becomes_quiet(dut, stall):
    bench = Bench(dut, stall, 0.5)
    await bench.begin()
    for number in range(8):
        await bench.restart()
        await ClockCycles(dut.clk_i, 20 + 13 * number)
        dut.stop_i.value = 1
        await ClockCycles(dut.clk_i, 2)
        asked, got = sum(map(len, bench.asked)), [len(words) for words in bench.got]
        for _ in range(2000):
            await RisingEdge(dut.clk_i)
            if not dut.busy_o.value:
                break
        await ClockCycles(dut.clk_i, 20)
        assert not dut.busy_o.value and bench.memory.pending == 0
        assert sum(map(len, bench.asked)) == asked == len(bench.memory.bursts)
        assert got == [len(words) for words in bench.got], "words after stop"
        for client in range(bench.clients):
            assert bench.got[client] == bench.words(client)[: got[client]]
        assert not bench.memory.violations
