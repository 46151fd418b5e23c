# SPDX-License-Identifier: BSD-3-Clause
"""A block at a time gives the bits that whole pictures, one operation after the other, give."""

import numpy as np
import pytest

from qnn.pictures import geometry, resize
from qnn.pictures.resize import Taps, corner_linear, cubic

SIDES = (1, 2, 3, 4, 5, 223, 224, 225, 255, 256, 257, 1000)


def weigh(pixels, taps):
    """The weighted sums along the first axis, added up tap by tap."""
    total = pixels[taps.index[:, 0]] * taps.weight[:, 0, None, None]
    for k in range(1, taps.index.shape[1]):
        total += pixels[taps.index[:, k]] * taps.weight[:, k, None, None]
    return total


def whole(image, codes, rows, columns):
    """All of x, then all of y."""
    wide = weigh(codes[image].swapaxes(0, 1), columns)
    return weigh(np.ascontiguousarray(wide.swapaxes(0, 1)), rows)


def shrink_and_crop(rgb, crop, short):
    scale = short / min(rgb.shape[:2])
    rows, columns = (
        cubic(side, int(max(crop, min(side, scale * side))), crop) for side in rgb.shape[:2]
    )
    return whole(rgb[..., ::-1], np.arange(256.0), rows, columns).astype(np.float32)


def letterbox(rgb, size):
    height, width = rgb.shape[:2]
    place = geometry.Letterbox(width, height, size)
    (columns, rows), (left, top) = place.inner, place.offset
    codes = (np.arange(256) / 255).astype(np.float32)
    square = np.full((size, size, 3), 0.5, np.float32)
    square[top : top + rows, left : left + columns] = whole(
        rgb, codes, corner_linear(height, rows), corner_linear(width, columns)
    )
    return square


def random_rgb(rng, height, width):
    """Noise; or black and white, whose sums are the largest, the least, and nothing."""
    if rng.random() < 0.3:
        return rng.integers(0, 2, (height, width, 3), np.uint8) * np.uint8(255)
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def assert_same_bits(found, expected, what):
    assert found.dtype == expected.dtype == np.float32 and found.shape == expected.shape
    wrong = np.count_nonzero(found.view(np.uint32) != expected.view(np.uint32))
    assert not wrong, f"{wrong} of {found.size} values differ: {what}"


@pytest.mark.parametrize("block_bytes", [1, 4096, 1 << 30])
@pytest.mark.parametrize("seed", range(30))
def test_random_sizes(monkeypatch, seed, block_bytes):
    monkeypatch.setattr(resize, "_BLOCK_BYTES", block_bytes)
    rng = np.random.default_rng(seed)
    for _ in range(4):
        height, width = (int(side) for side in rng.integers(1, 150, 2))
        rgb = random_rgb(rng, height, width)
        crop = int(rng.integers(1, 60))
        short = crop + int(rng.integers(0, 40))
        what = f"{seed=} {height=} {width=} {crop=} {short=}"
        assert_same_bits(
            geometry.shrink_and_crop(rgb, crop, short), shrink_and_crop(rgb, crop, short), what
        )
        size = max(crop, max(height, width) // min(height, width) + 1)
        expected = letterbox(rgb, size)
        assert_same_bits(geometry.letterbox(rgb, size), expected, f"{what} {size=}")
        turned = geometry.letterbox(rgb, size, turned=True)
        assert turned.swapaxes(0, 1).flags.c_contiguous
        assert_same_bits(turned, expected, f"{what} {size=} turned")


@pytest.mark.parametrize("height", SIDES)
@pytest.mark.parametrize("width", SIDES)
def test_corner_sizes(height, width):
    rgb = random_rgb(np.random.default_rng(height * 1001 + width), height, width)
    assert_same_bits(geometry.shrink_and_crop(rgb), shrink_and_crop(rgb, 224, 256), rgb.shape)
    if 416 * min(height, width) >= max(height, width):
        assert_same_bits(geometry.letterbox(rgb), letterbox(rgb, 416), rgb.shape)


def test_sizes_of_cameras():
    rng = np.random.default_rng(1)
    for height, width in ((334, 500), (500, 334), (375, 500), (720, 1280), (1944, 2592)):
        rgb = random_rgb(rng, height, width)
        assert_same_bits(geometry.shrink_and_crop(rgb), shrink_and_crop(rgb, 224, 256), rgb.shape)
        assert_same_bits(geometry.letterbox(rgb), letterbox(rgb, 416), rgb.shape)


def test_pixels_that_are_parts_of_others():
    """Views: every other pixel, upside down; and rows of a larger picture."""
    rgb = random_rgb(np.random.default_rng(2), 300, 320)
    for part in (rgb[::-2, ::2], rgb[20:200, 30:230], rgb.swapaxes(0, 1)):
        assert_same_bits(
            geometry.shrink_and_crop(part), shrink_and_crop(part, 224, 256), part.shape
        )


def test_rows_that_are_read_are_touched_once_and_no_others():
    read = []

    class Image(np.ndarray):
        def __getitem__(self, key):
            read.extend(key[0].tolist())
            return np.asarray(self)[key]

    image = random_rgb(np.random.default_rng(3), 900, 40)
    rows, columns = cubic(900, 90, 64), cubic(40, 40, 30)
    out = np.empty((64, 30, 3), np.float32)
    resize.resize(image.view(Image), rows, columns, out)
    assert read == np.unique(rows.index).tolist() and len(read) < 300
    assert_same_bits(out, whole(image, np.arange(256.0), rows, columns).astype(np.float32), "rows")


def test_a_linear_resize_by_hand():
    taps = Taps(np.array([[0, 1], [1, 1]]), np.array([[0.5, 0.5], [1, 0]]))
    image = np.array([[[0, 10, 20], [100, 110, 120]], [[200, 210, 220], [255, 255, 255]]], np.uint8)
    out = np.empty((2, 2, 3))
    resize.resize(image, taps, taps, out, bgr=True)
    assert out[0, 0].tolist() == [(20 + 120 + 220 + 255) / 4, (10 + 110 + 210 + 255) / 4, 138.75]
    assert out[0, 1].tolist() == [187.5, 182.5, 177.5] and out[1, 1].tolist() == [255] * 3
    resize.resize(image, taps, taps, out, whole=5)
    assert out[1, 0].tolist() == [(40 + 51) / 2, (42 + 51) / 2, (44 + 51) / 2]
