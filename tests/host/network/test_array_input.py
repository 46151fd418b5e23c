# SPDX-License-Identifier: BSD-3-Clause
"""Arrays of numbers as the first layer reads them."""

from dataclasses import replace

import numpy as np
import pytest

from qnn.errors import ArrayError, NetworkError
from qnn.network import ArrayInput, Grid


def f32(values) -> np.ndarray:
    return np.asarray(values, np.float32)


def line(count: int = 4, **fields) -> ArrayInput:
    """Of one-dimensional arrays, each number with the codes -2 to 1."""
    given = {"thresholds": f32([[-1.5, -0.5, 0.5]]), "low": -2.0, "step": 1.0, **fields}
    return ArrayInput((count,), (0,), (1, 1, count), **given)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.int64, bool])
def test_codes_count_thresholds(dtype):
    arrays = np.array([[-9, -1.5, -1.4, -0.5], [0.4, 0.5, 1, 9]]).astype(dtype)
    array = line()
    codes = array.codes(arrays)
    assert codes.dtype == np.uint8 and codes.shape == (2, 1, 1, 4)
    want = [[sum(float(x) >= t for t in (-1.5, -0.5, 0.5)) for x in row] for row in arrays]
    assert codes.reshape(2, 4).tolist() == want
    assert array.codes(arrays[:0]).shape == (0, 1, 1, 4)


def test_numbers_that_float32_does_not_hold_are_rounded_to_it():
    array = line(2, thresholds=f32([[0.1]]), low=0.0)
    below = np.nextafter(np.float64(np.float32(0.1)), 0)
    assert array.codes(np.array([[below, 1e300]])).ravel().tolist() == [1, 1]


def test_layout_channels_and_constants():
    thresholds = f32([[0, 10], [100, 200]])
    array = ArrayInput((2, 3, 4), (1, 2, 0), (3, 4, 2), thresholds, 0.0, 1.0, constants=(5, 1))
    assert (array.out_shape, array.bits) == ((3, 4, 4), 3)
    given = np.random.default_rng(1).integers(-5, 300, (3, 2, 3, 4))
    codes = array.codes(given)
    for picture, found in zip(given, codes, strict=True):
        for row in range(3):
            for column in range(4):
                want = [
                    sum(picture[channel, row, column] >= t for t in thresholds[channel])
                    for channel in range(2)
                ]
                assert found[row, column].tolist() == [*want, 5, 1]


def test_grid():
    array = line(grid=Grid("INT2", -2.0, 1.0, 4))
    assert array.codes(np.array([[-2, -1, 0, 1]])).ravel().tolist() == [0, 1, 2, 3]
    assert "4 INT2 numbers from -2 to 1, quantised to 4 codes" in array.describe()
    for wrong in (-3, 2, 0.25):
        with pytest.raises(ArrayError, match=f"value {wrong:g}; the network reads INT2: -2 to 1"):
            array.codes(np.array([[0, 0, wrong, 0]]))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (np.zeros((1, 5)), "shape 5; the network reads 4"),
        (np.zeros(4), "one number; the network reads 4"),
        (np.zeros((1, 2, 2)), "shape 2x2"),
        (np.array([[0, 0, np.nan, 0]]), "not finite"),
        (np.array([[0, 0, np.inf, 0]]), "not finite"),
        (np.zeros((1, 4), complex), "type complex128; the network reads real numbers"),
        (np.array([["a"] * 4]), "real numbers"),
    ],
)
def test_arrays_that_do_not_fit(given, reason):
    with pytest.raises(ArrayError, match=reason):
        line().codes(given)


@pytest.mark.parametrize(
    "fields",
    [
        {"shape": ()},
        {"shape": (4, 0)},
        {"axes": (1,)},
        {"map_shape": (1, 1, 5)},
        {"thresholds": np.zeros((1, 3))},
        {"thresholds": f32(np.zeros(3))},
        {"thresholds": f32(np.zeros((2, 3)))},
        {"thresholds": f32(np.zeros((1, 0)))},
        {"thresholds": f32(np.zeros((1, 256)))},
        {"thresholds": f32([[1, np.nan]])},
        {"thresholds": f32([[1, 0]])},
        {"step": 0.0},
        {"low": np.inf},
        {"grid": Grid("INT8", 0.0, 0.0, 2)},
        {"grid": Grid("INT8", 0.0, 1.0, 1)},
        {"constants": (256,)},
    ],
)
def test_bad_descriptions(fields):
    with pytest.raises(NetworkError, match="array input"):
        replace(line(), **fields)


def test_constants_want_channels():
    flat = ArrayInput((2, 2, 3), (0, 1, 2), (1, 1, 12), f32([[0]]), 0.0, 1.0)
    with pytest.raises(NetworkError, match="behind channels"):
        replace(flat, constants=(1,))
