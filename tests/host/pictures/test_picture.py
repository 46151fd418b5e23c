# SPDX-License-Identifier: BSD-3-Clause
"""Every kind of picture comes out as it looks, or is refused with one sentence."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile, features

from qnn.errors import PictureError
from qnn.pictures.picture import MAX_PIXELS, Picture
from qnn.pictures.pipe import Piped

UPRIGHT = {  # what brings pixels stored with each EXIF orientation upright
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def random_pixels(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth(height, width):
    """A picture that JPEG hardly changes."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, 255 - x * 255 // width], -1).astype(
        np.uint8
    )


def saved(path, pixels, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


def oriented(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def png_header(width, height):
    """A PNG that ends before its pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + data + struct.pack(">I", 100) + b"IDAT"


# What is read


@pytest.mark.parametrize("end", ["png", "bmp", "ppm", "tif"])
def test_lossless_files_pass_bit_for_bit(tmp_path, end):
    colour, grey = random_pixels(1, 7, 11, 3), random_pixels(2, 5, 9)
    of_colour = Picture.open(saved(tmp_path / f"colour.{end}", colour))
    of_grey = Picture.open(saved(tmp_path / f"grey.{end}", grey))
    assert of_colour.size == (11, 7) and np.array_equal(of_colour.rgb(), colour)
    assert of_grey.size == (9, 5) and np.array_equal(of_grey.grey(), grey)
    assert np.array_equal(of_grey.rgb(), np.repeat(grey[..., None], 3, -1))
    assert of_grey.rgb().dtype == of_grey.grey().dtype == np.uint8


def test_webp(tmp_path):
    if not features.check("webp"):
        pytest.skip("this pillow has no WebP")
    pixels = random_pixels(1, 7, 11, 3)
    path = saved(tmp_path / "a.webp", pixels, lossless=True)
    assert np.array_equal(Picture.open(path).rgb(), pixels)


def test_the_name_is_the_path_as_given(tmp_path, monkeypatch):
    saved(tmp_path / "a.png", random_pixels(0, 2, 2))
    monkeypatch.chdir(tmp_path)
    assert Picture.open("./a.png").name == "./a.png"
    assert Picture.open(tmp_path / "a.png").name == str(tmp_path / "a.png")
    assert Picture.open(random_pixels(0, 2, 2)).name == "picture"


def test_a_picture_is_returned_as_it_is():
    picture = Picture.open(random_pixels(0, 2, 2))
    assert Picture.open(picture) is picture


def test_arrays_and_images_are_copied_and_so_are_results():
    array = random_pixels(3, 6, 4, 3)
    image = Image.fromarray(array)
    for source in (array.copy(), image.copy()):
        picture = Picture.open(source)
        if isinstance(source, np.ndarray):
            source[:] = 0
        else:
            source.paste(0, (0, 0, 4, 6))
        picture.rgb()[:] = 0
        assert np.array_equal(picture.rgb(), array)


def test_grey_arrays_of_both_shapes_and_any_strides():
    array = random_pixels(4, 6, 4)
    for source in (array, array[..., None], array.repeat(2, 1)[:, ::2], np.asfortranarray(array)):
        assert np.array_equal(Picture.open(source).grey(), array)
    flipped = random_pixels(4, 6, 4, 3)[:, ::-1, ::-1]
    assert np.array_equal(Picture.open(flipped).rgb(), flipped)


def test_grey_is_itu_r_601():
    colours = random_pixels(5, 16, 16, 3)
    luma = colours @ np.array([0.299, 0.587, 0.114])
    assert np.abs(Picture.open(colours).grey() - luma).max() <= 0.51


def test_palettes_become_their_colours(tmp_path):
    index = random_pixels(6, 8, 8) % 4
    image = Image.fromarray(index, "L")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    want = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]], np.uint8)[index]
    for end in ("png", "gif"):
        path = saved(tmp_path / f"a.{end}", image)
        assert np.array_equal(Picture.open(path).rgb(), want)
    want[index == 2] = 255
    path = saved(tmp_path / "clear.png", image, transparency=2)
    assert np.array_equal(Picture.open(path).rgb(), want)
    path = saved(tmp_path / "half.png", image, transparency=b"\xff\xff\x00\xff")
    assert np.array_equal(Picture.open(path).rgb(), want)


def test_one_bit_pictures_are_black_and_white(tmp_path):
    bits = random_pixels(7, 9, 13) > 127
    path = saved(tmp_path / "a.png", Image.fromarray(bits))
    assert np.array_equal(Picture.open(path).grey(), np.where(bits, 255, 0))


def test_transparency_shows_white(tmp_path):
    pixels = random_pixels(8, 10, 12, 4)
    pixels[:2, :, 3], pixels[2:4, :, 3] = 0, 255
    alpha = pixels[..., 3:] / 255
    want = pixels[..., :3] * alpha + 255 * (1 - alpha)
    got = Picture.open(saved(tmp_path / "rgba.png", pixels)).rgb()
    assert np.abs(got - want).max() <= 1
    assert (got[:2] == 255).all() and np.array_equal(got[2:4], pixels[2:4, :, :3])

    grey = Picture.open(saved(tmp_path / "la.png", Image.fromarray(pixels[..., 2:], "LA"))).grey()
    assert np.abs(grey - want[..., 2]).max() <= 1
    assert (grey[:2] == 255).all() and np.array_equal(grey[2:4], pixels[2:4, :, 2])


@pytest.mark.parametrize("shape", [(6, 6), (6, 6, 3)])
def test_a_transparent_colour_shows_white(tmp_path, shape):
    pixels = np.full(shape, 40, np.uint8)
    pixels[2] = 80
    clear = 80 if len(shape) == 2 else (80, 80, 80)
    got = Picture.open(saved(tmp_path / "a.png", pixels, transparency=clear)).grey()
    assert (got[2] == 255).all() and (np.delete(got, 2, 0) == 40).all()


def test_cmyk_jpeg(tmp_path):
    ink = np.zeros((16, 16, 4), np.uint8)
    ink[:, :, 1:3] = 255  # magenta and yellow: red
    path = saved(tmp_path / "cmyk.jpg", Image.fromarray(ink, "CMYK"), quality=100)
    assert b"Adobe" in path.read_bytes()
    assert np.abs(Picture.open(path).rgb().astype(int) - (255, 0, 0)).max() <= 3


def test_ycck_jpeg(tmp_path):
    # pillow writes CMYK only, inverted: so write 255 - (Y, Cb, Cr, K), then rename the colour space
    sample = np.full((16, 16, 4), 255 - np.array([179, 171, 0, 255]), np.uint8)
    file = bytearray(saved(tmp_path / "a.jpg", Image.fromarray(sample, "CMYK")).read_bytes())
    transform = file.index(b"Adobe") + 11
    assert file[transform] == 0
    file[transform] = 2
    (tmp_path / "ycck.jpg").write_bytes(file)
    assert np.abs(Picture.open(tmp_path / "ycck.jpg").rgb().astype(int) - (255, 0, 0)).max() <= 6


@pytest.mark.parametrize("end", ["png", "tif"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path, end):
    deep = np.random.default_rng(9).integers(0, 65536, (8, 8), dtype=np.uint16)
    deep[0, :4] = 0, 255, 256, 65535
    picture = Picture.open(saved(tmp_path / f"a.{end}", deep))
    assert np.array_equal(picture.grey(), deep >> 8)


@pytest.mark.parametrize(("mode", "dtype"), [("I", "=i4"), ("I;16", "<u2"), ("I;16B", ">u2")])
def test_16_bit_images_of_each_mode(mode, dtype):
    deep = np.random.default_rng(10).integers(0, 65536, (8, 8))
    image = Image.frombytes(mode, (8, 8), deep.astype(dtype).tobytes())
    assert np.array_equal(Picture.open(image).grey(), deep >> 8)


def test_a_transparent_16_bit_grey_shows_white():
    image = Image.fromarray(np.array([[1000, 2000], [2000, 50000]], np.int32))
    image.info["transparency"] = 2000
    assert np.array_equal(Picture.open(image).grey(), [[3, 255], [255, 195]])


@pytest.mark.parametrize("turn", UPRIGHT)
def test_exif_orientation_in_lossless_files(tmp_path, turn):
    pixels = random_pixels(11, 3, 5, 3)
    upright = UPRIGHT[turn](pixels)
    png = saved(tmp_path / "a.png", pixels, exif=oriented(turn))
    tif = saved(tmp_path / "a.tif", pixels, tiffinfo={0x0112: turn})
    packed = saved(tmp_path / "b.tif", pixels, tiffinfo={0x0112: turn}, compression="tiff_deflate")
    with Image.open(png) as image:
        for source in (png, tif, packed, image):
            picture = Picture.open(source)
            assert picture.size == (upright.shape[1], upright.shape[0])
            assert np.array_equal(picture.rgb(), upright)


@pytest.mark.parametrize("turn", UPRIGHT)
@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_exif_orientation_in_jpeg_at_every_scale(tmp_path, turn, scale):
    path = saved(tmp_path / "a.jpg", smooth(50, 93), exif=oriented(turn))
    with Image.open(path) as image:
        image.draft(None, (93 // scale, 50 // scale))
        upright = UPRIGHT[turn](np.array(image))
    picture = Picture.open(path)
    assert picture.size == ((50, 93) if turn > 4 else (93, 50))
    assert np.array_equal(picture.reduced(scale), upright)
    assert upright.shape[:2] == tuple(-(-side // scale) for side in picture.size[::-1])


def test_exif_orientation_of_16_bit_grey(tmp_path):
    deep = np.arange(15, dtype=np.uint16).reshape(3, 5) << 8
    path = saved(tmp_path / "a.png", deep, exif=oriented(6))
    assert np.array_equal(Picture.open(path).grey(), np.rot90(deep >> 8, -1))


@pytest.mark.parametrize("junk", [0, 9, 77])
def test_orientations_that_do_not_exist_change_nothing(tmp_path, junk):
    pixels = random_pixels(12, 3, 5)
    path = saved(tmp_path / "a.png", pixels, exif=oriented(junk))
    assert np.array_equal(Picture.open(path).grey(), pixels)


def test_junk_exif_is_ignored_without_a_word(tmp_path, capfd):
    path = saved(tmp_path / "a.jpg", smooth(16, 16), exif=b"Exif\0\0" + b"junk that is no TIFF")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Picture.open(path).rgb().shape == (16, 16, 3)
    assert capfd.readouterr() == ("", "")


def test_reducing_after_decoding_and_the_other_way_round(tmp_path):
    path = saved(tmp_path / "a.jpg", smooth(64, 80))
    early, late = Picture.open(path), Picture.open(path)
    full = late.rgb()
    assert np.array_equal(early.reduced(4), late.reduced(4))
    assert early.reduced(4).size == (20, 16)
    assert np.array_equal(early.rgb(), full) and np.array_equal(late.rgb(), full)


def test_only_jpeg_files_are_reduced(tmp_path):
    path = saved(tmp_path / "a.jpg", smooth(64, 80))
    with Image.open(path) as image:
        assert Picture.open(image).reduced(4).size == (80, 64)
    assert Picture.open(saved(tmp_path / "a.png", smooth(64, 80))).reduced(4).size == (80, 64)


def test_grey_jpeg_stays_grey(tmp_path):
    path = saved(tmp_path / "a.jpg", smooth(16, 24)[..., 0])
    with Image.open(path) as image:
        assert np.array_equal(Picture.open(path).grey(), np.array(image))


def test_the_first_picture_of_a_jpeg_that_holds_more(tmp_path):
    Image.init()  # else formats are entered as they are first used
    if "MPO" not in Image.SAVE_ALL:
        pytest.skip("this pillow writes no MPO")
    first, second = (Image.fromarray(smooth(*size)) for size in [(32, 40), (8, 8)])
    path = tmp_path / "a.jpg"
    first.save(path, "MPO", save_all=True, append_images=[second])
    with Image.open(path) as image:
        assert image.format == "MPO"
        want = np.array(image)
    assert np.array_equal(Picture.open(path).rgb(), want)
    assert Picture.open(path).reduced(2).size == (20, 16)


# What is refused


def refused(source, *words):
    with pytest.raises(PictureError) as caught:
        Picture.open(source).rgb()
    message = str(caught.value)
    for word in words:
        assert word in message, message
    assert "\n" not in message


def test_missing_file_and_directory(tmp_path):
    refused(tmp_path / "none.png", "no file", "none.png")
    refused(tmp_path, "is a directory: there is no file in it")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / ".hidden").touch()
    refused(tmp_path, "is a directory: there is no file in it")
    (tmp_path / "below" / "a.png").touch()
    refused(tmp_path, "is a directory: name one picture in it")
    refused("", "no file ''")


def test_a_device_is_no_picture():
    refused("/dev/null", "/dev/null", "neither a file nor a pipe")


def test_a_name_that_no_file_can_have():
    refused("x" * 300, "xxx", "cannot be read")
    refused("a\0b", "no file")


def test_a_medium_that_fails(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", random_pixels(0, 2, 2))

    def failing(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("qnn.pictures.dataset.read_images", failing)
    refused(path, "a.png", "cannot be read", "Input/output error")


@pytest.mark.parametrize("end", ["png", "jpg"])
def test_what_came_through_a_pipe(tmp_path, end):
    """As the file, at every scale and as often as one likes."""
    path = saved(tmp_path / f"a.{end}", smooth(60, 40), exif=oriented(6))
    file, piped = Picture.open(path), Picture.open(Piped("-", path.read_bytes()))
    assert (piped.name, piped.size) == ("-", file.size)
    for scale in (8, 2, 1, 4):
        assert np.array_equal(piped.reduced(scale), file.reduced(scale))


def test_a_data_set_that_came_through_a_pipe():
    pixels = random_pixels(0, 3, 2)
    head = b"\0\0\x08\x03\0\0\0"
    data = head + b"\1\0\0\0\3\0\0\0\2" + pixels.tobytes()
    assert np.array_equal(Picture.open(Piped("-", data)).grey(), pixels)
    with pytest.raises(PictureError, match="- holds 2 pictures"):
        Picture.open(Piped("-", head + b"\2\0\0\0\3\0\0\0\1" + bytes(6)))
    record = bytes([7]) + bytes([9]) * 3072
    assert Picture.open(Piped("a.bin", record)).size == (32, 32)


@pytest.mark.parametrize("end", ["png", "jpg"])
def test_a_truncated_picture_that_came_through_a_pipe(tmp_path, end):
    data = saved(tmp_path / f"a.{end}", random_pixels(0, 40, 40, 3)).read_bytes()
    with pytest.raises(PictureError, match="pipe is truncated"):
        Picture.open(Piped("pipe", data[: len(data) // 2])).rgb()


def test_no_picture(tmp_path):
    for name, content in [("empty.png", b""), ("text.jpg", b"hello\n" * 99), ("nul", bytes(5000))]:
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name, name, "is not a picture")


def test_postscript_is_not_run(tmp_path):
    (tmp_path / "a.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n")
    refused(tmp_path / "a.eps", "is not a picture")


def test_unreadable_file(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", random_pixels(0, 2, 2))

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", denied)  # root may read everything
    refused(path, "cannot be read", "Permission denied")


@pytest.mark.parametrize("end", ["png", "jpg", "gif", "bmp", "tif", "ppm"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_truncated_file(tmp_path, end, share):
    whole = saved(tmp_path / f"a.{end}", random_pixels(13, 40, 40, 3)).read_bytes()
    (tmp_path / f"b.{end}").write_bytes(whole[: int(share * len(whole))])
    refused(tmp_path / f"b.{end}", f"b.{end}", "truncated or damaged")


def test_truncated_jpeg_is_refused_at_a_reduced_scale_too(tmp_path):
    whole = saved(tmp_path / "a.jpg", random_pixels(13, 80, 80, 3)).read_bytes()
    (tmp_path / "b.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PictureError, match="truncated or damaged"):
        Picture.open(tmp_path / "b.jpg").reduced(8)


@pytest.mark.parametrize("end", ["png", "gif", "bmp", "tif", "ppm", "jpg"])
def test_damaged_files_are_read_or_refused_but_never_crash(tmp_path, end):
    whole = saved(tmp_path / f"a.{end}", random_pixels(14, 12, 12, 3)).read_bytes()
    rng = np.random.default_rng(15)
    for _ in range(60):
        file = bytearray(whole)
        for at in rng.integers(0, len(file), 3):
            file[at] = rng.integers(256)
        (tmp_path / "b").write_bytes(file)
        try:
            picture = Picture.open(tmp_path / "b")
            assert picture.rgb().shape[1::-1] == picture.size
        except PictureError as error:
            assert str(tmp_path / "b") in str(error)


@pytest.mark.parametrize("end", ["gif", "png", "tif", "webp"])
def test_more_than_one_frame(tmp_path, end):
    if end == "webp" and not features.check("webp"):
        pytest.skip("this pillow has no WebP")
    first, *others = (Image.fromarray(random_pixels(seed, 8, 8, 3)) for seed in range(3))
    path = saved(tmp_path / f"a.{end}", first, save_all=True, append_images=others)
    refused(path, "3 frames")
    with Image.open(path) as image:
        refused(image, "3 frames")
        assert Picture.open(image.copy()).size == (8, 8)


def test_one_frame_of_an_animated_format(tmp_path):
    path = saved(tmp_path / "a.gif", Image.fromarray(random_pixels(0, 8, 8, 3)), save_all=True)
    assert Picture.open(path).size == (8, 8)


def test_float_and_32_bit_pixels(tmp_path):
    refused(saved(tmp_path / "a.tif", np.ones((4, 4), np.float32)), "floating-point")
    refused(Image.new("F", (4, 4)), "floating-point")
    for value in (65536, -1):
        refused(Image.new("I", (4, 4), value), "32-bit")


def test_kinds_of_pixel_that_pillow_cannot_turn_into_rgb():
    refused(Image.new("LAB", (4, 4)), "LAB")


@pytest.mark.parametrize("side", [8001, 10_000, 20_000, 2**31 - 1])
def test_too_large_is_decided_from_the_header(tmp_path, side):
    (tmp_path / "a.png").write_bytes(png_header(side, side))
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        filters = list(warnings.filters)
        refused(tmp_path / "a.png", "a.png", "64 megapixels")
        assert filters == warnings.filters
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_the_limit_itself_is_not_too_large(tmp_path):
    (tmp_path / "a.png").write_bytes(png_header(8000, MAX_PIXELS // 8000))
    refused(tmp_path / "a.png", "truncated")  # so it was let through to the decoder


def test_too_large_arrays():
    array = np.broadcast_to(np.uint8(0), (8001, 8001))
    refused(array, "64 megapixels")


def test_out_of_memory(monkeypatch, tmp_path):
    path = saved(tmp_path / "a.png", random_pixels(0, 2, 2))

    def full(*_):
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", full)
    refused(path, "does not fit into memory")


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0), (0, 4, 3), (4, 0, 1)])
def test_no_pixels(shape):
    refused(np.zeros(shape, np.uint8), "no pixels")
    if len(shape) == 2:
        refused(Image.new("L", shape), "no pixels")


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint16, bool, np.int8])
def test_arrays_of_another_dtype(dtype):
    refused(np.zeros((4, 4), dtype), np.dtype(dtype).name, "uint8")


@pytest.mark.parametrize("shape", [(), (4,), (4, 4, 4), (4, 4, 2), (1, 4, 4, 3)])
def test_arrays_of_another_shape(shape):
    refused(np.zeros(shape, np.uint8), str(shape))


@pytest.mark.parametrize("source", [None, 3, [[0]], b"a.png", io.BytesIO()])
def test_other_objects(source):
    refused(source, type(source).__name__)


def test_columns_one_after_the_other():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    turned = Picture.open(pixels).pixels(turned=True)
    assert np.array_equal(turned, pixels) and turned.swapaxes(0, 1).flags.c_contiguous
