# SPDX-License-Identifier: BSD-3-Clause
"""qnn_fabric as a processing system sees it: AXI3 ports, an interrupt, and a network through them.

The accelerator itself has its bench in test_qnn_engine.py; here are the ways to it and from it.
"""

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from random_networks import random_conv

from qnn.engine import regs
from qnn.engine.capabilities import Capabilities
from qnn.engine.control import START
from qnn.engine.program import compile_layers
from qnn.engine.registers import flags
from qnn_sim import golden_network, rtl_build
from qnn_sim.axi_memory import AxiMemory, serve_reads, serve_writes

MEMORY, BASE = 1 << 18, 0x8000
ENGINE, INTC = 0x43C0_0000, 0x4180_0000
SIE, IAR, MER = INTC + 0x10, INTC + 0x0C, INTC + 0x1C
OKAY, DECERR = 0, 3
DONE = flags("STATUS", "done")


def test_qnn_fabric():
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, **{**rtl_build.CONFIGURATIONS["small"], "Commands": 16})


class System:
    """What is at the other side: M_AXI_GP0, S_AXI_HP0, S_AXI_HP2, IRQ_F2P, FCLK0."""

    def __init__(self, dut):
        self.dut = dut
        self.rng = np.random.default_rng(cocotb.RANDOM_SEED)
        self.memory = AxiMemory(MEMORY, 0.2, (1, 20))
        self.memory.data[:] = self.rng.bytes(MEMORY)
        for serve, prefix in (
            (serve_reads, "hp0_"), (serve_writes, "hp0_"), (serve_reads, "hp2_"),
        ):  # fmt: skip
            serve(self.memory, dut, prefix, dut.clk_i, dut.fclk_resetn_i, 0)
        self.lengths = {"hp0_ar": set(), "hp0_aw": set(), "hp2_ar": set()}

    async def begin(self):
        dut = self.dut
        for name in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
            getattr(dut, f"gp0_{name}").value = 0
        dut.fclk_resetn_i.value = 0
        Clock(dut.clk_i, 2, unit="ns").start()
        await ClockCycles(dut.clk_i, 8)
        dut.fclk_resetn_i.value = 1
        await ClockCycles(dut.clk_i, 15)
        for prefix in self.lengths:  # in reset, which lasts 16 cycles longer than its cause
            assert not getattr(dut, f"{prefix}valid").value
        await ClockCycles(dut.clk_i, 5)
        cocotb.start_soon(self.watch())

    async def watch(self):
        """Lengths of all bursts; each is of 8-byte beats, and its addresses go up."""
        dut = self.dut
        while True:
            await RisingEdge(dut.clk_i)
            for prefix, seen in self.lengths.items():
                if getattr(dut, f"{prefix}valid").value:
                    seen.add(int(getattr(dut, f"{prefix}len").value))
                    assert getattr(dut, f"{prefix}size").value == 3
                    assert getattr(dut, f"{prefix}burst").value == 1

    async def handshake(self, channel, **payload):
        for name, value in payload.items():
            getattr(self.dut, f"gp0_{name}").value = value
        getattr(self.dut, f"gp0_{channel}valid").value = 1
        while True:
            await RisingEdge(self.dut.clk_i)
            if getattr(self.dut, f"gp0_{channel}ready").value:
                break
        getattr(self.dut, f"gp0_{channel}valid").value = 0

    async def answers(self, channel, count, *names):
        getattr(self.dut, f"gp0_{channel}ready").value = 1
        found = []
        while len(found) < count:
            await RisingEdge(self.dut.clk_i)
            if getattr(self.dut, f"gp0_{channel}valid").value:
                found.append([int(getattr(self.dut, f"gp0_{name}").value) for name in names])
        getattr(self.dut, f"gp0_{channel}ready").value = 0
        return found

    async def write(self, address, *words, ident=0xABC):
        burst = {"awlen": len(words) - 1, "awsize": 2, "awburst": 1}
        await self.handshake("aw", awaddr=address, awid=ident, **burst)
        for number, word in enumerate(words):
            last = number == len(words) - 1
            await self.handshake("w", wdata=word, wstrb=15, wid=ident, wlast=int(last))
        assert await self.answers("b", 1, "bid", "bresp") == [[ident, OKAY]]

    async def read_burst(self, address, count, ident=0x123, response=OKAY):
        burst = {"arlen": count - 1, "arsize": 2, "arburst": 1}
        await self.handshake("ar", araddr=address, arid=ident, **burst)
        rows = await self.answers("r", count, "rid", "rresp", "rlast", "rdata")
        assert [row[:3] for row in rows] == [
            [ident, response, int(n == count - 1)] for n in range(count)
        ]
        return [row[3] for row in rows]

    async def read(self, address):
        (value,) = await self.read_burst(address, 1)
        return value

    async def capabilities(self):
        """From one burst over the registers that tell them."""
        words = await self.read_burst(ENGINE, regs.FEATURES // 4 + 1)
        assert words[:2] == [regs.ID_VALUE, regs.VERSION_MAJOR << 16 | regs.VERSION_MINOR]
        return Capabilities.read(lambda address: words[address // 4])


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def addresses_lead_to_their_slaves(dut):
    system = System(dut)
    await system.begin()
    await system.capabilities()
    await system.write(MER, 3)
    assert await system.read(MER) == 3 and await system.read(ENGINE + regs.STATUS) == 0
    await system.write(ENGINE + regs.READ_BASE, 0x1000, 0x1FFF, 0x2000, 0x2FFF)
    assert await system.read_burst(ENGINE + regs.READ_BASE, 4) == [0x1000, 0x1FFF, 0x2000, 0x2FFF]
    assert await system.read_burst(0x4000_0000, 3, response=DECERR) == [0, 0, 0]


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def a_network_runs_and_its_interrupt_arrives(dut):
    system = System(dut)
    await system.begin()
    caps = await system.capabilities()
    layer = random_conv(system.rng, (12, 12, 16), 2, (3, 3), levels=3)
    program = compile_layers([layer], caps, BASE)
    codes = system.rng.integers(0, 4, layer.in_shape, np.uint8)
    image, data = program.image, program.tight.pack(codes).tobytes()
    memory = system.memory
    memory.data[program.base : program.base + len(image)] = image
    memory.data[program.input_address : program.input_address + len(data)] = data
    await system.write(ENGINE + regs.LIST_ADDRESS, program.base, program.commands)
    await system.write(
        ENGINE + regs.READ_BASE, program.base, program.base + len(image) - 1, program.work,
        program.work + program.work_bytes - 1,
    )  # fmt: skip
    await system.write(ENGINE + regs.IRQ_ENABLE, 1)
    await system.write(MER, 3)
    await system.write(ENGINE + regs.CTRL, START)
    for _ in range(500):
        if await system.read(ENGINE + regs.STATUS) & DONE:
            break
        await ClockCycles(dut.clk_i, 100)
    status = await system.read(ENGINE + regs.STATUS)
    assert status & ~flags("STATUS", "resident") == DONE
    assert not dut.irq_o.value  # the controller does not let it through yet
    await system.write(SIE, 1)
    assert dut.irq_o.value
    await system.write(ENGINE + regs.STATUS, DONE)
    await system.write(IAR, 1)
    assert not dut.irq_o.value
    (out,), (place,) = program.maps, program.places
    got = out.unpack(bytes(memory.data[place : place + out.size]))
    (want,) = golden_network.trace([layer], codes)
    assert (got == want).all()
    assert not memory.violations, memory.violations
    assert all(seen and max(seen) > 0 for seen in system.lengths.values()), system.lengths
