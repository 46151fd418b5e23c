# SPDX-License-Identifier: BSD-3-Clause
"""Packed and float fully connected layers equal x W + b in float64."""

import numpy as np
import pytest

from qnn.compute import dense
from qnn.compute.dense import BinaryDense, FloatDense, pack_columns
from qnn.errors import NetworkError, QnnError
from qnn_sim import float_layers as golden

seeds = pytest.mark.parametrize("seed", range(10))


@pytest.fixture(params=["bitwise_count", "numpy 1"])
def popcount(request, monkeypatch):
    """Once with what this numpy has, once as on numpy 1."""
    if request.param == "numpy 1":
        monkeypatch.delattr(np, "bitwise_count", raising=False)


def two_valued(rng, n_in, n_out):
    lo, hi = np.sort(rng.normal(size=(2, n_out)).astype(np.float32), axis=0)
    hi[rng.random(n_out) < 0.2] = lo[0]
    return np.where(rng.random((n_in, n_out)) < rng.random(n_out), hi, lo)


def assert_close(got, x, weight, bias):
    """To a few float64 roundings of the largest sum that the terms allow."""
    want = golden.fully_connected(x, weight, bias)
    reach = np.abs(x.astype(np.float64)) @ np.abs(weight.astype(np.float64)) + np.abs(bias)
    assert got.dtype == np.float64
    assert got.shape == want.shape
    assert (np.abs(got - want) <= 1e-13 * reach).all()


@seeds
@pytest.mark.parametrize("code_bits", [1, 2, 3, 5, 8])
@pytest.mark.usefixtures("popcount")
def test_binary_dense_equals_float64(seed, code_bits):
    rng = np.random.default_rng([seed, code_bits])
    n_in, n_out = (int(n) for n in rng.integers(1, [700, 1200]))
    weight, bias = two_valued(rng, n_in, n_out), rng.normal(size=n_out).astype(np.float32)
    codes = rng.integers(0, 2**code_bits, n_in).astype(np.uint8)
    scale = 1 / (2**code_bits - 1)
    packed = pack_columns(weight)
    assert packed is not None
    layer = BinaryDense(*packed, bias, n_in)
    assert_close(layer(codes, scale), codes * scale, weight, bias)
    again = BinaryDense(layer.bits.copy(), layer.lo, layer.hi, layer.bias, layer.n_in)
    np.testing.assert_array_equal(again(codes, scale), layer(codes, scale))


@pytest.mark.parametrize("n_in", [1, 63, 64, 65, 128, 130])
@pytest.mark.usefixtures("popcount")
def test_integer_weights_are_exact(n_in):
    rng = np.random.default_rng(n_in)
    weight = rng.choice(np.float32([-1, 1]), (n_in, 9))
    weight[:, 0], weight[:, 1] = 1, -1
    for codes in (
        np.zeros(n_in, np.uint8),
        np.full(n_in, 255, np.uint8),
        rng.integers(0, 256, n_in).astype(np.uint8),
    ):
        got = BinaryDense(*pack_columns(weight), np.zeros(9, np.float32), n_in)(codes, 1.0)
        np.testing.assert_array_equal(got, codes.astype(np.int64) @ weight.astype(np.int64))


@seeds
def test_packing_loses_nothing(seed):
    rng = np.random.default_rng(seed)
    n_in, n_out = (int(n) for n in rng.integers(1, 300, 2))
    weight = two_valued(rng, n_in, n_out)
    bits, lo, hi = pack_columns(weight)
    assert bits.dtype == np.dtype("<u8")
    assert bits.shape == (n_out, -(-n_in // 64))
    unpacked = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little")
    assert not unpacked[:, n_in:].any()
    np.testing.assert_array_equal(np.where(unpacked[:, :n_in].T, hi, lo), weight)


def test_packing_refuses_a_third_value_anywhere():
    weight = np.tile(np.float32([-1, 1]), (50, 150))
    weight[::2] *= -1
    assert pack_columns(weight) is not None
    for where in ((0, 0), (49, 299), (20, 128)):
        spoilt = weight.copy()
        spoilt[where] = 0.5
        assert pack_columns(spoilt) is None


def test_packed_weights_may_be_a_memory_map(tmp_path):
    rng = np.random.default_rng(0)
    weight, bias = two_valued(rng, 100, 70), np.zeros(70, np.float32)
    bits, lo, hi = pack_columns(weight)
    np.save(tmp_path / "bits.npy", bits)
    layer = BinaryDense(np.load(tmp_path / "bits.npy", mmap_mode="r"), lo, hi, bias, 100)
    codes = rng.integers(0, 4, 100).astype(np.uint8)
    assert type(layer(codes, 1.0)) is np.ndarray
    assert_close(layer(codes, 1.0), codes, weight, bias)


def test_count_ones_without_bitwise_count():
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**64, (50, 7), dtype=np.uint64)
    words[0], words[1] = 0, 2**64 - 1
    words[2] = 1 << np.arange(57, 64, dtype=np.uint64)
    want = [[bin(word).count("1") for word in row] for row in words.tolist()]
    np.testing.assert_array_equal(dense._add_up_ones(words), want)


@seeds
def test_float_dense_equals_float64(seed):
    rng = np.random.default_rng(seed)
    n_in, n_out = (int(n) for n in rng.integers(1, 700, 2))
    weight, bias = (rng.normal(size=s).astype(np.float32) for s in ((n_in, n_out), n_out))
    layer = FloatDense(weight, bias)
    x = rng.normal(size=n_in)
    assert_close(layer(x), x, weight, bias)
    grid = rng.integers(0, 8, (3, 2, n_in)).astype(np.uint8)
    assert_close(
        layer(grid.transpose(1, 0, 2), 4 / 7), grid.transpose(1, 0, 2) * (4 / 7), weight, bias
    )
    assert_close(FloatDense(weight, None)(x), x, weight, 0 * bias)


def test_bad_arguments():
    weight = np.ones((70, 4), np.float32)
    bits, lo, hi = pack_columns(weight)
    bias = np.zeros(4, np.float32)
    for make, message in [
        (lambda: pack_columns(weight.astype(np.float64)), "dense weights float32"),
        (lambda: pack_columns(weight * np.float32(np.nan)), "not finite"),
        (lambda: BinaryDense(bits, lo, hi, bias, 129), "129 inputs"),
        (lambda: BinaryDense(bits.view(np.int64), lo, hi, bias, 70), "packed weights"),
        (lambda: BinaryDense(bits, lo[1:], hi, bias, 70), "finite lo"),
        (lambda: BinaryDense(bits, lo, hi * np.float32(np.inf), bias, 70), "finite hi"),
        (lambda: BinaryDense(bits, lo, hi, bias.astype(np.float64), 70), "finite bias"),
        (lambda: FloatDense(weight[0], None), "dense weights float32"),
        (lambda: FloatDense(weight, bias[1:]), "finite bias"),
    ]:
        with pytest.raises(NetworkError, match=message):
            make()
    layer = BinaryDense(bits, lo, hi, bias, 70)
    for codes in (np.zeros(70), np.zeros(71, np.uint8), np.zeros((1, 70), np.uint8)):
        with pytest.raises(QnnError, match="want codes uint8"):
            layer(codes, 1.0)
    with pytest.raises(QnnError, match="want 70 inputs"):
        FloatDense(weight, bias)(np.zeros((70, 4)))
