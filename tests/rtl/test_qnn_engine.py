# SPDX-License-Identifier: BSD-3-Clause
"""qnn_engine as its host sees it: registers, memory, interrupt, and every way in which a run ends.

Each test makes small random networks, runs them through the registers, and compares every output
value of every layer with the golden model and every other byte of memory with what was there.
"""

import dataclasses
import itertools
import logging
import warnings

import cocotb
import numpy as np
import pytest
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from random_networks import random_conv

from qnn.engine import regs
from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import COMMAND_BYTES, decode, encode
from qnn.engine.control import ABORT, RESET, RESIDENT, START
from qnn.engine.program import compile_layers
from qnn.engine.registers import field, flags
from qnn.errors import DoesNotFitError
from qnn.network import MaxPool
from qnn_sim import golden_network, rtl_build
from qnn_sim.axi_memory import DECERR, LINE, SLVERR, AxiMemory, serve_reads, serve_writes
from qnn_sim.run_options import draws, some

SMALL = {**rtl_build.CONFIGURATIONS["small"], "Commands": 16}
CONFIGURATIONS = {"16x2": {}, "8x4": {"Pe": 8, "Pixels": 4, "Ports": 1}}

MEMORY = 1 << 18
BASE = 0x8000
DONE, ERROR, REFUSED = (flags("STATUS", name) for name in ("done", "error", "refused"))
TIMEOUT = 2000  # cycles


@pytest.mark.parametrize("configuration", ["16x2", pytest.param("8x4", marks=pytest.mark.nightly)])
def test_qnn_engine(configuration):
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, **{**SMALL, **CONFIGURATIONS[configuration]})


class Host:
    """The engine, its memory and its registers."""

    def __init__(self, dut, stall=0.0, latency=(1, 8)):
        self.dut = dut
        self.rng = np.random.default_rng(cocotb.RANDOM_SEED)
        self.memory = AxiMemory(MEMORY, stall, latency)
        self.memory.data[:] = self.rng.bytes(MEMORY)
        for serve, prefix in (
            (serve_reads, "m_axi_"), (serve_writes, "m_axi_"), (serve_reads, "m_axi_read_"),
        ):  # fmt: skip
            serve(self.memory, dut, prefix, dut.aclk, dut.aresetn, 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from cocotbext.axi import AxiLiteBus, AxiLiteMaster

            logging.getLogger(f"cocotb.{dut._name}.s_axi_ctrl").setLevel(logging.WARNING)
            bus = AxiLiteBus.from_prefix(dut, "s_axi_ctrl")
            self.bus = AxiLiteMaster(bus, dut.aclk, dut.aresetn, reset_active_level=False)

    @classmethod
    async def make(cls, dut, **options):
        dut.aresetn.value = 0
        Clock(dut.aclk, 2, unit="ns").start()
        host = cls(dut, **options)
        await ClockCycles(dut.aclk, 4)
        dut.aresetn.value = 1
        await ClockCycles(dut.aclk, 2)
        registers = (
            "ID", "VERSION", "LANES", "STORES", "LIMITS", "SHAPES", "MEMORY", "FEATURES",
        )  # fmt: skip
        found = {getattr(regs, name): await host.read(getattr(regs, name)) for name in registers}
        host.caps = Capabilities.read(found.__getitem__)
        return host

    async def read(self, address):
        return await self.bus.read_dword(address)

    async def write(self, address, value):
        await self.bus.write_dword(address, value)

    async def status(self):
        value = await self.read(regs.STATUS)
        found = {name: field("STATUS", name, value) for name in regs.FIELDS["STATUS"]}
        found["code"] = regs.ERRORS[found["code"]][0]
        return found

    async def load(self, program):
        """Program into memory, the registers that tell where it is, and what may be accessed."""
        self.program = program
        self.memory.data[program.base : program.base + len(program.image)] = program.image
        read = (program.base, program.base + len(program.image) - 1)
        write = (program.work, program.work + program.work_bytes - 1)
        # the registers hold whole 128-byte lines
        lines = [range(a // LINE * LINE, b // LINE * LINE + LINE) for a, b in (read, write)]
        self.memory.allowed = {"read": lines, "write": lines[1:]}
        for register, value in {
            regs.LIST_ADDRESS: program.base, regs.LIST_COUNT: program.commands,
            regs.READ_BASE: read[0], regs.READ_LAST: read[1],
            regs.WRITE_BASE: write[0], regs.WRITE_LAST: write[1],
            regs.TIMEOUT: TIMEOUT, regs.IRQ_ENABLE: 1,
        }.items():  # fmt: skip
            await self.write(register, value)

    async def begin(self, codes, start=START):
        """Codes into memory, and start; what the memory holds then is kept."""
        data = self.program.tight.pack(codes).tobytes()
        place = self.program.input_address
        self.memory.data[place : place + len(data)] = data
        self.before = bytes(self.memory.data)
        self.first_burst = len(self.memory.bursts)
        await self.write(regs.CTRL, start)

    async def interrupt(self, most_cycles=200_000):
        for _ in range(most_cycles // 100):
            if self.dut.irq.value:
                return
            await ClockCycles(self.dut.aclk, 100)
        assert self.dut.irq.value, "no interrupt"

    async def quiet(self, most_cycles=5000):
        """Wait until the engine is not busy; then nothing is on the bus, and nothing comes."""
        for _ in range(most_cycles // 20):
            if not (await self.status())["busy"]:
                break
            await ClockCycles(self.dut.aclk, 20)
        assert not (await self.status())["busy"]
        bursts = len(self.memory.bursts)
        for _ in range(60):
            for valid in ("arvalid", "awvalid", "wvalid", "read_arvalid"):
                assert not getattr(self.dut, f"m_axi_{valid}").value
            await RisingEdge(self.dut.aclk)
        assert self.memory.pending == 0 and len(self.memory.bursts) == bursts
        assert not self.memory.violations, self.memory.violations

    def untouched(self):
        """Bytes outside the maps that the layers write are as they were."""
        expected, found = bytearray(self.before), bytearray(self.memory.data)
        for out, place in zip(self.program.maps, self.program.places, strict=True):
            expected[place : place + out.size] = found[place : place + out.size] = bytes(out.size)
        if expected != found:
            first = next(i for i in range(MEMORY) if expected[i] != found[i])
            raise AssertionError(f"memory beyond the maps has changed, first at {first:#x}")

    def compare(self, layers, codes):
        """Every value of every layer."""
        program, golden = self.program, golden_network.trace(layers, codes)
        for layer, want, out, place in zip(
            layers, golden, program.maps, program.places, strict=True
        ):
            got = out.unpack(bytes(self.memory.data[place : place + out.size]))
            wrong = np.argwhere(got != want)
            assert not len(wrong), (
                f"{layer.name}: {len(wrong)} of {want.size} differ, first at {wrong[0]}: "
                f"{got[tuple(wrong[0])]}, golden {want[tuple(wrong[0])]}; {describe(layer)}"
            )
        self.untouched()

    async def run(self, layers, codes, start=START):
        """One good run of a loaded program, every value compared; its cycles."""
        await self.begin(codes, start)
        await self.interrupt()
        status = await self.status()
        assert status["code"] == "NONE" and status["done"] and not status["error"], status
        await self.quiet()
        self.compare(layers, codes)
        await self.write(regs.STATUS, DONE)
        assert not self.dut.irq.value
        return await self.read(regs.CYCLES)

    async def load_and_run(self, layers, codes):
        await self.load(compile_layers(layers, self.caps, BASE))
        return await self.run(layers, codes)

    async def ends_with(self, code, index, quiet_cycles=5000):
        """The run has ended badly: its status, a quiet bus, and nothing written beyond the maps."""
        await self.interrupt()
        status = await self.status()
        found = (status["code"], status["index"], status["error"], status["done"])
        assert found[0] == code, f"{found}, expected {code}"
        assert index is None or found[1] == index, f"{found}, expected index {index}"
        assert found[2:] == (1, 0), found
        await self.quiet(quiet_cycles)
        self.untouched()
        await self.write(regs.STATUS, ERROR)
        assert not self.dut.irq.value
        return status


def describe(layer):
    pool = layer.pool and (layer.pool.size, layer.pool.stride, layer.pool.padding)
    levels = None if layer.thresholds is None else layer.thresholds.shape[1]
    return (
        f"in {layer.in_shape} bits {layer.in_bits} groups {layer.groups} weight "
        f"{layer.weight.shape} coefficients {layer.coefficients} stride {layer.stride} padding "
        f"{layer.padding} levels {levels} pool {pool}"
    )


def some_layer(rng, in_shape, in_bits, name, last, groups=None):
    """A random layer that reads maps of `in_shape`; only the `last` one may be raw."""
    rows, columns, channels = in_shape
    divisors = [g for g in (1, 1, 1, 2, 3) if channels % g == 0]
    groups = groups or int(rng.choice(divisors))
    top, left = (int(v) for v in rng.integers(0, 3, 2))
    kernel = [int(rng.integers(1, min(5, side + 4) + 1)) for side in (rows, columns)]
    bottom = max(int(rng.integers(0, 3)), kernel[0] - rows - top)
    right = max(int(rng.integers(0, 3)), kernel[1] - columns - left)
    stride = int(rng.choice([1, 1, 1, 2, 2, 3, 4]))
    levels = None if last and rng.random() < 0.4 else int(rng.choice([1, 2, 3, 3, 7, 15]))
    pool = None
    if levels is not None and rng.random() < 0.5:
        size = int(rng.integers(2, 4))
        sides = (
            (top + rows + bottom - kernel[0]) // stride + 1,
            (left + columns + right - kernel[1]) // stride + 1,
        )
        before = [int(v) for v in rng.integers(0, size, 2)]
        after = [
            max(int(rng.integers(0, size)), size - side - first)
            for side, first in zip(sides, before, strict=True)
        ]
        pool = MaxPool(size, int(rng.integers(1, 3)), (*before, *after))
    return random_conv(
        rng, in_shape, groups * int(rng.integers(1, 40 // groups)), tuple(kernel), name=name,
        in_bits=in_bits, levels=levels, groups=groups, stride=stride, pool=pool,
        padding=(top, left, bottom, right),
        coefficients=((1,), (1,), (1, 1), (1, 2), (4, 2, 1, 1))[int(rng.integers(5))],
    )  # fmt: skip


def some_network(rng, depth, caps, sides=8, channels=40):
    """Random layers, one after the other, that fit the accelerator, and codes for the first."""
    while True:
        shape = (*(int(v) for v in rng.integers(1, sides + 1, 2)), int(rng.integers(1, channels)))
        bits = int(rng.choice([1, 2, 2, 3, 8]))
        layers = []
        try:
            for number in range(depth):
                last = number == depth - 1
                layers.append(some_layer(rng, shape, bits, f"layer{number}", last))
                shape, bits = layers[-1].out_shape, layers[-1].out_bits
            compile_layers(layers, caps)
        except DoesNotFitError:
            continue
        if sum(layer.macs * layer.in_bits for layer in layers) < 2_000_000:
            return layers, some_codes(rng, layers[0])


def some_codes(rng, layer):
    return rng.integers(0, 2**layer.in_bits, layer.in_shape, dtype=np.uint8)


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.3])
async def networks_match_golden(dut, stall):
    host = await Host.make(dut, stall=stall, latency=(1, 40 if stall else 1))
    for depth in some(host.rng, (1, 1, 1, 1, 1, 2, 2, 3, 3), 3):
        layers, codes = some_network(host.rng, depth, host.caps)
        await host.load_and_run(layers, codes)


def conv(rng, in_shape, outputs, kernel, name="layer0", **options):
    """A random layer; see random_networks.random_conv."""
    return random_conv(rng, in_shape, outputs, kernel, name=name, **options)


def three_layers(rng):
    """Groups, blocks, a stride, a pool, accumulators at the end: four commands."""
    return [
        conv(rng, (6, 7, 5), 24, (3, 3), "layer0", padding=(1, 1, 1, 1), pool=MaxPool(2, 1)),
        conv(rng, (5, 6, 24), 36, (2, 3), "layer1", groups=2, stride=2, padding=(1, 0, 0, 1)),
        conv(rng, (3, 3, 36), 10, (3, 3), "layer2", levels=None),
    ]


def poke(memory, program, index, name, value):
    """Set one field of a command in memory; what was there."""
    place = program.base + COMMAND_BYTES * index
    fields = decode(bytes(memory.data[place : place + COMMAND_BYTES]))
    memory.data[place : place + COMMAND_BYTES] = encode(fields | {name: value})
    return fields[name]


def peek(program, index, name):
    """One field of a command."""
    return decode(program.image, index)[name]


def constant_layer(rng, weight_bit, levels, **options):
    """All weights equal; see conv."""
    layer = conv(rng, (4, 5, 19), 17, (3, 3), levels=levels, **options)
    return dataclasses.replace(layer, weight=np.full_like(layer.weight, weight_bit))


def with_thresholds(layer, thresholds):
    """The same layer with other thresholds."""
    ascending = np.sort(thresholds, axis=1).astype(np.int32)
    return dataclasses.replace(layer, thresholds=ascending)


@cocotb.test()
async def extremes_match_golden(dut):
    """All ones, all zeros, the least and the largest sums, on accumulators and on codes."""
    host = await Host.make(dut)
    kinds = itertools.product((0, 1), (1, 8), (None, 3))
    for weight_bit, in_bits, levels in some(host.rng, kinds, 2):
        options = {"in_bits": in_bits, "coefficients": (1, 2) if in_bits == 8 else (1,)}
        layer = constant_layer(host.rng, weight_bit, levels, **options)
        for code in (0, 2**in_bits - 1):
            codes = np.full(layer.in_shape, code, dtype=np.uint8)
            await host.load_and_run([layer], codes)


@cocotb.test()
async def ties_with_thresholds_match_golden(dut):
    """Every sum of a channel, and one more and one less, as thresholds of that channel."""
    host = await Host.make(dut)
    for in_bits in some(host.rng, (1, 2), 1):
        raw = conv(host.rng, (5, 5, 6), 18, (3, 3), levels=None, in_bits=in_bits)
        codes = some_codes(host.rng, raw)
        sums = golden_network.run_layer(raw, codes).reshape(-1, 18).T
        for shift in (-1, 0, 1):
            await host.load_and_run([with_thresholds(raw, sums[:, :7] + shift)], codes)
        layer = with_thresholds(raw, np.repeat(sums[:, :1], 3, axis=1))  # all thresholds equal
        await host.load_and_run([layer], codes)
    layer = conv(host.rng, (3, 3, 4), 5, (1, 1), levels=255, in_bits=8)
    await host.load_and_run([layer], some_codes(host.rng, layer))


@cocotb.test()
async def remainders_of_every_folding_match_golden(dut):
    """Output channels, pixels of a row and words of a window, one less, equal and one more."""
    host = await Host.make(dut, stall=0.1)
    pe, pixels = host.caps.pe, host.caps.pixels
    for outputs in some(host.rng, (1, pe - 1, pe, pe + 1), 1):
        layer = conv(host.rng, (3, 3, 9), outputs, (2, 2))
        await host.load_and_run([layer], some_codes(host.rng, layer))
    words = 64 // pe
    sides = (1, pixels - 1, pixels, pixels + 1, words - 1, words, words + 1)
    for columns in some(host.rng, sides, 2):
        if columns:
            layers = [
                conv(host.rng, (1, columns, 3), 3, (1, 1)),
                conv(host.rng, (1, columns, 3), 3, (1, 1), "layer1", levels=None),
            ]
            await host.load_and_run(layers, some_codes(host.rng, layers[0]))
    for channels in some(host.rng, (1, 4, 5, 15, 16, 17, 63, 64, 65), 2):
        layers = [
            conv(host.rng, (2, 4, channels), channels, (1, 3)),
            conv(host.rng, (2, 2, channels), 4, (2, 2), "layer1"),
        ]
        await host.load_and_run(layers, some_codes(host.rng, layers[0]))


@cocotb.test()
async def map_larger_than_the_window_buffer(dut):
    """The window buffer is a ring of rows, filled again for every tile."""
    host = await Host.make(dut, stall=0.2, latency=(1, 20))
    pe = host.caps.pe
    for channels, kernel, stride in some(host.rng, ((48, 3, 1), (20, 2, 2)), 1):
        shape = (host.caps.window_words * 64 // (channels * 2 * 12) + 3, 12, channels)
        layers = [
            conv(host.rng, shape, pe + 3, (kernel, kernel), stride=stride, padding=(1, 1, 1, 1)),
        ]
        program = compile_layers(layers, host.caps, BASE)
        assert peek(program, 0, "reload")
        await host.load_and_run(layers, some_codes(host.rng, layers[0]))
    shape = (host.caps.window_words * 64 // (pe * 2 * 12) + 3, 12, 3)
    layers = [
        conv(host.rng, shape, pe * 2, (1, 1)),
        conv(host.rng, (*shape[:2], pe * 2), 5, (3, 3), "layer1"),
    ]
    assert peek(compile_layers(layers, host.caps, BASE), 1, "reload")
    await host.load_and_run(layers, some_codes(host.rng, layers[0]))


@cocotb.test()
async def second_start_while_busy_is_refused(dut):
    host = await Host.make(dut, stall=0.1)
    layers = three_layers(host.rng)
    cycles = await host.load_and_run(layers, some_codes(host.rng, layers[0]))
    assert not (await host.status())["refused"]
    for start in (START, START | RESIDENT):
        codes = some_codes(host.rng, layers[0])
        await host.begin(codes)
        await ClockCycles(dut.aclk, int(host.rng.integers(1, cycles // 2)))
        await host.write(regs.CTRL, start)
        assert (await host.status())["refused"]
        await host.interrupt()
        status = await host.status()
        assert status["refused"] and status["done"] and status["code"] == "NONE", status
        await host.quiet()
        host.compare(layers, codes)
        await host.write(regs.STATUS, DONE | REFUSED)
        assert not (await host.status())["refused"]


@cocotb.test()
async def registers_written_while_busy_do_not_disturb_the_run(dut):
    host = await Host.make(dut)
    layers = three_layers(host.rng)
    cycles = await host.load_and_run(layers, some_codes(host.rng, layers[0]))
    written = [(regs.LIST_ADDRESS, 0), *((regs.LIST_COUNT, count) for count in (1, 16, 0))]
    for register, value in some(host.rng, written, 1):
        await host.load(host.program)
        codes = some_codes(host.rng, layers[0])
        await host.begin(codes)
        await ClockCycles(dut.aclk, int(host.rng.integers(1, cycles // 2)))
        await host.write(register, value)
        await host.interrupt()
        status = await host.status()
        assert status["code"] == "NONE", (hex(register), value, status)
        await host.quiet()
        host.compare(layers, codes)
        await host.write(regs.STATUS, DONE)


@cocotb.test()
async def interrupt_follows_status_and_enable(dut):
    host = await Host.make(dut)
    layers = [conv(host.rng, (3, 3, 3), 3, (2, 2))]
    await host.load(compile_layers(layers, host.caps, BASE))
    await host.write(regs.IRQ_ENABLE, 0)
    codes = some_codes(host.rng, layers[0])
    await host.begin(codes)
    while (await host.status())["busy"]:
        assert not dut.irq.value
    assert (await host.status())["done"] and not dut.irq.value
    for enable in (1, 0, 1):
        await host.write(regs.IRQ_ENABLE, enable)
        assert dut.irq.value == enable
    await host.write(regs.STATUS, ERROR)  # clears another flag
    assert dut.irq.value
    await host.write(regs.STATUS, DONE)
    assert not dut.irq.value and not (await host.status())["done"]
    host.compare(layers, codes)
    await host.run(layers, codes)
    # the next start clears what was not
    await host.begin(codes)
    await host.interrupt()
    await host.write(regs.CTRL, START)
    assert not dut.irq.value
    await host.interrupt()
    await host.quiet()
    host.compare(layers, codes)


def bad_fields(program, caps):
    """(command, fields) that the engine must not run, one reason each."""
    conv0, blocks, raw = 0, 1, program.commands - 1
    ring = peek(program, conv0, "ring_words")
    window = caps.window_words + 1
    for index in (conv0, blocks, raw):
        for name in (
            "opcode planes passes kernel_rows stride words window_nibbles in_rows in_columns "
            "conv_rows conv_columns out_rows out_columns pool_size pool_stride tiles tile_words "
            "plane_words row_beats row_words ring_words ring_rows"
        ).split():
            yield index, {name: 0}
        yield index, {"opcode": 0xC0}
        yield index, {"index": (index + 1) % 256}
        yield index, {"planes": 9}
        yield index, {"stride": 5}
        yield index, {"kernel_rows": caps.kernel_rows + 1}
        yield index, {"exponent": peek(program, index, "passes")}
        yield index, {"pool_stride": 3}
        for side in ("pool_top", "pool_left"):
            yield index, {side: peek(program, index, "pool_size")}
        for walk, size, first in (
            ("walk_rows", "conv_rows", "pool_top"), ("walk_columns", "conv_columns", "pool_left"),
        ):  # fmt: skip
            yield index, {walk: peek(program, index, size) + peek(program, index, first) - 1}
        yield index, {"tile_words": caps.weight_words + 1}
        yield index, {"row_words": peek(program, index, "plane_words") - 1}
        yield index, {"ring_words": peek(program, index, "row_words") - 1}
        yield index, {"ring_words": window}
        for name in ("stride_words", "pass_step", "ring_start"):
            yield index, {name: peek(program, index, "ring_words")}
        yield index, {"ring_rows": peek(program, index, "in_rows") - 1}
        rows_kept = peek(program, index, "kernel_rows") + 2 * peek(program, index, "stride")
        yield index, {"reload": 1, "ring_rows": rows_kept - 1, "ring_words": ring}
        yield index, {"reload": 1, "ring_rows": 500, "conv_columns": caps.pixels - 1}
        for name in ("params_address", "in_address", "block_bytes", "out_address"):
            bit = 1 << index % 3  # whole words only
            yield index, {name: peek(program, index, name) ^ bit}
    yield conv0, {"thresholds": 0}
    yield conv0, {"out_planes": 0}
    yield conv0, {"out_planes": 9}
    yield conv0, {"out_columns": caps.pool_columns + 1, "walk_columns": 1023}
    yield conv0, {"row_beats": peek(program, conv0, "row_words") + 1}
    yield blocks, {"blocks": 0}
    yield blocks, {"pixel_bytes": 0}
    yield blocks, {"first_skip": caps.pe // 8}
    yield blocks, {"first_skip": peek(program, blocks, "block_used")}
    yield blocks, {"block_used": 0}
    yield blocks, {"block_used": caps.pe // 8 + 1}
    yield blocks, {"last_bytes": 0}
    yield blocks, {"last_bytes": peek(program, blocks, "block_used") + 1}
    yield raw, {"thresholds": 1}
    yield raw, {"pool_size": 2}


def unused_bits():
    """(beat, bit) of a command that mean nothing."""
    for beat in range(regs.COMMAND_BEATS):
        used = 0
        for where, lowest, width in regs.COMMAND.values():
            used |= (((1 << width) - 1) << lowest) if where == beat else 0
        yield from ((beat, bit) for bit in range(64) if not used >> bit & 1)


@cocotb.test()
async def bad_commands_are_refused_before_any_other_traffic(dut):
    host = await Host.make(dut)
    layers = three_layers(host.rng)
    program = compile_layers(layers, host.caps, BASE)
    await host.load(program)
    codes = some_codes(host.rng, layers[0])
    whole_list = range(program.base, program.base + 64 * program.commands)

    async def refused(index, what):
        await host.begin(codes)
        try:
            await host.ends_with("BAD_COMMAND", index)
        except AssertionError as problem:
            raise AssertionError(f"command {index} with {what}: {problem}") from None
        bursts = host.memory.bursts[host.first_burst :]
        assert all(b.kind == "read" and b.address in whole_list for b in bursts), (what, bursts)

    for index, fields in some(host.rng, bad_fields(program, host.caps), 20):
        old = {name: poke(host.memory, program, index, name, v) for name, v in fields.items()}
        await refused(index, fields)
        for name, value in old.items():
            poke(host.memory, program, index, name, value)
    for beat, bit in some(host.rng, unused_bits(), 20):
        index = int(host.rng.integers(program.commands))
        place = program.base + 64 * index + 8 * beat + bit // 8
        host.memory.data[place] ^= 1 << bit % 8
        await refused(index, f"bit {bit} of beat {beat}")
        host.memory.data[place] ^= 1 << bit % 8
    await host.run(layers, codes)


@cocotb.test()
async def bad_lists_are_refused_before_any_traffic(dut):
    host = await Host.make(dut)
    layers = three_layers(host.rng)
    await host.load(compile_layers(layers, host.caps, BASE))
    codes = some_codes(host.rng, layers[0])
    for register, values in (
        (regs.LIST_COUNT, (0, host.caps.commands + 1, 255)),
        (regs.LIST_ADDRESS, (BASE + 8, BASE + 32, BASE + 1)),
    ):
        good = await host.read(register)
        for value in values:
            await host.write(register, value)
            await host.begin(codes)
            await host.ends_with("BAD_LIST", 0)
            assert len(host.memory.bursts) == host.first_burst
        await host.write(register, good)
    await host.begin(codes, START | RESIDENT)
    await host.ends_with("NOT_RESIDENT", 0)
    assert len(host.memory.bursts) == host.first_burst
    await host.run(layers, codes)


@cocotb.test()
async def nothing_leaves_the_windows(dut):
    """Lists, maps and parameters outside of them end the run; the memory itself is the referee."""
    host = await Host.make(dut, stall=0.1)
    layers = three_layers(host.rng)
    program = compile_layers(layers, host.caps, BASE)
    await host.load(program)
    codes = some_codes(host.rng, layers[0])
    await host.write(regs.LIST_ADDRESS, 0)
    await host.begin(codes)
    await host.ends_with("READ_WINDOW", 0)
    await host.write(regs.LIST_ADDRESS, program.base)
    end = program.work + program.work_bytes
    outside = (
        (1, "params_address", 0, "READ_WINDOW"),
        (1, "params_address", 0xFFFF_FFF8, "READ_WINDOW"),
        (0, "in_address", program.base - 8, "READ_WINDOW"),
        (0, "in_address", (end + 127) // LINE * LINE - 8, "READ_WINDOW"),
        (2, "in_address", 0x8000_0000, "READ_WINDOW"),
        (3, "block_bytes", 0x4000_0000, "READ_WINDOW"),
        (0, "out_address", 0, "WRITE_WINDOW"),
        (0, "out_address", program.base, "WRITE_WINDOW"),
        (3, "out_address", (end + 127) // LINE * LINE, "WRITE_WINDOW"),
    )
    for index, name, value, code in some(host.rng, outside, 3):
        old = poke(host.memory, program, index, name, value)
        await host.begin(codes)
        try:
            await host.ends_with(code, index)
        except AssertionError as problem:
            raise AssertionError(f"{name} {value:#x} of command {index}: {problem}") from None
        poke(host.memory, program, index, name, old)
    await host.run(layers, codes)
    for register, value in ((regs.READ_LAST, program.base), (regs.WRITE_LAST, program.work)):
        await host.write(register, value)
        await host.begin(codes)
        await host.interrupt()
        status = await host.status()
        assert status["code"] in ("READ_WINDOW", "WRITE_WINDOW"), status
        await host.quiet()
        host.untouched()
        await host.load(program)
    await host.run(layers, codes)


def owners(program, layers, burst):
    """The commands that make this access."""
    first = list(itertools.accumulate((layer.groups for layer in layers), initial=0))
    if burst.kind == "write":
        (layer,) = [
            i for i, (place, out) in enumerate(zip(program.places, program.maps, strict=True))
            if place <= burst.address < place + out.size
        ]  # fmt: skip
        return range(first[layer], first[layer + 1])
    if burst.address < program.base + 64 * program.commands:
        return range(1)
    if burst.address < program.work:
        begins = [peek(program, i, "params_address") for i in range(program.commands)]
        return [max(i for i, begin in enumerate(begins) if begin <= burst.address)]
    places = [program.input_address, *program.places]
    layer = max(i for i, place in enumerate(places) if place <= burst.address)
    return range(first[layer], first[layer + 1])


@cocotb.test()
async def error_responses_end_the_run(dut):
    host = await Host.make(dut, stall=0.2, latency=(1, 30))
    layers = three_layers(host.rng)
    program = compile_layers(layers, host.caps, BASE)
    await host.load(program)
    codes = some_codes(host.rng, layers[0])
    await host.run(layers, codes)
    seen = sorted(set(host.memory.bursts[host.first_burst :]), key=lambda b: (b.kind, b.address))
    reads = [burst for burst in seen if burst.kind == "read"]
    writes = [burst for burst in seen if burst.kind == "write"]
    chosen = [reads[0], reads[-1], writes[0], writes[-1]]
    chosen += [reads[int(i)] for i in host.rng.integers(len(reads), size=10)]
    chosen += [writes[int(i)] for i in host.rng.integers(len(writes), size=5)]
    for number, burst in some(host.rng, enumerate(chosen), 5):
        host.memory.faults = {(burst.kind, burst.address // LINE): (SLVERR, DECERR)[number % 2]}
        codes = some_codes(host.rng, layers[0])
        await host.begin(codes)
        status = await host.ends_with(f"{burst.kind.upper()}_RESPONSE", None)
        # two parts of memory may share a line
        sharing = [b for b in seen if (b.kind, b.address // LINE) in host.memory.faults]
        allowed = {index for b in sharing for index in owners(program, layers, b)}
        assert status["index"] in allowed, (status, burst, allowed)
        host.memory.faults = {}
        if number % 4 == 0:
            await host.run(layers, codes)
    await host.run(layers, codes)


@cocotb.test()
@cocotb.parametrize(kind=["read", "write"], how=["dead", "deaf"])
async def memory_that_does_not_answer_times_out(dut, kind, how):
    host = await Host.make(dut)
    layers = three_layers(host.rng)
    codes = some_codes(host.rng, layers[0])
    cycles = await host.load_and_run(layers, codes)
    for moment in some(host.rng, (0, *host.rng.integers(1, cycles // 2, size=2)), 1):
        getattr(host.memory, how).add(kind)
        if moment:
            getattr(host.memory, how).clear()
        await host.begin(codes)
        await ClockCycles(dut.aclk, int(moment))
        getattr(host.memory, how).add(kind)
        await host.interrupt()
        status = await host.status()
        assert status["code"] == "TIMED_OUT" and status["error"], status
        assert status["index"] < host.program.commands
        bursts = len(host.memory.bursts)
        await host.write(regs.STATUS, ERROR)
        if status["busy"]:  # until the memory has answered all
            await host.write(regs.CTRL, START)
            assert (await host.status())["refused"]
            await ClockCycles(dut.aclk, TIMEOUT + 100)
            assert not dut.irq.value, "reported twice"
        getattr(host.memory, how).clear()
        await host.quiet()
        # no burst but one that was offered before
        assert len(host.memory.bursts) <= bursts + 2
        host.untouched()
        await host.write(regs.STATUS, REFUSED)
        await host.run(layers, some_codes(host.rng, layers[0]))


@cocotb.test()
async def abort_and_soft_reset_at_any_moment(dut):
    host = await Host.make(dut, stall=0.2, latency=(1, 30))
    layers = three_layers(host.rng)
    await host.load(compile_layers(layers, host.caps, BASE))
    cycles = await host.run(layers, some_codes(host.rng, layers[0]))
    moments = (0, 20, *host.rng.integers(1, cycles * 3 // 4, size=14))
    for number, moment in some(host.rng, enumerate(moments), 4):
        codes = some_codes(host.rng, layers[0])
        await host.begin(codes)
        await ClockCycles(dut.aclk, int(moment))
        if number % 2:
            await host.write(regs.CTRL, ABORT)
            status = await host.ends_with("ABORTED", None)
            assert status["index"] < host.program.commands and not status["resident"]
        else:
            await host.write(regs.CTRL, RESET)
            await host.quiet()
            assert await host.read(regs.STATUS) == 0
            assert not dut.irq.value
            host.untouched()
        if number % 3 == 0:
            await host.run(layers, codes)
    await host.run(layers, codes)
    # with nothing to end they do nothing
    for control in (ABORT, RESET):
        await host.write(regs.CTRL, control)
        status = await host.status()
        assert not status["busy"] and not status["error"], status
    await host.run(layers, codes)


@cocotb.test()
async def hard_reset_at_any_moment(dut):
    host = await Host.make(dut, stall=0.2, latency=(1, 30))
    layers = three_layers(host.rng)
    program = compile_layers(layers, host.caps, BASE)
    await host.load(program)
    cycles = await host.run(layers, some_codes(host.rng, layers[0]))
    for moment in some(host.rng, host.rng.integers(1, cycles * 3 // 4, size=5), 2):
        codes = some_codes(host.rng, layers[0])
        await host.begin(codes)
        await ClockCycles(dut.aclk, int(moment))
        dut.aresetn.value = 0
        await ClockCycles(dut.aclk, 3)
        dut.aresetn.value = 1
        await ClockCycles(dut.aclk, 2)
        await host.quiet()
        assert await host.read(regs.STATUS) == 0
        assert await host.read(regs.LIST_COUNT) == 0
        await host.load(program)
        await host.run(layers, codes)


@cocotb.test()
async def resident_runs_read_no_weights(dut):
    host = await Host.make(dut, stall=0.2)
    layers = [
        conv(host.rng, (5, 5, 6), 20, (3, 3)),
        conv(host.rng, (3, 3, 20), 7, (2, 2), "layer1", levels=None),
    ]
    program = compile_layers(layers, host.caps, BASE)
    await host.load(program)
    await host.run(layers, some_codes(host.rng, layers[0]))
    assert (await host.status())["resident"]
    parameters = range(program.base + 64 * program.commands, program.work)
    for _ in range(3):
        await host.run(layers, some_codes(host.rng, layers[0]), START | RESIDENT)
        bursts = host.memory.bursts[host.first_burst :]
        assert not any(burst.address in parameters for burst in bursts)
        assert (await host.status())["resident"]
    codes = some_codes(host.rng, layers[0])
    await host.begin(codes, START | RESIDENT)
    await ClockCycles(dut.aclk, 100)
    await host.write(regs.CTRL, ABORT)
    await host.ends_with("ABORTED", None)
    await host.begin(codes, START | RESIDENT)
    await host.ends_with("NOT_RESIDENT", 0)
    await host.run(layers, codes)
    # parameters that do not fit on chip
    large = [
        conv(host.rng, (6, 6, 64), 60, (5, 5), in_bits=1, coefficients=(1, 1, 2)),
        conv(host.rng, (2, 2, 60), 70, (2, 2), "layer1", in_bits=2),
    ]
    await host.load_and_run(large, some_codes(host.rng, large[0]))
    assert not (await host.status())["resident"]
    await host.begin(some_codes(host.rng, large[0]), START | RESIDENT)
    await host.ends_with("NOT_RESIDENT", 0)


@cocotb.test()
async def accounts_tell_where_the_cycles_went(dut):
    host = await Host.make(dut, latency=(5, 5))
    layers = three_layers(host.rng)
    cycles = await host.load_and_run(layers, some_codes(host.rng, layers[0]))
    program, total = host.program, 0
    for index in range(program.commands):
        account = [await host.read(regs.PERF + 32 * index + 4 * k) for k in range(8)]
        every, busy, *waits = account[:5]
        f = decode(program.image, index)
        together = host.caps.pixels // (1 + f["wide_sums"])
        groups = -(-f["conv_rows"] * f["conv_columns"] // together)
        rows = f["planes"] * f["passes"] * f["kernel_rows"] * f["words"]
        assert busy == f["tiles"] * groups * rows, account
        assert busy + sum(waits) <= every and account[5:] == [0, 0, 0], account
        total += every
    assert total < cycles


@cocotb.test()
async def any_command_ends_within_the_windows(dut):
    """Fields at random: whatever comes of it, an abort ends it, and the next run is right."""
    host = await Host.make(dut)
    layers = three_layers(host.rng)
    program = compile_layers(layers, host.caps, BASE)
    await host.load(program)
    codes = some_codes(host.rng, layers[0])
    ends = set()
    names = [name for name in regs.COMMAND if name not in ("opcode", "index")]
    for number in range(draws(60, 10)):
        await host.write(regs.STATUS, DONE | ERROR)
        image = program.image.ljust(program.work - program.base, b"\0")
        host.memory.data[program.base : program.work] = image
        pokes = []
        for _ in range(int(host.rng.integers(1, 4))):
            index, name = int(host.rng.integers(program.commands)), str(host.rng.choice(names))
            width = regs.COMMAND[name][2]
            value = peek(program, index, name) + int(host.rng.integers(-3, 4))
            if host.rng.random() < 0.3:
                value = int(host.rng.integers(2**width))
            pokes.append((index, name, value % 2**width))
            poke(host.memory, program, *pokes[-1])
        await host.begin(codes)
        for _ in range(50):
            await ClockCycles(dut.aclk, 100)
            if dut.irq.value:
                break
        else:
            await host.write(regs.CTRL, ABORT)
            await host.interrupt(1000)
        ends.add((await host.status())["code"])
        await host.quiet()
        end = -(-(program.work + program.work_bytes) // LINE) * LINE
        for part in (slice(program.work), slice(end, None)):
            assert bool(host.memory.data[part] == host.before[part]), pokes
        if number % 10 == 9:
            host.memory.data[program.base : program.work] = image
            await host.write(regs.STATUS, DONE | ERROR)
            await host.run(layers, codes)
    dut._log.info("they ended with %s", sorted(ends))
