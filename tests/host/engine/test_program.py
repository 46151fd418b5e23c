# SPDX-License-Identifier: BSD-3-Clause
"""Programs: where maps lie, and what does not fit."""

from dataclasses import replace

import numpy as np
import pytest
import random_networks

from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import decode
from qnn.engine.program import compile_layers
from qnn.errors import DoesNotFitError, NetworkError, QnnError
from qnn.network import Conv, MaxPool


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
    program = compile_layers(joined((64, 40, 64)), wiring=WIRING)
    assert [one.planes for one in program.maps[:3]] == [3, 3, 3]  # as e reads them
    first, other = program.places[0], program.places[2]
    command = decode(program.image, 4)
    assert command["in_address"] == first and command["blocks"] == 2
    assert command["block_bytes"] == other - first


def test_more_blocks_lie_behind_each_other_or_not_at_all():
    layers = joined((70, 40, 40))
    program = compile_layers(layers[:4], wiring=WIRING[:4])
    assert program.places[1] == program.places[0] + program.maps[0].size
    with pytest.raises(DoesNotFitError, match="layer e: a and c cannot lie behind each other"):
        compile_layers(layers, wiring=WIRING)


def test_what_the_host_hands_in_is_read_by_one_layer():
    layers = joined((4, 4, 4))
    with pytest.raises(DoesNotFitError, match="layer b: the host hands in one map"):
        compile_layers([layers[0], replace(layers[0], name="b")], wiring=((-1,), (-1,)))
