# SPDX-License-Identifier: BSD-3-Clause
"""Passes give back the weights they were made of, and are as few as can be."""

import numpy as np
import pytest
import random_networks
from hypothesis import given, settings
from hypothesis import strategies as st

from qnn.engine.passes import PackedBits, Passes, factors, passes_of, shape_of
from qnn.network import Conv


def layer(*planes: list[int], coefficients: tuple[int, ...]) -> Conv:
    weight = np.array(planes, np.uint8).reshape(len(planes), 1, 1, 1, -1)
    return Conv("layer", (1, 1, weight.size // len(planes)), 1, weight, None, coefficients)


def two_complement(bits: int, values: list[int]) -> Conv:
    """Weights of `bits` bits: the planes of value + 2**(bits - 1), and one of -1; all doubled."""
    shifted = np.array(values) + 2 ** (bits - 1)
    planes = [(shifted >> k & 1).tolist() for k in reversed(range(bits))]
    coefficients = random_networks.coefficients_of(bits)
    return layer(*planes, [0] * len(values), coefficients=coefficients)


def weights_of(passes) -> np.ndarray:
    signs = 2 * passes.bits.astype(np.int64) - 1
    return np.tensordot(passes.factors, signs, 1)


@pytest.mark.parametrize("shape", [(1, 1, 64), (2, 3, 5), (1, 1, 130), (4, 4, 16)])
def test_packed_bits_are_those_of_the_array_they_stand_for(shape):
    rng = np.random.default_rng(1)
    inputs = int(np.prod(shape))
    bits = np.ones((150, -(-inputs // 64) * 64), np.uint8)  # behind the last one, too
    bits[:, :inputs] = rng.integers(0, 2, (150, inputs))
    packed = PackedBits(np.packbits(bits, axis=1, bitorder="little").view("<u8"), shape)
    array = bits[:, :inputs].reshape(1, 150, *shape)
    assert packed.shape == array.shape and len(packed) == len(array)
    np.testing.assert_array_equal(packed[:, 3:40], array[:, 3:40])
    np.testing.assert_array_equal(Passes(packed, 0).zeros, Passes(array, 0).zeros)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(1, 128), min_size=1, max_size=9), st.integers(0, 2**32 - 1))
def test_passes_are_the_weights(coefficients, seed):
    rng = np.random.default_rng(seed)
    conv = random_networks.random_conv(rng, levels=None, coefficients=tuple(coefficients))
    passes = passes_of(conv)
    assert passes.bits.dtype == np.uint8 and passes.bits.max() <= 1
    assert (weights_of(passes) == conv.signed_weight).all()


@pytest.mark.parametrize("bits", range(2, 9))
def test_weights_of_n_bits_take_n_passes_and_one(bits):
    values = list(range(-(2 ** (bits - 1)), 2 ** (bits - 1)))
    passes = passes_of(two_complement(bits, values))
    assert (len(passes), passes.exponent) == (bits + 1, bits - 1)
    assert (weights_of(passes).ravel() == 2 * np.array(values)).all()


@pytest.mark.parametrize("bits", range(1, 9))
def test_odd_weights_of_n_bits_take_n_passes(bits):
    planes = np.unpackbits(np.arange(2**bits, dtype=np.uint8)[:, None], axis=1)[:, 8 - bits :].T
    conv = layer(*planes.tolist(), coefficients=tuple(2**k for k in reversed(range(bits))))
    passes = passes_of(conv)
    assert (len(passes), passes.exponent) == (bits, bits - 1)
    assert (weights_of(passes) == conv.signed_weight).all()


@pytest.mark.parametrize(
    ("coefficients", "passes", "exponent"),
    [((1,), 1, 0), ((2,), 2, 0), ((1, 1), 2, 0), ((3,), 2, 1), ((4,), 3, 1), ((128, 1), 8, 7)],
)
def test_passes_of_coefficients(coefficients, passes, exponent):
    found = passes_of(layer(*[[0, 1]] * len(coefficients), coefficients=coefficients))
    assert (len(found), found.exponent) == (passes, exponent)


def test_weights_that_do_not_use_their_planes_take_fewer_passes():
    found = passes_of(two_complement(8, [-3, 0, 2]))
    assert (len(found), found.exponent) == (4, 2)
    assert weights_of(found).ravel().tolist() == [-6, 0, 4]
    zero = passes_of(layer([0, 1], [1, 0], coefficients=(1, 1)))
    assert (len(zero), zero.exponent) == (2, 0) and not weights_of(zero).any()


def test_no_fewer_passes_would_do():
    """All (passes, exponent) that reach the largest weight and are odd where it is."""
    for largest in range(1, 600):
        passes, exponent = shape_of(largest)
        able = [
            (p, e)
            for p in range(1, 12)
            for e in range(p)
            if factors(p, e).sum() >= largest and (factors(p, e).sum() - largest) % 2 == 0
        ]
        assert passes == min(able)[0] and (passes, exponent) in able


@pytest.mark.parametrize("passes", range(1, 8))
def test_each_number_of_its_parity_is_a_sum(passes):
    for exponent in range(passes):
        each = factors(passes, exponent)
        signs = 2 * (np.arange(2**passes)[:, None] >> np.arange(passes) & 1) - 1
        total = int(each.sum())
        assert set((signs @ each).tolist()) == set(range(-total, total + 1, 2))
