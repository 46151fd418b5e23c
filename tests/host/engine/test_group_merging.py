# SPDX-License-Identifier: BSD-3-Clause
"""Fewer groups give the same codes in fewer cycles."""

import dataclasses

import numpy as np
import pytest
from random_networks import coefficients_of, random_codes, random_conv

from qnn.backends.host_layers import HostLayers
from qnn.engine import estimate
from qnn.engine.capabilities import Capabilities
from qnn.engine.group_merging import merging_for, of_groups
from qnn.engine.lowering import folded
from qnn.engine.program import compile_layers
from qnn.errors import NetworkError
from qnn.network import MaxPool
from qnn_sim.golden_network import run_conv

CAPABILITIES = Capabilities()


def depthwise(rng, channels=32, outputs=1, **options):
    facts = {"groups": channels, "padding": (1, 1, 1, 1)}
    shape = (8, 8, channels)
    return random_conv(rng, shape, channels * outputs, (3, 3), **(facts | options))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_the_codes_are_the_same(bits, outputs, seed):
    rng = np.random.default_rng([bits, outputs, seed])
    coefficients = (1,) if bits == 1 else coefficients_of(bits)
    layer = depthwise(
        rng, 24, outputs, coefficients=coefficients, levels=7, in_bits=3, pool=MaxPool(2, 2)
    )
    if bits == 8:
        layer.weight[-1] = 0  # from -128 to 127
    codes = random_codes(rng, layer, 3)
    expected = [run_conv(layer, one) for one in codes]
    for groups in (1, 2, 3, 4, 6, 8, 12):
        merged = of_groups(layer, groups)
        assert merged.groups == groups
        np.testing.assert_array_equal(HostLayers([merged])(codes), expected)


def test_a_depthwise_layer_and_the_one_behind_it_take_few_cycles():
    rng = np.random.default_rng(1)
    layer = depthwise(rng)
    behind = random_conv(rng, (8, 8, 32), 32, (1, 1), name="behind")
    before = estimate.each(compile_layers([layer, behind], CAPABILITIES), CAPABILITIES)
    merged = folded([layer, behind], CAPABILITIES)
    assert merged[1] is behind and merged[0].groups < layer.groups
    after = estimate.each(compile_layers(merged, CAPABILITIES), CAPABILITIES)
    assert after.sum() * 10 < before.sum()
    assert after[-1] * 6 < before[-1]


def test_no_merging_is_slower(seed):
    rng = np.random.default_rng(seed)
    for _ in range(10):
        groups = int(rng.choice([2, 3, 4, 6, 8, 16]))
        layer = random_conv(
            rng, (6, 6, groups * int(rng.choice([1, 2, 8, 40]))), groups * int(rng.choice([1, 8])),
            groups=groups, levels=3,
        )  # fmt: skip
        merged = merging_for(layer, CAPABILITIES)
        if merged is not None:
            cycles = [
                estimate.cycles(compile_layers([one], CAPABILITIES), CAPABILITIES)
                for one in (merged, layer)
            ]
            assert cycles[0] < cycles[1] and merged.groups < layer.groups


def test_what_is_not_merged():
    rng = np.random.default_rng(2)
    assert merging_for(random_conv(rng, (8, 8, 8)), CAPABILITIES) is None
    assert merging_for(depthwise(rng, levels=None), CAPABILITIES) is None
    wide = random_conv(rng, (8, 8, 256), 256, (3, 3), groups=2)
    assert merging_for(wide, CAPABILITIES) is None
    # where a layer reads several maps, each group has its share of every one
    layer = depthwise(rng, 8)
    one = random_conv(rng, (8, 8, 3), 4, (1, 1), name="one")
    wiring = ((-1,), (0,), (0, 1))
    two = dataclasses.replace(one, name="two", in_shape=(8, 8, 4), weight=one.weight[..., [0] * 4])
    assert folded([one, two, layer], CAPABILITIES, wiring)[2] is layer


def test_what_does_not_fit():
    rng = np.random.default_rng(3)
    nine = depthwise(rng, 8, coefficients=(128, 127))
    with pytest.raises(NetworkError, match="do not fit the coefficients"):
        of_groups(nine, 2)
    assert merging_for(nine, CAPABILITIES) is None
    columns = 60_000
    large = random_conv(rng, (1, columns, 8), 8, (1, columns), in_bits=8, groups=8,
                        coefficients=(100, 27))  # fmt: skip
    with pytest.raises(NetworkError, match="do not fit 32 bits"):
        of_groups(large, 4)


def test_thresholds_far_away_stay_there():
    layer = depthwise(np.random.default_rng(4), 8, levels=2)
    ends = np.iinfo(np.int32)
    far = dataclasses.replace(
        layer, thresholds=np.tile(np.array([ends.min, ends.max], np.int32), (8, 1))
    )
    codes = random_codes(np.random.default_rng(5), far, 3)
    assert (HostLayers([of_groups(far, 1)])(codes) == 1).all()
