# SPDX-License-Identifier: BSD-3-Clause
"""How a picture becomes the square that a first layer reads, one function for each network family.

The resizes are written out here, not borrowed, because a first layer quantises: another library's
"cubic" moves half a percent of its codes, and a single code can move a score by points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from qnn.errors import PictureError
from qnn.pictures.mended_resize import resized
from qnn.pictures.picture import Picture, Resampling
from qnn.pictures.resize import CUBIC, corner_linear, cubic, resize, resize_turned

Array = NDArray[Any]


def thumbnail_on_white(picture: Picture, size: int = 32) -> Array:
    """The picture shrunk to fit a square, centred on white: the input of the CNV networks.

    A picture that already fits is not resized, so one of size x size passes bit for bit. A JPEG
    file is decoded at 1/2, 1/4 or 1/8 first, where the larger ratio of the sides allows.

    Args:
        picture: any.
        size: side of the square in pixels.

    Returns:
        uint8 (size, size, 3), RGB.

    Raises:
        PictureError: a JPEG file is damaged.

    Source: what PIL's thumbnail(LANCZOS) did before pillow 7, with which the published scores were
        measured: the sides are cut one after the other, each truncated to an integer.
    """
    width, height = picture.size
    if width > size:
        width, height = size, max(height * size // width, 1)
    if height > size:
        width, height = max(width * size // height, 1), size
    ratio = max(picture.size[0] // width, picture.size[1] // height)
    image = picture.reduced(max(scale for scale in (1, 2, 4, 8) if scale <= ratio))
    if image.size != (width, height):
        image = image.resize((width, height), Resampling.LANCZOS)
    canvas = Image.new("RGB", (size, size), "white")
    canvas.paste(image, ((size - width) // 2, (size - height) // 2))
    return np.array(canvas)


def fit_grey(picture: Picture, size: int = 28) -> Array:
    """The picture in grey, scaled to fit a square: the input of the LFC networks.

    A picture of size x size passes bit for bit. Any other is scaled, up or down, by LANCZOS so
    that its longer side is `size`, and centred on the median grey of its own outermost pixels: the
    paper that the character stands on, whether white or black.

    Args:
        picture: any.
        size: side of the square in pixels.

    Returns:
        uint8 (size, size).

    Raises:
        PictureError: a JPEG file is damaged.
    """
    grey = picture.grey()
    if grey.shape == (size, size):
        return grey
    longer = max(grey.shape)
    height, width = (max(round(side * size / longer), 1) for side in grey.shape)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    canvas = Image.new("L", (size, size), int(np.median(border)))
    scaled = Image.fromarray(grey).resize((width, height), Resampling.LANCZOS)
    canvas.paste(scaled, ((size - width) // 2, (size - height) // 2))
    return np.array(canvas)


# With t the place between two pixels, the negative taps of a row add up to a t (1 - t), in size at
# most n = -a / 4, so the positive ones to 1 + n; over rows and columns the negative to 2 n (1 + n).
OVERSHOOT = 2 * (-CUBIC / 4) * (1 - CUBIC / 4)


def shrink_and_crop(
    rgb: Array, crop: int = 224, short: int = 256, mean: Array | None = None
) -> Array:
    """The centre of the picture after its short side became `short`: the input of DoReFa-Net.

    A side is never enlarged, except to `crop` where it is shorter than that; each side obeys that
    rule for itself, so a narrow picture is stretched. Cubic (a = -0.75), pixel centres aligned,
    edges repeated, no smoothing before a reduction; values overshoot 0..255 at sharp edges, by less
    than OVERSHOOT of it.

    Args:
        rgb: uint8 (H, W, 3), RGB.
        crop: side of the square in pixels.
        short: what the short side shrinks to, in pixels.
        mean: float32 (crop, crop, 3), subtracted; None: nothing is.

    Returns:
        float32 (crop, crop, 3), **BGR**, about 0..255 without a mean.

    Raises:
        PictureError: rgb has another dtype or shape.
    """
    _check(rgb)
    scale = short / min(rgb.shape[:2])
    rows, columns = (
        cubic(side, int(max(crop, min(side, scale * side))), crop) for side in rgb.shape[:2]
    )
    return resized(rgb, rows, columns, bgr=True, offset=mean)


@dataclass(frozen=True)
class Letterbox:
    """Where a picture of width x height lies in a letterboxed square, all in pixels."""

    width: int
    height: int
    size: int = 416

    @property
    def inner(self) -> tuple[int, int]:
        """(width, height) of the picture inside the square."""
        if self.width > self.height:
            return self.size, self.height * self.size // self.width
        return self.width * self.size // self.height, self.size

    @property
    def offset(self) -> tuple[int, int]:
        """(left, top) of the picture inside the square."""
        width, height = self.inner
        return (self.size - width) // 2, (self.size - height) // 2

    def to_picture(self, boxes: Array) -> Array:
        """Boxes relative to the square, made relative to the picture.

        The margin is not rounded here, while `offset` is: where it is odd the boxes sit half a
        pixel of the square off, as in the published results.

        Args:
            boxes: float (..., 4): x, y of the centre, width, height, as fractions of the square.

        Returns:
            float64 (..., 4): the same as fractions of the picture's width and height; not clipped.
        """
        share = np.array(self.inner, np.float64) / self.size
        boxes = np.asarray(boxes, np.float64)
        centre = (boxes[..., :2] - (1 - share) / 2) / share
        return np.concatenate([centre, boxes[..., 2:] / share], axis=-1)


def letterbox(rgb: Array, size: int = 416, *, turned: bool = False) -> Array:
    """The whole picture scaled to fit a square, on mid grey: the input of the YOLO networks.

    Corners aligned, linear, first along x and then along y, every step rounded to float32 in
    darknet's order. The last row is the picture's last row, as the last column is; darknet darkens
    that row for sizes where the rounded step falls just short of it.

    Args:
        rgb: uint8 (H, W, 3), RGB.
        size: side of the square in pixels.
        turned: columns lie one after the other in memory, instead of rows; it is faster where those
            of rgb do so, too.

    Returns:
        float32 (size, size, 3), RGB, in 0..1.

    Raises:
        PictureError: rgb has another dtype or shape, or one side would shrink to nothing.
    """
    _check(rgb)
    height, width = rgb.shape[:2]
    place = Letterbox(width, height, size)
    (inner_width, inner_height), (left, top) = place.inner, place.offset
    if not (inner_width and inner_height):
        raise PictureError(f"a picture of {width} x {height} is too long and thin: crop it")
    rows, columns = corner_linear(height, inner_height), corner_linear(width, inner_width)
    square: Array = np.full((size, size, 3), 0.5, np.float32)
    if turned:
        inner = square[left : left + inner_width, top : top + inner_height]
        resize_turned(rgb.swapaxes(0, 1), rows, columns, inner, whole=255)
        return square.swapaxes(0, 1)
    inner = square[top : top + inner_height, left : left + inner_width]
    resize(rgb, rows, columns, inner, whole=255)
    return square


def _check(rgb: Array) -> None:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
        raise PictureError(f"want uint8 (height, width, 3), not {rgb.dtype} {rgb.shape}")
