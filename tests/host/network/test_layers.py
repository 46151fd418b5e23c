# SPDX-License-Identifier: BSD-3-Clause
"""A layer that contradicts itself cannot be made; one that can tells the truth about itself."""

from itertools import product

import drawn_layers
import numpy as np
import pytest
import scalar_layers
from hypothesis import given
from hypothesis import strategies as st
from random_networks import plain_conv, random_conv

from qnn.errors import NetworkError
from qnn.network import MaxPool, describe

INT32 = np.iinfo(np.int32)


def ones(*shape):
    return np.ones(shape, np.uint8)


def test_describe():
    assert describe((27, 27, 180)) == "27x27x180"


@pytest.mark.parametrize(
    ("options", "conv_shape", "out_shape"),
    [
        ({}, (3, 4, 2), (3, 4, 2)),
        ({"padding": (1, 1, 1, 1)}, (5, 6, 2), (5, 6, 2)),
        ({"padding": (0, 1, 2, 3)}, (5, 8, 2), (5, 8, 2)),
        ({"stride": 2}, (2, 2, 2), (2, 2, 2)),
        ({"stride": 2, "padding": (1, 0, 0, 1)}, (2, 3, 2), (2, 3, 2)),
        ({"stride": 9}, (1, 1, 2), (1, 1, 2)),
        ({"groups": 2, "weight": ones(1, 2, 3, 3, 2)}, (3, 4, 2), (3, 4, 2)),
        ({"weight": ones(1, 2, 5, 6, 4)}, (1, 1, 2), (1, 1, 2)),
        ({"weight": ones(1, 2, 2, 1, 4)}, (4, 6, 2), (4, 6, 2)),
        ({"pool": MaxPool(2, 2)}, (3, 4, 2), (1, 2, 2)),
        ({"pool": MaxPool(2, 1)}, (3, 4, 2), (2, 3, 2)),
        ({"pool": MaxPool(3, 2, (0, 0, 1, 1))}, (3, 4, 2), (1, 2, 2)),
        ({"pool": MaxPool(3, 2, (1, 1, 1, 1))}, (3, 4, 2), (2, 2, 2)),
        ({"pool": MaxPool(2, 2, (1, 0, 0, 0))}, (3, 4, 2), (2, 2, 2)),
    ],
)
def test_shapes(options, conv_shape, out_shape):
    layer = plain_conv(**options)
    assert layer.conv_shape == conv_shape
    assert layer.out_shape == out_shape
    assert layer.macs == np.prod(conv_shape) * layer.weight[0, 0].size


@given(drawn_layers.convs())
def test_shapes_count_the_windows(layer):
    (rows, columns, _), (top, left, bottom, right) = layer.in_shape, layer.padding
    sides = (
        len(scalar_layers.windows(rows, top, bottom, layer.kernel[0], layer.strides[0])),
        len(scalar_layers.windows(columns, left, right, layer.kernel[1], layer.strides[1])),
    )
    assert layer.conv_shape == (*sides, layer.outputs)
    if layer.pool is not None:
        (top, left, bottom, right), pool = layer.pool.padding, layer.pool
        sides = (
            len(scalar_layers.windows(sides[0], top, bottom, pool.size, pool.stride)),
            len(scalar_layers.windows(sides[1], left, right, pool.size, pool.stride)),
        )
    assert layer.out_shape == (*sides, layer.outputs)


@pytest.mark.parametrize(
    ("count", "bits"), [(1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (8, 4), (127, 7), (255, 8)]
)
def test_out_bits_hold_every_code(count, bits):
    assert plain_conv(thresholds=np.zeros((2, count), np.int32)).out_bits == bits
    assert plain_conv(thresholds=None).out_bits is None


def test_signed_weight_adds_the_planes():
    weight = np.array([0, 1, 0, 1, 0, 0, 1, 1], np.uint8).reshape(2, 1, 1, 1, 4)
    layer = plain_conv(weight=weight, coefficients=(1, 3), thresholds=None, in_shape=(1, 1, 4))
    assert layer.signed_weight.ravel().tolist() == [-4, -2, 2, 4]


@given(
    st.integers(1, 2),
    st.sampled_from([(1,), (1, 1), (1, 2), (3,)]),
    st.sampled_from([(1, 2, 2), (2, 2, 1), (1, 1, 4), (1, 3, 1)]),
    st.integers(0, 2**32 - 1),
)
def test_no_input_passes_the_bound(bits, coefficients, in_shape, seed):
    rng = np.random.default_rng(seed)
    options = {"in_bits": bits, "coefficients": coefficients, "levels": None}
    layer = random_conv(rng, in_shape, 2, in_shape[:2], **options)
    count = int(np.prod(in_shape))
    inputs = np.array(list(product(range(2**bits), repeat=count)))
    sums = inputs @ layer.signed_weight.reshape(2, -1).T.astype(int)
    assert np.abs(sums).max() <= layer.bound


@pytest.mark.parametrize("bit", [0, 1])
def test_the_bound_is_met(bit):
    layer = plain_conv(
        weight=np.full((2, 2, 3, 3, 4), bit, np.uint8), coefficients=(1, 128), in_bits=8
    )
    assert layer.bound == 36 * 129 * 255


def test_padding_does_not_raise_the_bound():
    assert plain_conv(padding=(2, 2, 2, 2)).bound == plain_conv().bound == 36 * 3


def test_accumulators_that_do_not_fit_32_bits_are_refused():
    """Accumulators are handed out as int32."""
    with pytest.raises(NetworkError, match="layer conv1"):
        plain_conv(
            in_shape=(1, 1, 1 << 20),
            weight=ones(1, 1, 1, 1, 1 << 20),
            coefficients=(128,),
            in_bits=8,
            thresholds=None,
        )


def test_weights_that_do_not_fit_their_type_are_refused():
    """512 planes of 128 would add up to 65536, which is 0 in 16 bits."""
    with pytest.raises(NetworkError, match="layer conv1"):
        plain_conv(weight=ones(512, 2, 3, 3, 4), coefficients=(128,) * 512)


def test_thresholds_may_reach_both_ends_of_their_type():
    layer = plain_conv(thresholds=np.array([[INT32.min, 0, INT32.max]] * 2, np.int32))
    assert layer.out_bits == 2


REFUSALS = {
    "empty input": ({"in_shape": (0, 6, 4)}, "bad input"),
    "flat input": ({"in_shape": (6, 4)}, "bad input"),
    "no bits": ({"in_bits": 0}, "0 activation bits are not in 1..8"),
    "nine bits": ({"in_bits": 9}, "9 activation bits are not in 1..8"),
    "no stride": ({"stride": 0}, "stride 0 is not positive"),
    "three paddings": ({"padding": (1, 1, 1)}, "bad padding"),
    "negative padding": ({"padding": (0, 0, -1, 0)}, "bad padding"),
    "flat weights": ({"weight": ones(2, 3, 3, 4)}, "weights are not 5-dimensional uint8"),
    "int8 weights": ({"weight": np.ones((1, 2, 3, 3, 4), np.int8)}, "not 5-dimensional uint8"),
    "no weights": ({"weight": ones(1, 2, 0, 3, 4)}, "weights are empty: 1x2x0x3x4"),
    "weight 2": ({"weight": 2 * ones(1, 2, 3, 3, 4)}, "weight bits are not 0 or 1"),
    "planes": ({"coefficients": (1, 1)}, r"1 weight planes do not fit the coefficients \(1, 1\)"),
    "coefficient 0": ({"coefficients": (0,)}, r"coefficients \(0,\)"),
    "coefficient 129": ({"coefficients": (129,)}, r"coefficients \(129,\)"),
    "no groups": ({"groups": 0}, "0 groups"),
    "channels": (
        {"in_shape": (5, 6, 5)},
        "its input has 5 channels, but its weights are for 4 channels in each of 1 groups",
    ),
    "channels of groups": (
        {"groups": 2},
        "its input has 4 channels, but its weights are for 4 channels in each of 2 groups",
    ),
    "outputs of groups": (
        {
            "groups": 2,
            "weight": ones(1, 3, 3, 3, 2),
            "thresholds": np.zeros((3, 1), np.int32),
        },
        "3 outputs cannot be split into 2 groups",
    ),
    "kernel": (
        {"weight": ones(1, 2, 6, 3, 4)},
        r"a kernel of 6x3 does not fit into its input of 5x6x4 with padding \(0, 0, 0, 0\)",
    ),
    "million": (
        {"in_shape": (1, 1, (1 << 20) + 1), "weight": ones(1, 2, 1, 1, (1 << 20) + 1)},
        "more than a million products",
    ),
    "int64 thresholds": ({"thresholds": np.zeros((2, 3), np.int64)}, "not 2-dimensional int32"),
    "flat thresholds": ({"thresholds": np.zeros(2, np.int32)}, "not 2-dimensional int32"),
    "missing thresholds": (
        {"thresholds": np.zeros((1, 3), np.int32)},
        "thresholds of shape 1x3 do not fit 2 outputs",
    ),
    "no threshold": ({"thresholds": np.zeros((2, 0), np.int32)}, "thresholds of shape 2x0"),
    "256 thresholds": ({"thresholds": np.zeros((2, 256), np.int32)}, "thresholds of shape 2x256"),
    "falling thresholds": (
        {"thresholds": np.array([[0, 1], [1, 0]], np.int32)},
        "thresholds are not in ascending order",
    ),
    "far falling thresholds": (
        {"thresholds": np.array([[0, 1], [INT32.max, INT32.min]], np.int32)},
        "thresholds are not in ascending order",
    ),
    "pooled sums": (
        {"thresholds": None, "pool": MaxPool(2, 2)},
        "accumulators cannot be pooled: it has no thresholds",
    ),
    "pool of 0": ({"pool": MaxPool(0, 1)}, "bad pool"),
    "pool stride 0": ({"pool": MaxPool(2, 0)}, "bad pool"),
    "pool padding": (
        {"pool": MaxPool(2, 2, (0, 0, 2, 0))},
        r"pool padding \(0, 0, 2, 0\) is not within 0..1",
    ),
    "negative pool padding": ({"pool": MaxPool(2, 2, (0, -1, 0, 0))}, "pool padding"),
    "three pool paddings": ({"pool": MaxPool(2, 2, (0, 0, 0))}, "pool padding"),
    "pool size": ({"pool": MaxPool(4, 1)}, "a pool of 4x4 does not fit into 3x4x2"),
    "parts": ({"parts": ("a", "b")}, "2 part names for 1 groups"),
}


@pytest.mark.parametrize(("options", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_a_layer_that_contradicts_itself_is_refused(options, reason):
    with pytest.raises(NetworkError, match=f"^layer conv1: .*{reason}"):
        plain_conv(**options)
