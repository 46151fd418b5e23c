# SPDX-License-Identifier: BSD-3-Clause
"""Pictures as the first layer reads them."""

import numpy as np
import pytest
from PIL import Image

from qnn.errors import NetworkError
from qnn.network import PictureInput
from qnn.pictures import geometry
from qnn.pictures.picture import Picture


def random_rgb(seed, height, width):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [28, 32])
def test_grey_of_its_size_is_left_as_it_is(size):
    pixels = np.random.default_rng(size).integers(0, 256, (size, size), np.uint8)
    picture = PictureInput("fit-grey", size)
    tensor = picture.tensor(Picture.open(pixels))
    assert tensor.dtype == np.uint8 and np.array_equal(tensor, pixels[..., None])
    assert (picture.out_shape, picture.bits) == ((size, size, 1), 8)


def test_colour_of_its_size_is_left_as_it_is():
    pixels = random_rgb(1, 32, 32)
    picture = PictureInput("thumbnail-on-white", 32)
    assert np.array_equal(picture.tensor(Picture.open(pixels)), pixels)
    assert (picture.out_shape, picture.bits) == ((32, 32, 3), 8)


@pytest.mark.parametrize("shape", [(50, 90), (10, 7), (28, 28)])
def test_other_sizes_go_through_the_geometry(shape):
    pixels = Picture.open(random_rgb(2, *shape))
    grey = PictureInput("fit-grey", 28).tensor(pixels)
    assert np.array_equal(grey[..., 0], geometry.fit_grey(pixels, 28))
    colour = PictureInput("thumbnail-on-white", 32).tensor(pixels)
    assert np.array_equal(colour, geometry.thumbnail_on_white(pixels, 32))
    for name, scale in (
        ("shrink-and-crop", geometry.shrink_and_crop),
        ("letterbox", geometry.letterbox),
    ):
        picture = PictureInput(name, 20)
        floats = picture.tensor(pixels)
        assert floats.dtype == np.float32 and floats.shape == picture.out_shape == (20, 20, 3)
        assert picture.bits is None
        assert np.array_equal(floats, scale(pixels.rgb(), 20))


def test_mean_and_scale():
    mean = np.random.default_rng(6).uniform(80, 140, (20, 20, 3)).astype(np.float32)
    pixels = random_rgb(7, 40, 30)
    tensor = PictureInput("shrink-and-crop", 20, mean).tensor(Picture.open(pixels))
    expected = (geometry.shrink_and_crop(pixels, 20) - mean) / np.float32(255)
    assert tensor.dtype == np.float32 and np.array_equal(tensor, expected)


@pytest.mark.parametrize("name", ["letterbox", "fit-grey"])
def test_transposed_tensors(name):
    pixels = Picture.open(random_rgb(8, 30, 60))
    upright = PictureInput(name, 20).tensor(pixels)
    turned = PictureInput(name, 20, transposed=True).tensor(pixels)
    assert np.array_equal(turned, upright.swapaxes(0, 1))
    assert not np.array_equal(turned, upright)


def test_grey_pictures_are_seen_in_colour():
    grey = np.random.default_rng(9).integers(0, 256, (30, 30), np.uint8)
    picture = PictureInput("letterbox", 20)
    colour = np.repeat(grey[..., None], 3, axis=2)
    for source in (grey, Image.fromarray(grey)):
        assert np.array_equal(
            picture.tensor(Picture.open(source)), picture.tensor(Picture.open(colour))
        )


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (("thumbnail", 20), "unknown geometry 'thumbnail'"),
        (("", 20), "unknown geometry"),
        (("letterbox", 0), "a side of 0 pixels"),
        (("letterbox", 20, np.zeros((20, 21, 3), np.float32)), "mean is float32 20x21x3"),
        (("letterbox", 20, np.zeros((20, 20, 3))), "mean is float64"),
        (("letterbox", 20, np.full((20, 20, 3), np.nan, np.float32)), "not finite"),
        (("fit-grey", 20, np.zeros((20, 20, 1), np.float32)), "a mean is taken from floats"),
    ],
)
def test_pictures_that_do_not_fit(facts, message):
    with pytest.raises(NetworkError, match=f"picture: .*{message}"):
        PictureInput(*facts)


MEAN = np.random.default_rng(5).uniform(90, 130, (224, 224, 3)).astype(np.float32)


@pytest.mark.parametrize("mean", [None, MEAN])
def test_limits_hold_where_edges_are_sharpest(mean):
    """Between two pixels of every row and column, all that the cubic adds is white, or black."""
    high = np.arange(512) % 4 < 2
    white = 255 * (high[:, None] == high).astype(np.uint8)
    picture = PictureInput("shrink-and-crop", 224, mean)
    tensor = picture.tensor(Picture.open(np.repeat(white[..., None], 3, axis=2)))
    low, high = picture.limits
    assert low <= tensor.min() and tensor.max() <= high
    if mean is None:  # they are no larger than need be
        assert (tensor.min(), tensor.max()) == (low, high)


@pytest.mark.parametrize("kind", ["fit-grey", "thumbnail-on-white", "letterbox", "shrink-and-crop"])
@pytest.mark.parametrize("shape", [(60, 700), (500, 334), (3, 2)])
def test_limits_hold(kind, shape):
    picture = PictureInput(kind, 64 if kind != "shrink-and-crop" else 224)
    pixels = np.random.default_rng(1).integers(0, 2, (*shape, 3), np.uint8) * 255
    tensor = picture.tensor(Picture.open(pixels))
    low, high = picture.limits
    assert low <= tensor.min() and tensor.max() <= high
