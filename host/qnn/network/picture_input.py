# SPDX-License-Identifier: BSD-3-Clause
"""What stands before the layers: a picture becomes the map that the first of them reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.errors import NetworkError
from qnn.network.layers import Shape, describe
from qnn.pictures import geometry
from qnn.pictures.picture import Picture

PIXEL_GEOMETRIES = {"thumbnail-on-white": 3, "fit-grey": 1}  # channels
FLOAT_GEOMETRIES = {"shrink-and-crop": 3, "letterbox": 3}
_STRIP = 32  # rows


@dataclass(frozen=True, eq=False)
class PictureInput:
    """A picture, scaled to a square; see qnn.pictures.geometry.

    Attributes:
        geometry: "thumbnail-on-white" (RGB) or "fit-grey" give pixels, uint8, which are 8-bit
            codes, or become codes by a table; "shrink-and-crop" (BGR, 0..255) and "letterbox"
            (RGB, 0..1) give float32.
        size: side of the scaled picture, in pixels.
        mean: float32 (size, size, 3), subtracted from floats, and the difference divided by 255;
            None: neither.
        transposed: rows and columns change places.
        table: uint8 (channels, 256), the code of each pixel value by colour; None: pixels are the
            codes.
    """

    geometry: str
    size: int
    mean: NDArray[np.float32] | None = None
    transposed: bool = False
    table: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        if self.geometry not in PIXEL_GEOMETRIES | FLOAT_GEOMETRIES:
            raise NetworkError(f"picture: unknown geometry {self.geometry!r}")
        if self.size < 1:
            raise NetworkError(f"picture: a side of {self.size} pixels")
        table = self.table
        if table is not None and (
            self.bits is None
            or table.dtype != np.uint8
            or table.shape != (PIXEL_GEOMETRIES[self.geometry], 256)
        ):
            raise NetworkError(
                f"picture: a table {table.dtype} {describe(table.shape)} for {self.geometry}"
            )
        if self.mean is None:
            return
        if self.bits is not None:
            raise NetworkError(f"picture: a mean is taken from floats, not from {self.geometry}")
        if self.mean.dtype != np.float32 or self.mean.shape != self.out_shape:
            raise NetworkError(
                f"picture: the mean is {self.mean.dtype} {describe(self.mean.shape)}"
            )
        if not np.isfinite(self.mean).all():
            raise NetworkError("picture: the mean has values that are not finite")

    @property
    def out_shape(self) -> Shape:
        """(size, size, channels) of the map."""
        channels = (PIXEL_GEOMETRIES | FLOAT_GEOMETRIES)[self.geometry]
        return self.size, self.size, channels

    @property
    def bits(self) -> int | None:
        """Planes of its codes, 8 where they are pixels; None for floats."""
        if self.geometry not in PIXEL_GEOMETRIES:
            return None
        return 8 if self.table is None else max(1, int(self.table.max()).bit_length())

    @property
    def limits(self) -> tuple[float, float]:
        """No value of its maps is below the first or above the second."""
        if self.geometry != "shrink-and-crop":
            return 0.0, 1.0 if self.geometry == "letterbox" else 255.0
        low, high = (np.float32(255 * end) for end in (-geometry.OVERSHOOT, 1 + geometry.OVERSHOOT))
        if self.mean is None:
            return float(low), float(high)
        ends = [(end - self.mean) / np.float32(255) for end in (low, high)]
        return float(ends[0].min()), float(ends[1].max())

    def tensor(self, picture: Picture) -> NDArray[Any]:
        """The map of a picture, uint8 or float32 of out_shape."""
        x: NDArray[Any]
        if self.geometry == "fit-grey":
            x = geometry.fit_grey(picture, self.size)[..., None]
        elif self.geometry == "thumbnail-on-white":
            x = geometry.thumbnail_on_white(picture, self.size)
        elif self.geometry == "letterbox":
            rgb = picture.pixels(turned=self.transposed)
            x = geometry.letterbox(rgb, self.size, turned=self.transposed)
            if self.mean is not None:
                np.subtract(x, self.mean, out=x)
        else:
            x = geometry.shrink_and_crop(picture.pixels(), self.size, mean=self.mean)
        if self.table is not None:
            x = self.table[np.arange(x.shape[2]), x]
        if self.mean is not None:
            np.divide(x, np.float32(255), out=x)
        return _turned(x) if self.transposed else x


def _turned(x: NDArray[Any]) -> NDArray[Any]:
    """Rows and columns changed; a copy where it does not lie so already, made a strip and a channel
    at a time, for the caches."""
    height, width, channels = x.shape
    if x.swapaxes(0, 1).flags.c_contiguous:
        return x.swapaxes(0, 1)
    turned = np.empty((width, height, channels), x.dtype)
    for top in range(0, height, _STRIP):
        strip = slice(top, top + _STRIP)
        for channel in range(channels):
            turned[:, strip, channel] = x[strip, :, channel].T
    return turned
