# SPDX-License-Identifier: BSD-3-Clause
"""First stages: what becomes of a picture, and what does not fit together."""

import numpy as np
import pytest
from PIL import Image

from qnn.compute.float_conv import Thresholds, Uniform
from qnn.errors import NetworkError
from qnn.network.first import ConvFirst, LookupFirst
from qnn.pictures import geometry
from qnn.pictures.picture import Picture
from qnn_sim import golden_network

TABLE = np.arange(256, dtype=np.uint8)


def random_rgb(seed, height, width):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def lookup(geometry="fit-grey", size=28, table=TABLE, out_shape=(28, 28, 1)):
    return LookupFirst(geometry, size, table, out_shape)


def convolution(**changes):
    rng = np.random.default_rng(5)
    parts = {
        "geometry": "shrink-and-crop",
        "size": 20,
        "mean": None,
        "weight": rng.normal(0, 0.02, (6, 5, 4, 3)).astype(np.float32),
        "bias": rng.normal(0, 1, 6).astype(np.float32),
        "stride": 3,
        "padding": 1,
        "quantizer": Thresholds((0.5, 2.0, 1.0)),
        "arithmetic": "float64",
        "transposed": False,
    }
    return ConvFirst(**parts | changes)


# LookupFirst


@pytest.mark.parametrize("size", [28, 32])
def test_grey_of_its_size_passes_through_the_table(size):
    rng = np.random.default_rng(size)
    table = rng.integers(0, 256, 256, np.uint8)
    first = lookup(size=size, table=table, out_shape=(size, size, 1))
    pixels = rng.integers(0, 256, (size, size), np.uint8)
    tensor = first.tensor(Picture.open(pixels))
    assert tensor.dtype == np.uint8 and np.array_equal(tensor, pixels[..., None])
    codes = first.codes(tensor)
    assert codes.dtype == np.uint8 and np.array_equal(codes, table[pixels][..., None])
    assert np.array_equal(codes, golden_network.first_codes(first, tensor))


def test_colour_of_its_size_passes_through_the_table():
    table = TABLE[::-1].copy()
    first = lookup("thumbnail-on-white", 32, table, (32, 32, 3))
    pixels = random_rgb(1, 32, 32)
    assert np.array_equal(first.codes(first.tensor(Picture.open(pixels))), 255 - pixels)


@pytest.mark.parametrize("picture", [(50, 90), (10, 7), (28, 28)])
def test_other_sizes_go_through_the_geometry(picture):
    pixels = Picture.open(random_rgb(2, *picture))
    assert np.array_equal(lookup().tensor(pixels)[..., 0], geometry.fit_grey(pixels, 28))
    first = lookup("thumbnail-on-white", 32, TABLE, (32, 32, 3))
    assert np.array_equal(first.tensor(pixels), geometry.thumbnail_on_white(pixels, 32))


def test_flat_codes_keep_the_order_of_rows():
    pixels = np.random.default_rng(3).integers(0, 256, (28, 28), np.uint8)
    first = lookup(table=(TABLE >= 128).astype(np.uint8), out_shape=(1, 1, 784))
    codes = first.codes(first.tensor(Picture.open(pixels)))
    assert codes.shape == (1, 1, 784)
    assert np.array_equal(codes[0, 0], pixels.ravel() >= 128)


@pytest.mark.parametrize(("largest", "bits"), [(0, 1), (1, 1), (2, 2), (3, 2), (127, 7), (255, 8)])
def test_bits_of_a_table(largest, bits):
    assert lookup(table=np.minimum(TABLE, largest).astype(np.uint8)).out_bits == bits


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"geometry": "letterbox"}, "unknown geometry 'letterbox'"),
        ({"geometry": ""}, "unknown geometry"),
        ({"table": TABLE.astype(np.int64)}, "table int64"),
        ({"table": TABLE[:255]}, r"table uint8 \(255,\)"),
        ({"out_shape": (28, 28, 3)}, "28x28x3"),
        ({"out_shape": (1, 1, 783)}, "1x1x783"),
        ({"size": 29}, "29 pixels"),
        ({"geometry": "thumbnail-on-white"}, "28x28x1"),
    ],
)
def test_lookups_that_do_not_fit(changes, message):
    with pytest.raises(NetworkError, match=f"first stage: .*{message}"):
        lookup(**changes)


# ConvFirst


@pytest.mark.parametrize("arithmetic", ["float64", "float32-sequential"])
@pytest.mark.parametrize("quantizer", [Thresholds((0.5, 2.0, 1.0)), Uniform(4.0, 7)])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("kind", ["shrink-and-crop", "letterbox"])
def test_codes_are_those_of_the_golden_model(arithmetic, quantizer, transposed, kind):
    spread = 0.02 if kind == "shrink-and-crop" else 1  # of pixels up to 255, or up to 1
    first = convolution(
        geometry=kind,
        weight=np.random.default_rng(4).normal(0, spread, (6, 5, 4, 3)).astype(np.float32),
        arithmetic=arithmetic,
        quantizer=quantizer,
        transposed=transposed,
    )
    for seed, shape in enumerate([(20, 20), (300, 260), (33, 21)]):
        tensor = first.tensor(Picture.open(random_rgb(seed, *shape)))
        codes = first.codes(tensor)
        assert codes.shape == first.out_shape == (6, 7, 6)
        assert codes.dtype == np.uint8 and codes.max() < 1 << first.out_bits
        assert len(np.unique(codes)) > 2
        assert np.array_equal(codes, golden_network.first_codes(first, tensor))


def test_mean_and_scale():
    mean = np.random.default_rng(6).uniform(80, 140, (20, 20, 3)).astype(np.float32)
    pixels = random_rgb(7, 40, 30)
    tensor = convolution(mean=mean).tensor(Picture.open(pixels))
    expected = (geometry.shrink_and_crop(pixels, 20) - mean) / np.float32(255)
    assert tensor.dtype == np.float32 and np.array_equal(tensor, expected)


def test_transposed_tensors():
    pixels = random_rgb(8, 30, 60)
    upright = convolution(geometry="letterbox").tensor(Picture.open(pixels))
    turned = convolution(geometry="letterbox", transposed=True).tensor(Picture.open(pixels))
    assert np.array_equal(turned, upright.swapaxes(0, 1))
    assert np.array_equal(upright, geometry.letterbox(pixels, 20))


def test_grey_pictures_are_seen_in_colour():
    grey = np.random.default_rng(9).integers(0, 256, (30, 30), np.uint8)
    first = convolution(geometry="letterbox")
    colour = np.repeat(grey[..., None], 3, axis=2)
    for source in (grey, Image.fromarray(grey)):
        assert np.array_equal(
            first.tensor(Picture.open(source)), first.tensor(Picture.open(colour))
        )


def test_codes_by_hand():
    """One output that adds up the red of 2 x 2 pixels, thresholds 1/6, 1/2 and 5/6."""
    weight = np.zeros((1, 2, 2, 3), np.float32)
    weight[..., 0] = 1
    first = convolution(
        size=4,
        weight=weight,
        bias=None,
        stride=2,
        padding=0,
        quantizer=Thresholds((5 / 6, 0.5, 1 / 6)),
    )
    x = np.zeros((4, 4, 3), np.float32)
    x[0, 0, 0] = 0.2
    x[1, 3, 0] = x[0, 2, 0] = 0.3
    x[2:, 2:, 0] = 1
    x[2:, :2, 1:] = 1  # not red
    assert first.codes(x)[..., 0].tolist() == [[1, 2], [0, 3]]


@pytest.mark.parametrize(
    ("quantizer", "bits"),
    [
        (Thresholds((0.5,)), 1),
        (Thresholds((1.0, 2.0)), 2),
        (Thresholds((1.0, 2.0, 3.0)), 2),
        (Uniform(4.0, 7), 3),
        (Uniform(1.0, 8), 4),
    ],
)
def test_bits_of_a_quantizer(quantizer, bits):
    assert convolution(quantizer=quantizer).out_bits == bits


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"geometry": "fit-grey"}, "unknown geometry 'fit-grey'"),
        ({"mean": np.zeros((20, 21, 3), np.float32)}, "mean is 20x21x3"),
        ({"weight": np.zeros((6, 5, 4), np.float32)}, "weights of shape 6x5x4"),
        ({"weight": np.zeros((6, 5, 4, 1), np.float32)}, "weights of shape 6x5x4x1"),
        ({"weight": np.zeros((6, 23, 4, 3), np.float32)}, "weights of shape 6x23x4x3"),
    ],
)
def test_convolutions_that_do_not_fit(changes, message):
    with pytest.raises(NetworkError, match=f"first stage: .*{message}"):
        convolution(**changes)
