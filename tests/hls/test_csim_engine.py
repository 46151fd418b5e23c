# SPDX-License-Identifier: BSD-3-Clause
"""The multi-layer HLS kernel, compiled by g++: networks and random layers equal golden."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import random_networks
from largest_layers import LARGEST, largest
from random_networks import coefficients_of

from qnn.engine.command_list import COMMAND_BYTES, decode, encode
from qnn.engine.program import compile_layers
from qnn.errors import DoesNotFitError, QnnError
from qnn.network import Conv, MaxPool
from qnn.store import library
from qnn_sim import hls_csim, rtl_cases, run_options
from qnn_sim.golden_network import trace

GUARD = 0xA5
LAYERS = run_options.layers(300)  # random ones, of all foldings together
WIDE = pytest.param("wide", marks=pytest.mark.nightly)
FOLDINGS = ("pynq-z1", "small", WIDE)


def run(layers, codes, configuration):
    """Each layer's output, by the kernel; nothing but the maps is written."""
    with hls_csim.HlsEngine(configuration, 1 << 21) as engine:
        program = compile_layers(layers, engine.capabilities, 4096)
        engine.memory[:] = GUARD
        engine.load(program)
        engine.run(program, codes)
        image = engine.memory[program.base : program.base + len(program.image)]
        assert image.tobytes() == program.image
        assert (engine.memory[: program.base] == GUARD).all()
        assert (engine.memory[program.work + program.work_bytes :] == GUARD).all()
        return [engine.get(program, i) for i in range(len(layers))]


def assert_golden(layers, codes, configuration):
    assert_equal(layers, run(layers, codes, configuration), codes)


def assert_equal(layers, found, codes):
    for layer, out, golden in zip(layers, found, trace(layers, codes), strict=True):
        np.testing.assert_array_equal(out, golden, layer.name)


def random_networks_equal_golden(seed, configuration, layers):
    done = 0
    for case in range(seed, seed + layers):
        rng = np.random.default_rng(case)
        network = random_networks.random_layers(rng)
        codes = rng.integers(0, 2 ** network[0].in_bits, network[0].in_shape)
        if case % 9 == 0:
            codes[:] = 2 ** network[0].in_bits - 1
        try:
            assert_golden(network, codes, configuration)
        except DoesNotFitError:
            continue
        except AssertionError as error:
            raise AssertionError(f"repeat with SEED={case}") from error
        done += len(network)
        if done >= layers:
            break
    assert done >= layers
    print(f"{configuration}: {done} random layers equal the golden model")


@pytest.mark.parametrize("configuration", FOLDINGS)
def test_random_layers_equal_golden(configuration, seed):
    layers = run_options.draws(LAYERS // len(FOLDINGS), 20)
    random_networks_equal_golden(seed, configuration, layers)


@pytest.mark.parametrize("kind", ["wide sums", "parts of blocks"])
def test_other_networks_equal_golden(kind, seed):
    for case in range(seed, seed + run_options.draws(20, 4)):
        layers, values = random_networks.CASES[kind](np.random.default_rng(case))
        assert_golden(layers, values, "pynq-z1")


@pytest.mark.skipif(run_options.sanitize(), reason="it runs already with sanitizers")
@pytest.mark.nightly
def test_under_sanitizers(seed):
    environment = {**os.environ, **hls_csim.sanitizer_environment(), "SEED": str(seed)}
    program = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "import test_csim_engine, test_csim_kernels\n"
        f"test_csim_engine.random_networks_equal_golden({seed}, 'narrow', 12)\n"
        f"if {not run_options.short()}:  # of no seed\n"
        "    test_csim_engine.all_corners('narrow')\n"
        "for kernel in ('popcount', 'threshold', 'max_pool', 'pack'):\n"
        f"    test_csim_kernels.frames_equal_golden(kernel, 'narrow', {seed}, 3)\n"
    )
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", program, str(here), str(here.parent)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def layer(rng, in_shape, outputs, kernel, **options):
    return random_networks.random_conv(rng, in_shape, outputs, kernel, **options)


def corner_layers(rng):
    """Name -> layer and codes that are hard in some way."""
    every = {
        "1x1 map": layer(rng, (1, 1, 5), 3, (1, 1)),
        "kernel of 7 rows": layer(rng, (9, 8, 3), 18, (7, 7), padding=(3, 3, 3, 3)),
        "kernel of 7 rows, stride 2": layer(rng, (9, 8, 3), 4, (7, 2), stride=2),
        "kernel larger than the map": layer(rng, (2, 2, 4), 5, (5, 5), padding=(2, 2, 2, 2)),
        "only padding in windows": layer(rng, (2, 3, 4), 5, (1, 1), padding=(3, 3, 3, 3)),
        "one channel more than Pe": layer(rng, (5, 5, 4), 65, (3, 3)),
        "channels that fill no word": layer(rng, (5, 7, 67), 9, (3, 3)),
        "one column": layer(rng, (12, 1, 8), 16, (3, 1), pool=MaxPool(3, 1, (1, 1, 1, 1))),
        "one row": layer(rng, (1, 13, 8), 16, (1, 3), pool=MaxPool(2, 2, (1, 0, 0, 1))),
        "pool 3/2 padded": layer(rng, (7, 9, 5), 17, (3, 3), pool=MaxPool(3, 2, (1, 2, 2, 1))),
        "pool 2/1": layer(rng, (6, 6, 5), 17, (3, 3), pool=MaxPool(2, 1, (0, 0, 1, 1))),
        "pool larger than the map": layer(rng, (2, 2, 5), 3, (1, 1), pool=MaxPool(3, 2, (1,) * 4)),
        "raw": layer(rng, (4, 5, 6), 35, (3, 3), levels=None),
        "raw, 8-bit input": layer(rng, (4, 5, 3), 35, (3, 3), levels=None, in_bits=8),
        "8-bit input, 255 thresholds": layer(rng, (4, 5, 3), 9, (3, 3), levels=255, in_bits=8),
        "two weight planes": layer(rng, (5, 5, 7), 20, (3, 3), coefficients=(1, 1), levels=7),
        "weight planes of 4 and 3": layer(rng, (5, 5, 7), 20, (3, 3), coefficients=(4, 3)),
        "weights of 4 bits": layer(rng, (5, 5, 7), 20, (3, 3), coefficients=(8, 4, 2, 1, 1)),
        "8 bits by 8 bits": layer(
            rng, (4, 4, 7), 20, (3, 3), coefficients=coefficients_of(8), in_bits=8, levels=None
        ),
        "8 bits by 1 bit": layer(
            rng, (4, 4, 7), 20, (3, 3), coefficients=coefficients_of(8), in_bits=1
        ),
        "kernel of 16 rows, stride 4": layer(
            rng, (20, 9, 3), 18, (16, 2), stride=4, padding=(15, 1, 3, 0)
        ),
        "stride 3": layer(rng, (12, 11, 5), 9, (1, 2), stride=3),
        "three groups": layer(rng, (5, 5, 27), 33, (3, 3), groups=3),
    }
    return {n: (c, rng.integers(0, 2**c.in_bits, c.in_shape)) for n, c in every.items()}


def extreme_layers():
    """Largest and smallest sums, and thresholds at them, one below, one above."""
    for bit, bits in ((0, 1), (1, 1), (0, 8), (1, 8)):
        codes = np.full((5, 5, 12), 2**bits - 1)
        extreme = 3 * 3 * 12 * (2**bits - 1) * (1 if bit else -1)
        thresholds = np.tile(extreme + np.array([-1, 0, 1]), (17, 1)).astype(np.int32)
        weight = np.full((1, 17, 3, 3, 12), bit, np.uint8)
        yield Conv("extreme", codes.shape, bits, weight, thresholds), codes
        yield Conv("raw", codes.shape, bits, weight, None), codes


def all_corners(configuration):
    for name, (one, codes) in corner_layers(np.random.default_rng(1)).items():
        network = [one]
        try:
            assert_golden(network, codes, configuration)
        except AssertionError as error:
            raise AssertionError(name) from error
        if one.groups == 1:  # and its input in channel blocks
            feeder = random_networks.random_conv(
                np.random.default_rng(2), (*one.in_shape[:2], 2), one.in_shape[2], (1, 1),
                name="feeder", levels=2**one.in_bits - 1,
            )  # fmt: skip
            into = np.random.default_rng(3).integers(0, 4, feeder.in_shape)
            assert_golden([feeder, one], into, configuration)
    for one, codes in extreme_layers():
        assert_golden([one], codes, configuration)


@pytest.mark.parametrize("configuration", FOLDINGS)
def test_corners_equal_golden(configuration):
    all_corners(configuration)


@pytest.mark.parametrize("what", LARGEST)
def test_largest(what, seed):
    rng = np.random.default_rng(seed)
    layers = largest(rng, what)
    codes = rng.integers(0, 2 ** layers[0].in_bits, layers[0].in_shape)
    assert_golden(layers, codes, "small")


def test_memory_at_any_address(seed):
    rng = np.random.default_rng(seed)
    layers = random_networks.small_layers(rng)
    with hls_csim.HlsEngine("small", 1 << 32) as engine:
        for bit in range(12, 32):
            program = compile_layers(layers, engine.capabilities, 1 << bit)
            codes = rng.integers(0, 2 ** layers[0].in_bits, layers[0].in_shape)
            engine.load(program)
            engine.run(program, codes)
            found = [engine.get(program, i) for i in range(len(layers))]
            assert_equal(layers, found, codes)
            engine.memory[program.base : program.work + program.work_bytes] = 0


@pytest.mark.parametrize("configuration", ["pynq-z1", WIDE])
def test_ring_of_rows(configuration):
    """A map that does not fit the window buffer is read again for each tile, row by row."""
    rng = np.random.default_rng(5)
    wide = layer(rng, (70, 61, 64), 70, (3, 3), padding=(1, 1, 1, 1), levels=1, in_bits=2)
    with hls_csim.HlsEngine(configuration) as engine:
        program = compile_layers([wide], engine.capabilities)
    assert len(program.image) and wide.in_shape[0] * 61 * 64 * 2 > 64 * 4096
    assert_golden([wide], rng.integers(0, 4, wide.in_shape), configuration)


def test_shipped_model_on_its_pictures():
    pictures = sorted((library.shipped_directory().parent / "samples").glob("*.png"))[:3]
    for picture in pictures:
        assert_case(rtl_cases.shipped(picture))


@pytest.mark.parametrize("name", [n for n in rtl_cases.NAMES if n != "fashion-cnv"])
def test_published_network(name, reference):
    case = rtl_cases.case(name, reference)
    found = assert_case(case)
    if name.startswith("cnv"):  # published are only its scores: its layers are compared with golden
        assert_equal(case.layers, found, case.codes)


def assert_case(case):
    with hls_csim.HlsEngine() as engine:
        program = compile_layers(case.layers, engine.capabilities, 4096)
        engine.load(program)
        engine.run(program, case.codes)
        found = [engine.get(program, i) for i in range(len(case.layers))]
    assert sum(case.differing(i, out) for i, out in enumerate(found)) == 0
    return found


@pytest.mark.parametrize(
    ("name", "value"),
    [("opcode", 0), ("planes", 0), ("tile_words", 4095), ("ring_words", 8191), ("tiles", 0),
     ("thresholds", 0), ("out_planes", 9), ("pool_size", 0), ("pool_stride", 3), ("blocks", 0),
     ("exponent", 3), ("stride", 0), ("stride", 5), ("word_products", 1), ("word_unsigned", 1),
     ("block_used", 0), ("block_used", 3)],
)  # fmt: skip
def test_bad_command_is_refused(name, value):
    rng = np.random.default_rng(17)
    assert_refused(
        [layer(rng, (5, 6, 4), 9, (3, 3)), layer(rng, (3, 4, 9), 5, (2, 2), name="last")],
        {name: value},
    )


def test_words_have_no_wide_sums():
    assert_refused([random_networks.random_word_conv(np.random.default_rng(17))], {"wide_sums": 1})


@pytest.mark.parametrize(
    ("levels", "changes"),
    [(None, {"short_sums": 1}), (3, {"wide_sums": 1}), (255, {"requantise": 1})],
)
def test_only_compared_sums_are_short(levels, changes):
    rng = np.random.default_rng(18)
    layer = random_networks.random_conv(rng, (3, 4, 8), 16, (2, 2), levels=levels)
    if "requantise" in changes:
        changes = changes | {"thresholds": 8, "short_sums": 1}
    assert_refused([layer], changes)


def assert_refused(layers, changes):
    """The last of the commands, with these fields."""
    with hls_csim.HlsEngine("small", 1 << 21) as engine:
        program = compile_layers(layers, engine.capabilities, 4096)
        engine.load(program)
        bad = program.commands - 1
        place = program.base + COMMAND_BYTES * bad
        command = encode(decode(program.image, bad) | changes)
        engine.memory[place : place + COMMAND_BYTES] = np.frombuffer(command, np.uint8)
        codes = np.zeros(layers[0].in_shape, int)
        with pytest.raises(QnnError, match=f"command {bad} is refused"):
            engine.run(program, codes)
