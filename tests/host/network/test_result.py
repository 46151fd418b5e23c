# SPDX-License-Identifier: BSD-3-Clause
"""Results: probabilities and boxes against their definitions in float64."""

import numpy as np
import pytest

from qnn.compute.dense import FloatDense
from qnn.errors import NetworkError
from qnn.network import Conv, Dense, Network
from qnn.network.result import (
    Arithmetic,
    Boxes,
    FloatScores,
    Probabilities,
    Scores,
    softmax,
)
from qnn_sim import float_layers as golden


def layer(name="conv", shape=(4, 4, 3), outputs=5, kernel=1, codes=3, **options):
    """A convolution of `shape` to codes 0..`codes`, or to accumulators if that is 0."""
    weight = np.ones((1, outputs, kernel, kernel, shape[2]), np.uint8)
    thresholds = np.zeros((outputs, codes), np.int32) if codes else None
    return Conv(name, shape, 2, weight, thresholds, **options)


def network(result, layers, classes, task="classify"):
    names = tuple(f"class {i}" for i in range(classes))
    return Network("net", "a net", task, names, tuple(layers), result=result)


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
    with pytest.raises(NetworkError, match=r"does not fit 4 channels"):
        bad = FloatScores((*good.steps, Arithmetic(*step)))
        network(bad, [layer(shape=(1, 1, 3), outputs=4, codes=0)], 4)


# Probabilities


def dense(outputs=4, levels=0, pixels=1):
    """A matrix over each of some pixels of 3 channels."""
    matrix = FloatDense(np.ones((3, outputs), np.float32), None)
    return Dense("fct", (pixels, 1, 3), 2, matrix, levels)


def test_probabilities_of_floats():
    maps = np.random.default_rng(2).normal(0, 3, (5, 1, 1, 4))
    got = Probabilities().probabilities(maps)
    np.testing.assert_allclose(got, golden.softmax(maps.reshape(5, 4)), rtol=1e-12)
    assert Probabilities().scores(maps).tolist() == maps.reshape(5, 4).tolist()


def test_probabilities_of_codes():
    codes = np.array([[0, 2, 3, 0, 3]], np.uint8).reshape(1, 1, 1, 5)
    got = Probabilities(1 / 3).probabilities(codes)
    np.testing.assert_allclose(got[0], golden.softmax(np.array([0, 2, 3, 0, 3]) / 3), rtol=1e-12)


def test_probabilities_fit_their_network():
    network(Probabilities(), [dense()], 4)
    network(Probabilities(1 / 3), [dense(levels=3)], 4)
    for result, layers, classes, message in (
        (Probabilities(), [dense()], 5, "layer fct: it gives 1x1x4 for 5 classes"),
        (Probabilities(), [dense(pixels=2)], 4, "layer fct: it gives 2x1x4 for 4 classes"),
        (Probabilities(0.0), [dense(levels=3)], 4, "a unit of 0.0"),
        (Probabilities(0.5), [dense()], 4, "a unit of 0.5"),
        (Probabilities(), [layer(shape=(1, 1, 3), outputs=4, codes=0)], 4, "no values"),
    ):
        with pytest.raises(NetworkError, match=message):
            network(result, layers, classes)


# Boxes


def boxes(rng, anchors=2, transposed=False):
    return Boxes(rng.uniform(0.5, 3, (anchors, 2)), 64, transposed)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_boxes(seed, transposed):
    rng = np.random.default_rng(seed)
    result = boxes(rng, transposed=transposed)
    features = rng.normal(0, 2, (4, 4, 16))
    upright = features.swapaxes(0, 1) if transposed else features
    want = [
        one
        for one in golden.region_boxes(upright, 3, result.anchors, (90, 50), 64, 0.2)
        if one[2][0] <= one[2][2] and one[2][1] <= one[2][3]  # not wholly in the margin
    ]
    got = result.detect(features, 3, (90, 50), 0.2)
    assert got, f"seed {seed} finds nothing"
    assert [(c, box) for c, _, box in got] == [(c, box) for c, _, box in want]
    np.testing.assert_allclose([p for _, p, _ in got], [p for _, p, _ in want], rtol=1e-12)


def test_boxes_fit_their_network():
    result = boxes(np.random.default_rng(12))
    network(result, [dense(16, pixels=4)], 3, "detect")
    for layers, classes in (
        ([dense(17, pixels=4)], 3),
        ([dense(16, pixels=4)], 4),
        ([dense(16, levels=3, pixels=4)], 3),
        ([layer(outputs=16)], 3),
        ([layer(outputs=16, codes=0)], 3),
    ):
        with pytest.raises(NetworkError, match=r"its region layer reads floats of 1[68] channels"):
            network(result, layers, classes, "detect")
