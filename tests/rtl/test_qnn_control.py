# SPDX-License-Identifier: BSD-3-Clause
"""qnn_control runs a list command by command, ends a run once, and tells why and where.

The bench stands for the bus, the weight loader and the datapath.
"""

import itertools

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ClockCycles, RisingEdge
from command_rules import reasons, with_fields
from random_networks import random_conv

from qnn.engine import regs
from qnn.engine.capabilities import Capabilities
from qnn.engine.program import compile_layers
from qnn_sim.run_options import some
from qnn_sim.streams import Driven, generator, pack, start, unpack

COMMANDS, PE, PIXELS = 64, 16, 2
FEW = 8  # commands
FAR = (21, 42)  # indices: each bit of one is the opposite of that of the other
CAPS = Capabilities(pe=PE, pixels=PIXELS, weight_words=256, threshold_words=128, window_words=512)
CODES = {name: number for number, (name, _) in enumerate(regs.ERRORS)}
TIMEOUT = 1000  # cycles; to check a list takes 8 for each command


# With one port `make test` runs whole engines into every error: tests/rtl/test_random_layers.py.
@pytest.mark.parametrize("ports", [pytest.param(1, marks=pytest.mark.nightly), 2])
def test_qnn_control(ports):
    from qnn_sim.bench_runner import run_bench

    run_bench(
        __file__, Commands=COMMANDS, Pe=PE, Pixels=PIXELS, WeightWords=256, ThresholdWords=128,
        WindowWords=512, Ports=ports,
    )  # fmt: skip


def command_list(rng, count):
    """Commands that the check lets pass."""
    layers = [
        random_conv(rng, (4, 4, int(rng.integers(1, 20)) if not i else 8), 8, (1, 1), name=f"l{i}")
        for i in range(count)
    ]
    image = compile_layers(layers, CAPS).image
    return [int.from_bytes(image[64 * i : 64 * i + 64], "little") for i in range(count)]


class Bench:
    def __init__(self, dut):
        self.dut, self.random = dut, generator("around")
        self.commands, self.started, self.ends, self.counts = [], [], [], []
        self.hang = self.stuck = self.working = self.taken = False
        self.address = 64 * self.random.randrange((1 << 26) - (1 << 10))  # of the list

    async def begin(self):
        cocotb.start_soon(self.bus())
        cocotb.start_soon(self.datapath())
        cocotb.start_soon(self.taken_no_more())
        cocotb.start_soon(self.watch())
        names = "start start_resident abort reset req_ready data_valid bus_busy drained begun"
        names += " settled written progress count_busy count_weights count_input count_output"
        names += " weights_command weights_loading weights_resident perf_address error_read_window"
        names += " error_read_response error_of_weights error_write_window error_write_response"
        names += " next_taken"
        zeros = {f"{name}_i": 0 for name in names.split()}
        await start(
            self.dut, timeout_i=TIMEOUT, list_address_i=self.address, list_count_i=0, **zeros
        )  # fmt: skip

    async def bus(self):
        """Gives the words of the list; progress is that, or work in the datapath."""
        dut, words, ready = self.dut, [], False
        names = ("req_ready", "data_valid", "bus_busy", "progress")
        ports = [Driven(getattr(dut, f"{name}_i")) for name in names]
        while True:
            await RisingEdge(dut.clk_i)
            if dut.rst_i.value:
                continue
            if ready and dut.req_valid_o.value and not dut.stop_o.value:
                address, beats = int(dut.req_address_o.value), int(dut.req_beats_o.value)
                place = (address - self.address) // 8
                assert 1 <= beats <= 16 and place + beats <= 8 * len(self.commands)
                for word in range(place, place + beats):
                    words.append(self.commands[word // 8] >> 64 * (word % 8) & (2**64 - 1))
            ready = self.random.random() < 0.6
            comes = bool(words) and not self.hang and self.random.random() < 0.6
            for out, value in zip(
                ports, (ready, comes, bool(words), comes or self.working), strict=True
            ):
                out.drive(int(value))
            dut.data_i.value = words.pop(0) if comes else self.random.getrandbits(64)

    async def datapath(self):
        """Is busy for a while with each command, then writes for a while, then waits for answers,
        as the next command works; takes the one behind that when they have come."""
        dut, left, writing, begun = self.dut, 0, 0, False
        answers = earlier = 0  # to wait for, and of these of the command before
        names = ("busy", "weights", "input", "output")
        counts = [Driven(getattr(dut, f"count_{name}_i")) for name in names]
        drained, begun_bursts, settled, written = (
            Driven(getattr(dut, f"{name}_i")) for name in ("drained", "begun", "settled", "written")
        )
        while True:
            await RisingEdge(dut.clk_i)
            if begun:
                assert int(dut.command_o.value) == self.started[-1]
            begun = False
            if dut.rst_i.value or dut.clear_o.value:
                left = writing = answers = earlier = 0
                self.taken = self.stuck = False
            elif dut.command_start_o.value:
                assert self.taken, "started before its map is on the way"
                assert not (left or writing or earlier), "started too early"
                self.started.append(int(dut.next_o.value))
                begun = True
                self.taken = False
                self.counts.append([0, 0, 0, 0])
                left, writing = self.random.randrange(1, 60), self.random.randrange(1, 20)
                answers, earlier = self.random.randrange(1, 40), answers
            elif left:
                left -= not self.stuck
            elif writing and dut.flush_o.value:
                writing -= 1
            if earlier:
                earlier -= 1
            elif not (left or writing):
                answers -= bool(answers)
            if self.taken and not dut.stop_o.value:
                assert dut.next_valid_o.value
            elif dut.next_valid_o.value and not earlier and self.random.random() < 0.1:
                self.taken = True
                assert int(dut.next_o.value) == self.commands[len(self.started)]
            dut.next_taken_i.value = int(self.taken)
            self.working = bool(left or writing or answers) and not self.stuck
            flags = [0, 0, 0, 0]
            if left:
                flags[self.random.randrange(4)] = 1
                self.counts[-1] = [a + b for a, b in zip(self.counts[-1], flags, strict=True)]
            for out, flag in zip(counts, flags, strict=True):
                out.drive(flag)
            drained.drive(int(not left))
            settled.drive(int(not earlier))
            begun_bursts.drive(int(not (left or writing)))
            written.drive(int(not (left or writing or answers)))

    async def taken_no_more(self):
        """The next one begins: from the same cycle on it is taken no more."""
        while True:
            await RisingEdge(self.dut.command_start_o)
            self.dut.next_taken_i.value = 0

    async def watch(self):
        while True:
            await RisingEdge(self.dut.clk_i)
            if not self.dut.rst_i.value and self.dut.ended_o.value:
                names = ("code", "index", "silent")
                seen = tuple(int(getattr(self.dut, f"ended_{name}_o").value) for name in names)
                self.ends.append(seen)

    async def start(self, commands, resident=0):
        dut = self.dut
        self.commands = commands
        self.started.clear()
        self.counts.clear()
        self.ends.clear()
        dut.list_count_i.value, dut.start_resident_i.value = len(commands), resident
        await self.pulse("start_i")

    async def pulse(self, *names):
        for name in names:
            getattr(self.dut, name).value = 1
        await RisingEdge(self.dut.clk_i)
        for name in names:
            getattr(self.dut, name).value = 0

    async def idle(self, most_cycles=20_000):
        for _ in range(most_cycles):
            await RisingEdge(self.dut.clk_i)
            if not self.dut.busy_o.value:
                break
        assert not self.dut.busy_o.value
        await ClockCycles(self.dut.clk_i, 5)

    async def good_run(self, commands, resident=0):
        await self.start(commands, resident)
        await self.idle()
        assert self.ends == [(0, 0, 0)], self.ends
        assert self.started == commands
        # the accounts
        for index, counts in enumerate(self.counts):
            account = []
            for word in range(8):
                self.dut.perf_address_i.value = 8 * index + word
                await ClockCycles(self.dut.clk_i, 2)
                account.append(int(self.dut.perf_o.value))
            assert account[1:] == [*counts, 0, 0, 0], account
            assert account[0] > sum(counts)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def commands_run_in_order(dut):
    bench = Bench(dut)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for count in (1, 2, 5, COMMANDS):
        await bench.good_run(command_list(rng, count))


def scattered(rng, commands):
    """The commands with most bits at random, as far as they may be; nothing could run them."""
    found = []
    for index, command in enumerate(commands):
        changed = with_fields(command, walk_rows=1023, walk_columns=1023, ring_rows=1023)
        for bit in rng.permutation(512).tolist() * 2:
            other = changed ^ 1 << bit
            if rng.random() < 0.5 and not reasons(other, index, CAPS):
                changed = other
        found.append(changed)
    return found


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def each_bit_of_a_command_goes_out(dut):
    bench = Bench(dut)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    ones = zeros = 0
    for _ in range(3):
        commands = scattered(rng, command_list(rng, FEW))
        await bench.good_run(commands)
        for command in commands:
            ones, zeros = ones | command, zeros | ~command
    # all but those of the opcode, and what limits keep at 0
    assert (ones & zeros & (1 << 512) - 1).bit_count() > 400


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_bad_command_anywhere_keeps_all_from_running(dut):
    bench = Bench(dut)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for bad in (*range(FEW), *FAR):
        commands = command_list(rng, COMMANDS)
        await bench.start([c ^ (i == bad) for i, c in enumerate(commands)])
        await bench.idle()
        assert bench.ends == [(CODES["BAD_COMMAND"], bad, 0)] and not bench.started
    await bench.good_run(commands)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def every_cause_ends_a_run_at_any_moment(dut):
    bench = Bench(dut)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    causes = {
        ("error_read_window_i",): "READ_WINDOW", ("error_read_response_i",): "READ_RESPONSE",
        ("error_write_window_i",): "WRITE_WINDOW", ("error_write_response_i",): "WRITE_RESPONSE",
        ("abort_i",): "ABORTED", ("reset_i",): None,
        ("error_read_window_i", "error_of_weights_i"): "READ_WINDOW",
        ("error_read_response_i", "error_of_weights_i"): "READ_RESPONSE",
    }  # fmt: skip
    commands = command_list(rng, 4)
    dut.weights_command_i.value, dut.weights_loading_i.value = 3, 2
    for number in some(rng, range(64), 12):
        names, code = list(causes.items())[number % len(causes)]
        await bench.start(commands)
        await ClockCycles(dut.clk_i, int(rng.integers(1, 250)))
        if not dut.busy_o.value or dut.stop_o.value:
            await bench.idle()
            continue
        running, taken = len(bench.started), bench.taken
        settled = bool(dut.settled_i.value)
        await bench.pulse(*names)
        if names[0] in ("abort_i", "reset_i"):  # act a cycle later
            await RisingEdge(dut.clk_i)
        stays = taken == bench.taken  # what follows the end of the run takes it back
        await RisingEdge(dut.clk_i)
        assert dut.stop_o.value, "bursts may still begin"
        await bench.idle()
        assert len(bench.ends) == 1, bench.ends
        got_code, index, silent = bench.ends[0]
        if code is None:
            assert silent
        else:
            assert (got_code, silent) == (CODES[code], 0), (names, bench.ends)
            if "error_of_weights_i" in names:
                assert index == (3 if code == "READ_WINDOW" else 2)
            elif running and running == len(bench.started) and stays:
                # a read is of the map of the next command, once that is taken
                reads = names[0].startswith("error_read")
                answers = names[0] == "error_write_response_i"
                expected = running if taken and reads else running - 1
                expected -= answers and not settled  # to what the command before wrote
                assert index == expected, (names, index)
            elif running:  # between two commands it may be either, of answers the one before
                least = running - 1 - (names[0] == "error_write_response_i")
                assert least <= index <= running, (index, running)
        assert not dut.resident_o.value
    await bench.good_run(commands)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_run_ends_at_any_command_of_a_long_list(dut):
    """By each cause that is of the command at work, where nothing moves any more."""
    bench = Bench(dut)
    await bench.begin()
    commands = command_list(np.random.default_rng(cocotb.RANDOM_SEED), COMMANDS)
    causes = {
        "WRITE_WINDOW": "error_write_window_i", "WRITE_RESPONSE": "error_write_response_i",
        "ABORTED": "abort_i", "TIMED_OUT": None,
    }  # fmt: skip
    for (code, name), at in itertools.product(causes.items(), FAR):
        await bench.start(commands)
        while len(bench.started) <= at:
            await RisingEdge(dut.clk_i)
        bench.stuck = True
        while not dut.settled_i.value:
            await RisingEdge(dut.clk_i)
        await ClockCycles(dut.clk_i, 2)
        if name:
            await bench.pulse(name)
        await bench.idle()
        assert bench.ends == [(CODES[code], at, 0)], (code, at, bench.ends)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def answers_name_the_command_that_wrote(dut):
    """Whose words they are for, and not the one at work, which may be the next already."""
    bench = Bench(dut)
    await bench.begin()
    commands = command_list(np.random.default_rng(cocotb.RANDOM_SEED), FEW)
    seen = 0
    for at in range(1, FEW):
        for name, before in (("error_write_response_i", 1), ("error_write_window_i", 0)):
            await bench.start(commands)
            # all answers may be there when a command starts: then it is one after it
            while len(bench.started) <= at or (dut.settled_i.value and dut.busy_o.value):
                await RisingEdge(dut.clk_i)
            if not dut.busy_o.value:
                continue
            index = len(bench.started) - 1 - before
            seen += 1
            await bench.pulse(name)
            await bench.idle()
            code = name.removeprefix("error_").removesuffix("_i").upper()
            assert bench.ends == [(CODES[code], index, 0)], (at, name, bench.ends)
    assert seen


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def errors_of_weights_name_the_command_of_their_port(dut):
    """Of all sets of ports that say error, and that say it is of their weights."""
    bench, ports = Bench(dut), int(dut.Ports.value)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    commands, sets = command_list(rng, 2), range(1 << ports)
    for window, response, weights in itertools.product(sets, repeat=3):
        if not (window or response):
            continue
        asked, loading = ([int(v) for v in rng.integers(8, 256, ports)] for _ in range(2))
        dut.weights_command_i.value, dut.weights_loading_i.value = pack(asked, 8), pack(loading, 8)
        await bench.start(commands)
        await ClockCycles(dut.clk_i, int(rng.integers(1, 40)))
        inputs = (
            (dut.error_read_window_i, window), (dut.error_read_response_i, response),
            (dut.error_of_weights_i, weights),
        )  # fmt: skip
        for port, value in inputs:
            port.value = value
        await RisingEdge(dut.clk_i)
        for port, _ in inputs:
            port.value = 0
        await bench.idle()
        guilty = [p for p in range(ports) if (window or response) & weights & 1 << p]
        index = (asked if window else loading)[guilty[-1]] if guilty else None
        code = CODES["READ_WINDOW" if window else "READ_RESPONSE"]
        case = window, response, weights, bench.ends
        assert [end[::2] for end in bench.ends] == [(code, 0)], case
        if guilty:
            assert bench.ends[0][1] == index, case
        else:
            assert bench.ends[0][1] < len(commands), case


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def each_port_has_beat_1_of_the_command_it_asks_for(dut):
    bench, ports = Bench(dut), int(dut.Ports.value)
    await bench.begin()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    commands = command_list(rng, COMMANDS)
    await bench.good_run(commands)
    for _ in range(40):
        asked = [int(v) for v in rng.integers(COMMANDS, size=ports)]
        dut.weights_command_i.value = pack(asked, 8)
        await ClockCycles(dut.clk_i, 2)
        beats = [commands[index] >> 64 & (2**64 - 1) for index in asked]
        assert unpack(int(dut.weights_beat_o.value), 64, ports) == beats


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def silence_of_the_bus_ends_a_run_once(dut):
    bench = Bench(dut)
    await bench.begin()
    commands = command_list(np.random.default_rng(cocotb.RANDOM_SEED), 3)
    await bench.start(commands)
    bench.hang = True
    await ClockCycles(dut.clk_i, 4 * TIMEOUT)
    assert bench.ends == [(CODES["TIMED_OUT"], 0, 0)]
    if dut.bus_busy_i.value:
        assert dut.busy_o.value and dut.stop_o.value, "the bus is not quiet yet"
    bench.hang = False
    await bench.idle()
    assert len(bench.ends) == 1, "reported twice"
    await bench.good_run(commands)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def resident_runs_need_a_run_before(dut):
    bench = Bench(dut)
    await bench.begin()
    commands = command_list(np.random.default_rng(cocotb.RANDOM_SEED), 2)
    for resident in (0, 1):
        dut.weights_resident_i.value = resident
        await bench.good_run(commands)
        assert dut.resident_o.value == resident
        if resident:
            await bench.good_run(commands, resident=1)
            assert dut.resident_run_o.value and dut.resident_o.value
            await bench.pulse("reset_i")
            await RisingEdge(dut.clk_i)
            assert not dut.resident_o.value
        await bench.start(commands, resident=1)
        await bench.idle()
        assert bench.ends == [(CODES["NOT_RESIDENT"], 0, 0)] and not bench.started
    for count, beyond in ((0, 0), (COMMANDS + 1, 0), (2, 32)):
        dut.list_address_i.value = bench.address + beyond
        await bench.start([0] * count)
        await bench.idle()
        assert bench.ends == [(CODES["BAD_LIST"], 0, 0)] and not bench.started
