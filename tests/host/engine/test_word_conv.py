# SPDX-License-Identifier: BSD-3-Clause
"""Convolutions of 16-bit words: what is refused, their maps, and what is compiled of them."""

import dataclasses

import numpy as np
import pytest
from random_networks import random_conv, random_numbers, random_word_conv

from qnn.engine import estimate
from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import CommandList, decode
from qnn.engine.program import compile_layers
from qnn.engine.word_conv import WordConv, WordMap
from qnn.errors import NetworkError, QnnError
from qnn.network import MaxPool


def conv(**changes) -> WordConv:
    layer = random_word_conv(np.random.default_rng(1), (5, 6, 3), 4, (2, 3), levels=4)
    return dataclasses.replace(layer, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "use printable characters"),
        ({"in_shape": (5, 0, 3)}, "bad input"),
        ({"in_shape": (5, 6, 4)}, "4 channels, but its weights are for 3"),
        ({"in_shape": (1, 6, 3)}, "a kernel of 2x3 does not fit"),
        ({"stride": 0}, "stride 0 is not positive"),
        ({"padding": (0, 0, -1, 0)}, "bad padding"),
        ({"weight": np.zeros((4, 2, 3, 3), np.int32)}, "4-dimensional int16"),
        ({"weight": np.zeros((4, 2, 9), np.int16)}, "4-dimensional int16"),
        ({"weight": np.zeros((0, 2, 3, 3), np.int16)}, "weights are empty"),
        ({"thresholds": None}, "it has no thresholds"),
        ({"thresholds": np.zeros((3, 4), np.int32)}, "do not fit 4 outputs"),
        ({"thresholds": np.zeros((4, 256), np.int32)}, "do not fit 4 outputs"),
        ({"thresholds": np.zeros((4, 3), np.int32), "pairs": True}, "3 thresholds are not pairs"),
        ({"thresholds": np.array([[2, 1]] * 4, np.int32)}, "not in ascending order"),
        ({"pool": MaxPool(5, 1)}, "a pool of 5x5 does not fit"),
    ],
)
def test_what_makes_no_layer(changes, message):
    with pytest.raises(NetworkError, match=message):
        conv(**changes)


def test_sums_that_do_not_fit():
    most = ((2**23 - 1) << 18) - 1
    terms, rest = divmod(most, 2**15 * (2**15 - 1))
    weight = np.full((1, 1, 1, terms + 1), 2**15 - 1, np.int16)
    weight[..., -1] = rest // 2**15
    fields = {"name": "words", "unsigned": False, "thresholds": np.zeros((1, 1), np.int32)}
    layer = WordConv(in_shape=(1, 1, terms + 1), weight=weight, **fields)
    assert most - 2**15 < layer.bound <= most
    assert layer.groups == 1
    weight = weight.copy()
    weight[..., -1] += 1
    with pytest.raises(NetworkError, match="not below"):
        WordConv(in_shape=(1, 1, terms + 1), weight=weight, **fields)
    with pytest.raises(NetworkError, match="not below"):
        dataclasses.replace(layer, unsigned=True)


@pytest.mark.parametrize("unsigned", [False, True])
def test_every_number_of_a_map(unsigned):
    layer = conv(unsigned=unsigned)
    numbers = random_numbers(np.random.default_rng(2), layer)
    words = WordMap(5, 6, 3, unsigned)
    data = words.pack(numbers)
    assert len(data) == words.size == 5 * 5 * 8
    rows = np.frombuffer(data, "<u2" if unsigned else "<i2").reshape(5, 20)
    for y, x, c in np.ndindex(5, 6, 3):
        assert rows[y, 3 * x + c] == numbers[y, x, c]
    assert not rows[:, 18:].any()


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (np.zeros((5, 6, 2), np.int16), "expected integers of shape"),
        (np.zeros((5, 6, 3)), "expected integers of shape"),
        (np.full((5, 6, 3), 2**15), "do not fit int16"),
        (np.full((5, 6, 3), -(2**15) - 1), "do not fit int16"),
    ],
)
def test_what_makes_no_map(numbers, message):
    with pytest.raises(QnnError, match=message):
        WordMap(5, 6, 3, False).pack(numbers)
    with pytest.raises(QnnError, match="do not fit uint16"):
        WordMap(5, 6, 3, True).pack(np.full((5, 6, 3), -1))


def test_parameters_number_for_number():
    """72 channels: a tile of 64 in eight passes, and one of 8 in one pass, a command each."""
    layer = random_word_conv(np.random.default_rng(3), (9, 9, 3), 72, (2, 5), levels=3)
    program = compile_layers([layer], base=4096)
    assert program.names == ("words/0", "words/1")
    for number, (first, count, passes) in enumerate(((0, 64, 8), (64, 8, 1))):
        command = decode(program.image, number)
        assert (command["word_products"], command["tight"], command["planes"]) == (1, 1, 1)
        assert (command["passes"], command["exponent"], command["tiles"]) == (passes, 0, 1)
        assert (command["words"], command["tile_words"]) == (4, passes * 2 * 4)
        assert command["window_nibbles"] == 5 * 3 * 4
        assert command["out_address"] == program.places[0] + number * program.maps[0].block_bytes
        data = program.image[command["params_address"] - program.base :]
        levels = np.frombuffer(data[: 3 * 64 * 4], "<u4").reshape(3, 64).astype(np.int64)
        own = layer.thresholds[first:][:count].clip(-(2**23), 2**23 - 1)
        np.testing.assert_array_equal(levels[:, :count].T - 2**23, own)
        assert (levels[:, count:] == 2**24 - 1).all()
        weights = np.frombuffer(data[3 * 64 * 4 :][: command["tile_words"] * 64], "<i2")
        weights = weights.reshape(passes, 2, 4, 8, 4)
        for o, ky in np.ndindex(count, 2):
            row = weights[o // 8, ky, :, o % 8].ravel()
            np.testing.assert_array_equal(row[:15], layer.weight[first + o, ky].ravel())
            assert not row[15:].any()


def test_a_tile_has_as_many_channels_as_there_are_weights_on_chip_for():
    """Four passes of 108 words fit 512: blocks of 32 channels, the reader takes 4 bytes of each."""
    rng = np.random.default_rng(3)
    first = random_word_conv(rng, (16, 16, 3), 40, (12, 12))
    program = compile_layers([first, random_conv(rng, first.out_shape, 8, in_bits=2)])
    commands = CommandList(program.image, program.commands)
    assert program.maps[0].blocks == ((0, 32), (32, 8))
    assert commands.get("tile_words").tolist()[:2] == [432, 108]
    fields = ("blocks", "block_used", "last_bytes", "pixel_bytes")
    assert [commands.get(name)[2] for name in fields] == [2, 4, 1, 5]


def test_a_pass_has_as_many_words_as_there_are_pixels():
    layer = random_word_conv(np.random.default_rng(3), (4, 4, 3), 8, (1, 1))
    command = decode(compile_layers([layer]).image, 0)
    assert command["words"] == command["tile_words"] == 4
    assert command["window_nibbles"] == 12


@pytest.mark.parametrize("pairs", [False, True])
def test_the_layer_behind(pairs):
    """Reads the codes without the map of doubts, where there is one."""
    rng = np.random.default_rng(4)
    first = random_word_conv(rng, (6, 6, 3), 8, levels=6 if pairs else 3, pairs=pairs)
    program = compile_layers([first, random_conv(rng, first.out_shape, 8, in_bits=2)])
    commands = CommandList(program.image, program.commands)
    assert program.maps[0].planes == 2 + pairs
    assert commands.get("out_planes")[0] == 2 + pairs
    assert commands.get("drop_lowest").tolist() == [0, pairs]
    assert commands.get("planes").tolist() == [1, 2]
    assert commands.get("row_beats")[1] == program.maps[0].row_beats


def test_beats_of_the_parameters():
    layer = random_word_conv(np.random.default_rng(3), (9, 9, 3), 72, (2, 5), levels=3)
    program, caps = compile_layers([layer]), Capabilities()
    commands = CommandList(program.image, program.commands)
    beside = 9 * 7 + 8 * 5 * 2  # the map of 7 beats a row, the codes of 2 planes
    expected = [3 * 32 + words * 8 + beside for words in commands.get("tile_words")]
    assert estimate.beats(program, caps).tolist() == expected


def test_what_does_not_fit_the_accelerator():
    rng = np.random.default_rng(5)
    with pytest.raises(QnnError, match="17 kernel rows; the accelerator has 16"):
        compile_layers([random_word_conv(rng, (20, 20, 3), 8, (17, 1))])
    long = WordConv(
        "long", (16, 129, 1), True, np.ones((9, 16, 129, 1), np.int16), np.zeros((9, 1), np.int32)
    )
    with pytest.raises(QnnError, match="528 weight words for 8 outputs; the accelerator holds 512"):
        compile_layers([long])
    with pytest.raises(QnnError, match="a row of its input are too many"):
        compile_layers([random_word_conv(rng, (40, 700, 8), 8, (3, 3))])
    first = random_conv(rng, (6, 6, 3), 8, (3, 3))
    with pytest.raises(QnnError, match="only the first layer can be one of 16-bit words"):
        compile_layers([first, random_word_conv(rng, first.out_shape, 8)])
    first = random_word_conv(rng, (6, 6, 3), 8, levels=7)
    with pytest.raises(QnnError, match="reads fewer bits than words gives"):
        compile_layers([first, random_conv(rng, first.out_shape, 8, in_bits=2)])
