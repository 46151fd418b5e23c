# SPDX-License-Identifier: BSD-3-Clause
"""The first stage, on the host: a picture becomes the activation codes that the layers read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.compute.float_conv import Arithmetic, FloatConv, Quantizer, Uniform
from qnn.errors import NetworkError
from qnn.network.layers import Shape, describe, windows
from qnn.pictures import geometry
from qnn.pictures.picture import Picture

PIXEL_GEOMETRIES = ("thumbnail-on-white", "fit-grey")
FLOAT_GEOMETRIES = ("shrink-and-crop", "letterbox")


@dataclass(frozen=True, eq=False)
class LookupFirst:
    """Pixels are codes, through a table: code = table[pixel].

    Attributes:
        geometry: "thumbnail-on-white" (RGB) or "fit-grey"; see qnn.pictures.geometry.
        size: side of the scaled picture, in pixels.
        table: uint8 (256,).
        out_shape: (size, size, 3 or 1), or (1, 1, all of them) for a fully connected layer.
    """

    geometry: str
    size: int
    table: NDArray[np.uint8]
    out_shape: Shape

    def __post_init__(self) -> None:
        if self.geometry not in PIXEL_GEOMETRIES:
            raise NetworkError(f"first stage: unknown geometry {self.geometry!r}")
        if self.table.dtype != np.uint8 or self.table.shape != (256,):
            raise NetworkError(f"first stage: table {self.table.dtype} {self.table.shape}")
        channels = 1 if self.geometry == "fit-grey" else 3
        count = self.size * self.size * channels
        if self.out_shape not in ((self.size, self.size, channels), (1, 1, count)):
            raise NetworkError(
                f"first stage: a {self.geometry} of {self.size} pixels does not give "
                f"{describe(self.out_shape)}"
            )

    @property
    def out_bits(self) -> int:
        """Planes that hold its codes."""
        return max(1, int(self.table.max()).bit_length())

    def tensor(self, picture: Picture) -> NDArray[np.uint8]:
        """The scaled pixels, uint8 (size, size, 3 or 1)."""
        if self.geometry == "fit-grey":
            return geometry.fit_grey(picture, self.size)[..., None]
        return geometry.thumbnail_on_white(picture, self.size)

    def codes(self, tensor: NDArray[Any]) -> NDArray[np.uint8]:
        """Codes, uint8 of out_shape, of what `tensor` gave."""
        return self.table[tensor].reshape(self.out_shape)


@dataclass(frozen=True, eq=False)
class ConvFirst:
    """A float convolution whose outputs are quantised; see qnn.compute.float_conv.

    Attributes:
        geometry: "shrink-and-crop" (BGR, 0..255) or "letterbox" (RGB, 0..1), of
            qnn.pictures.geometry.
        size: side of the scaled picture, in pixels.
        mean: float32 (size, size, 3), subtracted; the difference is divided by 255. None: neither.
        weight: float32 (O, KH, KW, 3).
        bias: float32 (O,) or None.
        stride, padding: of the convolution, the same on all sides.
        quantizer: qnn.compute.float_conv.Thresholds or Uniform.
        arithmetic: what defines the sums: "float64" or "float32-sequential".
        transposed: rows and columns change places before the convolution.
    """

    geometry: str
    size: int
    mean: NDArray[np.float32] | None
    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None
    stride: int
    padding: int
    quantizer: Quantizer
    arithmetic: Arithmetic
    transposed: bool

    def __post_init__(self) -> None:
        if self.geometry not in FLOAT_GEOMETRIES:
            raise NetworkError(f"first stage: unknown geometry {self.geometry!r}")
        if self.mean is not None and self.mean.shape != (self.size, self.size, 3):
            raise NetworkError(f"first stage: the mean is {describe(self.mean.shape)}")
        if self.mean is not None and not np.isfinite(self.mean).all():
            raise NetworkError("first stage: the mean has values that are not finite")
        if self.weight.ndim != 4 or self.weight.shape[3] != 3:
            raise NetworkError(f"first stage: weights of shape {describe(self.weight.shape)}")
        _ = self.convolution  # it refuses what does not fit
        if min(self.out_shape) < 1:
            raise NetworkError(f"first stage: weights of shape {describe(self.weight.shape)}")

    @property
    def out_shape(self) -> Shape:
        """(rows, columns, outputs) of its codes."""
        rows, columns = (
            windows(self.size, self.padding, self.padding, kernel, self.stride)
            for kernel in self.weight.shape[1:3]
        )
        return rows, columns, len(self.weight)

    @property
    def out_bits(self) -> int:
        """Planes that hold its codes."""
        if isinstance(self.quantizer, Uniform):
            return self.quantizer.levels.bit_length()
        return len(self.quantizer.values).bit_length()

    def tensor(self, picture: Picture) -> NDArray[np.float32]:
        """What the convolution reads, float32 (size, size, 3)."""
        rgb = picture.rgb()
        if self.geometry == "letterbox":
            x = geometry.letterbox(rgb, self.size)
        else:
            x = geometry.shrink_and_crop(rgb, self.size)
        if self.mean is not None:
            x = (x - self.mean) / np.float32(255)
        return np.ascontiguousarray(x.swapaxes(0, 1)) if self.transposed else x

    def codes(self, tensor: NDArray[Any]) -> NDArray[np.uint8]:
        """Codes, uint8 of out_shape, of what `tensor` gave."""
        return self.convolution(tensor)

    @cached_property
    def convolution(self) -> FloatConv:
        """What makes codes of a tensor."""
        return FloatConv(
            self.weight, self.bias, self.stride, self.padding, self.quantizer, self.arithmetic
        )


First = LookupFirst | ConvFirst
