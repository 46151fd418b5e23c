# SPDX-License-Identifier: BSD-3-Clause
"""The tensors that first layers read: against slow evaluations, and against published results."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from qnn.errors import PictureError
from qnn.pictures.geometry import (
    Letterbox,
    fit_grey,
    letterbox,
    shrink_and_crop,
    thumbnail_on_white,
)
from qnn.pictures.picture import Picture


def random_pixels(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def black_box(square, paper=255):
    """(left, top, right, bottom) of what is not paper."""
    rows, columns = np.nonzero((square != paper).reshape(*square.shape[:2], -1).any(-1))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


# CNV


def test_a_picture_of_the_size_passes_bit_for_bit(tmp_path):
    pixels = random_pixels(1, 32, 32, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for source in (pixels, Image.fromarray(pixels), tmp_path / "a.png"):
        assert np.array_equal(thumbnail_on_white(Picture.open(source), 32), pixels)
    Image.fromarray(pixels).save(tmp_path / "a.jpg")
    picture = Picture.open(tmp_path / "a.jpg")
    assert np.array_equal(thumbnail_on_white(picture, 32), picture.rgb())


def test_a_smaller_picture_is_centred_on_white():
    pixels = random_pixels(2, 5, 8, 3)
    square = thumbnail_on_white(Picture.open(pixels), 12)
    assert np.array_equal(square[3:8, 2:10], pixels)
    square[3:8, 2:10] = 255
    assert square.shape == (12, 12, 3) and (square == 255).all()


@pytest.mark.parametrize(
    ("size", "want"),
    [
        ((1000, 1127), (28, 32)),
        ((960, 591), (32, 19)),  # 19.7
        ((591, 960), (20, 32)),  # 32 x 51.98, then 20.1 x 32
        ((999, 1001), (32, 32)),  # width first: height becomes 32.06, and so is not cut again
        ((1001, 999), (32, 31)),
        ((40, 32), (32, 25)),
        ((32, 33), (31, 32)),
        ((20, 64), (10, 32)),
        ((5000, 3), (32, 1)),
        ((3, 5000), (1, 32)),
    ],
)
def test_sides_are_truncated_one_after_the_other(size, want):
    square = thumbnail_on_white(Picture.open(np.zeros(size[::-1], np.uint8)), 32)
    left, top = (32 - want[0]) // 2, (32 - want[1]) // 2
    assert black_box(square) == (left, top, left + want[0], top + want[1])


@pytest.mark.parametrize(
    ("size", "scale"),
    [
        ((60, 40), 1),
        ((64, 64), 2),
        ((255, 250), 8),  # 32 x 31: 7.97 and 8.06 times smaller
        ((250, 255), 4),  # 32 x 32
        ((224, 224), 4),
        ((700, 1000), 8),
    ],
)
def test_jpeg_is_decoded_smaller_first(tmp_path, size, scale):
    pixels = random_pixels(3, *size[::-1], 3)
    Image.fromarray(pixels).save(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        image.draft(None, (size[0] // scale, size[1] // scale))
        assert image.size == (-(-size[0] // scale), -(-size[1] // scale))
        image.load()
        square = thumbnail_on_white(Picture.open(tmp_path / "a.jpg"), 32)
        left, top, right, bottom = black_box(square)
        want = image.resize((right - left, bottom - top), Image.Resampling.LANCZOS)
    assert np.array_equal(square[top:bottom, left:right], np.array(want))
    if scale > 1:  # what came from no file is resized from its full size
        with Image.open(tmp_path / "a.jpg") as image:
            assert not np.array_equal(thumbnail_on_white(Picture.open(image), 32), square)


def test_jpeg_on_its_side_is_reduced_and_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (600, 200)).save(tmp_path / "a.jpg", exif=exif)
    assert black_box(thumbnail_on_white(Picture.open(tmp_path / "a.jpg"), 32)) == (11, 0, 21, 32)


def test_the_thumbnail_of_the_published_scores(reference):
    # With these pixels all three CNV networks give the scores that the authors' boards printed.
    path = reference / "bnn-pynq/tests/Test_image/deer.jpg"
    square = thumbnail_on_white(Picture.open(path), 32)
    assert hashlib.sha256(square.tobytes()).hexdigest() == (
        "ef53249397dd694da63c2e45271abdda5cd8f33ea5caf56f9e1fdfe7536726e0"
    )


# LFC


def test_grey_of_the_size_passes_bit_for_bit():
    pixels = random_pixels(4, 28, 28)
    assert np.array_equal(fit_grey(Picture.open(pixels), 28), pixels)
    colour = random_pixels(4, 28, 28, 3)
    assert np.array_equal(fit_grey(Picture.open(colour)), Picture.open(colour).grey())


@pytest.mark.parametrize(
    ("size", "box"),
    [((56, 28), (0, 7, 28, 21)), ((7, 14), (7, 0, 21, 28)), ((900, 1), (0, 13, 28, 14))],
)
@pytest.mark.parametrize("paper", [0, 255])
def test_grey_is_scaled_to_fit_either_way(size, box, paper):
    ink = 255 - paper
    got = fit_grey(Picture.open(np.full(size[::-1], ink, np.uint8)), 28)
    assert (got == ink).all()  # the border is ink too, and so is the canvas
    pixels = np.full(size[::-1], paper, np.uint8)
    pixels[pixels.shape[0] // 2, pixels.shape[1] // 2] = ink
    assert (fit_grey(Picture.open(pixels), 28)[: box[1]] == paper).all()


def test_the_canvas_is_the_median_of_the_border():
    pixels = np.full((20, 40), 90, np.uint8)
    pixels[1:-1, 1:-1] = 200  # not border
    pixels[0, :10] = 3  # border, but few
    got = fit_grey(Picture.open(pixels), 28)
    assert (got[:7] == 90).all() and (got[21:] == 90).all()
    scaled = Image.fromarray(pixels).resize((28, 14), Image.Resampling.LANCZOS)
    assert np.array_equal(got[7:21], np.array(scaled))


# DoReFa-Net


def cubic_kernel(distance, a=-0.75):
    d = abs(distance)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0.0


def slow_shrink_and_crop(rgb, crop, short):
    height, width = rgb.shape[:2]
    scale = short / min(height, width)
    new_height = int(max(crop, min(height, scale * height)))
    new_width = int(max(crop, min(width, scale * width)))
    top, left = int(0.5 * (new_height - crop)), int(0.5 * (new_width - crop))
    out = np.zeros((crop, crop, 3))
    for row in range(crop):
        y = (row + top + 0.5) * height / new_height - 0.5
        for column in range(crop):
            x = (column + left + 0.5) * width / new_width - 0.5
            for j in range(int(np.floor(y)) - 1, int(np.floor(y)) + 3):
                for i in range(int(np.floor(x)) - 1, int(np.floor(x)) + 3):
                    pixel = rgb[min(max(j, 0), height - 1), min(max(i, 0), width - 1)]
                    out[row, column] += cubic_kernel(y - j) * cubic_kernel(x - i) * pixel[::-1]
    return out


@pytest.mark.parametrize("seed", range(12))
def test_cubic_matches_a_sum_over_the_kernel(seed):
    rng = np.random.default_rng(seed)
    crop = int(rng.integers(1, 9))
    short = crop + int(rng.integers(0, 6))
    height, width = rng.integers(1, 40, 2)
    rgb = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    got = shrink_and_crop(rgb, crop, short)
    want = slow_shrink_and_crop(rgb, crop, short)
    assert got.shape == (crop, crop, 3) and got.dtype == np.float32
    assert np.abs(got - want).max() < 1e-4, f"{seed=} {height=} {width=} {crop=} {short=}"


def test_a_short_side_up_to_256_is_not_resized_only_cropped():
    rgb = random_pixels(5, 240, 301, 3)
    assert np.array_equal(shrink_and_crop(rgb), rgb[8:232, 38:262, ::-1])


@pytest.mark.parametrize(
    ("size", "scaled"),
    [
        ((100, 300), (224, 300)),
        ((300, 100), (300, 224)),
        ((50, 60), (224, 224)),
        ((1, 1), (224,) * 2),
    ],
)
def test_a_side_under_the_crop_is_stretched_alone(size, scaled):
    rgb = random_pixels(6, *size, 3)
    got = shrink_and_crop(rgb)
    assert got.shape == (224, 224, 3)
    rng = np.random.default_rng(7)
    for row, column in rng.integers(0, 224, (20, 2)):
        want = np.zeros(3)
        y, x = (
            (at + (new - 224) // 2 + 0.5) * old / new - 0.5
            for at, new, old in zip((row, column), scaled, size, strict=True)
        )
        for j in range(int(np.floor(y)) - 1, int(np.floor(y)) + 3):
            for i in range(int(np.floor(x)) - 1, int(np.floor(x)) + 3):
                pixel = rgb[np.clip(j, 0, size[0] - 1), np.clip(i, 0, size[1] - 1), ::-1]
                want += cubic_kernel(y - j) * cubic_kernel(x - i) * pixel
        assert np.abs(got[row, column] - want).max() < 1e-3


@pytest.mark.parametrize("name", ["n07920052_4", "n01484850_0"])
def test_first_layer_of_dorefanet_is_reproduced(name, reference):
    folder = reference / "qnn-mo-pynq"
    layer = np.load(folder / "qnn/params/dorefanet-conv0.npy", allow_pickle=True, encoding="latin1")
    weights, thresholds = layer.item()["conv0/W"], layer.item()["conv0/T"]
    mean = np.load(folder / "qnn/params/ilsvrc_pp_mean.npy")[16:240, 16:240]
    want = np.load(reference / f"derived/dorefanet_{name}_tensors.npz")["conv0"]
    rgb = Picture.open(folder / f"notebooks/imagenet-samples/{name}.jpg").rgb()
    image = (shrink_and_crop(rgb) - mean) / 255
    windows = np.lib.stride_tricks.sliding_window_view(image, (12, 12), (0, 1))[::4, ::4]
    acc = np.tensordot(windows, weights, ((2, 3, 4), (1, 2, 3)))
    codes = (acc[..., None] > thresholds.ravel()).sum(-1)
    assert codes.shape == (54, 54, 68)
    assert np.count_nonzero(codes != want) == 0


# Tinier-YOLO


def slow_letterbox(rgb, size):
    """One pixel at a time, in float32 scalars."""
    f = np.float32
    height, width = rgb.shape[:2]
    if width > height:
        new_width, new_height = size, height * size // width
    else:
        new_width, new_height = width * size // height, size
    codes = (rgb / 255.0).astype(f)

    def at(line, target, step, last):
        if target == last or len(line) == 1:
            return line[-1]
        position = f(target) * step
        part = position - f(int(position))
        return (f(1) - part) * line[int(position)] + part * line[int(position) + 1]

    step_x = f(width - 1) / f(max(new_width - 1, 1))
    step_y = f(height - 1) / f(max(new_height - 1, 1))
    wide = np.zeros((height, new_width, 3), f)
    for y, x in np.ndindex(height, new_width):
        wide[y, x] = at(codes[y], x, step_x, new_width - 1)
    out = np.full((size, size, 3), 0.5, f)
    left, top = (size - new_width) // 2, (size - new_height) // 2
    for y, x in np.ndindex(new_height, new_width):
        out[top + y, left + x] = at(wide[:, x], y, step_y, new_height - 1)
    return out


@pytest.mark.parametrize("seed", range(12))
def test_letterbox_matches_one_pixel_at_a_time(seed):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(4, 20))
    height, width = rng.integers(1, 40, 2)
    if size * min(height, width) < max(height, width):
        height = width
    rgb = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    got = letterbox(rgb, size)
    assert got.dtype == np.float32
    assert np.array_equal(got, slow_letterbox(rgb, size)), f"{seed=} {height=} {width=} {size=}"


def test_the_last_row_is_the_pictures_last_row_for_every_height():
    # 16 rows to 416: the rounded step falls short of row 15.
    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[-1] = 255
    assert (letterbox(rgb)[-1] == 1).all()
    assert (letterbox(rgb.swapaxes(0, 1))[:, -1] == 1).all()


@pytest.mark.parametrize(
    ("picture", "inner", "offset"),
    [
        ((768, 576), (416, 312), (0, 52)),
        ((773, 512), (416, 275), (0, 70)),
        ((512, 773), (275, 416), (70, 0)),
        ((640, 424), (416, 275), (0, 70)),
        ((99, 99), (416, 416), (0, 0)),
    ],
)
def test_where_the_picture_lies(picture, inner, offset):
    place = Letterbox(*picture)
    assert place.inner == inner and place.offset == offset
    square = letterbox(np.zeros((*picture[::-1], 3), np.uint8))
    left, top = offset
    assert black_box(square, paper=0.5) == (left, top, left + inner[0], top + inner[1])


def test_boxes_return_to_the_picture():
    place = Letterbox(768, 576)
    boxes = np.random.default_rng(8).random((5, 7, 4))
    share, margin = np.array([1, 312 / 416]), np.array([0, 52 / 416])
    inside = np.concatenate([boxes[..., :2] * share + margin, boxes[..., 2:] * share], -1)
    assert np.allclose(place.to_picture(inside), boxes, rtol=0, atol=1e-12)
    corners = Letterbox(773, 512).to_picture(np.array([0.5, 0.5, 1, 1]))
    assert np.allclose(corners, [0.5, 0.5, 1, 416 / 275])
    top_edge = Letterbox(773, 512).to_picture(np.array([0.5, 70.5 / 416, 0, 0]))
    assert np.allclose(top_edge, [0.5, 0, 0, 0])


def test_first_layer_of_tinier_yolo_is_reproduced(reference):
    rgb = np.load(reference / "derived/dog_rgb_darknet_decoder.npz")["rgb"]
    want = np.load(reference / "derived/tinier_yolo_dog_tensors.npz")["conv0_xyc"]
    params = reference / "qnn-mo-pynq/qnn/params"
    weights = np.load(params / "tinier-yolo-conv0-W.npy")
    bias = np.load(params / "tinier-yolo-conv0-bias.npy").ravel()
    padded = np.pad(letterbox(rgb), ((1, 1), (1, 1), (0, 0)))
    acc = np.zeros((208, 208, 16), np.float32)
    for colour, kx, ky in np.ndindex(3, 3, 3):
        window = padded[ky : ky + 416 : 2, kx : kx + 416 : 2, colour, None]
        acc += window * weights[ky, kx, colour]
    codes = np.round(np.clip(acc + bias, 0, 4) / np.float32(4) * np.float32(7))
    assert np.count_nonzero(codes.swapaxes(0, 1) != want) == 0


@pytest.mark.parametrize(
    ("kind", "want"),
    [(6, (381, 116, 761, 154)), (11, (109, 236, 347, 545)), (1, (78, 72, 564, 496))],
)
def test_the_published_boxes_of_the_dog_picture(kind, want, reference):
    conv8 = np.load(reference / "derived/tinier_yolo_dog_tensors.npz")["conv8"]
    cells = conv8.reshape(5, 25, 13, 13).astype(np.float64)
    odds = np.exp(cells[:, 5:])
    score = odds[:, kind] / odds.sum(1) / (1 + np.exp(-cells[:, 4]))
    anchor, row, column = np.unravel_index(score.argmax(), score.shape)
    anchors = [(1.08, 1.19), (3.42, 4.41), (6.63, 11.38), (9.42, 5.11), (16.62, 10.52)]
    x, y, width, height = cells[anchor, :4, row, column]
    box = np.array(
        [
            (column + 1 / (1 + np.exp(-x))) / 13,
            (row + 1 / (1 + np.exp(-y))) / 13,
            np.exp(width) * anchors[anchor][0] / 13,
            np.exp(height) * anchors[anchor][1] / 13,
        ]
    )
    x, y, width, height = Letterbox(768, 576).to_picture(box)
    edges = (
        (x - width / 2) * 768,
        (y - height / 2) * 576,
        (x + width / 2) * 768,
        (y + height / 2) * 576,
    )
    assert tuple(int(edge) for edge in edges) == want


# All


@pytest.mark.parametrize("convert", [shrink_and_crop, letterbox])
@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
)
def test_other_arrays_are_refused(convert, array):
    with pytest.raises(PictureError, match="want uint8"):
        convert(array)


def test_too_thin_for_a_letterbox():
    with pytest.raises(PictureError, match="500 x 1 is too long and thin"):
        letterbox(np.zeros((1, 500, 3), np.uint8))
    assert letterbox(np.zeros((1, 416, 3), np.uint8)).shape == (416, 416, 3)
