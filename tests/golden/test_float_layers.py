# SPDX-License-Identifier: BSD-3-Clause
"""The float layers of the golden model against hand-worked values and published detections."""

import math

import numpy as np
import pytest

from qnn_sim import float_layers as golden

ANCHORS = np.array([[1.08, 1.19], [3.42, 4.41], [6.63, 11.38], [9.42, 5.11], [16.62, 10.52]])


@pytest.mark.parametrize("conv", [golden.conv_float64, golden.conv_float32_sequential])
def test_convolution_by_hand(conv):
    x = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32)[..., None]
    weight = np.array([[[1], [10]], [[100], [1000]]], np.float32)[None]
    assert conv(x, weight, None, 1, 0)[..., 0].tolist() == [[5421, 6532], [8754, 9865]]
    # Padding on every side, stride 2: windows start at -1 and 1.
    padded = conv(x, weight, np.array([0.5], np.float32), 2, 1)
    assert padded[..., 0].tolist() == [[1000.5, 3200.5], [7040.5, 9865.5]]


@pytest.mark.parametrize("conv", [golden.conv_float64, golden.conv_float32_sequential])
def test_convolution_sums_over_channels_for_each_output(conv):
    x = np.array([[[1, 10, 100]]], np.float32)
    weight = np.array([[[[1, 2, 3]]], [[[-1, 0, 1]]]], np.float32)
    assert conv(x, weight, np.array([0, 7], np.float32), 1, 0).tolist() == [[[321, 106]]]


def test_convolution_order_is_channel_row_column_bias():
    # 2**24 swallows a 1 that is added to it, but not a 1 that comes after the -2**24.
    big, ones = np.float32(2**24), np.ones((1, 2, 2, 2), np.float32)
    x = np.ones((2, 2, 2), np.float32)

    def total(where, bias=0.0):
        y = x.copy()
        y[where[0]], y[where[1]] = big, -big
        result = golden.conv_float32_sequential(y, ones, np.array([bias], np.float32), 1, 0)
        return result.item(), golden.conv_float64(y, ones, np.array([bias]), 1, 0).item()

    # (row, column, channel); between big and -big lie n ones, which float32 swallows.
    assert total([(0, 0, 0), (0, 1, 0)]) == (6, 6)  # neighbours in a row: n = 0
    assert total([(0, 0, 0), (1, 0, 0)]) == (5, 6)  # next row: n = 1
    assert total([(0, 0, 0), (0, 0, 1)]) == (3, 6)  # next channel: n = 3
    assert total([(0, 0, 0), (1, 1, 1)], bias=3.0) == (3, 9)  # only the bias comes later


def test_convolution_refuses_what_does_not_fit():
    x = np.zeros((4, 4, 3), np.float32)
    with pytest.raises(ValueError, match="shapes do not fit"):
        golden.conv_float64(x, np.zeros((1, 2, 2, 2), np.float32), None, 1, 0)
    with pytest.raises(ValueError, match="one bias"):
        golden.conv_float64(x, np.zeros((1, 2, 2, 3), np.float32), np.zeros(2), 1, 0)
    with pytest.raises(ValueError, match="larger"):
        golden.conv_float64(x, np.zeros((1, 5, 2, 3), np.float32), None, 1, 0)


def test_a_tie_with_a_threshold_does_not_count():
    thresholds = np.array([5 / 6, 1 / 2, 1 / 6], np.float32)
    x = np.concatenate([thresholds, np.nextafter(thresholds, np.float32(1)), [-1, 0.3, 2]])
    assert golden.count_thresholds(x, thresholds).tolist() == [2, 1, 0, 3, 2, 1, 0, 1, 3]
    # float32(1/6) is above 1/6: neither side is rounded to the type of the other
    assert golden.count_thresholds(np.array([1 / 6]), thresholds).tolist() == [0]
    assert golden.count_thresholds(thresholds[2:], np.array([1 / 6])).tolist() == [1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform_quantisation_rounds_half_to_even(dtype):
    x = np.array([-1, 0, 0.25, 0.3, 0.5, 0.75, 1.25, 1.75, 2, 9], dtype)
    assert golden.quantize_uniform(x, 4.0, 8).tolist() == [0, 0, 0, 1, 1, 2, 2, 4, 4, 8]
    steps = (np.arange(7) + 0.5) * 4 / 7
    assert golden.quantize_uniform((steps - 1e-6).astype(dtype), 4.0, 7).tolist() == [*range(7)]
    assert golden.quantize_uniform((steps + 1e-6).astype(dtype), 4.0, 7).tolist() == [*range(1, 8)]


def test_dense_chain_by_hand():
    weight = np.array([[1, 2], [3, 4]], np.float32)
    y = golden.fully_connected(np.array([1, 10]), weight, np.array([0.5, -0.5], np.float32))
    assert y.dtype == np.float64
    assert y.tolist() == [31.5, 41.5]
    assert golden.clip01(np.array([-0.1, 0.0, 0.4, 1.0, 3.0])).tolist() == [0, 0, 0.4, 1, 1]
    assert golden.quantize(np.array([0, 0.5, 1 / 6, 0.17, 1]), 2).tolist() == [
        0,
        2 / 3,
        0,
        1 / 3,
        1,
    ]
    assert golden.quantize(np.array([0.5, 0.51]), 1).tolist() == [0, 1]
    p = golden.softmax(np.array([[0, math.log(3)], [1000, 1000]]))
    np.testing.assert_allclose(p, [[0.25, 0.75], [0.5, 0.5]], rtol=1e-15)


def one_box(rows, columns, where, values, background=-9.0):
    """A map of one anchor in which only the cell `where` holds an object."""
    features = np.full((rows, columns, len(values)), background)
    features[where] = values
    return features


def test_region_box_by_hand():
    anchors = np.array([[2.0, 1.0]])
    values = [0, math.log(3), math.log(2), 0, math.log(4), 0, math.log(3)]
    features = one_box(4, 8, (1, 2), values)
    # Centre (2.5/8, 1.75/4), size (2*2/8, 1/4), p = 0.8 * (1/4, 3/4); the picture fills the input.
    ((found, p, box),) = golden.region_boxes(features, 2, anchors, (800, 800), 416)
    assert (found, box) == (1, (50, 250, 450, 450))
    assert p == pytest.approx(0.6)
    # A picture twice as wide lies between a quarter and three quarters of the input's height.
    ((_, _, box),) = golden.region_boxes(features, 2, anchors, (800, 400), 416)
    assert box == (50, 50, 450, 250)
    ((_, _, box),) = golden.region_boxes(features, 2, anchors, (400, 800), 416)
    assert box == (0, 250, 250, 450)  # left would be -150
    assert golden.region_boxes(features, 2, anchors, (800, 800), threshold=0.61) == []


def test_region_box_stays_inside_the_picture():
    features = one_box(2, 2, (1, 1), [9, 9, 3, 3, 9, 0])
    ((_, _, box),) = golden.region_boxes(features, 1, np.array([[1.0, 1.0]]), (100, 60))
    assert box == (0, 0, 99, 59)


def test_region_suppresses_in_each_class_on_its_own():
    # Three boxes of one cell: B overlaps A and C by more than 0.3, A and C overlap by 0.2.
    def at(offset, objectness, scores):
        return [math.log(offset / (1 - offset)), 0, 0, 0, objectness, *scores]

    def found(*boxes):
        features = np.array(boxes).reshape(1, 1, -1)
        anchors = np.full((len(boxes), 2), 0.6)
        return [
            (c, left) for c, _, (left, *_) in golden.region_boxes(features, 2, anchors, (100, 100))
        ]

    a, b, c = 0.301, 0.501, 0.701
    one, other = [9, -9], [-9, 9]
    assert found(at(a, 3, one), at(b, 2, one), at(c, 1, one)) == [(0, 0), (0, 40)]
    assert found(at(a, 1, one), at(b, 3, one), at(c, 2, one)) == [(0, 20)]
    assert found(at(a, 3, one), at(b, 2, other), at(c, 1, one)) == [(0, 0), (1, 20), (0, 40)]
    # B is suppressed by A, so it must not suppress C; of equals the first stays.
    assert found(at(c, 1, one), at(b, 2, one), at(a, 3, one)) == [(0, 40), (0, 0)]
    assert found(at(b, 2, one), at(a, 2, one)) == [(0, 20)]
    # As much as allowed is not too much.
    features, anchors = np.full((1, 1, 12), 9.0), np.ones((2, 2))
    assert len(golden.region_boxes(features, 1, anchors, (9, 9), overlap=1.0)) == 2
    # A box that loses its best class keeps the next one.
    both = [math.log(3), math.log(2)]
    assert found(at(a, 9, one), at(b, 9, both)) == [(0, 0), (1, 20)]


def test_region_gives_the_published_boxes(reference):
    names = {1: "bicycle", 6: "car", 11: "dog"}
    conv8 = np.load(reference / "derived/tinier_yolo_dog_tensors.npz")["conv8"]
    found = golden.region_boxes(conv8.transpose(1, 2, 0), 20, ANCHORS, (768, 576))
    assert [(names[c], box) for c, _, box in found] == [
        ("car", (381, 116, 761, 154)),
        ("dog", (109, 236, 347, 545)),
        ("bicycle", (78, 72, 564, 496)),
    ]
    printed = "".join(f"{names[c]}: {100 * p:.0f}%\n" for c, p, _ in found)
    published = reference / "qnn-mo-pynq/tests/Test_image/tinier-yolo/golden_probs_dog.txt"
    assert printed == published.read_text()
