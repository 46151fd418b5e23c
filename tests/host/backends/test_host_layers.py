# SPDX-License-Identifier: BSD-3-Clause
"""Layers on this processor against their definitions."""

import numpy as np
import pytest

from qnn.backends.host_layers import HostLayers
from qnn.compute.dense import BinaryDense, FloatDense, pack_columns
from qnn.compute.float_conv import Thresholds, Uniform
from qnn.network import Dense, FloatConv, Lookup
from qnn.network.result import Probabilities
from qnn_sim import float_layers as golden
from qnn_sim import golden_network


def binary(rng, inputs, outputs):
    weight = np.where(
        rng.integers(0, 2, (inputs, outputs)),
        rng.uniform(0, 0.1, outputs),
        rng.uniform(-0.1, 0, outputs),
    ).astype(np.float32)
    bias = rng.normal(0.3, 0.3, outputs).astype(np.float32)
    packed = pack_columns(weight)
    return BinaryDense(packed.bits, packed.lo, packed.hi, bias, inputs), weight, bias


def real(rng, inputs, outputs):
    weight = rng.normal(0, 0.3, (inputs, outputs)).astype(np.float32)
    bias = rng.normal(0, 0.3, outputs).astype(np.float32)
    return FloatDense(weight, bias), weight, bias


def evaluate(parts, codes):
    """The definition: values 0..1, every step in float64, rounding after clipping."""
    x = codes.ravel().astype(np.float64) / max(codes.max(), 1)
    for levels, weight, bias in parts:
        x = golden.fully_connected(x, weight, bias)
        if levels:
            x = golden.clip01(x)
        if levels > 1:
            x = np.rint(x * levels) / levels
    return golden.softmax(x)


@pytest.mark.parametrize("seed", range(20))
def test_a_chain_of_matrices(seed):
    """Matrices of bits behind codes and rounded values, of floats anywhere, any rounding."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, 6, 3))
    read, bits, unit, layers, parts = shape, 2, None, [], []
    for number in range(int(rng.integers(1, 5))):
        inputs, outputs = int(np.prod(read)), int(rng.integers(1, 90))
        levels = int(rng.choice([0, 1, 3, 7, 15]))
        make = binary if bits is not None and rng.random() < 0.6 else real
        matrix, weight, bias = make(rng, inputs, outputs)
        layers.append(Dense(f"fc{number}", read, bits, matrix, levels, unit))
        parts.append((levels, weight, bias))
        read, bits = layers[-1].out_shape, layers[-1].out_bits
        unit = 1 / levels if levels > 1 else 1.0
    maps = rng.integers(0, 4, (3, *shape), np.uint8)
    maps[1] = 0  # nothing seen: nothing to divide by
    maps[2] = np.minimum(maps[2], 1)  # the largest code there is does not occur
    out = HostLayers(layers)(maps)
    assert (out.shape, out.dtype) == ((3, *read), layers[-1].out_dtype)
    got = Probabilities(unit).probabilities(out)
    np.testing.assert_allclose(got, [evaluate(parts, codes) for codes in maps], rtol=1e-9)


def test_codes_are_flattened_row_column_channel():
    weight = np.zeros((12, 12), np.float32)
    np.fill_diagonal(weight, 10)
    layers = HostLayers([Dense("fc", (2, 2, 3), 2, FloatDense(weight, None), 0)])
    for index, place in enumerate(np.ndindex(2, 2, 3)):
        codes = np.zeros((1, 2, 2, 3), np.uint8)
        codes[(0, *place)] = 3
        assert layers(codes)[0, 0, 0].argmax() == index


def test_clipping_and_rounding_half_to_even():
    """Values -1, 0.5, 1.5, 2.5, 9 thirds by one input that is 1."""
    weight = np.zeros((1, 5), np.float32)
    bias = (np.float32([-1, 0.5, 1.5, 2.5, 9]) / 3).astype(np.float32)
    bias[1:4] = np.float32([0.25, 0.375, 0.625])
    layer = Dense("fc", (1, 1, 1), 1, FloatDense(weight, bias), 4)
    got = HostLayers([layer])(np.ones((1, 1, 1, 1), np.uint8))
    assert (got.dtype, got.ravel().tolist()) == (np.uint8, [0, 1, 2, 2, 4])  # 1.5 and 2.5 to 2


def test_a_matrix_for_each_pixel():
    rng = np.random.default_rng(3)
    matrix, weight, bias = real(rng, 5, 7)
    layer = Dense("conv8", (3, 4, 5), 3, matrix, 0, unit=4 / 7)
    codes = rng.integers(0, 8, (2, 3, 4, 5), dtype=np.uint8)
    expected = golden.fully_connected(codes * (4 / 7), weight, bias)
    np.testing.assert_allclose(HostLayers([layer])(codes), expected, rtol=1e-12)


def test_tables_flatten_row_by_row():
    table = np.random.default_rng(1).permutation(256).astype(np.uint8)
    pixels = np.random.default_rng(2).integers(0, 256, (3, 28, 28, 1), np.uint8)
    square = HostLayers([Lookup("pixels", (28, 28, 1), table, (28, 28, 1))])(pixels)
    flat = HostLayers([Lookup("pixels", (28, 28, 1), table, (1, 1, 784))])(pixels)
    assert (square.dtype, square.shape, flat.shape) == (np.uint8, pixels.shape, (3, 1, 1, 784))
    assert np.array_equal(square, table[pixels])
    assert np.array_equal(flat.reshape(3, -1), table[pixels].reshape(3, -1))


@pytest.mark.parametrize("arithmetic", ["float64", "float32-sequential"])
@pytest.mark.parametrize("quantizer", [Thresholds((0.5, 2.0, 1.0)), Uniform(4.0, 7)])
def test_float_convolutions_are_those_of_the_golden_model(arithmetic, quantizer):
    rng = np.random.default_rng(4)
    layer = FloatConv(
        name="conv0",
        in_shape=(20, 21, 3),
        weight=rng.normal(0, 1, (6, 5, 4, 3)).astype(np.float32),
        bias=rng.normal(0, 1, 6).astype(np.float32),
        stride=3,
        padding=1,
        quantizer=quantizer,
        arithmetic=arithmetic,
    )
    x = rng.random((3, 20, 21, 3), dtype=np.float32)
    codes = HostLayers([layer])(x)
    assert codes.shape[1:] == layer.out_shape and codes.dtype == np.uint8
    assert len(np.unique(codes)) > 2 and codes.max() < 1 << layer.out_bits
    for one, found in zip(x, codes, strict=True):
        assert np.array_equal(found, golden_network.run_layer(layer, one))


def test_trace_gives_every_layer():
    table = np.arange(256, dtype=np.uint8)[::-1].copy()
    layers = [Lookup(name, (2, 2, 1), table, (2, 2, 1)) for name in ("a", "b")]
    maps = np.arange(4, dtype=np.uint8).reshape(1, 2, 2, 1)
    once, twice = HostLayers(layers).trace(maps)
    assert np.array_equal(once, 255 - maps) and np.array_equal(twice, maps)
    assert np.array_equal(HostLayers(layers)(maps), maps)
    assert HostLayers([])(maps) is maps and list(HostLayers([]).trace(maps)) == []
