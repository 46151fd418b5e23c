# SPDX-License-Identifier: BSD-3-Clause
"""Random layers in the small configuration: golden model, RTL and HLS kernel give the same values,
whatever the memory does; and whatever goes wrong under any memory ends with its code."""

import itertools

import numpy as np
import pytest
import random_layers
import random_networks

from qnn.engine import estimate, regs
from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import CommandList
from qnn.engine.control import ABORT
from qnn.engine.driver import Driver
from qnn.engine.lowering import folded
from qnn.engine.program import compile_layers
from qnn.engine.stages import laid_out
from qnn_sim import agreement
from qnn_sim.golden_network import run_layer
from qnn_sim.hls_csim import HlsEngine
from qnn_sim.platform import SimulatedBoard
from qnn_sim.rtl_engine import IDEAL, PUBLISHED, MemoryModel
from qnn_sim.run_options import draws, some

CONFIGURATION = "small"
MEMORY = 1 << 22
NETWORKS = 10  # of one seed
PICTURES = 5  # of one network, each with another memory
MOST_S = 0.01  # a million cycles: a run that ends badly has ended


def board(configuration: str = CONFIGURATION) -> SimulatedBoard:
    return SimulatedBoard(configuration, MEMORY)


@pytest.fixture(scope="module")
def caps() -> Capabilities:
    with Driver(board()) as driver:
        return driver.capabilities


def memories(rng) -> list[MemoryModel]:
    """The published one, the ideal one, and some with latencies and stalls of their own."""
    latency, period = int(rng.integers(1, 80)), int(rng.integers(2, 9))
    random = [
        MemoryModel(int(rng.integers(1, 80)), 0, bool(shared), True, int(rng.integers(2**31)))
        for shared in (0, 1)
    ]
    return [PUBLISHED, IDEAL, MemoryModel(latency, period), *random]


def pictures(rng, layers) -> list[np.ndarray]:
    """Random codes; often all zeros or all ones in places."""
    top, shape = 2 ** layers[0].in_bits - 1, layers[0].in_shape
    found = [rng.integers(0, top + 1, shape) for _ in range(PICTURES)]
    found[1][rng.random(shape) < 0.5] = top
    found[2][rng.random(shape) < 0.5] = 0
    return found


def golden(layers, codes) -> list[np.ndarray]:
    maps = []
    for layer in layers:
        codes = run_layer(layer, codes)
        maps.append(codes)
    return maps


def assert_equal(found, expected, who):
    for number, (a, b) in enumerate(zip(found, expected, strict=True)):
        np.testing.assert_array_equal(a, b, f"{who}, layer {number}")


def compare(rng, layers, program):
    platform = board()
    with Driver(platform) as driver, HlsEngine(CONFIGURATION, MEMORY) as kernel:
        driver.load(layers)
        kernel.load(program)
        for model, codes in zip(memories(rng), pictures(rng, layers), strict=True):
            expected = golden(layers, codes)
            platform.engine.model(model)
            assert_equal(driver.trace(codes), expected, f"RTL, {model}")
            assert platform.violations == 0 and platform.untouched()
            kernel.run(program, codes)
            assert_equal([kernel.get(program, i) for i in range(len(layers))], expected, "HLS")
    values = PICTURES * sum(layer.size for layer in expected)
    for who in ("rtl", "hls"):
        agreement.record(agreement.Count("random layers", who, CONFIGURATION, values, 0))


def test_three_implementations_agree(seed, caps):
    for case in range(seed, seed + draws(NETWORKS, 2)):
        rng = np.random.default_rng(case)
        layers, program = random_layers.network(rng, caps)
        try:
            compare(rng, layers, program)
        except Exception as error:
            raise AssertionError(f"repeat with SEED={case}: {error}") from error


@pytest.mark.parametrize("configuration", [CONFIGURATION, "one-port"])
def test_codes_of_many_bits(configuration, seed):
    """By multiplication where the accelerator has it, else by comparison: the same codes."""
    rng = np.random.default_rng(seed)
    layers = random_networks.many_bits(rng)
    platform = board(configuration)
    with Driver(platform) as driver:
        driver.load(layers)
        program = driver.layout.program
        multiplied = CommandList(program.image, program.commands).get("requantise")
        requantiser = driver.capabilities.requantiser
        assert sum(multiplied) >= 4 if requantiser else not any(multiplied)
        pairs = zip(memories(rng), pictures(rng, layers), strict=True)
        for model, codes in some(rng, pairs, 2):
            platform.engine.model(model)
            assert_equal(driver.trace(codes), golden(layers, codes), f"RTL, {model}")
            driver.run(codes, resident=False)
            assert platform.violations == 0 and platform.untouched()
        caps = driver.capabilities
    program = compile_layers(layers, caps, 4096)
    with HlsEngine(CONFIGURATION, MEMORY) as kernel:
        kernel.load(program)
        for codes in some(rng, pictures(rng, layers), 2):
            kernel.run(program, codes)
            found = [kernel.get(program, i) for i in range(len(layers))]
            assert_equal(found, golden(layers, codes), "HLS")


# Errors: each is put into one run of a loaded network. What is done before the start and what a
# number of cycles after it, by the code that the run must end with.


def line(rng, begin: int, size: int) -> int:
    """Address of a line of 128 bytes, one of those from `begin` on."""
    return begin + int(rng.integers(size)) // 128 * 128


def bad_list(rng, driver, board):
    """The next start says another number of commands than the driver meant."""
    bad, write = int(rng.choice([0, 255])), board.write

    def spoil(offset: int, value: int) -> None:
        if offset == regs.LIST_COUNT:
            board.write, value = write, bad
        write(offset, value)

    board.write = spoil


def bad_command(rng, driver, board):
    command = int(rng.integers(driver.layout.program.commands))
    board.engine.memory[driver.buffers[0].address + 64 * command] ^= 0xFF  # its opcode


def read_window(rng, driver, board):
    program = driver.layout.program
    parameters = CommandList(program.image, program.commands).get("params_address")
    last = int(rng.choice([128, *parameters])) - 1
    board.write(regs.READ_LAST, driver.buffers[0].address + last)


def write_window(rng, driver, board):
    write, layout = driver.buffers[1], driver.layout
    board.write(regs.WRITE_LAST, write.address + int(rng.choice(layout.maps[1:])) - 1)
    if rng.random() < 0.5:
        board.write(regs.WRITE_BASE, write.address + layout.write_bytes)


def read_response(rng, driver, board):
    (read, write), layout = driver.buffers, driver.layout
    places = [
        (read.address, layout.program.commands * 64),
        (read.address + layout.inputs[0], layout.program.tight.size),
        (write.address, layout.program.maps[0].size),
    ]
    board.engine.fail(bad_read=line(rng, *places[rng.integers(len(places))]))


def write_response(rng, driver, board):
    layout = driver.layout
    number = int(rng.integers(len(layout.maps)))
    begin = driver.buffers[1].address + layout.maps[number]
    board.engine.fail(bad_write=line(rng, begin, layout.program.maps[number].size))


BEFORE = {
    "BAD_LIST": bad_list,
    "BAD_COMMAND": bad_command,
    "READ_WINDOW": read_window,
    "WRITE_WINDOW": write_window,
    "READ_RESPONSE": read_response,
    "WRITE_RESPONSE": write_response,
    "TIMED_OUT": lambda rng, driver, board: board.write(regs.TIMEOUT, 1000),
}
LATER = {
    "TIMED_OUT": lambda board: board.engine.fail(dead=True),
    "ABORTED": lambda board: board.write(regs.CTRL, ABORT),
}


def small_network(rng, caps):
    """More than one command, soon done, and parameters that stay on chip."""
    while True:
        layers, _ = random_layers.network(rng, caps)
        program = laid_out(folded(layers, caps), caps).program  # as the driver has them
        commands = CommandList(program.image, program.commands)
        tiles, thresholds = commands.get("tiles"), commands.get("thresholds")
        weights = int((tiles * commands.get("tile_words")).sum())
        fits = weights <= caps.weight_words and (tiles * thresholds).sum() <= caps.threshold_words
        if len(layers) > 1 and fits and estimate.cycles(program, caps) < 6000:
            return layers


def end_badly(rng, driver, board, code, resident, cycles):
    """One run that must end with `code`; `cycles` are those of a good one."""
    driver.refresh()
    if code in BEFORE:
        BEFORE[code](rng, driver, board)
    driver.start(0, resident)
    if code in LATER:
        board.engine.clocks(int(rng.integers(cycles // 2)))
        LATER[code](board)
    board.wait(MOST_S)
    status = driver.status()
    assert (status.error, status.done, status.code) == (True, False, code)
    board.engine.fail()
    driver.quiet()


@pytest.mark.parametrize("configuration", [CONFIGURATION, "one-port"])
def test_every_error_with_every_memory(configuration, seed):
    rng = np.random.default_rng(seed)
    platform = board(configuration)
    with Driver(platform) as driver:
        layers = small_network(rng, driver.capabilities)
        codes = pictures(rng, layers)[0]
        expected = golden(layers, codes)
        driver.load(layers)
        for model in some(rng, memories(rng)[1:4], 1):  # an ideal, a paced, and a random one
            platform.engine.model(model)
            for code, resident in itertools.product({**BEFORE, **LATER}, (False, True)):
                cycles = driver.run(codes).cycles
                maps = [driver.map(number) for number in range(len(layers))]
                assert_equal(maps, expected, f"before {code}, {model}")
                if resident:
                    cycles = driver.run(codes, resident=True).cycles
                end_badly(rng, driver, platform, code, resident, cycles)
                assert platform.violations == 0 and platform.untouched()
            end_badly(rng, driver, platform, "NOT_RESIDENT", True, 0)
        assert_equal(driver.trace(codes), expected, "at the end")
