# SPDX-License-Identifier: BSD-3-Clause
"""A network through the golden model is each layer's definition, one after the other."""

import numpy as np
import pytest
import random_networks
import scalar_layers
from hypothesis import given
from hypothesis import strategies as st

from qnn.compute.float_conv import Thresholds, Uniform
from qnn.network.first import ConvFirst, LookupFirst
from qnn_sim import golden_network


def float_first(weight, **options):
    """A convolution of a 2x2 picture by a kernel of one pixel."""
    facts = {
        "geometry": "letterbox",
        "size": 2,
        "mean": None,
        "bias": None,
        "stride": 1,
        "padding": 0,
        "quantizer": Thresholds((0.25, 0.5)),
        "arithmetic": "float64",
        "transposed": False,
    }
    return ConvFirst(weight=np.array(weight, np.float32), **(facts | options))


@given(random_networks.convs(), st.integers(0, 2**32 - 1))
def test_a_layer_equals_its_definition(layer, seed):
    codes = random_networks.random_codes(np.random.default_rng(seed), layer, 3)[2]
    out = golden_network.run_layer(layer, codes)
    assert out.dtype == (np.int32 if layer.thresholds is None else np.uint8)
    assert out.shape == layer.out_shape
    np.testing.assert_array_equal(out, scalar_layers.layer(layer, codes))


@pytest.mark.parametrize("kind", random_networks.KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_trace_feeds_each_layer_to_the_next(kind, seed):
    rng = np.random.default_rng(seed)
    network = random_networks.KINDS[kind](rng)
    codes = random_networks.random_codes(rng, network, 3)[2]
    outputs = list(golden_network.trace(network.layers, codes))
    assert len(outputs) == len(network.layers)
    for layer, out in zip(network.layers, outputs, strict=True):
        expected = scalar_layers.layer(layer, codes)
        np.testing.assert_array_equal(out, expected)
        codes = expected


def test_lookup_first_codes():
    table = np.arange(255, -1, -1, dtype=np.uint8)
    grey = np.array([[0, 1], [254, 255]], np.uint8)[..., None]
    flat = LookupFirst("fit-grey", 2, table, (1, 1, 4))
    square = LookupFirst("fit-grey", 2, table, (2, 2, 1))
    assert golden_network.first_codes(flat, grey).tolist() == [[[255, 254, 1, 0]]]
    assert golden_network.first_codes(square, grey)[..., 0].tolist() == [[255, 254], [1, 0]]


def test_float_first_codes_by_hand():
    x = np.zeros((2, 2, 3), np.float32)
    x[..., 0] = [[0.125, 0.25], [0.375, 0.5]]
    first = float_first([[[[1, 5, 5]]], [[[2, 5, 5]]]])
    codes = golden_network.first_codes(first, x)
    assert codes[..., 0].tolist() == [[0, 0], [1, 1]]  # a tie does not count
    assert codes[..., 1].tolist() == [[0, 1], [2, 2]]

    uniform = float_first([[[[1, 5, 5]]]], quantizer=Uniform(0.5, 4))
    assert golden_network.first_codes(uniform, x)[..., 0].tolist() == [[1, 2], [3, 4]]
    biased = float_first([[[[1, 5, 5]]]], quantizer=Uniform(0.5, 4), bias=np.float32([-0.25]))
    assert golden_network.first_codes(biased, x)[..., 0].tolist() == [[0, 0], [1, 2]]


def test_float_first_rounds_half_to_even():
    x = np.zeros((2, 2, 3), np.float32)
    x[..., 0] = [[0.5, 1.5], [2.5, 3.5]]
    first = float_first([[[[1, 0, 0]]]], quantizer=Uniform(4.0, 4))
    assert golden_network.first_codes(first, x)[..., 0].tolist() == [[0, 2], [2, 4]]


def test_float_first_arithmetic_is_that_of_the_network():
    """In float32 the sum of the three terms forgets the small one; in float64 it does not."""
    x = np.ones((2, 2, 3), np.float32)
    weight = [[[[2.0**24, 1, -(2.0**24)]]]]
    exact = float_first(weight)
    rounded = float_first(weight, arithmetic="float32-sequential")
    assert (golden_network.first_codes(exact, x) == 2).all()
    assert (golden_network.first_codes(rounded, x) == 0).all()


@pytest.mark.parametrize("kind", ["scoring", "connected", "detecting"])
def test_the_first_stage_of_a_network_gives_the_same_codes(kind):
    rng = np.random.default_rng(11)
    first = random_networks.KINDS[kind](rng).first
    if isinstance(first, LookupFirst):
        tensor = rng.integers(0, 256, (2, 2, 1), dtype=np.uint8)
    else:
        tensor = rng.uniform(-1, 1, (first.size, first.size, 3)).astype(np.float32)
    codes = golden_network.first_codes(first, tensor)
    assert codes.shape == first.out_shape
    assert len(np.unique(codes)) > 1
    np.testing.assert_array_equal(first.codes(tensor), codes)
