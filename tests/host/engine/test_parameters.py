# SPDX-License-Identifier: BSD-3-Clause
"""Parameters bit for bit: weights, thresholds, and multiplications where these are faster."""

import numpy as np
import pytest
import random_networks

from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import decode
from qnn.engine.parameters import offsets
from qnn.engine.passes import passes_of
from qnn.engine.program import compile_layers
from qnn.errors import DoesNotFitError
from qnn_sim import golden

LAYER = random_networks.random_conv(np.random.default_rng(0), levels=15)


def test_parameters_bit_for_bit():
    rng = np.random.default_rng(5)
    layer = random_networks.random_conv(rng, (5, 6, 5), 70, (2, 3), levels=3, coefficients=(1, 2))
    program = compile_layers([layer], base=8192)
    command = decode(program.image, 0)
    # a plane of 1 and one of 2 are those of 2 and of 1: the higher is the first pass
    assert (command["passes"], command["exponent"]) == (2, 1)
    assert (command["words"], command["tile_words"]) == (1, 4)
    assert (command["tiles"], command["thresholds"]) == (2, 3)
    data = program.image[command["params_address"] - program.base :]
    top = 2**18 - 1  # never reached
    tile_bytes = 3 * 64 * 4 + 4 * 64 * 8
    for o in range(128):
        tile = data[o // 64 * tile_bytes :][:tile_bytes]
        levels = np.frombuffer(tile[: 3 * 64 * 4], "<u4").reshape(3, 64)[:, o % 64]
        if o >= 70:
            assert (levels == top).all()
            continue
        zeros = sum(
            c * int((layer.weight[n, o] == 0).sum()) for n, c in enumerate(layer.coefficients)
        )
        assert offsets(layer, passes_of(layer))[o] == 3 * zeros
        expected = np.clip(layer.thresholds[o].astype(int) + 3 * zeros, 0, top)
        np.testing.assert_array_equal(levels, expected)
        words = np.frombuffer(tile[3 * 64 * 4 :], "<u8").reshape(2, 2, 64)[:, :, o % 64]
        for number, plane in enumerate((1, 0)):
            for ky in range(2):
                word = int(words[number, ky])
                for bit in range(64):
                    kx, c = divmod(bit, 8)
                    real = kx < 3 and c < 5
                    want = int(layer.weight[plane, o, ky, kx, c]) if real else 1
                    assert word >> bit & 1 == want


def test_sums_that_need_more_bits():
    """What is never reached is 2^18 - 1 where sums are short, 2^24 - 1 where they are not wide, and
    2^32 - 1 where they are."""
    # codes to 255, weights to 15: 3825 a product
    last_short, last_narrow = (2**w - 2 for w in (18, 24))
    for channels, bits in (
        (last_short // (3825 * 9), 18), (last_short // (3825 * 9) + 1, 24),
        (last_narrow // (3825 * 9), 24), (last_narrow // (3825 * 9) + 1, 32),
    ):  # fmt: skip
        layer = random_networks.random_conv(
            np.random.default_rng(1), (3, 3, channels), 8, (3, 3), in_bits=8, levels=1,
            coefficients=(8, 4, 2, 1),
        )  # fmt: skip
        caps = Capabilities(planes=8, weight_words=1024)
        program = compile_layers([layer], caps)
        command = decode(program.image, 0)
        assert command["wide_sums"] == int(3825 * 9 * channels >= 2**24 - 1) == (bits == 32)
        assert command["short_sums"] == int(3825 * 9 * channels < 2**18 - 1) == (bits == 18)
        data = program.image[command["params_address"] - program.base :]
        levels = np.frombuffer(data[: 64 * 4], "<u4")
        assert (levels[8:] == 2**bits - 1).all()


def multiplied(**options):
    """A layer whose codes of 8 bits take longer to compare than its sums to make."""
    rng = np.random.default_rng(6)
    facts = {"in_bits": 4, "levels": 255, "coefficients": (4, 2, 1, 1), "even": True}
    return random_networks.random_conv(rng, (5, 6, 8), 74, (3, 3), **(facts | options))


def test_parameters_of_a_multiplication():
    """In the words of the threshold store, for 8 channels after the other, in the first 8 lanes."""
    layer = multiplied()
    program = compile_layers([layer])
    command = decode(program.image, 0)
    assert (command["requantise"], command["thresholds"], command["tiles"]) == (1, 32, 2)
    offset = offsets(layer, passes_of(layer))
    moved = layer.thresholds.astype(np.int64) + offset[:, None]
    weight = layer.signed_weight.astype(int)
    least, most = (15 * f(weight, 0).sum(axis=(1, 2, 3)) + offset for f in (np.minimum, np.maximum))
    tile_bytes = 32 * 64 * 4 + command["tile_words"] * 64 * 8
    for o in range(128):
        tile = program.image[command["params_address"] + o // 64 * tile_bytes :][: 32 * 64 * 4]
        words = np.frombuffer(tile, "<u4").reshape(8, 4, 64).astype(np.int64)
        assert not words[:, :, 8:].any()
        base, shift, multiplier, addend = words[o % 64 // 8, :, o % 8].reshape(4, 1)
        if o >= 74:
            assert not any((base, shift, multiplier, addend))
            continue
        addend = np.where(addend < 2**31, addend, addend - 2**32)
        own = base, shift, multiplier, addend
        for sums in (moved[o] - 1, moved[o]):
            sums = sums[(least[o] <= sums) & (sums <= most[o])]
            assert len(sums) > 100
            codes = golden.requantise(sums[:, None], *own, 8)[:, 0]
            np.testing.assert_array_equal(codes, (moved[o] <= sums[:, None]).sum(axis=1))


@pytest.mark.parametrize(
    ("layer", "less"),
    [
        (multiplied(), {"requantiser": 0}),
        (multiplied(even=False), {}),  # no multiplication gives these codes
        (multiplied(levels=3), {}),  # soon compared
        (multiplied(levels=7, in_bits=8), {}),
    ],
)
def test_codes_by_comparison_where_multiplication_is_none_or_no_faster(layer, less):
    command = decode(compile_layers([layer], Capabilities(**less)).image, 0)
    assert (command["requantise"], command["thresholds"]) == (0, layer.thresholds.shape[1])


def test_each_group_for_itself():
    """One threshold of the second group is out of line."""
    layer = multiplied(groups=2)
    layer.thresholds[60, 100] = layer.thresholds[60, 101]
    image = compile_layers([layer]).image
    assert [decode(image, i)["requantise"] for i in range(2)] == [1, 0]


def test_more_thresholds_than_the_store_holds():
    less = Capabilities(threshold_words=128)
    assert decode(compile_layers([multiplied()], less).image, 0)["requantise"] == 1
    with pytest.raises(DoesNotFitError, match="255 thresholds for each output"):
        compile_layers([multiplied(even=False)], less)


def test_thresholds_of_an_accelerator_that_holds_few():
    compile_layers([LAYER], Capabilities(threshold_words=15))
    with pytest.raises(
        DoesNotFitError, match="15 thresholds for each output; the accelerator holds 14"
    ):
        compile_layers([LAYER], Capabilities(threshold_words=14))
