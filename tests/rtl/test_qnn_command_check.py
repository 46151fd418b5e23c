# SPDX-License-Identifier: BSD-3-Clause
"""qnn_command_check tells good commands from bad ones, on commands of random layers and beside."""

import itertools
from dataclasses import replace

import cocotb
import numpy as np
import pytest
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from command_rules import USED, fields_of, reasons, with_fields
from random_networks import random_conv, random_word_conv

from qnn.engine import regs
from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import COMMAND_BYTES
from qnn.engine.program import compile_layers
from qnn.errors import DoesNotFitError
from qnn.network import MaxPool
from qnn_sim.run_options import draws

PE, PIXELS = 16, 4
CAPS = Capabilities(
    pe=PE, pixels=PIXELS, weight_words=256, threshold_words=128, window_words=512, pool_columns=32
)


@pytest.mark.parametrize("requantiser", [0, 1])
def test_qnn_command_check(requantiser):
    from qnn_sim.bench_runner import run_bench

    run_bench(
        __file__, Pe=PE, Pixels=PIXELS, WeightWords=256, ThresholdWords=128, WindowWords=512,
        PoolColumns=32, Requantiser=requantiser,
    )  # fmt: skip


def caps_of(dut):
    """What the module was made for."""
    return replace(CAPS, requantiser=int(dut.Requantiser.value))


def good_commands(rng, caps):
    """Commands of random layers, as the software makes them; some begin with 16-bit words."""
    while True:
        rows, columns, channels = (int(v) for v in rng.integers(3, 14, 3))
        levels = None if rng.random() < 0.3 else int(rng.choice([3, 127]))
        largest = min(rows - 1, columns - 1, 3)  # of the map that the pool reads
        pool = None
        if levels and rng.random() < 0.5:
            pool = MaxPool(int(rng.integers(2, largest + 1)), 1)
        try:
            shape, words = (rows, columns, channels), rng.random() < 0.4
            between = int(rng.choice([5, 20]))  # of a block in part; of more than one
            levels_of_pairs = {"levels": 6, "pairs": True}
            layers = [
                random_word_conv(rng, shape, between, (1, 1), **levels_of_pairs)
                if words
                else random_conv(rng, shape, between, (1, 1)),
                random_conv(
                    rng, (rows, columns, between), 18, (2, 2), name="layer1", levels=levels,
                    pool=pool, stride=int(rng.integers(1, 5)) if pool is None else 1,
                    coefficients=((1,), (4, 2, 1, 1))[int(rng.integers(2))], even=levels == 127,
                ),
            ]  # fmt: skip
            program = compile_layers(layers, caps)
        except DoesNotFitError:
            continue
        for index in range(program.commands):
            yield (
                int.from_bytes(program.image[COMMAND_BYTES * index :][:COMMAND_BYTES], "little"),
                index,
            )


async def judge(dut, command, index):
    """Whether the module refuses it."""
    dut.command_i.value, dut.index_i.value = command, index
    await RisingEdge(dut.clk_i)
    await RisingEdge(dut.clk_i)
    return bool(dut.bad_o.value)


def changed(rng, command):
    """One field with another value: at random, near what it was, or at an end."""
    name = str(rng.choice(list(regs.COMMAND)))
    fields, top = fields_of(command), (1 << regs.COMMAND[name][2]) - 1
    others = [*fields.values(), 0, 1, 3, top, int(rng.integers(top + 1))]
    near = int(rng.choice([fields[name], int(rng.choice([v & 0x7FFFFFFF for v in others]))]))
    return with_fields(command, **{name: (near + int(rng.integers(-1, 2))) & top})


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def sums_of_fields_do_not_wrap(dut):
    Clock(dut.clk_i, 2, unit="ns").start()
    caps = caps_of(dut)
    for command, index in itertools.islice(good_commands(np.random.default_rng(1), caps), 8):
        pool = {"pool_size": 3, "pool_top": 2, "pool_left": 2, "raw": 0, "thresholds": 3}
        pool |= {
            "requantise": 0,
            "out_planes": 2,
            "out_columns": 3,
            "walk_rows": 900,
            "walk_columns": 900,
        }
        for fields in (
            {"conv_rows": 1023, "walk_rows": 1},
            {"conv_columns": 1022, "walk_columns": 0},
        ):
            changed = with_fields(command, **pool | fields)
            assert reasons(changed, index, caps)
            assert await judge(dut, changed, index), fields


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def tells_good_from_bad(dut):
    Clock(dut.clk_i, 2, unit="ns").start()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    caps = caps_of(dut)
    source, seen, multiplied = good_commands(rng, caps), {}, 0
    for number in range(draws(4000, 1000)):
        if number % 20 == 0:
            good, index = next(source)
            assert not reasons(good, index, caps), reasons(good, index, caps)
            multiplied += fields_of(good)["requantise"]
            assert not await judge(dut, good, index), fields_of(good)
            assert await judge(dut, good, index ^ 1)
        command = changed(rng, good)
        if number % 4 == 0:
            command = changed(rng, command)
        if number % 50 == 1:
            command ^= 1 << int(rng.choice([bit for bit in range(512) if not USED >> bit & 1]))
        found = reasons(command, index, caps)
        assert await judge(dut, command, index) == bool(found), (found, fields_of(command))
        for name in found:
            seen[name] = seen.get(name, 0) + 1
        seen[None] = seen.get(None, 0) + (not found)
    dut._log.info("refused for %s", seen)
    assert seen[None] > draws(500, 100) and len(seen) > 25, seen
    assert bool(multiplied) == bool(caps.requantiser)
