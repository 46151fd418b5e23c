# SPDX-License-Identifier: BSD-3-Clause
"""Random layers in the small configuration: golden model, RTL and HLS kernel give the same values,
whatever the memory does; and whatever goes wrong under any memory ends with its code."""

import itertools

import bad_ends
import numpy as np
import pytest
import random_layers
import random_networks

from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import CommandList
from qnn.engine.driver import Driver
from qnn.engine.program import compile_layers
from qnn_sim import agreement
from qnn_sim.golden_network import trace
from qnn_sim.hls_csim import HlsEngine
from qnn_sim.platform import SimulatedBoard
from qnn_sim.run_options import draws, some

CONFIGURATION = "small"
MEMORY = 1 << 22
NETWORKS = 10  # of one seed


def board(configuration: str = CONFIGURATION) -> SimulatedBoard:
    return SimulatedBoard(configuration, MEMORY)


@pytest.fixture(scope="module")
def caps() -> Capabilities:
    with Driver(board()) as driver:
        return driver.capabilities


def assert_equal(found, expected, who):
    for number, (a, b) in enumerate(zip(found, expected, strict=True)):
        np.testing.assert_array_equal(a, b, f"{who}, layer {number}")


def compare(rng, layers, program):
    platform = board()
    with Driver(platform) as driver, HlsEngine(CONFIGURATION, MEMORY) as kernel:
        driver.load(layers)
        kernel.load(program)
        for model, codes in zip(
            random_layers.memories(rng), random_layers.pictures(rng, layers), strict=True
        ):
            expected = list(trace(layers, codes))
            platform.engine.model(model)
            assert_equal(driver.trace(codes), expected, f"RTL, {model}")
            assert platform.violations == 0 and platform.untouched()
            kernel.run(program, codes)
            assert_equal([kernel.get(program, i) for i in range(len(layers))], expected, "HLS")
    values = random_layers.PICTURES * sum(layer.size for layer in expected)
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
        pairs = zip(random_layers.memories(rng), random_layers.pictures(rng, layers), strict=True)
        for model, codes in some(rng, pairs, 2):
            platform.engine.model(model)
            assert_equal(driver.trace(codes), list(trace(layers, codes)), f"RTL, {model}")
            driver.run(codes, resident=False)
            assert platform.violations == 0 and platform.untouched()
        caps = driver.capabilities
    program = compile_layers(layers, caps, 4096)
    with HlsEngine(CONFIGURATION, MEMORY) as kernel:
        kernel.load(program)
        for codes in some(rng, random_layers.pictures(rng, layers), 2):
            kernel.run(program, codes)
            found = [kernel.get(program, i) for i in range(len(layers))]
            assert_equal(found, list(trace(layers, codes)), "HLS")


@pytest.mark.parametrize("configuration", [CONFIGURATION, "one-port"])
def test_every_error_with_every_memory(configuration, seed):
    rng = np.random.default_rng(seed)
    platform = board(configuration)
    with Driver(platform) as driver:
        layers = bad_ends.small_network(rng, driver.capabilities)
        codes = random_layers.pictures(rng, layers)[0]
        expected = list(trace(layers, codes))
        driver.load(layers)
        for model in some(
            rng, random_layers.memories(rng)[1:4], 1
        ):  # an ideal, a paced, and a random one
            platform.engine.model(model)
            for code, resident in itertools.product(bad_ends.CODES, (False, True)):
                cycles = driver.run(codes).cycles
                maps = [driver.map(number) for number in range(len(layers))]
                assert_equal(maps, expected, f"before {code}, {model}")
                if resident:
                    cycles = driver.run(codes, resident=True).cycles
                bad_ends.end_badly(rng, driver, platform, code, resident, cycles)
                assert platform.violations == 0 and platform.untouched()
            bad_ends.end_badly(rng, driver, platform, "NOT_RESIDENT", True, 0)
        assert_equal(driver.trace(codes), expected, "at the end")
