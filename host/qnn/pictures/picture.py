# SPDX-License-Identifier: BSD-3-Clause
"""Pictures from files, PIL images and arrays: read as they look, or refused with one sentence."""

from __future__ import annotations

import functools
import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias, Union

import numpy as np
from PIL import Image, UnidentifiedImageError

from qnn.errors import FormatError, PictureError
from qnn.pictures import dataset, folder, pipe
from qnn.pictures.pipe import Piped

Source: TypeAlias = Union[
    "Picture", str, "os.PathLike[str]", Piped, Image.Image, "np.ndarray[Any, Any]"
]

MAX_PIXELS = 64_000_000  # decoding this many as RGB takes 192 MB

# Only decoders that live inside pillow: EPS, for one, would start Ghostscript.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
_DEEP = ("I", "I;16", "I;16L", "I;16B", "I;16N")
_ALPHA = ("LA", "PA", "RGBA", "RGBa")
_MODES = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV", *_ALPHA, *_DEEP)

# Where pillow has these since 9.1; before, as on Ubuntu 22.04 and PYNQ 3, they are in the module.
Transpose: Any = getattr(Image, "Transpose", Image)
Resampling: Any = getattr(Image, "Resampling", Image)

_ORIENTATION = 0x0112  # EXIF tag: the turn that brings the stored pixels upright
_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


class Picture:
    """One still picture, upright, of 8-bit pixels, its transparent parts on white.

    Made by `Picture.open`. A JPEG file is decoded when its pixels are first asked for, so that a
    small thumbnail of a large photograph never pays for all of it.

    Attributes:
        name: the path as given, or "picture" for what came from no file.
        size: (width, height) in pixels, as the picture looks, after the EXIF orientation.
    """

    def __init__(
        self,
        name: str,
        size: tuple[int, int],
        image: Image.Image | None,
        piped: bytes | None = None,
    ) -> None:
        self.name, self.size = name, size
        self._image = image  # mode L or RGB; None: a JPEG file, not decoded yet
        self._piped = piped  # what came through a pipe; None: the file called `name`
        self._is_jpeg_file = image is None

    @classmethod
    def open(cls, source: Source) -> Picture:
        """The picture in a file, a PIL image or an array; a Picture is returned as it is.

        Of a JPEG with further pictures behind the first (MPO: previews, gain maps, stereo pairs)
        the first is read. 16-bit grey keeps its upper eight bits. An IDX file or a CIFAR-10 binary
        file (see qnn.pictures.dataset) counts as a picture if it holds one.

        Args:
            source: a path (also of a pipe, or "-"; see qnn.pipe), a PIL image, or uint8 of shape
                (H, W), (H, W, 1) or (H, W, 3) in RGB order. Images and arrays are copied.

        Raises:
            PictureError: there is no such file; it is no PNG, JPEG, BMP, GIF, TIFF, WebP or PNM
                picture, or a damaged one; it has more than one frame, more than 64 megapixels or
                none, floating-point or 32-bit pixels; the array has another dtype or shape.
        """
        if isinstance(source, Picture):
            return source
        if isinstance(source, Piped):
            return cls._of_file(source.name, source.data)
        if isinstance(source, (str, os.PathLike)):
            name = os.fspath(source)
            if pipe.is_pipe(name):
                return cls.open(pipe.read(name, PictureError))
            check_readable(name)
            return cls._of_file(name, None)
        if isinstance(source, np.ndarray):
            source = _from_array(source)
        if not isinstance(source, Image.Image):
            kind = type(source).__name__
            raise PictureError(f"a picture is a path, a PIL image or a uint8 array, not a {kind}")
        with _one_sentence("picture"):
            _check(source, "picture")
            image = _plain(source, "picture")
            if image is source:
                image = source.copy()
        return cls("picture", image.size, image)

    @classmethod
    def _of_file(cls, name: str, piped: bytes | None) -> Picture:
        if (array := _of_dataset(name, piped)) is not None:
            image = _from_array(array)
            return cls(name, image.size, image)
        with _opened(name, piped) as file:
            if file.format in ("JPEG", "MPO"):
                lies = _turn(file) in (5, 6, 7, 8)
                return cls(name, file.size[::-1] if lies else file.size, None, piped)
            image = _plain(file, name)
        return cls(name, image.size, image)

    def rgb(self) -> np.ndarray[Any, Any]:
        """The pixels, uint8 (H, W, 3); PictureError where a JPEG file is damaged."""
        return self.pixels().copy()

    def pixels(self, *, turned: bool = False) -> np.ndarray[Any, Any]:
        """The same, only to be read, which saves a copy.

        Args:
            turned: columns lie one after the other in memory, instead of rows.
        """
        with _one_sentence(self.name):
            image = _in_mode("RGB", self.reduced(1))
            if turned:
                return np.asarray(image.transpose(Transpose.TRANSPOSE)).swapaxes(0, 1)
            return np.asarray(image)

    def grey(self) -> np.ndarray[Any, Any]:
        """The pixels as ITU-R 601 luma, uint8 (H, W); grey ones pass bit for bit.

        Raises:
            PictureError: a JPEG file is damaged.
        """
        with _one_sentence(self.name):
            return np.array(_in_mode("L", self.reduced(1)))

    def reduced(self, scale: int) -> Image.Image:
        """The picture in mode L or RGB, a JPEG file at one `scale`-th of its size; do not edit it.

        Args:
            scale: 1, 2, 4 or 8, and at most the shorter side. libjpeg reduces while it decodes, to
                the size divided by scale, rounded up. What came from elsewhere keeps its size.

        Raises:
            PictureError: a JPEG file is damaged.
        """
        if self._image is not None and (scale == 1 or not self._is_jpeg_file):
            return self._image
        with _opened(self.name, self._piped) as file:
            if scale > 1:
                file.draft(None, (file.size[0] // scale, file.size[1] // scale))
            image = _plain(file, self.name)
        if scale == 1:
            self._image = image
        return image


def _from_array(array: np.ndarray[Any, Any]) -> Image.Image:
    flat = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if array.dtype != np.uint8 or not (flat.ndim == 2 or (flat.ndim == 3 and flat.shape[2] == 3)):
        raise PictureError(
            f"an array {array.dtype} {array.shape} is no picture: "
            "pass uint8 (height, width) or (height, width, 3)"
        )
    if not flat.size:
        raise PictureError(f"an array {array.shape} has no pixels: pass one that has")
    return Image.fromarray(np.ascontiguousarray(flat))


@contextmanager
def _one_sentence(name: str) -> Iterator[None]:
    """Pillow's warnings are dropped, and its many kinds of error become a PictureError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except PictureError:
            raise
        except Image.DecompressionBombError as error:
            raise PictureError(_too_large(name)) from error
        except MemoryError as error:
            raise PictureError(f"{name} does not fit into memory: save it smaller") from error
        except UnidentifiedImageError as error:
            raise PictureError(
                f"{name} is not a picture in PNG, JPEG, BMP, GIF, TIFF, WebP or PNM: save it as one"
            ) from error
        except Exception as error:  # damaged files bring out almost any class
            raise PictureError(
                f"{name} is truncated or damaged: save or fetch it again ({error})"
            ) from error


@contextmanager
def _opened(name: str, piped: bytes | None) -> Iterator[Image.Image]:
    """The file, its header read and checked, its pixels not yet decoded."""
    source = name if piped is None else io.BytesIO(piped)
    with _one_sentence(name), Image.open(source, formats=FORMATS) as file:
        _check(file, name)
        yield file


def check_readable(name: str) -> None:
    """Refuses, without reading it, what is no file that this user may read; pipes are none.

    Raises:
        PictureError: says what it is.
    """
    try:
        mode = os.stat(name).st_mode
        if stat.S_ISDIR(mode):
            raise PictureError(f"{name} is a directory: {_advice(name)}")
        if not stat.S_ISREG(mode):  # it would block, or never end
            raise PictureError(f"{name} is neither a file nor a pipe: name a picture")
        Path(name).open("rb").close()
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise PictureError(f"there is no file {name or repr(name)}: check the path") from error
    except OSError as error:
        raise PictureError(f"{name} cannot be read: {error.strerror}") from error


def _advice(name: str) -> str:
    """What to do where a directory stands for a picture."""
    try:
        empty = not folder.files(Path(name))
    except FormatError as error:
        return str(error)
    return "there is no file in it" if empty else "name one picture in it"


def _of_dataset(name: str, piped: bytes | None) -> np.ndarray[Any, Any] | None:
    """The only picture of a file that is a data set; None where it is none."""
    try:
        images = dataset.read_images(Path(name), piped)
    except OSError as error:  # the medium fails, or the file has gone
        raise PictureError(f"{name} cannot be read: {error.strerror}") from error
    if images is None:
        return None
    if len(images) != 1:
        raise PictureError(f"{name} holds {len(images)} pictures: use `qnn eval`, or one of them")
    return images[0]


def _check(image: Image.Image, name: str) -> None:
    """Refuse, from the header alone, what would be slow, ambiguous or wrong to decode."""
    width, height = image.size
    if width * height == 0:
        raise PictureError(f"{name} has no pixels ({width} x {height}): save it again")
    if width * height > MAX_PIXELS:
        raise PictureError(_too_large(name))
    if image.mode == "F":
        raise PictureError(f"{name} has floating-point pixels of unknown range: save it as 8 bit")
    if image.mode not in _MODES:
        raise PictureError(f"{name} has pixels of kind {image.mode}: save it as RGB")
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise PictureError(f"{name} has {frames} frames: save the one you mean as a picture")


def _too_large(name: str) -> str:
    return f"{name} has more than {MAX_PIXELS // 10**6} megapixels: save it smaller"


def _turn(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; junk in its place counts as 1, upright."""
    try:
        turn = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # like damaged files above; viewers show such a picture as it is stored
        return 1
    return turn if turn in _TURNS else 1


@functools.cache
def _tiff_turns_itself() -> bool:
    """Whether this pillow turns a TIFF upright as it loads it; some that do keep the tag."""
    exif, stored = Image.Exif(), io.BytesIO()
    exif[_ORIENTATION] = 3
    Image.frombytes("L", (2, 1), b"\x00\xff").save(stored, "TIFF", exif=exif)
    with Image.open(stored) as image:
        return bool(image.getpixel((0, 0)) == 0xFF)


def _plain(image: Image.Image, name: str) -> Image.Image:
    """The picture decoded, in mode L or RGB, shallow, opaque, upright; a copy where it was not."""
    image.load()
    turn = 1 if image.format == "TIFF" and _tiff_turns_itself() else _turn(image)
    clear = image.info.get("transparency")
    if image.mode in _DEEP:
        deep = np.asarray(image)
        if deep.min() < 0 or deep.max() > 0xFFFF:
            raise PictureError(f"{name} has 32-bit pixels of unknown range: save it as 16 bit")
        if isinstance(clear, int):
            deep = np.where(deep == clear, 0xFFFF, deep)
        image = Image.fromarray((deep >> 8).astype(np.uint8))
    elif image.mode in _ALPHA or clear is not None:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = _in_mode("L" if image.mode in ("1", "L") else "RGB", image)
    return image if turn == 1 else image.transpose(_TURNS[turn])


def _in_mode(mode: str, image: Image.Image) -> Image.Image:
    """The image, a copy only where it has another mode."""
    return image if image.mode == mode else image.convert(mode)
