# SPDX-License-Identifier: BSD-3-Clause
"""Last stages: probabilities and boxes against their definitions in float64."""

from itertools import pairwise

import numpy as np
import pytest

from qnn.compute.dense import BinaryDense, FloatDense, pack_columns
from qnn.errors import NetworkError
from qnn.network import Conv, MaxPool, Network
from qnn.network.last import (
    FEATURE_SCALES,
    Arithmetic,
    DenseChain,
    DenseLayer,
    FloatScores,
    Region,
    Scores,
    softmax,
)
from qnn_sim import float_layers as golden


def layer(name="conv", shape=(4, 4, 3), outputs=5, kernel=1, codes=3, **options):
    """A convolution of `shape` to codes 0..`codes`, or to accumulators if that is 0."""
    weight = np.ones((1, outputs, kernel, kernel, shape[2]), np.uint8)
    thresholds = np.zeros((outputs, codes), np.int32) if codes else None
    return Conv(name, shape, 2, weight, thresholds, **options)


def network(last, layers, classes, task="classify"):
    names = tuple(f"class {i}" for i in range(classes))
    return Network("net", "a net", task, names, tuple(layers), last=last)


# softmax


@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 3, 4)])
def test_softmax(shape):
    x = np.random.default_rng(len(shape)).normal(0, 5, shape)
    exponents = np.exp(x)
    np.testing.assert_allclose(
        softmax(x), exponents / exponents.sum(axis=-1, keepdims=True), rtol=1e-12
    )
    assert softmax(x.astype(np.float32)).dtype == np.float64


def test_softmax_of_integers_far_apart():
    assert softmax(np.array([10**6, 0, 10**6])).tolist() == [0.5, 0, 0.5]


# Scores


@pytest.mark.parametrize("seed", range(5))
def test_scores(seed):
    rng = np.random.default_rng(seed)
    pictures, classes = (int(n) for n in rng.integers(1, 9, 2))
    maps = rng.integers(-500, 500, (pictures, 1, 1, classes)).astype(np.int32)
    offset, divisor = rng.integers(-300, 300, classes), int(rng.integers(1, 3))
    scale = float(rng.choice([1 / 64, 1 / 32, 0.3]))
    last = Scores(offset, divisor, scale)
    want = [
        [(int(maps[n, 0, 0, c]) + int(offset[c])) / divisor for c in range(classes)]
        for n in range(pictures)
    ]
    assert last.scores(maps).tolist() == want
    np.testing.assert_allclose(
        last.probabilities(maps), golden.softmax(np.array(want) * scale), rtol=1e-12
    )


def test_scores_fit_their_network():
    def make(last, outputs=4, codes=0, classes=4, shape=(1, 1, 3)):
        return network(last, [layer(shape=shape, outputs=outputs, codes=codes)], classes)

    four = np.zeros(4, np.int64)
    make(Scores(four, 1, 1.0))
    for wrong in (
        {"outputs": 5},
        {"codes": 3},
        {"classes": 5},
        {"shape": (2, 1, 3)},
    ):
        with pytest.raises(NetworkError, match=r"1x1x|layer conv"):
            make(Scores(four, 1, 1.0), **wrong)
    for last in (
        Scores(np.zeros(5, np.int64), 1, 1.0),
        Scores(four, 0, 1.0),
        Scores(four, 1, 0.0),
        Scores(four, 1, -1.0),
        Scores(four, 1, float("inf")),
        Scores(four, 1, float("nan")),
    ):
        with pytest.raises(NetworkError, match="do not fit 4 classes"):
            make(last)


# FloatScores


def test_float_scores():
    """Each step is rounded to float32, in its order."""
    steps = (
        Arithmetic("subtract", np.float32([0.3, -7])),
        Arithmetic("divide", np.float32([3, 0.1])),
        Arithmetic("multiply", np.float32([1.1, -2])),
        Arithmetic("add", np.float32([1e6, 0.7])),
    )
    maps = np.array([[5, -9], [0, 16777216]], np.int32).reshape(2, 1, 1, 2)
    last = FloatScores(steps)
    want = []
    for row in maps.reshape(2, 2):
        scores = [np.float32(value) for value in row]
        for step in steps:
            for i, value in enumerate(step.values):
                x = float(scores[i])  # one operation on float32 in float64 rounds the same
                done = {"subtract": x - float(value), "divide": x / float(value)}
                done |= {"multiply": x * float(value), "add": x + float(value)}
                scores[i] = np.float32(done[step.op])
        want.append([float(score) for score in scores])
    assert last.scores(maps).dtype == np.float32
    assert last.scores(maps).tolist() == want
    np.testing.assert_allclose(last.probabilities(maps), golden.softmax(np.array(want)), rtol=1e-12)
    plain = FloatScores(()).scores(maps)
    assert plain.tolist() == [[5, -9], [0, 16777216]]


@pytest.mark.parametrize(
    "step",
    [
        ("modulo", np.ones(4, np.float32)),
        ("add", np.ones(4)),
        ("add", np.ones(3, np.float32)),
        ("add", np.float32([1, 2, np.nan, 4])),
        ("divide", np.float32([1, 0, 1, 1])),
    ],
    ids=["operation", "dtype", "shape", "not finite", "zero"],
)
def test_float_scores_fit_their_network(step):
    good = FloatScores((Arithmetic("multiply", np.float32([1, 0, 1, 1])),))
    network(good, [layer(shape=(1, 1, 3), outputs=4, codes=0)], 4)
    with pytest.raises(NetworkError, match="1x1x5"):
        network(good, [layer(shape=(1, 1, 3), outputs=4, codes=0)], 5)
    with pytest.raises(NetworkError, match=r"does not fit 4 classes"):
        bad = FloatScores((*good.steps, Arithmetic(*step)))
        network(bad, [layer(shape=(1, 1, 3), outputs=4, codes=0)], 4)


# DenseChain


def binary_layer(rng, name, inputs, outputs, levels):
    weight = np.where(
        rng.integers(0, 2, (inputs, outputs)),
        rng.uniform(0, 0.1, outputs),
        rng.uniform(-0.1, 0, outputs),
    ).astype(np.float32)
    bias = rng.normal(0.3, 0.3, outputs).astype(np.float32)
    packed = pack_columns(weight)
    matrix = BinaryDense(packed.bits, packed.lo, packed.hi, bias, inputs)
    return DenseLayer(name, matrix, levels), weight, bias


def float_layer(rng, name, inputs, outputs, levels):
    weight = rng.normal(0, 0.3, (inputs, outputs)).astype(np.float32)
    bias = rng.normal(0, 0.3, outputs).astype(np.float32)
    return DenseLayer(name, FloatDense(weight, bias), levels), weight, bias


def evaluate(parts, codes):
    """The definition: values 0..1, every step in float64, rounding after clipping."""
    x = codes.ravel().astype(np.float64) / max(codes.max(), 1)
    for one, weight, bias in parts:
        x = golden.fully_connected(x, weight, bias)
        if one.levels:
            x = golden.clip01(x)
        if one.levels > 1:
            x = np.rint(x * one.levels) / one.levels
    return golden.softmax(x)


@pytest.mark.parametrize("seed", range(20))
def test_dense_chain(seed):
    """Binary layers behind codes and rounded values, float layers anywhere, any rounding."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, 6, 3))
    inputs, rounded, parts = int(np.prod(shape)), True, []
    for number in range(int(rng.integers(1, 5))):
        outputs, levels = int(rng.integers(1, 90)), int(rng.choice([0, 1, 3, 7, 15]))
        make = binary_layer if rounded and rng.random() < 0.6 else float_layer
        parts.append(make(rng, f"fc{number}", inputs, outputs, levels))
        inputs, rounded = outputs, levels > 1
    chain = DenseChain(tuple(one for one, _, _ in parts))
    maps = rng.integers(0, 4, (3, *shape), np.uint8)
    maps[1] = 0  # nothing seen: nothing to divide by
    maps[2] = np.minimum(maps[2], 1)  # the largest code there is does not occur
    got = chain.probabilities(maps)
    assert got.dtype == np.float64 and got.shape == (3, inputs)
    np.testing.assert_allclose(got, [evaluate(parts, codes) for codes in maps], rtol=1e-9)


def test_codes_are_flattened_row_column_channel():
    weight = np.zeros((12, 12), np.float32)
    np.fill_diagonal(weight, 10)
    chain = DenseChain((DenseLayer("fc", FloatDense(weight, None), 0),))
    for index, place in enumerate(np.ndindex(2, 2, 3)):
        codes = np.zeros((1, 2, 2, 3), np.uint8)
        codes[(0, *place)] = 3
        assert chain.probabilities(codes)[0].argmax() == index


def test_clipping_and_rounding_half_to_even():
    """3 * y is 0.5, 1.5 and 2.5: 0, 2 and 2 thirds; beyond 0..1 it stays there."""
    weight = np.eye(5, dtype=np.float32)
    bias = np.array([1 / 6, 1 / 2, 5 / 6, -3, 3], np.float32)
    bias[[0, 2]] = np.nextafter(bias[[0, 2]], np.float32([0, 2]))  # below, above the half
    first = DenseLayer("fc0", FloatDense(np.zeros_like(weight), bias), 3)
    second = DenseLayer("fc1", FloatDense(weight, None), 0)
    got = DenseChain((first, second)).probabilities(np.ones((1, 1, 1, 5), np.uint8))
    np.testing.assert_allclose(got[0], golden.softmax(np.array([0, 2, 3, 0, 3]) / 3), rtol=1e-12)


def test_shape_of_a_dense_layer():
    rng = np.random.default_rng(0)
    assert binary_layer(rng, "a", 70, 3, 3)[0].shape == (70, 3)
    assert float_layer(rng, "b", 4, 9, 0)[0].shape == (4, 9)


def test_dense_chains_fit_their_network():
    rng = np.random.default_rng(1)

    def chain(*sizes):
        return DenseChain(
            tuple(
                float_layer(rng, f"fc{i}", n, m, 0)[0] for i, (n, m) in enumerate(pairwise(sizes))
            )
        )

    pooled = layer(pool=MaxPool(2, 2))  # 2x2x5
    network(chain(20, 7, 4), [pooled], 4)
    with pytest.raises(NetworkError, match=r"layer fc0: it reads 21 values, but layer conv .* 20"):
        network(chain(21, 7, 4), [pooled], 4)
    with pytest.raises(NetworkError, match=r"layer fc1: it reads 8 values, but layer fc0 .* 7"):
        network(
            DenseChain((float_layer(rng, "fc0", 20, 7, 0)[0], float_layer(rng, "fc1", 8, 4, 0)[0])),
            [pooled],
            4,
        )
    with pytest.raises(NetworkError, match="layer fc1: it gives 4 values for 5 classes"):
        network(chain(20, 7, 4), [pooled], 5)
    with pytest.raises(NetworkError, match="layer conv: fully connected layers read codes"):
        network(chain(80, 4), [layer(codes=0)], 4)


# Region


def region(rng, channels=6, anchors=2, classes=3, transposed=False):
    matrix = FloatDense(
        rng.normal(0, 0.4, (channels, anchors * (5 + classes))).astype(np.float32),
        rng.normal(0, 1, anchors * (5 + classes)).astype(np.float32),
    )
    return Region(matrix, rng.uniform(0.5, 3, (anchors, 2)), 64, transposed)


@pytest.mark.parametrize("scale", FEATURE_SCALES)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_region(seed, transposed, scale):
    rng = np.random.default_rng(seed)
    last = region(rng, transposed=transposed)
    codes = rng.integers(0, 8, (4, 4, 6), np.uint8)
    upright = codes.swapaxes(0, 1) if transposed else codes
    factor = {"published": 1, "dequantized": 4 / 7}[scale]
    features = golden.fully_connected(upright * factor, last.matrix.weight, last.matrix.bias)
    want = [
        one
        for one in golden.region_boxes(features, 3, last.anchors, (90, 50), 64, 0.2)
        if one[2][0] <= one[2][2] and one[2][1] <= one[2][3]  # not wholly in the margin
    ]
    got = last.detect(codes, 3, (90, 50), scale, 0.2)
    assert got, f"seed {seed} finds nothing"
    assert [(c, box) for c, _, box in got] == [(c, box) for c, _, box in want]
    np.testing.assert_allclose([p for _, p, _ in got], [p for _, p, _ in want], rtol=1e-12)


def test_the_published_scale_is_the_default():
    assert list(FEATURE_SCALES) == ["published", "dequantized"]
    rng = np.random.default_rng(11)
    last, codes = region(rng), rng.integers(0, 8, (4, 4, 6), np.uint8)
    default = last.detect(codes, 3, (64, 64))
    assert default == last.detect(codes, 3, (64, 64), "published", 0.3)
    assert default != last.detect(codes, 3, (64, 64), "dequantized", 0.3)


def test_regions_fit_their_network():
    last = region(np.random.default_rng(12))
    network(last, [layer(outputs=6)], 3, "detect")
    for layers, classes in (
        ([layer(outputs=7)], 3),
        ([layer(outputs=6)], 4),
        ([layer(outputs=6, codes=0)], 3),
    ):
        with pytest.raises(NetworkError, match="region layer has weights of 6x16"):
            network(last, layers, classes, "detect")
