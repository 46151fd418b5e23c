# SPDX-License-Identifier: BSD-3-Clause
"""Out of sums of +1 and -1 the host makes what the layer itself gives, bit by bit."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from random_networks import random_dense

from qnn.compute.dense import BinaryDense
from qnn.engine.binary_dense import DenseSums
from qnn.engine.capabilities import Capabilities
from qnn.engine.program import compile_layers
from qnn.network import Dense

SHAPE = (3, 4, 7)


def sums_of(layer: DenseSums, codes) -> np.ndarray:
    """D by its definition, as the accelerator must count it."""
    signs = 2 * layer.weights.bits[:, :].astype(np.int64)[0] - 1
    return (signs * codes.astype(np.int64)).sum(axis=(1, 2, 3)).astype(np.int32)[None, None]


def itself(dense: Dense, codes) -> np.ndarray:
    """What the layer gives where it runs on the host."""
    y = dense.matrix(codes.ravel(), dense.unit_of(codes))
    return dense.given(y).reshape(dense.out_shape)


def opposite(dense: Dense) -> Dense:
    """The same with -hi and hi in each output."""
    hi = np.abs(dense.matrix.hi)
    return replace(dense, matrix=replace(dense.matrix, lo=-hi, hi=hi))


@pytest.mark.parametrize("levels", [0, 1, 3, 255])
@pytest.mark.parametrize("unit", [None, 1 / 3, 1.0])
@pytest.mark.parametrize("top", [0, 1, 2, 3])
def test_equal_bit_by_bit(levels, unit, top):
    """Also where the largest code is not the largest that there is, or all are 0."""
    rng = np.random.default_rng(levels + 1000 * top)
    dense = random_dense(rng, SHAPE, 50, levels=levels, unit=unit)
    codes = rng.integers(0, top + 1, SHAPE, dtype=np.uint8)
    codes.flat[0] = top
    for one in (dense, opposite(dense)):
        layer = DenseSums(one, one.matrix)
        found = layer.finish(codes, sums_of(layer, codes))
        assert found.dtype == one.out_dtype
        np.testing.assert_array_equal(found, itself(one, codes))


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
@pytest.mark.parametrize("unit", [None, 1.0])
def test_every_sum_of_opposite_values(levels, unit, seed):
    """Of all units that there are; where a weight is 0, and where codes change at whole numbers."""
    rng = np.random.default_rng(seed)
    dense = opposite(random_dense(rng, (1, 3, 5), 50, levels=levels, unit=unit))
    hi, bias = dense.matrix.hi, dense.matrix.bias
    hi[0], hi[1], bias[:2] = 0, 1 / 32, 0.5
    layer = DenseSums(dense, replace(dense.matrix, lo=-hi))
    for top in (1, 2, 3):
        codes = np.full((1, 3, 5), top, np.uint8)
        for one in range(-15 * 3, 15 * 3 + 1):
            sums = np.full((1, 1, 50), one, np.int32)
            y = hi.astype(np.float64) * one * dense.unit_of(codes) + bias
            np.testing.assert_array_equal(layer.finish(codes, sums)[0, 0], dense.given(y))


def test_negative_values_that_are_opposite(seed):
    """What hi stands for may be the smaller one: then a code falls where a sum grows."""
    rng = np.random.default_rng(seed)
    dense = opposite(random_dense(rng, SHAPE, 50))
    turned = replace(dense, matrix=replace(dense.matrix, lo=dense.matrix.hi, hi=dense.matrix.lo))
    layer, codes = DenseSums(turned, turned.matrix), rng.integers(0, 4, SHAPE, dtype=np.uint8)
    found = layer.finish(codes, sums_of(layer, codes))
    np.testing.assert_array_equal(found, itself(turned, codes))


@pytest.mark.parametrize("n_in", [(1 << 20) - 1, 1 << 20])
def test_opposite_values_and_the_largest_sums(n_in, seed):
    """In the longest layer whose sum of codes goes away, and in a longer one."""
    rng = np.random.default_rng(seed)
    outputs, total = 500, 255 * n_in
    hi = rng.uniform(0, 1, outputs).astype(np.float32)
    bias = rng.normal(size=outputs).astype(np.float32)
    matrix = BinaryDense(np.empty((outputs, -(-n_in // 64)), "<u8"), -hi, hi, bias, n_in)
    sums = (total - 2 * rng.integers(0, total + 1, outputs)).astype(np.int32)
    codes = np.full(n_in, 255, np.uint8)
    np.testing.assert_array_equal(
        matrix.of_differences(codes, sums, 1 / 3),
        matrix.of_sums(total, sums.astype(np.int64) + total, 1 / 3),
    )


def test_two_values_that_are_not_opposite_make_the_sum_of_codes_count():
    """Without S the outputs would be others."""
    rng = np.random.default_rng(1)
    dense = random_dense(rng, SHAPE, 50, levels=0)
    matrix = dense.matrix
    assert not np.allclose(matrix.lo, -matrix.hi)
    layer = DenseSums(dense, matrix)
    codes = rng.integers(0, 4, SHAPE, dtype=np.uint8)
    sums = sums_of(layer, codes)
    moved = layer.finish(codes, sums + 2)  # one more code of 1 that meets hi
    y = layer.finish(codes, sums)
    step = dense.unit_of(codes) * (matrix.hi.astype(np.float64) - matrix.lo)
    np.testing.assert_allclose((moved - y).ravel(), step, rtol=1e-9)


def test_shapes_are_those_of_the_layer():
    dense = random_dense(np.random.default_rng(2), SHAPE, 50, in_bits=3)
    layer = DenseSums(dense, dense.matrix)
    assert (layer.name, layer.in_shape, layer.in_bits) == (dense.name, SHAPE, 3)
    assert layer.kernel == (3, 4)
    assert layer.conv_shape == layer.out_shape == dense.out_shape == (1, 1, 50)
    assert layer.out_bits is None


def test_bits_stay_packed():
    """The largest of DoReFa-Net has 38 million: an array of them is never made."""
    words = np.random.default_rng(3).integers(0, 2**63, (4096, 144)).astype("<u8")
    values = np.ones(4096, np.float32)
    matrix = BinaryDense(words, -values, values, values, 9216)
    dense = Dense("fc0", (6, 6, 256), 2, matrix, levels=3, unit=None)
    tracemalloc.start()
    try:
        program = compile_layers([DenseSums(dense, matrix)], Capabilities())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(program.image) > words.nbytes
    print(f"compiling {words.nbytes} bytes of weights takes {most / 1e6:.1f} MB")
    assert most < 4 * words.nbytes
