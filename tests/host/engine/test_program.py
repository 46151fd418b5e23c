# SPDX-License-Identifier: BSD-3-Clause
"""Programs: borders of blocks, weights and thresholds bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
import random_networks

from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import decode
from qnn.engine.passes import passes_of
from qnn.engine.program import blocks_of, compile_layers, offsets
from qnn.errors import DoesNotFitError, NetworkError, QnnError
from qnn.network import Conv, MaxPool
from qnn_sim import golden


@pytest.mark.parametrize(
    ("channels", "groups", "following", "blocks"),
    [
        (64, 1, 1, ((0, 32), (32, 32))),
        (180, 2, 1, ((0, 32), (32, 32), (64, 26), (90, 32), (122, 32), (154, 26))),
        # 136 lies 8 channels into its block: the reader leaves them out
        (272, 1, 2, (*tuple((32 * i, 32) for i in range(8)), (256, 16))),
        # 25 does not lie at a byte of a block: a block begins there
        (50, 1, 2, ((0, 25), (25, 25))),
    ],
)
def test_blocks(channels, groups, following, blocks):
    assert blocks_of(channels, groups, following, 32) == blocks


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


def test_maps_do_not_overlap():
    rng = np.random.default_rng(1)
    layers = [
        random_networks.random_conv(rng, (9, 9, 6), 40, name="a", padding=(1, 1, 1, 1)),
        random_networks.random_conv(rng, (9, 9, 40), 20, name="b", groups=2),
        random_networks.random_conv(rng, (7, 7, 20), 4, (7, 7), name="c", levels=None),
    ]
    program = compile_layers(layers, base=4096)
    assert program.names == ("a", "b/0", "b/1", "c")
    assert program.work >= program.base + len(program.image) and program.work % 4096 == 0
    areas = [(program.input_address, program.tight.size)]
    areas += [(p, m.size) for p, m in zip(program.places, program.maps, strict=True)]
    for (at, size), (following, _) in zip(areas, [*areas[1:], (None, 0)], strict=True):
        assert at % 128 == 0
        end = program.work + program.work_bytes if following is None else following
        assert at + size <= end
    written = {1: program.places[1], 2: program.places[1] + program.maps[1].size // 2}
    assert all(decode(program.image, i)["out_address"] == at for i, at in written.items())


def conv(**options) -> Conv:
    rng = np.random.default_rng(0)
    return random_networks.random_conv(rng, **options)


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (conv(in_shape=(17, 9, 4), kernel=(17, 1)), "17 kernel rows"),
        (conv(in_shape=(9, 9, 4), stride=5), "strides from 1 to 4"),
        (conv(in_shape=(1, 1, 70_000), kernel=(1, 1)), "weight words"),
        (conv(in_shape=(9, 200, 900), kernel=(1, 1)), "window buffer"),
        (conv(in_shape=(2, 516, 4), kernel=(1, 1), pool=MaxPool(2, 2)), "258 pooled columns"),
        (conv(in_shape=(1024, 1, 1), kernel=(1, 1)), "in_rows = 1024 does not fit the 10 bits"),
    ],
)
def test_what_does_not_fit_is_refused(layer, sentence):
    with pytest.raises(DoesNotFitError, match=f"^layer conv: .*{sentence}"):
        compile_layers([layer])


@pytest.mark.parametrize(
    ("layer", "less", "sentence"),
    [
        (conv(in_bits=3), {"planes": 2}, "3 activation planes"),
        (conv(kernel=(3, 1)), {"kernel_rows": 2}, "3 kernel rows"),
        (conv(), {"weight_words": 2}, "weight words"),
        (conv(), {"accumulator_bits": 6}, "6-bit accumulators"),
        (conv(), {"window_words": 4}, "window buffer"),
        (conv(levels=15), {"code_bits": 3}, "codes of 4 bits are too wide"),
        (conv(pool=MaxPool(2, 2)), {"pool_columns": 1}, "2 pooled columns"),
        (conv(groups=2), {"commands": 1}, "a layer of 2 commands; the accelerator takes 1 to 1"),
    ],
)
def test_what_does_not_fit_a_smaller_accelerator(layer, less, sentence):
    compile_layers([layer])
    with pytest.raises(DoesNotFitError, match=sentence):
        compile_layers([layer], Capabilities(**less))


def test_what_nothing_could_run_is_not_a_matter_of_size():
    raw = conv(levels=None)
    with pytest.raises(NetworkError, match="only the last may be raw"):
        compile_layers([raw, conv(in_shape=raw.out_shape, kernel=(1, 1))])


def test_an_accelerator_that_can_do_less():
    wide = conv(coefficients=(128, 1))
    compile_layers([wide], Capabilities(passes=8))
    with pytest.raises(
        DoesNotFitError, match="8 weight passes and 3 kernel rows; the accelerator has 8, 7"
    ):
        compile_layers([wide], Capabilities(passes=7))
    sums = conv(in_bits=2, coefficients=(2, 1))
    fits = (3 * 3 * 3 * 4 * 3).bit_length()  # codes to 3, 36 weights to 3
    compile_layers([sums], Capabilities(accumulator_bits=fits))
    with pytest.raises(DoesNotFitError, match=f"do not fit {fits - 1}-bit accumulators"):
        compile_layers([sums], Capabilities(accumulator_bits=fits - 1))


def test_thresholds_of_an_accelerator_that_holds_few():
    compile_layers([conv(levels=15)], Capabilities(threshold_words=15))
    with pytest.raises(
        DoesNotFitError, match="15 thresholds for each output; the accelerator holds 14"
    ):
        compile_layers([conv(levels=15)], Capabilities(threshold_words=14))


def test_lists_and_places_that_do_not_fit():
    layer = conv()
    with pytest.raises(QnnError, match="multiple of 4096"):
        compile_layers([layer], base=64)
    with pytest.raises(DoesNotFitError, match="0 commands"):
        compile_layers([])
    with pytest.raises(DoesNotFitError, match="takes 1 to 1"):
        compile_layers([conv(), conv(groups=2)], Capabilities(commands=1))


def joined(channels: tuple[int, int, int]) -> list[Conv]:
    """Layers b and c read a; d reads what two of them give, e what two others."""
    rng = np.random.default_rng(3)
    a, b, c = channels
    return [
        random_networks.random_conv(rng, (4, 4, 3), a, (1, 1), name="a"),
        random_networks.random_conv(rng, (4, 4, a), b, (1, 1), name="b"),
        random_networks.random_conv(rng, (4, 4, a), c, (1, 1), name="c", levels=7),
        random_networks.random_conv(rng, (4, 4, a + b), 5, (1, 1), name="d"),
        random_networks.random_conv(rng, (4, 4, a + c), 5, (1, 1), name="e", in_bits=3),
    ]


WIRING = ((-1,), (0,), (0,), (0, 1), (0, 2))


def test_two_blocks_side_by_side_lie_anywhere():
    program = compile_layers(joined((32, 20, 32)), wiring=WIRING)
    assert [one.planes for one in program.maps[:3]] == [3, 3, 3]  # as e reads them
    first, other = program.places[0], program.places[2]
    command = decode(program.image, 4)
    assert command["in_address"] == first and command["blocks"] == 2
    assert command["block_bytes"] == other - first


def test_more_blocks_lie_behind_each_other_or_not_at_all():
    layers = joined((40, 20, 20))
    program = compile_layers(layers[:4], wiring=WIRING[:4])
    assert program.places[1] == program.places[0] + program.maps[0].size
    with pytest.raises(DoesNotFitError, match="layer e: a and c cannot lie behind each other"):
        compile_layers(layers, wiring=WIRING)


def test_what_the_host_hands_in_is_read_by_one_layer():
    layers = joined((4, 4, 4))
    with pytest.raises(DoesNotFitError, match="layer b: the host hands in one map"):
        compile_layers([layers[0], replace(layers[0], name="b")], wiring=((-1,), (-1,)))
