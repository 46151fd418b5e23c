# SPDX-License-Identifier: BSD-3-Clause
"""qnn_write_dma puts a stream where it belongs, in bursts that any memory takes."""

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from qnn_sim.axi_memory import DECERR, LINE, SLVERR, AxiMemory, serve_writes
from qnn_sim.streams import Source, generator, reset, start

SIZE = 1 << 16
FIRST, LAST = 0x10, 0x8F  # lines of the window


def test_qnn_write_dma():
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, Depth=32)


class Words(Source):
    """Comes with words; a cycle later with chance `stall`, and at most Room from the last cycle on
    in which there was room. Where none comes, the data are random."""

    def __init__(self, dut, stall):
        super().__init__(dut, "in", ready="room", stall=stall)

    async def _run(self):
        most, credit, data = int(self._dut.Room.value), 0, self._fields["data"]
        while True:
            await RisingEdge(self._dut.clk_i)
            if self._dut.rst_i.value:
                self._waiting.clear()
                credit = 0
            elif self._ready.value:
                credit = most - self._offered
            may = bool(self._waiting) and credit > 0
            self._offered = may and self._random.random() >= self.stall
            credit -= self._offered
            unused = self._noise.getrandbits(64)
            data.value = self._waiting.popleft()["data"] if self._offered else unused
            self._valid.drive(int(self._offered))


class Bench:
    def __init__(self, dut, stall, latency=(1, 30)):
        self.dut, self.random, self.stall = dut, generator("words"), stall
        self.memory = AxiMemory(SIZE, stall, latency)
        self.memory.data[:] = self.random.randbytes(SIZE)
        self.memory.allowed = {"write": [range(FIRST * LINE, (LAST + 1) * LINE)]}
        self.errors = []
        self.started = False
        self.lines = self.lines_before = range(0)

    async def restart(self):
        self.dut.stop_i.value, self.dut.flush_i.value = 0, 0
        self.started = False
        await reset(self.dut)
        self.errors.clear()
        self.memory.bursts.clear()

    async def begin(self):
        dut = self.dut
        dut.window_base_i.value, dut.window_last_i.value = FIRST, LAST
        serve_writes(self.memory, dut, "", dut.clk_i, dut.rst_i)
        self.source = Words(dut, self.stall)
        await start(dut, stop_i=0, start_i=0, flush_i=0, address_i=0)
        cocotb.start_soon(self.watch())

    async def watch(self):
        while True:
            await RisingEdge(self.dut.clk_i)
            below = int(self.dut.written_line_o.value) if self.started else 0
            own = self.lines if self.dut.settled_o.value else self.lines_before
            early = [
                line for line, writes in self.memory.writing.items()
                if writes and line < below and line in own
            ]  # fmt: skip
            assert not early, f"lines {early} are not answered, and below {below}"
            if self.dut.error_window_o.value or self.dut.error_response_o.value:
                window = int(self.dut.error_window_o.value)
                self.errors.append((window, int(self.dut.error_response_o.value)))

    async def send(self, address, count):
        """Start at `address` and offer `count` words; what memory must be then."""
        words = [self.random.getrandbits(64) for _ in range(count)]
        if not self.memory.pending:
            self.expected = bytearray(self.memory.data)
        assert self.dut.begun_o.value and self.dut.settled_o.value
        self.lines_before = self.lines
        self.lines = range(address // LINE, (address + 8 * count - 1) // LINE + 1)
        for i, word in enumerate(words):
            self.expected[address + 8 * i : address + 8 * i + 8] = word.to_bytes(8, "little")
        self.dut.start_i.value, self.dut.address_i.value = 1, address
        await RisingEdge(self.dut.clk_i)
        self.dut.start_i.value, self.dut.address_i.value = 0, self.random.getrandbits(32)
        self.source.put(words)
        await RisingEdge(self.dut.clk_i)
        if self.dut.settled_o.value:
            assert int(self.dut.written_line_o.value) == self.lines.start % (1 << 25)
        else:
            assert int(self.dut.written_line_o.value) in self.lines_before
        self.started = True

    async def wait(self, condition, most_cycles=5000):
        for _ in range(most_cycles):
            await RisingEdge(self.dut.clk_i)
            if condition():
                return
        raise AssertionError("it takes too long")

    async def end(self):
        """No word is to come: wait until each has a burst."""
        await self.wait(lambda: self.source.empty)
        self.dut.flush_i.value = 1
        await self.wait(lambda: self.dut.begun_o.value)
        self.dut.flush_i.value = 0

    async def finish(self):
        """Wait until all are written."""
        await self.end()
        await self.wait(lambda: not self.dut.busy_o.value)
        assert int(self.dut.written_line_o.value) == self.lines.stop
        assert self.memory.pending == 0 and not self.memory.violations, self.memory.violations


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4])
async def words_lie_where_they_belong(dut, stall):
    bench = Bench(dut, stall)
    await bench.begin()
    begin, end = FIRST * LINE, (LAST + 1) * LINE
    cases = [(begin, 1), (end - 8, 1), (begin + 120, 2), (begin, 16), (begin + 8, 16), (begin, 160)]
    for _ in range(12):
        count = bench.random.randint(1, 100)
        cases.append((bench.random.randrange(begin, end - 8 * count, 8), count))
    for address, count in cases:
        first = len(bench.memory.bursts)
        await bench.send(address, count)
        await bench.finish()
        assert not bench.errors
        assert bool(bench.memory.data == bench.expected), (hex(address), count)
        # whole lines where there are whole lines
        lines = {(address + 8 * i) // LINE for i in range(count)}
        assert len(bench.memory.bursts) - first == len(lines), (hex(address), count)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4])
async def maps_follow_each_other_before_the_answers(dut, stall):
    """The next one begins anywhere while the last bursts of the one before are on the bus."""
    bench = Bench(dut, stall, latency=(1, 60))
    await bench.begin()
    unsettled = 0
    half = (LAST + 1 - FIRST) // 2 * LINE
    for number in range(30):
        count = bench.random.choice((1, 3, 16, 40))
        first = FIRST * LINE + number % 2 * half
        await bench.send(bench.random.randrange(first, first + half - 8 * count, 8), count)
        unsettled += not dut.settled_o.value
        await bench.end()
        await bench.wait(lambda: dut.settled_o.value)
    await bench.finish()
    assert bool(bench.memory.data == bench.expected) and not bench.errors
    assert unsettled > 5


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def bursts_follow_each_other(dut):
    """Without a cycle between them, where memory takes all and the words are there."""
    bench = Bench(dut, 0.0, latency=(1, 1))
    await bench.begin()
    await bench.send(FIRST * LINE, 160)
    await bench.wait(lambda: dut.wvalid_o.value)
    beats = idle = 0
    while beats < 140:
        beats += int(dut.wvalid_o.value and dut.wready_i.value)
        idle += int(dut.wready_i.value and not dut.wvalid_o.value)
        await RisingEdge(dut.clk_i)
    await bench.finish()
    assert bool(bench.memory.data == bench.expected)
    assert idle <= 2, idle


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def words_of_half_a_line_wait_for_flush(dut):
    bench = Bench(dut, 0.0)
    await bench.begin()
    await bench.send(FIRST * LINE, 15)
    await ClockCycles(dut.clk_i, 100)
    assert not bench.memory.bursts and not dut.begun_o.value
    await bench.finish()
    assert bool(bench.memory.data == bench.expected)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def nothing_leaves_the_window(dut):
    bench = Bench(dut, 0.0)
    await bench.begin()
    for address in (FIRST * LINE - 8, (LAST + 1) * LINE, 0, 0xFFFF_FFF8):
        await bench.restart()
        await bench.send(address, 3)
        bench.expected = bytes(bench.memory.data)
        await bench.wait(lambda: bench.source.empty)
        dut.flush_i.value = 1
        await ClockCycles(dut.clk_i, 50)
        assert set(bench.errors) == {(1, 0)} and not bench.memory.bursts
        assert not dut.busy_o.value and bool(bench.memory.data == bench.expected)
        dut.stop_i.value = 1
        await bench.restart()
        await ClockCycles(dut.clk_i, 50)
        assert dut.begun_o.value and not bench.errors
        await bench.send(FIRST * LINE, 3)
        await bench.finish()
        assert bool(bench.memory.data == bench.expected)
    # the first words are inside, the next are not
    await bench.restart()
    await bench.send(LAST * LINE - 16, 40)
    await bench.wait(lambda: bench.errors)
    await bench.wait(lambda: not dut.busy_o.value)
    assert set(bench.errors) == {(1, 0)} and not bench.memory.violations
    assert len(bench.memory.bursts) == 2


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def error_responses_are_told(dut):
    bench = Bench(dut, 0.3)
    await bench.begin()
    for response in (SLVERR, DECERR):
        await bench.restart()
        bench.memory.faults = {("write", FIRST + 2): response}
        await bench.send(FIRST * LINE, 80)
        await bench.finish()
        assert bench.errors == [(0, 1)]


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.5])
async def stop_finishes_the_burst_on_the_bus(dut, stall):
    bench = Bench(dut, stall)
    await bench.begin()
    for number in range(8):
        await bench.restart()
        await bench.send(FIRST * LINE, 200)
        await ClockCycles(dut.clk_i, 20 + 7 * number)
        dut.stop_i.value = 1
        await ClockCycles(dut.clk_i, 2)
        await bench.wait(lambda: not dut.busy_o.value)
        bursts = len(bench.memory.bursts)
        await ClockCycles(dut.clk_i, 60)
        assert not dut.busy_o.value and bench.memory.pending == 0
        assert len(bench.memory.bursts) == bursts and not bench.memory.violations
        written = bursts * LINE
        begin = FIRST * LINE
        assert bool(bench.memory.data[: begin + written] == bench.expected[: begin + written])
        await bench.restart()
        await bench.send(begin, 20)
        await bench.finish()
        assert bool(bench.memory.data == bench.expected)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def outstanding_bursts_are_bounded(dut):
    bench = Bench(dut, 0.0)
    await bench.begin()
    bench.memory.latency = (400, 400)
    await bench.send(FIRST * LINE, 300)
    most = 0
    for _ in range(2000):
        await RisingEdge(dut.clk_i)
        most = max(most, bench.memory.pending)
    assert most == int(dut.Outstanding.value), most
    await bench.finish()
    assert bool(bench.memory.data == bench.expected)
