# SPDX-License-Identifier: BSD-3-Clause
"""Each function that notebooks call, against its definition written as loops."""

import numpy as np
import pytest

from qnn.errors import QnnError
from qnn.predecessor import utils


def convolve(x, weight, stride, padding):
    """y[o, i, j] by definition, float64; x (1, H, W, C), weight (O, C, KH, KW)."""
    padded = np.pad(x[0].astype(np.float64), ((padding, padding), (padding, padding), (0, 0)))
    outputs, _, kernel_rows, kernel_columns = weight.shape
    rows = (padded.shape[0] - kernel_rows) // stride + 1
    columns = (padded.shape[1] - kernel_columns) // stride + 1
    y = np.empty((outputs, rows, columns))
    for o in range(outputs):
        for i in range(rows):
            for j in range(columns):
                window = padded[
                    i * stride : i * stride + kernel_rows, j * stride : j * stride + kernel_columns
                ]
                y[o, i, j] = (window * weight[o].transpose(1, 2, 0)).sum()
    return y


@pytest.mark.parametrize("seed", range(20))
def test_conv_layer(seed):
    rng = np.random.default_rng(seed)
    channels, outputs, rows, columns, stride = (int(n) for n in rng.integers(1, [5, 7, 6, 6, 5]))
    padding = int(rng.integers(0, 3))
    height, width = (int(n + rng.integers(0, 12)) for n in (rows, columns))
    x = rng.normal(size=(1, height, width, channels))
    weight = rng.normal(size=(outputs, channels, rows, columns))
    got = utils.conv_layer(x, weight, stride=stride, padding=padding)
    want = convolve(x, weight, stride, padding)
    assert got.shape == want.shape and got.dtype == np.float64
    np.testing.assert_allclose(got, want, atol=1e-12)

    bias = rng.normal(size=outputs)
    for form in (
        bias[:, None],
        np.broadcast_to(bias[:, None], (outputs, want[0].size)),  # as the notebooks have it
    ):
        got = utils.conv_layer(x, weight, b=form, stride=stride, padding=padding)
        np.testing.assert_allclose(got, want + bias[:, None, None], atol=1e-12)


def test_conv_layer_keeps_float32():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(1, 9, 9, 3)).astype(np.float32)
    weight = rng.normal(size=(4, 3, 3, 3)).astype(np.float32)
    got = utils.conv_layer(x, weight, stride=2, padding=1)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, convolve(x, weight, 2, 1), rtol=1e-4, atol=1e-5)


def test_conv_layer_takes_any_view():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(3, 8, 9)).swapaxes(0, 2)[None]  # Fortran-like order
    weight = rng.normal(size=(3, 3, 3, 5)).transpose(3, 2, 1, 0)
    np.testing.assert_allclose(utils.conv_layer(x, weight), convolve(x, weight, 1, 0), atol=1e-12)


def test_conv_layer_by_hand():
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    weight = np.array([[[[1.0, 0], [0, 2]]]])
    assert utils.conv_layer(x, weight, stride=2).tolist() == [[[10, 16], [34, 40]]]
    shifted = utils.conv_layer(x, weight, b=np.array([[1.0]]), stride=4, padding=1)
    assert shifted.tolist() == [[[1, 1], [1, 16]]]


@pytest.mark.parametrize(
    ("x", "weight"),
    [
        ((4, 4, 1), (1, 1, 2, 2)),
        ((2, 4, 4, 1), (1, 1, 2, 2)),
        ((1, 4, 4, 1), (1, 2, 2)),
        ((1, 4, 4, 3), (1, 1, 2, 2)),
        ((1, 4, 4, 1), (1, 1, 5, 2)),
        ((1, 4, 4, 1), (1, 1, 2, 5)),
    ],
)
def test_conv_layer_refuses_other_shapes(x, weight):
    with pytest.raises(QnnError, match="x"):
        utils.conv_layer(np.zeros(x), np.zeros(weight))


@pytest.mark.parametrize("seed", range(5))
def test_threshold(seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(-4, 5, (3, 4, 5)).astype(float)
    thresholds = rng.integers(-4, 5, int(rng.integers(1, 6))).astype(float)  # in any order
    got = utils.threshold(x, thresholds)
    assert got.shape == x.shape
    for index, value in np.ndenumerate(x):
        assert got[index] == sum(value > t for t in thresholds)


def test_threshold_is_strict():
    thresholds = np.array([5 / 6, 1 / 2, 1 / 6])
    x = np.array([0, 1 / 6, 0.2, 0.5, 0.51, 5 / 6, 1])
    assert utils.threshold(x, thresholds).tolist() == [0, 0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize("seed", range(5))
def test_fully_connected(seed):
    rng = np.random.default_rng(seed)
    inputs, outputs = (int(n) for n in rng.integers(1, 40, 2))
    x, weight, bias = (
        rng.normal(size=inputs),
        rng.normal(size=(inputs, outputs)),
        rng.normal(size=outputs),
    )
    want = [sum(x[i] * weight[i, o] for i in range(inputs)) + bias[o] for o in range(outputs)]
    np.testing.assert_allclose(utils.fully_connected(x, weight, bias), want, atol=1e-12)


def test_qrelu():
    x = np.array([-np.inf, -1e-9, 0.0, 0.3, 1.0, 1.5, np.inf])
    assert utils.qrelu(x).tolist() == [0, 0, 0, 0.3, 1, 1, 1]
    assert x[-1] == np.inf  # in a new array


@pytest.mark.parametrize("bits", [1, 2, 3, 8])
def test_quantize(bits):
    x = np.linspace(0, 1, 1001)
    levels = 2**bits - 1
    got = utils.quantize(x, bits)
    codes = got * levels
    np.testing.assert_allclose(codes, np.round(codes), atol=1e-9)
    assert set(np.round(codes)) <= set(range(levels + 1))
    assert np.abs(got - x).max() <= 0.5 / levels + 1e-12


def test_quantize_rounds_half_to_even():
    assert (utils.quantize(np.array([0.5]), 1) * 1).tolist() == [0]
    halves = np.array([0.25, 0.75])  # 3 times these is 0.75 and 2.25
    assert (utils.quantize(halves, 2) * 3).tolist() == [1, 2]
    assert (utils.quantize(np.array([1 / 6, 0.5, 5 / 6]), 2) * 3).round(9).tolist() == [0, 2, 2]


@pytest.mark.parametrize("seed", range(5))
def test_softmax(seed):
    x = np.random.default_rng(seed).normal(0, 3, 30)
    total = sum(np.exp(value) for value in x)
    np.testing.assert_allclose(utils.softmax(x), [np.exp(v) / total for v in x], rtol=1e-12)


def test_softmax_of_large_values():
    with np.errstate(all="raise", under="ignore"):
        got = utils.softmax(np.array([1000.0, 1000.0, -1000.0], np.float32))
    assert got.tolist() == [0.5, 0.5, 0]


@pytest.mark.parametrize("count", [0, 1, 5, 30])
def test_get_topn_indexes(count):
    scores = np.random.default_rng(count).permutation(30) / 7
    expected = sorted(range(30), key=lambda i: scores[i], reverse=True)[:count]
    assert utils.get_topn_indexes(scores, count).tolist() == expected
