# SPDX-License-Identifier: BSD-3-Clause
"""A network through the golden model is each layer's definition, one after the other."""

from dataclasses import replace

import drawn_layers
import numpy as np
import pytest
import random_networks
import scalar_layers
from hypothesis import given
from hypothesis import strategies as st

from qnn.backends.host_layers import HostLayers
from qnn.compute.dense import BinaryDense, FloatDense
from qnn.compute.float_conv import Thresholds, Uniform
from qnn.network import Conv, Dense, FloatConv, Lookup
from qnn_sim import golden_network


def float_conv(weight, **options):
    """A convolution of a 2x2 map by a kernel of one pixel."""
    facts = {
        "name": "conv0",
        "in_shape": (2, 2, 3),
        "bias": None,
        "stride": 1,
        "padding": 0,
        "quantizer": Thresholds((0.25, 0.5)),
        "arithmetic": "float64",
    }
    return FloatConv(weight=np.array(weight, np.float32), **(facts | options))


@given(drawn_layers.convs(), st.integers(0, 2**32 - 1))
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
    maps = random_networks.random_codes(rng, network, 3)[2]
    outputs = list(golden_network.trace(network.layers, maps))
    assert len(outputs) == len(network.layers)
    for layer, out in zip(network.layers, outputs, strict=True):
        assert (out.shape, out.dtype) == (layer.out_shape, layer.out_dtype)
        np.testing.assert_array_equal(out, golden_network.run_layer(layer, maps))
        if isinstance(layer, Conv):
            np.testing.assert_array_equal(out, scalar_layers.layer(layer, maps))
        maps = out


def test_a_table():
    table = np.arange(255, -1, -1, dtype=np.uint8)
    grey = np.array([[0, 1], [254, 255]], np.uint8)[..., None]
    flat = Lookup("pixels", (2, 2, 1), table, (1, 1, 4))
    square = Lookup("pixels", (2, 2, 1), table, (2, 2, 1))
    assert golden_network.run_layer(flat, grey).tolist() == [[[255, 254, 1, 0]]]
    assert golden_network.run_layer(square, grey)[..., 0].tolist() == [[255, 254], [1, 0]]


def test_float_convolution_by_hand():
    x = np.zeros((2, 2, 3), np.float32)
    x[..., 0] = [[0.125, 0.25], [0.375, 0.5]]
    layer = float_conv([[[[1, 5, 5]]], [[[2, 5, 5]]]])
    codes = golden_network.run_layer(layer, x)
    assert codes[..., 0].tolist() == [[0, 0], [1, 1]]  # a tie does not count
    assert codes[..., 1].tolist() == [[0, 1], [2, 2]]

    uniform = float_conv([[[[1, 5, 5]]]], quantizer=Uniform(0.5, 4))
    assert golden_network.run_layer(uniform, x)[..., 0].tolist() == [[1, 2], [3, 4]]
    biased = float_conv([[[[1, 5, 5]]]], quantizer=Uniform(0.5, 4), bias=np.float32([-0.25]))
    assert golden_network.run_layer(biased, x)[..., 0].tolist() == [[0, 0], [1, 2]]


def test_float_conv_rounds_half_to_even():
    x = np.zeros((2, 2, 3), np.float32)
    x[..., 0] = [[0.5, 1.5], [2.5, 3.5]]
    layer = float_conv([[[[1, 0, 0]]]], quantizer=Uniform(4.0, 4))
    assert golden_network.run_layer(layer, x)[..., 0].tolist() == [[0, 2], [2, 4]]


def test_float_conv_arithmetic_is_that_of_the_network():
    """In float32 the sum of the three terms forgets the small one; in float64 it does not."""
    x = np.ones((2, 2, 3), np.float32)
    weight = [[[[2.0**24, 1, -(2.0**24)]]]]
    exact = float_conv(weight)
    rounded = float_conv(weight, arithmetic="float32-sequential")
    assert (golden_network.run_layer(exact, x) == 2).all()
    assert (golden_network.run_layer(rounded, x) == 0).all()


def matrix(weight, in_shape=(1, 1, 2), in_bits=2, levels=0, unit=1.0, bias=None):
    weight = np.array(weight, np.float32)
    dense = FloatDense(weight, None if bias is None else np.array(bias, np.float32))
    return Dense("fc", in_shape, in_bits, dense, levels, unit)


def test_a_matrix_by_hand():
    codes = np.array([[[3, 1]]], np.uint8)
    layer = matrix([[1, 0.5], [0, -2]], bias=[0, 1])
    assert golden_network.run_layer(layer, codes).tolist() == [[[3, 0.5]]]
    half = matrix([[1, 0.5], [0, -2]], bias=[0, 1], unit=0.5)
    assert golden_network.run_layer(half, codes).tolist() == [[[1.5, 0.75]]]
    clipped = matrix([[1, 0.5], [0, -2]], bias=[0, 1], unit=0.5, levels=1)
    assert golden_network.run_layer(clipped, codes).tolist() == [[[1, 0.75]]]
    rounded = matrix([[1, 0.5], [0, -2]], bias=[0, 1], unit=0.5, levels=2)
    assert golden_network.run_layer(rounded, codes).tolist() == [[[2, 2]]]  # 1.5: half to even
    of_largest = matrix([[1, 0.5], [0, -2]], unit=None)
    np.testing.assert_allclose(golden_network.run_layer(of_largest, codes), [[[1, -1 / 6]]])
    nothing = np.zeros_like(codes)
    assert golden_network.run_layer(of_largest, nothing).tolist() == [[[0, 0]]]


def test_a_matrix_over_a_map_and_over_its_pixels():
    codes = np.array([[[3, 1]], [[0, 2]]], np.uint8)
    pixels = matrix([[1], [10]], in_shape=(2, 1, 2))
    assert golden_network.run_layer(pixels, codes).tolist() == [[[13]], [[20]]]
    whole = matrix([[1], [10], [100], [1000]], in_shape=(2, 1, 2))
    assert golden_network.run_layer(whole, codes).tolist() == [[[2013]]]


def test_a_matrix_of_bits():
    """Bit i of word k of a row belongs to input 64 * k + i."""
    words = np.zeros((2, 2), np.uint64)
    words[0, 0], words[0, 1], words[1, 0] = 1 << 63, 1 << 1, 0b101
    lo, hi = np.float32([-1, 0]), np.float32([10, 0.5])
    dense = BinaryDense(words, lo, hi, np.zeros(2, np.float32), 66)
    layer = Dense("fc", (1, 1, 66), 2, dense, 0)
    codes = np.zeros((1, 1, 66), np.uint8)
    codes[0, 0, [0, 1, 63, 65]] = 1, 1, 2, 3
    assert golden_network.run_layer(layer, codes).tolist() == [[[-2 + 20 + 30, 0.5]]]


def test_rounding_allows_another_order_of_sums_and_no_more():
    rng = np.random.default_rng(1)
    layer = matrix(rng.normal(0, 1, (500, 3)), (1, 1, 500), None, bias=[1, 2, 3])
    values = rng.normal(0, 1, (1, 1, 500))
    found = golden_network.run_layer(layer, values)
    leeway = golden_network.rounding(layer, values)
    turned = replace(layer, matrix=FloatDense(layer.matrix.weight[::-1].copy(), layer.matrix.bias))
    other = golden_network.run_layer(turned, values[..., ::-1])
    assert (other != found).any(), "the other order gives the same bits: this tests nothing"
    assert (abs(other - found) <= leeway).all()
    assert (leeway > 0).all() and (leeway < 1e-9).all()
    assert not golden_network.rounding(replace(layer, levels=3), values).any()


def test_rounding_passes_on_what_the_inputs_are_off_by():
    """Every sign of the errors keeps within it, and the worst one reaches it."""
    layer = matrix([[1, -2], [3, 0.5]], (1, 1, 2), None, bias=[1, 1])
    values, off = np.array([[[2.0, -1.0]]]), np.array([[[0.25, 0.5]]])
    leeway = golden_network.rounding(layer, values, off)
    found = golden_network.run_layer(layer, values)
    moved = [
        abs(golden_network.run_layer(layer, values + off * signs) - found)
        for signs in ([1, 1], [1, -1], [-1, 1], [-1, -1])
    ]
    assert (np.max(moved, axis=0) <= leeway).all()
    np.testing.assert_allclose(leeway, np.max(moved, axis=0), rtol=1e-12)


@pytest.mark.parametrize("kind", random_networks.KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_the_layers_of_the_host_give_the_same(kind, seed):
    rng = np.random.default_rng(seed)
    network = random_networks.KINDS[kind](rng)
    maps = random_networks.random_codes(rng, network, 3)
    for layer, found in zip(network.layers, HostLayers(network.layers).trace(maps), strict=True):
        for one, other in zip(maps, found, strict=True):
            wanted = golden_network.run_layer(layer, one)
            assert (abs(other - wanted) <= golden_network.rounding(layer, one)).all()
        maps = found
