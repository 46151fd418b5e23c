# SPDX-License-Identifier: BSD-3-Clause
"""What of a network an accelerator can run at all, and as what."""

import numpy as np
import pytest
import random_networks

from qnn.engine.binary_dense import DenseSums
from qnn.engine.capabilities import Capabilities
from qnn.engine.float_first import FloatFirst
from qnn.engine.group_merging import merging_for
from qnn.engine.lowering import compiled, folded, lower
from qnn.engine.program import compile_layers
from qnn.engine.row_folding import RowFolding
from qnn.engine.stages import laid_out
from qnn.engine.word_conv import WordConv
from qnn.errors import DoesNotFitError
from qnn.network import Conv

KINDS = random_networks.KINDS


def test_each_kind_of_layer():
    network = KINDS["connected"](np.random.default_rng(1))
    first, conv, dense = lower(network.layers[:3], network.picture.limits)
    assert isinstance(first, FloatFirst) and isinstance(compiled(first), WordConv)
    assert isinstance(conv, Conv) and compiled(conv) is conv is network.layers[1]
    assert isinstance(dense, DenseSums) and compiled(dense) is dense
    assert [first.words.name, conv.name, dense.name] == ["conv0", "conv1", "fc0"]


@pytest.mark.parametrize(
    ("kind", "number", "sentence"),
    [
        ("scoring", 0, "layer pixels: a table of pixels; the accelerator has none"),
        ("connected", 3, "layer fct: float64 sums; the accelerator sums integers"),
        ("connected", 0, "layer conv0: only the first layer behind a picture"),
    ],
)
def test_what_the_accelerator_has_not(kind, number, sentence):
    layer = KINDS[kind](np.random.default_rng(1)).layers[number]
    with pytest.raises(DoesNotFitError, match=f"^{sentence}"):
        lower([layer])


def test_limits_are_those_of_the_first_layer_alone():
    network = KINDS["connected"](np.random.default_rng(1))
    first = network.layers[0]
    with pytest.raises(DoesNotFitError, match="only the first layer"):
        lower([network.layers[1], first], network.picture.limits)


def test_the_first_layer_alone_is_folded():
    rng = np.random.default_rng(1)
    one, two = (
        random_networks.random_conv(rng, (8, 8, 3), 3, (3, 3), in_bits=8, padding=(1,) * 4)
        for _ in "ab"
    )
    first, second = folded([one, two], Capabilities())
    assert isinstance(first, RowFolding) and compiled(first) is first.conv
    assert second is two
    wide = random_networks.random_conv(rng, (8, 8, 64), 3, (3, 3), in_bits=8)
    assert folded([wide, two], Capabilities()) == [wide, two]
    assert folded([], Capabilities()) == []


def test_groups_are_not_merged_where_they_fit_only_alone():
    """The channels of the map lie apart, as two groups have given them: with one group the layer
    behind them would have more weight words than there are."""
    rng = np.random.default_rng(1)
    caps = Capabilities(pe=16, pixels=2, weight_words=256, threshold_words=256, window_words=512)
    apart = random_networks.random_conv(
        rng, (17, 7, 128), 4, (4, 6), groups=2, stride=2, levels=7, in_bits=1
    )
    behind = random_networks.random_conv(
        rng, apart.out_shape, 48, (16, 8), name="behind", groups=2, stride=2, levels=4, in_bits=3,
        coefficients=(64, 64, 1), padding=(6, 3, 6, 4),
    )  # fmt: skip
    light = random_networks.random_conv(
        rng, apart.out_shape, 48, (4, 1), groups=2, levels=3, in_bits=3
    )
    assert merging_for(behind, caps).groups == merging_for(light, caps).groups == 1
    compile_layers([apart, behind], caps)
    with pytest.raises(DoesNotFitError, match="weight words"):
        compile_layers([apart, merging_for(behind, caps)], caps)
    assert folded([apart, behind], caps)[1] is behind
    laid_out(folded([apart, behind], caps), caps)
    assert folded([apart, light], caps)[1].groups == 1  # what fits is merged as before
