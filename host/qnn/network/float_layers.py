# SPDX-License-Identifier: BSD-3-Clause
"""Layers whose arithmetic is a table or floating point.

    Lookup     code = table[code it reads]
    FloatConv  float convolution of a float map, quantised to codes   (qnn.compute.float_conv)
    Dense      y = x W + b in float64, of codes or floats             (qnn.compute.dense)

Like qnn.network.layers.Conv each says what it reads and what it gives: maps of unsigned codes of so
many bits, or floats, for which the bits are None. They may stand anywhere in a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.compute.dense import BinaryDense, FloatDense
from qnn.compute.float_conv import Arithmetic, Convolution, Quantizer, Uniform
from qnn.errors import NetworkError
from qnn.network.layers import MAX_BITS, Shape, check_layer_name, describe, windows


@dataclass(frozen=True, eq=False)
class Lookup:
    """Codes through a table: code = table[code it reads].

    Attributes:
        name: unique in its network.
        in_shape: (H, W, C) of the 8-bit codes it reads, which may be the pixels of a picture.
        table: uint8 (256,).
        out_shape: in_shape, or (1, 1, H*W*C), flat in the order of in_shape.
    """

    name: str
    in_shape: Shape
    table: NDArray[np.uint8]
    out_shape: Shape

    def __post_init__(self) -> None:
        check_layer_name(self.name)
        if self.table.dtype != np.uint8 or self.table.shape != (256,):
            raise NetworkError(f"layer {self.name}: table {self.table.dtype} {self.table.shape}")
        count = int(np.prod(self.in_shape))
        if min(self.in_shape) < 1 or self.out_shape not in (self.in_shape, (1, 1, count)):
            raise NetworkError(
                f"layer {self.name}: {describe(self.in_shape)} through a table does not give "
                f"{describe(self.out_shape)}"
            )

    @property
    def in_bits(self) -> int:
        """Planes of the codes it reads."""
        return 8

    @property
    def out_bits(self) -> int:
        """Planes that hold its codes."""
        return max(1, int(self.table.max()).bit_length())

    @property
    def out_dtype(self) -> np.dtype[Any]:
        """Of what it gives."""
        return np.dtype(np.uint8)

    @property
    def macs(self) -> int:
        """Products for one picture: none."""
        return 0


@dataclass(frozen=True, eq=False)
class FloatConv:
    """A float convolution whose outputs are quantised; see qnn.compute.float_conv.

    Attributes:
        name: unique in its network.
        in_shape: (H, W, C) of the float32 map it reads.
        weight: float32 (O, KH, KW, C).
        bias: float32 (O,) or None.
        stride, padding: the same on all sides.
        quantizer: qnn.compute.float_conv.Thresholds or Uniform.
        arithmetic: what defines the sums: "float64" or "float32-sequential".
    """

    name: str
    in_shape: Shape
    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None
    stride: int
    padding: int
    quantizer: Quantizer
    arithmetic: Arithmetic

    def __post_init__(self) -> None:
        check_layer_name(self.name)
        weight = describe(self.weight.shape)
        if self.weight.ndim != 4 or self.weight.shape[3] != self.in_shape[2]:
            raise NetworkError(
                f"layer {self.name}: weights of shape {weight} do not fit a map of "
                f"{describe(self.in_shape)}"
            )
        try:
            _ = self.convolution  # it refuses what does not fit
        except NetworkError as error:
            raise NetworkError(f"layer {self.name}: {error}") from None
        if min(self.out_shape) < 1:
            raise NetworkError(
                f"layer {self.name}: weights of shape {weight} are larger than a map of "
                f"{describe(self.in_shape)} with padding {self.padding}"
            )

    @property
    def in_bits(self) -> None:
        """It reads floats."""
        return None

    @property
    def out_shape(self) -> Shape:
        """(rows, columns, outputs) of its codes."""
        rows, columns = (
            windows(side, self.padding, self.padding, kernel, self.stride)
            for side, kernel in zip(self.in_shape, self.weight.shape[1:3], strict=False)
        )
        return rows, columns, len(self.weight)

    @property
    def out_bits(self) -> int:
        """Planes that hold its codes."""
        if isinstance(self.quantizer, Uniform):
            return self.quantizer.levels.bit_length()
        return len(self.quantizer.values).bit_length()

    @property
    def out_dtype(self) -> np.dtype[Any]:
        """Of what it gives."""
        return np.dtype(np.uint8)

    @property
    def macs(self) -> int:
        """Products of one value and one weight for one picture."""
        rows, columns, _ = self.out_shape
        return rows * columns * self.weight.size

    @cached_property
    def convolution(self) -> Convolution:
        """What computes it, exactly as its arithmetic defines."""
        return Convolution(
            self.weight, self.bias, self.stride, self.padding, self.quantizer, self.arithmetic
        )


@dataclass(frozen=True, eq=False)
class Dense:
    """A matrix over the channels of each pixel, or over a whole map, and what follows it.

    y = (code * unit) W + b in float64; a map is flattened as (row, column, channel).

    Attributes:
        name: unique in its network.
        in_shape: (H, W, C) of the map it reads.
        in_bits: planes of the codes it reads; None where it reads floats.
        matrix: one bit for each weight (BinaryDense, over a whole map), or floats (FloatDense);
            of C inputs, or of H*W*C.
        levels: 0: outputs as they are; 1: clipped to 0..1; n > 1: clipped, then rounded (half to
            even) to one of n + 1 equal steps, whose codes 0..n it gives.
        unit: value of the code 1; None: 1 / the largest code of the map at hand, as DoReFa-Net
            has it, which is all but always the largest code there is. 1 for floats.
    """

    name: str
    in_shape: Shape
    in_bits: int | None
    matrix: BinaryDense | FloatDense
    levels: int
    unit: float | None = 1.0

    def __post_init__(self) -> None:
        check_layer_name(self.name)

        def require(holds: object, reason: str) -> None:
            if not holds:
                raise NetworkError(f"layer {self.name}: {reason}")

        require(0 <= self.levels <= 255, f"{self.levels} levels are not in 0..255")
        codes = self.in_bits is not None
        require(not codes or 1 <= (self.in_bits or 0) <= MAX_BITS, f"{self.in_bits}-bit codes")
        binary = isinstance(self.matrix, BinaryDense)
        require(codes or not binary, "its bits read codes, not floats")
        require(codes or self.unit == 1.0, "floats have the unit 1")
        require(self.unit is None or 0 < self.unit < np.inf, f"a unit of {self.unit}")
        count = int(np.prod(self.in_shape))
        fits = (count,) if binary else (count, self.in_shape[2])
        require(
            min(self.in_shape) > 0 and self.inputs in fits,
            f"its matrix has {self.inputs} inputs; it reads {describe(self.in_shape)}",
        )

    @property
    def inputs(self) -> int:
        """Rows of the matrix."""
        matrix = self.matrix
        return matrix.n_in if isinstance(matrix, BinaryDense) else len(matrix.weight)

    def unit_of(self, x: NDArray[np.number[Any]]) -> float:
        """Value of the code 1 in a map that it reads."""
        return 1.0 / max(int(x.max()), 1) if self.unit is None else self.unit

    def given(self, y: NDArray[np.float64]) -> NDArray[np.number[Any]]:
        """What it gives, of `out_dtype`, for the outputs of its matrix."""
        if self.levels > 1:
            codes: NDArray[np.uint8] = np.rint(y.clip(0, 1) * self.levels).astype(np.uint8)
            return codes
        return y.clip(0, 1) if self.levels else y

    @property
    def of_map(self) -> bool:
        """The matrix goes over a whole map, not over the channels of each pixel."""
        return self.inputs != self.in_shape[2] or self.in_shape[:2] == (1, 1)

    @property
    def out_shape(self) -> Shape:
        """(rows, columns, outputs)."""
        rows, columns = (1, 1) if self.of_map else self.in_shape[:2]
        return rows, columns, len(self.matrix.bias)

    @property
    def out_bits(self) -> int | None:
        """Planes that hold its codes; None for floats."""
        return self.levels.bit_length() if self.levels > 1 else None

    @property
    def out_dtype(self) -> np.dtype[Any]:
        """Of what it gives."""
        return np.dtype(np.uint8 if self.levels > 1 else np.float64)

    @property
    def macs(self) -> int:
        """Products of one value and one weight for one picture."""
        rows, columns, outputs = self.out_shape
        return rows * columns * outputs * self.inputs
