# SPDX-License-Identifier: BSD-3-Clause
"""The fast region layer finds the boxes of its definition, and those published for the dog."""

import numpy as np
import pytest

from qnn.compute.dense import FloatDense
from qnn.compute.region import detect
from qnn.errors import NetworkError, QnnError
from qnn_sim import float_layers as golden

ANCHORS = np.array([[1.08, 1.19], [3.42, 4.41], [6.63, 11.38], [9.42, 5.11], [16.62, 10.52]])


def assert_equals_golden(features, *arguments, **options):
    got = detect(features, *arguments, **options)
    want = golden.region_boxes(features, *arguments, **options)
    assert [(c, box) for c, _, box in got] == [(c, box) for c, _, box in want]
    np.testing.assert_allclose([p for _, p, _ in got], [p for _, p, _ in want], rtol=1e-13)
    return got


@pytest.mark.parametrize("seed", range(12))
def test_random_maps(seed):
    rng = np.random.default_rng(seed)
    rows, columns, classes, count = (int(n) for n in rng.integers(1, [9, 9, 5, 6]))
    anchors = rng.uniform(0.5, 6, (count, 2))
    features = rng.normal(0, 1.5, (rows, columns, count, 5 + classes))
    features[..., 4] += rng.uniform(-2, 4)
    size = tuple(int(n) for n in rng.integers(20, 800, 2))
    assert_equals_golden(
        features.reshape(rows, columns, -1).astype(rng.choice([np.float32, np.float64])),
        classes,
        anchors,
        size,
        input_size=int(rng.choice([416, 320])),
        threshold=float(rng.choice([0.05, 0.2, 0.3])),
        overlap=float(rng.choice([0.1, 0.3, 0.6])),
    )


@pytest.mark.parametrize("seed", range(3))
def test_crowded_map_at_full_size(seed):
    """Objects everywhere: long chains of suppression in every class."""
    rng = np.random.default_rng(seed)
    features = rng.normal(0, 2, (13, 13, 5, 25)).astype(np.float32)
    features[..., 4] += 2
    features[..., 5:] *= 2
    found = assert_equals_golden(features.reshape(13, 13, 125), 20, ANCHORS, (640, 424))
    assert len(found) > 50


def test_equals_and_exact_overlap():
    """All cells alike, so that every probability is a tie and overlaps are simple fractions."""
    features = np.zeros((4, 4, 2, 7))
    features[..., 4], features[..., 5] = 3.0, 4.0
    features = features.reshape(4, 4, 14)
    for overlap in (0.3, 1 / 3, 0.5, 0.0, 1.0):
        anchors = np.array([[2.0, 1.0], [1.0, 2.0]])
        found = assert_equals_golden(features, 2, anchors, (64, 64), overlap=overlap)
        assert 0 < len(found) <= 32
    assert len(found) == 32  # nothing overlaps by more than all


def test_nothing_found():
    features = np.full((13, 13, 125), -5.0, np.float32)
    assert assert_equals_golden(features, 20, ANCHORS, (768, 576)) == []


def test_extreme_values():
    features = np.zeros((1, 1, 6))
    features[0, 0, :6] = [-1e4, 1e4, 1e4, 1e4, 1e4, 0]
    with np.errstate(all="raise", under="ignore"):
        ((found, probability, box),) = detect(features, 1, [(1.0, 1.0)], (100, 50))
    assert (found, probability, box) == (0, 1.0, (0, 0, 99, 49))
    features[0, 0, 2:5] = [-1e4, -1e4, 1e4]
    ((_, _, box),) = detect(features, 1, [(1.0, 1.0)], (100, 100))
    assert box == (0, 100, 0, 99)  # without size, at the lower left corner


def test_bad_arguments():
    features = np.zeros((13, 13, 125), np.float32)
    for bad in (features[..., 1:], features.transpose(2, 0, 1), features[0]):
        with pytest.raises(NetworkError, match="want features"):
            detect(bad, 20, ANCHORS, (768, 576))
    with pytest.raises(NetworkError, match="want features"):
        detect(features, 20, ANCHORS.ravel(), (768, 576))
    with pytest.raises(QnnError, match="not finite"):
        detect(features + np.float32(np.nan), 20, ANCHORS, (768, 576))
    with pytest.raises(QnnError, match="too long and thin"):
        detect(features, 20, ANCHORS, (4000, 2))


@pytest.fixture
def dog(reference):
    return np.load(reference / "derived/tinier_yolo_dog_tensors.npz")


def test_published_boxes(dog):
    found = assert_equals_golden(dog["conv8"].transpose(1, 2, 0), 20, ANCHORS, (768, 576))
    assert [(c, round(100 * p), box) for c, p, box in found] == [
        (6, 86, (381, 116, 761, 154)),  # car
        (11, 86, (109, 236, 347, 545)),  # dog
        (1, 78, (78, 72, 564, 496)),  # bicycle
    ]


def test_published_boxes_from_the_accelerators_output(dog, reference):
    params = reference / "qnn-mo-pynq/qnn/params"
    weight = np.load(params / "tinier-yolo-conv8-W.npy").reshape(512, 125)
    conv8 = FloatDense(weight, np.load(params / "tinier-yolo-conv8-bias.npy"))
    features = conv8(dog["out_xyc"].transpose(1, 0, 2))  # image y becomes the slow axis again
    np.testing.assert_allclose(features, dog["conv8"].transpose(1, 2, 0), rtol=0, atol=1e-4)
    assert [(c, round(100 * p)) for c, p, _ in detect(features, 20, ANCHORS, (768, 576))] == [
        (6, 86),
        (11, 86),
        (1, 78),
    ]
