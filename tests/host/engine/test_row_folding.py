# SPDX-License-Identifier: BSD-3-Clause
"""A folded first layer gives the sums of the layer, and is chosen where it takes fewer cycles."""

import numpy as np
import pytest
import scalar_layers
from random_networks import random_conv

from qnn.engine import row_folding
from qnn.engine.capabilities import Capabilities
from qnn.errors import QnnError

CAPS = Capabilities()


@pytest.mark.parametrize("case", range(40))
def test_folded_codes_through_the_folded_layer(case):
    """By the judge of the golden model, which reads formulas in loops."""
    rng = np.random.default_rng(case)
    kernel = tuple(int(v) for v in rng.integers(1, 5, 2))
    shape = (*(int(v) for v in rng.integers(4, 7, 2)), int(rng.integers(1, 5)))
    layer = random_conv(
        rng, shape, int(rng.integers(1, 4)), kernel, in_bits=int(rng.integers(1, 9)),
        levels=[None, 3][case % 2], stride=int(rng.integers(1, 4)),
        padding=tuple(int(v) for v in rng.integers(0, 3, 4)), coefficients=((1,), (1, 2))[case % 2],
    )  # fmt: skip
    folding = row_folding.fold_rows(layer)
    assert folding.conv.kernel == (1, kernel[1])
    codes = rng.integers(0, 2**layer.in_bits, shape, dtype=np.uint8)
    expected = scalar_layers.layer(layer, codes)
    np.testing.assert_array_equal(scalar_layers.layer(folding.conv, folding.fold(codes)), expected)


def layer(channels, in_bits=8, kernel=(3, 3), groups=1):
    rng = np.random.default_rng(1)
    return random_conv(rng, (32, 32, channels), 32, kernel, in_bits=in_bits, groups=groups)


def test_where_it_takes_fewer_cycles():
    """Three rows of 12 bits become one of 36."""
    assert row_folding.folding_for(layer(3), CAPS).conv.in_shape == (30, 32, 9)
    assert row_folding.folding_for(layer(1), CAPS).conv.in_shape == (30, 32, 3)
    assert row_folding.folding_for(layer(32), CAPS) is None  # 5 words instead of 6
    assert row_folding.folding_for(layer(3, in_bits=1), CAPS) is None  # comparisons take as long
    assert row_folding.folding_for(layer(3, kernel=(1, 3)), CAPS) is None
    assert row_folding.folding_for(layer(4, groups=2), CAPS) is None


def test_where_the_folded_map_does_not_fit():
    small = Capabilities(pe=16, pixels=2, weight_words=256, window_words=128)
    assert row_folding.folding_for(layer(3), small) is None


@pytest.mark.parametrize(
    "codes",
    [np.zeros((32, 32, 9), np.uint8), np.zeros((32, 32, 3)), np.full((32, 32, 3), 256, np.int64)],
)
def test_codes_of_another_layer(codes):
    with pytest.raises(QnnError, match=r"expected integer codes of shape|do not fit 8 planes"):
        row_folding.folding_for(layer(3), CAPS).fold(codes)
