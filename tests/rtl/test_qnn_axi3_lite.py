# SPDX-License-Identifier: BSD-3-Clause
"""qnn_axi3_lite makes of every AXI3 burst the accesses that AXI says it is made of.

The slaves are memories of cocotbext-axi, which stall at random. Its masters speak AXI4 alone, so
one of ours sends bursts of all kinds.
"""

import itertools
import logging
import warnings

import cocotb
from cocotb.triggers import RisingEdge

from qnn_sim.run_options import draws
from qnn_sim.streams import generator, start

WINDOWS = (0x43C0_0000, 0x4180_0000)
OKAY, SLVERR, DECERR = 0, 2, 3
FIXED, INCR, WRAP = 0, 1, 2
SIZE = 4096


def test_qnn_axi3_lite():
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__)


def addresses(address, beats, size, burst):
    """Of each beat of a burst, as the AXI specification defines them (A3.4.1)."""
    step = 1 << size
    first = address - address % step
    lower = address - address % (step * beats)
    for n in range(beats):
        if burst == FIXED or n == 0:
            yield address
        elif burst == INCR:
            yield first + n * step
        else:
            yield lower + (first - lower + n * step) % (step * beats)


class Bench:
    """The bridge between a master and two memories."""

    def __init__(self, dut, stall, memories=True):
        self.dut, self.random, self.stall = dut, generator("bursts"), stall
        if memories:
            self.connect(dut)

    def connect(self, dut):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from cocotbext.axi import AxiLiteBus, AxiLiteRam

            self.slaves = []
            for name in ("m0_axi", "m1_axi"):
                logging.getLogger(f"cocotb.{dut._name}.{name}").setLevel(logging.WARNING)
                bus = AxiLiteBus.from_prefix(dut, name)
                self.slaves.append(AxiLiteRam(bus, dut.clk_i, dut.rst_i, size=SIZE))
        for slave in self.slaves:
            for number, channel in enumerate((slave.write_if.aw_channel, slave.write_if.w_channel,
                                              slave.write_if.b_channel, slave.read_if.ar_channel,
                                              slave.read_if.r_channel)):  # fmt: skip
                channel.set_pause_generator(self.pauses(number))
        self.images = [bytearray(self.random.randbytes(SIZE)) for _ in WINDOWS]
        for slave, image in zip(self.slaves, self.images, strict=True):
            slave.write(0, bytes(image))

    def pauses(self, number):
        random = generator(f"pause {number}")
        while True:
            yield random.random() < self.stall

    async def begin(self, **inputs):
        zero = ("awvalid", "wvalid", "bready", "arvalid", "rready")
        await start(self.dut, **{f"s_axi_{name}": 0 for name in zero}, **inputs)
        cocotb.start_soon(self.one_at_a_time())

    async def one_at_a_time(self):
        """No slave is asked while the other one is."""
        dut = self.dut
        while True:
            await RisingEdge(dut.clk_i)
            for name in ("awvalid", "wvalid", "arvalid"):
                both = [getattr(dut, f"{slave}_axi_{name}").value for slave in ("m0", "m1")]
                assert not all(both), name

    async def wait(self):
        while self.random.random() < self.stall:
            await RisingEdge(self.dut.clk_i)

    async def offer(self, channel, **payload):
        await self.wait()
        for name, value in payload.items():
            getattr(self.dut, f"s_axi_{name}").value = value
        valid = getattr(self.dut, f"s_axi_{channel}valid")
        ready = getattr(self.dut, f"s_axi_{channel}ready")
        valid.value = 1
        while True:
            await RisingEdge(self.dut.clk_i)
            if ready.value:
                break
        valid.value = 0
        for name in payload:
            getattr(self.dut, f"s_axi_{name}").value = self.random.getrandbits(1)

    async def take(self, channel, *names):
        """The payload of an answer, which must stay until it is taken."""
        valid = getattr(self.dut, f"s_axi_{channel}valid")
        ready = getattr(self.dut, f"s_axi_{channel}ready")
        seen = None
        while True:
            await RisingEdge(self.dut.clk_i)
            if not valid.value:
                assert seen is None, "an answer went away"
                continue
            now = tuple(int(getattr(self.dut, f"s_axi_{name}").value) for name in names)
            assert seen in (None, now), "an answer changed"
            if ready.value:
                ready.value = 0
                return now
            seen = now
            ready.value = self.random.random() >= self.stall

    async def write(self, address, beats, size, burst, broken=None):
        """A burst of random beats; the image follows. `broken`: (beat, "wid" or "wlast")."""
        ident = self.random.getrandbits(12)
        sent = [(self.random.getrandbits(32), self.random.getrandbits(4)) for _ in range(beats)]

        async def data():
            for number, (word, strobes) in enumerate(sent):
                wrong = broken[1] if broken and broken[0] == number else ""
                await self.offer(
                    "w", wdata=word, wstrb=strobes, wid=ident ^ (wrong == "wid"),
                    wlast=int(number == beats - 1) ^ (wrong == "wlast"),
                )  # fmt: skip

        task = cocotb.start_soon(data())  # may come before its address
        await self.offer(
            "aw", awaddr=address, awid=ident, awlen=beats - 1, awsize=size, awburst=burst
        )
        answer = await self.take("b", "bid", "bresp")
        await task
        slave = self.slave(address)
        for number, place in enumerate(addresses(address % SIZE, beats, size, burst)):
            if slave is not None and not (broken and broken[0] == number):
                word, strobes = sent[number]
                for lane in range(4):
                    if strobes >> lane & 1:
                        self.images[slave][place - place % 4 + lane] = word >> 8 * lane & 0xFF
        expected = DECERR if slave is None else SLVERR if broken else OKAY
        assert answer == (ident, expected), (answer, ident, expected)

    async def read(self, address, beats, size, burst):
        """A burst; every beat is compared with the image."""
        ident = self.random.getrandbits(12)
        await self.offer(
            "ar", araddr=address, arid=ident, arlen=beats - 1, arsize=size, arburst=burst
        )
        slave = self.slave(address)
        for number, place in enumerate(addresses(address % SIZE, beats, size, burst)):
            word, response = 0, DECERR
            if slave is not None:
                start = place - place % 4
                word = int.from_bytes(self.images[slave][start : start + 4], "little")
                response = OKAY
            got = await self.take("r", "rid", "rdata", "rresp", "rlast")
            assert got == (ident, word, response, number == beats - 1), (got, number)

    def slave(self, address):
        for number, window in enumerate(WINDOWS):
            if address >> 16 == window >> 16:
                return number
        return None

    def burst(self):
        """Address, beats, size and kind of a random burst that AXI3 allows."""
        size, burst = self.random.randrange(3), self.random.choice((FIXED, INCR, INCR, WRAP))
        beats = self.random.choice((2, 4, 8, 16)) if burst == WRAP else self.random.randint(1, 16)
        address = self.random.randrange(SIZE)
        if burst == WRAP:
            address -= address % (1 << size)
        elif burst == INCR:
            address = min(address, SIZE - (beats << size))
        base = self.random.choice((*WINDOWS, WINDOWS[0], 0x43C1_0000, 0x4181_0000))
        return base + address, beats, size, burst

    def compare(self):
        for slave, image in zip(self.slaves, self.images, strict=True):
            assert bytes(slave.read(0, SIZE)) == bytes(image)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.4])
async def bursts_of_all_kinds(dut, stall):
    bench = Bench(dut, stall)
    await bench.begin()
    for _ in range(draws(120, 24)):
        if bench.random.random() < 0.5:
            await bench.write(*bench.burst())
        else:
            await bench.read(*bench.burst())
    bench.compare()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def reads_and_writes_at_the_same_time(dut):
    bench = Bench(dut, 0.3)
    await bench.begin()

    async def writes():
        for _ in range(draws(40, 10)):
            await bench.write(WINDOWS[1] + 64, 4, 2, INCR)

    task = cocotb.start_soon(writes())
    for _ in range(draws(40, 10)):
        await bench.read(WINDOWS[0] + bench.random.randrange(0, SIZE - 64, 4), 16, 2, INCR)
    await task
    bench.compare()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def beats_that_belong_elsewhere_are_not_written(dut):
    bench = Bench(dut, 0.2)
    await bench.begin()
    for beats, wrong in itertools.product((1, 2, 5, 16), ("wid", "wlast")):
        for beat in {0, beats - 1, beats // 2}:
            await bench.write(WINDOWS[0] + 256, beats, 2, INCR, broken=(beat, wrong))
            await bench.write(WINDOWS[0] + 256, beats, 2, INCR)
    bench.compare()


async def answering(dut, responses):
    """A slave at m0_axi that takes all at once and answers with these, in order."""
    names = ("awready", "wready", "arready")
    for name in names:
        getattr(dut, f"m0_axi_{name}").value = 1
    asked = {"aw": "b", "ar": "r"}
    while True:
        await RisingEdge(dut.clk_i)
        for request, answer in asked.items():
            valid = getattr(dut, f"m0_axi_{answer}valid")
            if valid.value and getattr(dut, f"m0_axi_{answer}ready").value:
                valid.value = 0
            if getattr(dut, f"m0_axi_{request}valid").value:
                valid.value = 1
                getattr(dut, f"m0_axi_{answer}resp").value = responses.pop(0)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def errors_of_a_slave_are_handed_on(dut):
    """Its worst answer is that of a burst to write; of reads, each beat has its own."""
    bench = Bench(dut, 0.0, memories=False)
    await bench.begin(m0_axi_bvalid=0, m0_axi_rvalid=0, m0_axi_rdata=0)
    responses = []
    cocotb.start_soon(answering(dut, responses))
    for bad, ident in itertools.product(range(5), (5, 0xFFF)):
        answers = [SLVERR if n == bad else OKAY for n in range(4)]
        responses += answers
        sender = cocotb.start_soon(
            bench.offer("aw", awaddr=WINDOWS[0], awid=ident, awlen=3, awsize=2, awburst=INCR)
        )
        for n in range(4):
            await bench.offer("w", wdata=n, wstrb=15, wid=ident, wlast=int(n == 3))
        worst = SLVERR if SLVERR in answers else OKAY
        assert await bench.take("b", "bid", "bresp") == (ident, worst)
        await sender
        responses += answers
        await bench.offer("ar", araddr=WINDOWS[0], arid=ident, arlen=3, arsize=2, arburst=INCR)
        assert [(await bench.take("r", "rresp"))[0] for _ in range(4)] == answers
