# SPDX-License-Identifier: BSD-3-Clause
"""qnn_intc does what Xilinx's axi_intc does with one input, as PG099 has it and PYNQ drives it."""

import logging
import warnings

import cocotb
from cocotb.triggers import ClockCycles

from qnn_sim.streams import generator, start

ISR, IPR, IER, IAR, SIE, CIE, IVR, MER = range(0, 0x20, 4)


def test_qnn_intc():
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__)


class Model:
    """The registers, after each access or change of the input."""

    def __init__(self):
        self.pending = self.enabled = self.master = self.hardware = self.level = 0

    def settle(self):
        if self.level and self.hardware:
            self.pending = 1

    def write(self, address, value):
        bit = value & 1
        if address == IER:
            self.enabled = bit
        elif address == IAR and bit:
            self.pending = 0
        elif address == SIE:
            self.enabled |= bit
        elif address == CIE:
            self.enabled &= 1 - bit
        elif address == MER:
            self.master, self.hardware = bit, self.hardware | value >> 1 & 1
        self.settle()

    def read(self, address):
        both = self.pending & self.enabled
        known = {
            ISR: self.pending, IPR: both, IER: self.enabled, IVR: 0 if both else 0xFFFFFFFF,
            MER: self.hardware << 1 | self.master,
        }  # fmt: skip
        return known.get(address, 0)

    @property
    def output(self):
        return self.master & self.pending & self.enabled


async def begin(dut):
    """Bus and model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from cocotbext.axi import AxiLiteBus, AxiLiteMaster

        logging.getLogger(f"cocotb.{dut._name}.s_axi").setLevel(logging.WARNING)
        bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk_i, dut.rst_i)
    await start(dut, irq_i=0)
    return bus, Model()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def every_register_at_any_time(dut):
    bus, model = await begin(dut)
    random = generator("accesses")
    for _ in range(300):
        kind = random.randrange(4)
        if kind == 0:
            model.level = random.randrange(2)
            dut.irq_i.value = model.level
            await ClockCycles(dut.clk_i, 2)
            model.settle()
        elif kind == 1:
            address = random.choice((ISR, IPR, IER, IER, IAR, IAR, SIE, CIE, IVR, MER, 0x20, 0x100))
            value = random.choice((0, 1, 2, 3, 0xFFFFFFFF, 0xFFFFFFFC))
            await bus.write_dword(address, value)
            model.write(address, value)
        else:
            address = random.choice((ISR, IPR, IER, IAR, SIE, CIE, IVR, MER, 0x20, 0x104))
            assert await bus.read_dword(address) == model.read(address), hex(address)
        await ClockCycles(dut.clk_i, 2)
        assert dut.irq_o.value == model.output


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def as_pynq_drives_it(dut):
    """Set up, an interrupt, acknowledged while it is there and after it has gone."""
    bus, _ = await begin(dut)
    await bus.write_dword(IER, 0)
    await bus.write_dword(MER, 3)
    await bus.write_dword(IAR, 1)
    await bus.write_dword(SIE, 1)
    assert not dut.irq_o.value
    dut.irq_i.value = 1
    await ClockCycles(dut.clk_i, 3)
    assert dut.irq_o.value and await bus.read_dword(IPR) == 1
    await bus.write_dword(CIE, 1)
    assert not dut.irq_o.value
    await bus.write_dword(IAR, 1)
    await bus.write_dword(SIE, 1)
    await ClockCycles(dut.clk_i, 2)
    assert dut.irq_o.value  # the level is still there
    dut.irq_i.value = 0
    await ClockCycles(dut.clk_i, 2)
    assert dut.irq_o.value  # it came, and nobody has said that he saw it
    await bus.write_dword(IAR, 1)
    assert not dut.irq_o.value and await bus.read_dword(ISR) == 0


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def strobes_choose_bytes(dut):
    bus, _ = await begin(dut)
    await bus.write(IER + 1, b"\xff\xff\xff")
    assert await bus.read_dword(IER) == 0
    await bus.write(IER, b"\x01")
    assert await bus.read_dword(IER) == 1
