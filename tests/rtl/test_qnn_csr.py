# SPDX-License-Identifier: BSD-3-Clause
"""qnn_csr: every register as rtl/regs/README.md has it, whatever the order on the bus."""

import itertools

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge

from qnn.engine import regs
from qnn.engine.control import ABORT, RESET, RESIDENT, START
from qnn.engine.registers import flags
from qnn_sim.streams import generator, start

CONSTANTS = {
    "Lanes": 0xF8042040, "Stores": 0x02000400, "Limits": 0x16401000, "Shapes": 0x08070100,
    "Memory": 0x00000002, "Features": 0x00000001,
}  # fmt: skip
DONE, ERROR, REFUSED = (flags("STATUS", name) for name in ("done", "error", "refused"))


def test_qnn_csr():
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, **CONSTANTS)


class Bus:
    """An AXI4-Lite host whose channels move at random times."""

    def __init__(self, dut):
        self.dut, self.random = dut, generator("bus")
        self.pulses = []

    async def begin(self):
        await start(
            self.dut, awvalid_i=0, wvalid_i=0, bready_i=0, arvalid_i=0, rready_i=0, busy_i=0,
            resident_i=0, ended_i=0, ended_silent_i=0, ended_code_i=0, ended_index_i=0,
            cycles_i=0, perf_i=0,
        )  # fmt: skip
        cocotb.start_soon(self.watch())

    async def watch(self):
        """Pulses towards the engine."""
        names = ("start_o", "abort_o", "reset_o")
        while True:
            await RisingEdge(self.dut.clk_i)
            seen = [name for name in names if getattr(self.dut, name).value]
            if seen:
                resident = int(self.dut.start_resident_o.value)
                self.pulses.append((tuple(seen), resident))

    async def offer(self, channel, **payload):
        """Valid until ready."""
        await ClockCycles(self.dut.clk_i, self.random.randrange(1, 4))
        for name, value in payload.items():
            getattr(self.dut, name).value = value
        getattr(self.dut, f"{channel}valid_i").value = 1
        while True:
            await RisingEdge(self.dut.clk_i)
            if getattr(self.dut, f"{channel}ready_o").value:
                break
        getattr(self.dut, f"{channel}valid_i").value = 0
        for name, value in payload.items():
            getattr(self.dut, name).value = self.random.getrandbits(4) ^ value

    async def take(self, channel):
        """The payload of an answer, which must stay until it is taken."""
        ready, seen = getattr(self.dut, f"{channel}ready_i"), None
        while True:
            await RisingEdge(self.dut.clk_i)
            valid = getattr(self.dut, f"{channel}valid_o").value
            value = int(self.dut.rdata_o.value) if channel == "r" and valid else 0
            assert seen is None or (valid and value == seen), "an answer changed"
            if valid and ready.value:
                ready.value = 0
                return value
            seen = value if valid else None
            ready.value = self.random.randrange(2)

    async def write(self, address, value, strobes=15):
        aw = cocotb.start_soon(self.offer("aw", awaddr_i=address))
        w = cocotb.start_soon(self.offer("w", wdata_i=value, wstrb_i=strobes))
        await aw
        await w
        await self.take("b")

    async def read(self, address):
        ar = cocotb.start_soon(self.offer("ar", araddr_i=address))
        value = await self.take("r")
        await ar
        return value

    async def ended(self, code, index=0, silent=0):
        dut = self.dut
        dut.ended_code_i.value, dut.ended_index_i.value = code, index
        dut.ended_silent_i.value, dut.ended_i.value = silent, 1
        await RisingEdge(dut.clk_i)
        dut.ended_i.value = 0
        dut.ended_code_i.value, dut.ended_index_i.value = 0xAA, 0x55
        await RisingEdge(dut.clk_i)


# register -> (port, bits that are kept, bits that read as one, after reset)
WRITABLE = {
    "IRQ_ENABLE": (None, 1, 0, 0),
    "LIST_ADDRESS": ("list_address_o", 0xFFFFFFFF, 0, 0),
    "LIST_COUNT": ("list_count_o", 0xFF, 0, 0),
    "TIMEOUT": ("timeout_o", 0xFFFFFFFF, 0, 1_000_000),
    "READ_BASE": ("read_base_o", 0xFFFFFF80, 0, 0xFFFFFF80),
    "READ_LAST": ("read_last_o", 0xFFFFFF80, 0x7F, 0x7F),
    "WRITE_BASE": ("write_base_o", 0xFFFFFF80, 0, 0xFFFFFF80),
    "WRITE_LAST": ("write_last_o", 0xFFFFFF80, 0x7F, 0x7F),
}


async def check(dut, bus, values):
    """All writable registers, read back and as the engine sees them."""
    await FallingEdge(dut.clk_i)
    for name, (port, _, _, _) in WRITABLE.items():
        assert await bus.read(getattr(regs, name)) == values[name], name
        if port:
            line = 7 if name.startswith(("READ", "WRITE")) else 0
            assert int(getattr(dut, port).value) == values[name] >> line, name


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def constants_and_unknown_addresses(dut):
    bus = Bus(dut)
    await bus.begin()
    assert await bus.read(regs.ID) == regs.ID_VALUE
    assert await bus.read(regs.VERSION) == regs.VERSION_MAJOR << 16 | regs.VERSION_MINOR
    for name, value in CONSTANTS.items():
        assert await bus.read(getattr(regs, name.upper())) == value
    known = {getattr(regs, name) for name in regs.FIELDS}
    unknown = [a for a in range(0, 0x80, 4) if a not in known] + [0x3FC, 0xC00, 0xFFC]
    before = [await bus.read(address) for address in sorted(known)]
    for address in (*unknown, regs.ID, regs.VERSION, regs.LANES, regs.CYCLES, regs.PERF):
        await bus.write(address, 0xFFFFFFFF)
        if address in unknown:
            assert await bus.read(address) == 0, hex(address)
    assert [await bus.read(address) for address in sorted(known)] == before
    assert not bus.pulses


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def registers_keep_what_is_written(dut):
    bus = Bus(dut)
    await bus.begin()
    values = {name: after for name, (_, _, _, after) in WRITABLE.items()}
    await check(dut, bus, values)
    for _ in range(60):
        name = bus.random.choice(list(WRITABLE))
        _, kept, ones, _ = WRITABLE[name]
        value = bus.random.choice([bus.random.getrandbits(32), 0, 0xFFFFFFFF])
        strobes = bus.random.choice([15, 15, bus.random.randrange(16)])
        dut.busy_i.value = busy = int(bus.random.random() < 0.2)
        await bus.write(getattr(regs, name), value, strobes)
        dut.busy_i.value = 0
        if not busy or name == "IRQ_ENABLE":  # a run is not disturbed
            mask = sum(0xFF << 8 * i for i in range(4) if strobes >> i & 1)
            values[name] = ((values[name] & ~mask | value & mask) & kept) | ones
        await check(dut, bus, values)
    assert not bus.pulses


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def control_bits_act_once(dut):
    bus = Bus(dut)
    await bus.begin()
    for value, busy, strobes in itertools.product(range(16), (0, 1), (15, 1, 14)):
        bus.pulses.clear()
        dut.busy_i.value = busy
        await bus.write(regs.STATUS, REFUSED)
        await bus.write(regs.CTRL, value, strobes)
        await ClockCycles(dut.clk_i, 3)
        want = []
        if strobes & 1:
            if value & START and not busy and not value & RESET:
                want.append("start_o")
            want += [n for n, bit in (("abort_o", ABORT), ("reset_o", RESET)) if value & bit]
        case = (value, busy, strobes)
        if want:
            assert len(bus.pulses) == 1 and list(bus.pulses[0][0]) == want, (case, bus.pulses)
            if "start_o" in want:
                assert bus.pulses[0][1] == int(bool(value & RESIDENT)), case
        else:
            assert not bus.pulses, (case, bus.pulses)
        status = await bus.read(regs.STATUS)
        refused = strobes & 1 and value & START and busy and not value & RESET
        assert bool(status & REFUSED) == bool(refused), case
        assert status & 1 == busy
        assert await bus.read(regs.CTRL) == 0


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def status_tells_how_a_run_ended(dut):
    bus = Bus(dut)
    await bus.begin()
    await bus.write(regs.IRQ_ENABLE, 1)
    for code, index in ((0, 0), (1, 0), (5, 3), (8, 255), (0, 0)):
        flag = ERROR if code else DONE
        assert not dut.irq_o.value
        await bus.ended(code, index)
        want = flag | code << 8 | index << 16
        assert await bus.read(regs.STATUS) == want and dut.irq_o.value
        await bus.write(regs.STATUS, (DONE | ERROR) & ~flag)
        await bus.write(regs.STATUS, flag, 14)  # another byte
        assert await bus.read(regs.STATUS) == want and dut.irq_o.value
        await bus.write(regs.IRQ_ENABLE, 0)
        assert not dut.irq_o.value
        await bus.write(regs.IRQ_ENABLE, 1)
        assert dut.irq_o.value
        how = bus.random.randrange(3)
        if how == 0:
            await bus.write(regs.STATUS, flag)
            assert await bus.read(regs.STATUS) == want & ~flag
        else:
            await bus.write(regs.CTRL, START if how == 1 else RESET)
            assert await bus.read(regs.STATUS) == 0
        assert not dut.irq_o.value
    await bus.write(regs.CTRL, RESET)
    await bus.ended(8, 7, silent=1)
    assert await bus.read(regs.STATUS) == 0 and not dut.irq_o.value
    dut.resident_i.value = 1
    assert await bus.read(regs.STATUS) == 16


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def counters_are_read_through(dut):
    bus = Bus(dut)
    await bus.begin()
    # every bit is seen as 0 and as 1 beside every other one, whatever that is
    words = [bus.random.getrandbits(32) for _ in range(512)]

    async def account():
        """The RAM behind PERF: one cycle late."""
        while True:
            await RisingEdge(dut.clk_i)
            dut.perf_i.value = words[int(dut.perf_address_o.value)]

    cocotb.start_soon(account())
    for _ in range(60):
        index = bus.random.randrange(512)
        assert await bus.read(regs.PERF + 4 * index) == words[index]
        dut.cycles_i.value = cycles = bus.random.getrandbits(32)
        assert await bus.read(regs.CYCLES) == cycles


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reads_and_writes_at_the_same_time(dut):
    bus = Bus(dut)
    await bus.begin()
    for _ in range(40):
        value = bus.random.getrandbits(32)
        write = cocotb.start_soon(bus.write(regs.LIST_ADDRESS, value))
        assert await bus.read(regs.ID) == regs.ID_VALUE
        await write
        assert await bus.read(regs.LIST_ADDRESS) == value
