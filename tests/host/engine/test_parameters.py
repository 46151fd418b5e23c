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
    layer = random_networks.random_conv(rng, (5, 6, 5), 35, (2, 3), levels=3, coefficients=(1, 2))
    program = compile_layers([layer], base=8192)
    command = decode(program.image, 0)
    # a plane of 1 and one of 2 are those of 2 and of 1: the higher is the first pass
    assert (command["passes"], command["exponent"]) == (2, 1)
    assert (command["words"], command["tile_words"]) == (1, 4)
    assert (command["tiles"], command["thresholds"]) == (2, 3)
    data = program.image[command["params_address"] - program.base :]
    top = 2**32 - 1
    tile_bytes = 3 * 32 * 4 + 4 * 32 * 8
    for o in range(64):
        tile = data[o // 32 * tile_bytes :][:tile_bytes]
        levels = np.frombuffer(tile[: 3 * 32 * 4], "<u4").reshape(3, 32)[:, o % 32]
        if o >= 35:
            assert (levels == top).all()
            continue
        zeros = sum(
            c * int((layer.weight[n, o] == 0).sum()) for n, c in enumerate(layer.coefficients)
        )
        assert offsets(layer, passes_of(layer))[o] == 3 * zeros
        expected = np.clip(layer.thresholds[o].astype(int) + 3 * zeros, 0, top)
        np.testing.assert_array_equal(levels, expected)
        words = np.frombuffer(tile[3 * 32 * 4 :], "<u8").reshape(2, 2, 32)[:, :, o % 32]
        for number, plane in enumerate((1, 0)):
            for ky in range(2):
                word = int(words[number, ky])
                for bit in range(64):
                    kx, c = divmod(bit, 8)
                    real = kx < 3 and c < 5
                    want = int(layer.weight[plane, o, ky, kx, c]) if real else 1
                    assert word >> bit & 1 == want


def multiplied(**options):
    """A layer whose codes of 8 bits take longer to compare than its sums to make."""
    rng = np.random.default_rng(6)
    facts = {"in_bits": 4, "levels": 255, "coefficients": (4, 2, 1, 1), "even": True}
    return random_networks.random_conv(rng, (5, 6, 8), 42, (3, 3), **(facts | options))


def test_parameters_of_a_multiplication():
    """In the words of the threshold store, for 8 channels after the other, in the first 8 lanes."""
    layer = multiplied()
    program = compile_layers([layer])
    command = decode(program.image, 0)
    assert (command["requantise"], command["thresholds"], command["tiles"]) == (1, 16, 2)
    offset = offsets(layer, passes_of(layer))
    moved = layer.thresholds.astype(np.int64) + offset[:, None]
    weight = layer.signed_weight.astype(int)
    least, most = (15 * f(weight, 0).sum(axis=(1, 2, 3)) + offset for f in (np.minimum, np.maximum))
    tile_bytes = 16 * 32 * 4 + command["tile_words"] * 32 * 8
    for o in range(64):
        tile = program.image[command["params_address"] + o // 32 * tile_bytes :][: 16 * 32 * 4]
        words = np.frombuffer(tile, "<u4").reshape(4, 4, 32).astype(np.int64)
        assert not words[:, :, 8:].any()
        base, shift, multiplier, addend = words[o % 32 // 8, :, o % 8].reshape(4, 1)
        if o >= 42:
            assert not any((base, shift, multiplier, addend))
            continue
        addend = np.where(addend < 2**31, addend, addend - 2**32)
        own = base, shift, multiplier, addend
        for sums, first in ((moved[o] - 1, 0), (moved[o], 1)):
            occur = (least[o] <= sums) & (sums <= most[o])
            assert occur.sum() > 100
            codes = golden.requantise(sums[occur][:, None], *own, 8)[:, 0]
            np.testing.assert_array_equal(codes, np.arange(first, first + 255)[occur])


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
    layer.thresholds[30, 100] = layer.thresholds[30, 101]
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
