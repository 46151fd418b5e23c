# SPDX-License-Identifier: BSD-3-Clause
"""Tables, float convolutions and matrices: what they say of themselves, and what does not fit."""

import numpy as np
import pytest

from qnn.compute.dense import BinaryDense, FloatDense
from qnn.compute.float_conv import Thresholds, Uniform
from qnn.errors import NetworkError
from qnn.network import Dense, FloatConv, Lookup

TABLE = np.arange(256, dtype=np.uint8)
SQUARE = (28, 28, 1)


def lookup(in_shape=SQUARE, table=TABLE, out_shape=SQUARE):
    return Lookup("pixels", in_shape, table, out_shape)


def convolution(**changes):
    rng = np.random.default_rng(5)
    parts = {
        "name": "conv0",
        "in_shape": (20, 20, 3),
        "weight": rng.normal(0, 0.02, (6, 5, 4, 3)).astype(np.float32),
        "bias": rng.normal(0, 1, 6).astype(np.float32),
        "stride": 3,
        "padding": 1,
        "quantizer": Thresholds((0.5, 2.0, 1.0)),
        "arithmetic": "float64",
    }
    return FloatConv(**parts | changes)


def floats(inputs, outputs):
    return FloatDense(np.ones((inputs, outputs), np.float32), None)


def bits(inputs, outputs):
    values = np.ones(outputs, np.float32)
    words = np.zeros((outputs, -(-inputs // 64)), np.uint64)
    return BinaryDense(words, -values, values, 0 * values, inputs)


def dense(**changes):
    parts = {"name": "fc", "in_shape": (2, 3, 5), "in_bits": 2, "matrix": floats(30, 4)}
    return Dense(**parts | {"levels": 0} | changes)


# Lookup


@pytest.mark.parametrize(("largest", "bits"), [(0, 1), (1, 1), (2, 2), (3, 2), (127, 7), (255, 8)])
def test_bits_of_a_table(largest, bits):
    layer = lookup(table=np.minimum(TABLE, largest).astype(np.uint8))
    assert (layer.in_bits, layer.out_bits, layer.out_dtype, layer.macs) == (8, bits, np.uint8, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"table": TABLE.astype(np.int64)}, "table int64"),
        ({"table": TABLE[:255]}, r"table uint8 \(255,\)"),
        ({"out_shape": (28, 28, 3)}, "28x28x1 through a table does not give 28x28x3"),
        ({"out_shape": (1, 1, 783)}, "does not give 1x1x783"),
        ({"in_shape": (28, 0, 1), "out_shape": (28, 0, 1)}, "28x0x1"),
    ],
)
def test_tables_that_do_not_fit(changes, message):
    with pytest.raises(NetworkError, match=f"layer pixels: .*{message}"):
        lookup(**changes)


def test_a_table_may_flatten():
    assert lookup(out_shape=(1, 1, 784)).out_shape == (1, 1, 784)


# FloatConv


@pytest.mark.parametrize(
    ("quantizer", "bits"),
    [
        (Thresholds((0.5,)), 1),
        (Thresholds((1.0, 2.0)), 2),
        (Thresholds((1.0, 2.0, 3.0)), 2),
        (Uniform(4.0, 7), 3),
        (Uniform(1.0, 8), 4),
    ],
)
def test_bits_of_a_quantizer(quantizer, bits):
    layer = convolution(quantizer=quantizer)
    assert (layer.in_bits, layer.out_bits, layer.out_dtype) == (None, bits, np.uint8)


def test_facts_of_a_float_convolution():
    layer = convolution()
    assert layer.out_shape == (6, 7, 6)
    assert layer.macs == 6 * 7 * 6 * 5 * 4 * 3
    lopsided = convolution(in_shape=(9, 14, 2), weight=np.ones((3, 2, 5, 2), np.float32), bias=None)
    assert lopsided.out_shape == (4, 4, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight": np.zeros((6, 5, 4), np.float32)}, "weights of shape 6x5x4"),
        ({"weight": np.zeros((6, 5, 4, 1), np.float32)}, "weights of shape 6x5x4x1"),
        ({"weight": np.zeros((6, 23, 4, 3), np.float32)}, "weights of shape 6x23x4x3"),
        ({"weight": np.zeros((6, 5, 4, 3))}, "want weights float32"),
        ({"bias": np.zeros(5, np.float32)}, "want a bias float32"),
        ({"stride": 0}, "stride 0"),
        ({"name": ""}, "use printable characters"),
    ],
)
def test_convolutions_that_do_not_fit(changes, message):
    with pytest.raises(NetworkError, match=f"layer .*{message}"):
        convolution(**changes)


# Dense


def test_a_matrix_over_a_map():
    layer = dense()
    assert (layer.of_map, layer.inputs, layer.out_shape) == (True, 30, (1, 1, 4))
    assert (layer.out_bits, layer.out_dtype, layer.macs) == (None, np.float64, 120)


def test_a_matrix_over_the_channels_of_each_pixel():
    layer = dense(matrix=floats(5, 4))
    assert (layer.of_map, layer.inputs, layer.out_shape) == (False, 5, (2, 3, 4))
    assert layer.macs == 2 * 3 * 5 * 4


def test_a_map_of_one_pixel_is_both():
    assert dense(in_shape=(1, 1, 5), matrix=bits(5, 4)).out_shape == (1, 1, 4)
    assert dense(in_shape=(1, 1, 5), matrix=floats(5, 4)).of_map


@pytest.mark.parametrize(
    ("levels", "bits"), [(0, None), (1, None), (2, 2), (3, 2), (4, 3), (255, 8)]
)
def test_bits_of_levels(levels, bits):
    layer = dense(levels=levels)
    assert layer.out_bits == bits
    assert layer.out_dtype == (np.float64 if bits is None else np.uint8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"levels": 256}, "256 levels are not in 0..255"),
        ({"levels": -1}, "-1 levels"),
        ({"in_bits": 9}, "9-bit codes"),
        ({"in_bits": 0}, "0-bit codes"),
        ({"in_bits": None, "matrix": bits(30, 4)}, "its bits read codes, not floats"),
        ({"in_bits": None, "unit": None}, "floats have the unit 1"),
        ({"in_bits": None, "unit": 0.5}, "floats have the unit 1"),
        ({"unit": 0.0}, "a unit of 0.0"),
        ({"unit": float("inf")}, "a unit of inf"),
        ({"unit": float("nan")}, "a unit of nan"),
        ({"matrix": floats(31, 4)}, "its matrix has 31 inputs; it reads 2x3x5"),
        ({"matrix": bits(5, 4)}, "its matrix has 5 inputs; it reads 2x3x5"),
    ],
)
def test_matrices_that_do_not_fit(changes, message):
    with pytest.raises(NetworkError, match=f"layer fc: {message}"):
        dense(**changes)
