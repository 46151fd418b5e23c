# SPDX-License-Identifier: BSD-3-Clause
"""Convolutions of codes, in canonical arithmetic.

Canonical arithmetic of a layer, exact in integers:

    acc[y, x, o] = sum over ky, kx, c of w[o, ky, kx, c] * in[y*stride+ky-top, x*across+kx-left, c]
    w            = sum over planes n of coefficient_n * (+1 where the weight bit is 1, else -1)
    code         = number of thresholds t[o, :] <= acc;  then max-pool over the codes

Activations are unsigned and 0 outside the map. A fully connected layer is a convolution whose
kernel covers the map. Split and merge are groups. Every source format is folded into this form
when it is imported (qnn.importers), so a backend needs to know nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.errors import NetworkError

Shape = tuple[int, int, int]  # rows, columns, channels
Padding = tuple[int, int, int, int]  # top, left, bottom, right

MAX_BITS = 8  # activation planes
MAX_WEIGHT_PLANES = 9  # of -128..127: the powers of two, and one more to take off what is odd
MAX_FAN_IN = 1 << 20  # products in one accumulator


def describe(shape: tuple[int, ...]) -> str:
    """A shape as people write it: (27, 27, 180) -> "27x27x180"."""
    return "x".join(map(str, shape))


def windows(size: int, before: int, after: int, kernel: int, stride: int) -> int:
    """Number of windows of `kernel` pixels, `stride` apart, along a padded side."""
    return (before + size + after - kernel) // stride + 1


def check_layer_name(name: str) -> None:
    """NetworkError unless a layer can be called that."""
    if not name.isprintable() or not name:
        raise NetworkError(f"layer name {name!r}: use printable characters")


@dataclass(frozen=True)
class MaxPool:
    """Largest code of each size x size window, `stride` apart; 0 outside the map."""

    size: int
    stride: int
    padding: Padding = (0, 0, 0, 0)


class Checked:
    """A layer that says what is wrong with it."""

    name: str
    in_shape: Shape

    def require(self, holds: object, reason: str) -> None:
        """NetworkError where it does not hold."""
        if not holds:
            raise NetworkError(f"layer {self.name}: {reason}")

    def check_input(self) -> None:
        """The name, and the shape of what it reads."""
        check_layer_name(self.name)
        shape = self.in_shape
        self.require(len(shape) == 3 and min(shape) > 0, f"bad input {shape}")


class Windowed(Checked):
    """Shapes of a layer whose outputs each see a window of its input, and what all such keep."""

    thresholds: NDArray[np.int32] | None
    stride: int
    across: int | None = None
    padding: Padding
    pool: MaxPool | None

    @property
    def strides(self) -> tuple[int, int]:
        """From one window to the next, in rows and in columns."""
        return self.stride, self.across or self.stride

    @property
    def outputs(self) -> int:
        """Output channels."""
        raise NotImplementedError

    @property
    def kernel(self) -> tuple[int, int]:
        """Rows and columns of the kernel."""
        raise NotImplementedError

    @property
    def conv_shape(self) -> Shape:
        """Shape before the pool."""
        (rows, columns, _), (top, left, bottom, right) = self.in_shape, self.padding
        return (
            windows(rows, top, bottom, self.kernel[0], self.strides[0]),
            windows(columns, left, right, self.kernel[1], self.strides[1]),
            self.outputs,
        )

    @property
    def out_shape(self) -> Shape:
        """Shape after the pool."""
        rows, columns, outputs = self.conv_shape
        if self.pool is None:
            return rows, columns, outputs
        (top, left, bottom, right), pool = self.pool.padding, self.pool
        return (
            windows(rows, top, bottom, pool.size, pool.stride),
            windows(columns, left, right, pool.size, pool.stride),
            outputs,
        )

    @property
    def out_bits(self) -> int | None:
        """Planes that hold the codes 0..K; None for accumulators."""
        return None if self.thresholds is None else int(self.thresholds.shape[1]).bit_length()


@dataclass(frozen=True, eq=False)
class Conv(Windowed):
    """One layer: convolution, thresholds, and the pool fused behind it.

    Attributes:
        name: unique in its network.
        in_shape: (H, W, C) of the codes it reads.
        in_bits: activation planes it reads, 1 to 8.
        weight: uint8 0 or 1, shape (planes, O, KH, KW, C/groups); 1 stands for +1, 0 for -1.
        coefficients: factor of each weight plane, positive.
        thresholds: int32, shape (O, K), ascending along K, K <= 255; None hands out accumulators.
        stride, padding: of the convolution.
        across: its stride in columns, where that is not `stride`.
        groups: input and output channels fall into that many independent parts.
        pool: max-pool on the codes, or None.
        parts: what the source calls each group, for reports; empty where that is just the name.
    """

    name: str
    in_shape: Shape
    in_bits: int
    weight: NDArray[np.uint8]
    thresholds: NDArray[np.int32] | None
    coefficients: tuple[int, ...] = (1,)
    stride: int = 1
    padding: Padding = (0, 0, 0, 0)
    groups: int = 1
    pool: MaxPool | None = None
    parts: tuple[str, ...] = field(default=())
    across: int | None = None

    def __post_init__(self) -> None:
        _check_layer(self)

    @property
    def outputs(self) -> int:
        """Output channels."""
        return int(self.weight.shape[1])

    @property
    def kernel(self) -> tuple[int, int]:
        """Rows and columns of the kernel."""
        return int(self.weight.shape[2]), int(self.weight.shape[3])

    @property
    def out_dtype(self) -> np.dtype[Any]:
        """Of what it gives."""
        return np.dtype(np.int32 if self.thresholds is None else np.uint8)

    @property
    def macs(self) -> int:
        """Products of one activation and one weight for one picture."""
        rows, columns, outputs = self.conv_shape
        return rows * columns * outputs * int(np.prod(self.weight.shape[2:]))

    @cached_property
    def signed_weight(self) -> NDArray[np.int16]:
        """The weights as integers, shape (O, KH, KW, C/groups)."""
        return _signed(self)

    @cached_property
    def bound(self) -> int:
        """No accumulator of this layer is larger in magnitude."""
        signed = _signed(self)  # not kept: who describes a network needs no more of it
        fan_in = np.abs(signed, out=signed).sum(axis=(1, 2, 3), dtype=np.int64).max()
        return int(fan_in) * (2**self.in_bits - 1)


def _signed(layer: Conv) -> NDArray[np.int16]:
    total = np.full(layer.weight.shape[1:], -sum(layer.coefficients), np.int16)
    for coefficient, plane in zip(layer.coefficients, layer.weight, strict=True):
        total += np.int16(2 * coefficient) * plane
    return total


def _check_layer(layer: Conv) -> None:
    check_windows(layer)
    require, weight = layer.require, layer.weight
    require(1 <= layer.in_bits <= MAX_BITS, f"{layer.in_bits} activation bits are not in 1..8")
    require(weight.ndim == 5 and weight.dtype == np.uint8, "weights are not 5-dimensional uint8")
    require(min(weight.shape) > 0, f"weights are empty: {describe(weight.shape)}")
    require(weight.max() <= 1, "weight bits are not 0 or 1")
    require(
        len(weight) <= MAX_WEIGHT_PLANES,
        f"{len(weight)} weight planes are more than {MAX_WEIGHT_PLANES}",
    )
    require(
        len(layer.coefficients) == len(weight) and all(1 <= c <= 128 for c in layer.coefficients),
        f"{len(weight)} weight planes do not fit the coefficients {layer.coefficients}",
    )
    channels = layer.in_shape[2]
    require(layer.groups >= 1, f"{layer.groups} groups")
    require(
        channels == weight.shape[4] * layer.groups,
        f"its input has {channels} channels, but its weights are for "
        f"{weight.shape[4]} channels in each of {layer.groups} groups",
    )
    require(
        layer.outputs % layer.groups == 0,
        f"{layer.outputs} outputs cannot be split into {layer.groups} groups",
    )
    require(np.prod(weight.shape[2:]) <= MAX_FAN_IN, "more than a million products in one sum")
    check_outputs(layer)
    require(layer.bound < 1 << 31, f"sums up to {layer.bound} do not fit 32 bits")
    require(
        len(layer.parts) in (0, layer.groups),
        f"{len(layer.parts)} part names for {layer.groups} groups",
    )


def check_windows(layer: Windowed) -> None:
    """The name, and what the windows of a layer are taken of."""
    layer.check_input()
    padding = layer.padding
    layer.require(min(layer.strides) >= 1, f"stride {min(layer.strides)} is not positive")
    layer.require(len(padding) == 4 and min(padding) >= 0, f"bad padding {padding}")


def check_outputs(layer: Windowed) -> None:
    """Kernel, thresholds and pool of a layer."""
    require, thresholds = layer.require, layer.thresholds
    require(
        min(layer.conv_shape) >= 1,
        f"a kernel of {describe(layer.kernel)} does not fit into its input of "
        f"{describe(layer.in_shape)} with padding {layer.padding}",
    )
    if thresholds is not None:
        require(
            thresholds.ndim == 2 and thresholds.dtype == np.int32,
            "thresholds are not 2-dimensional int32",
        )
        require(
            len(thresholds) == layer.outputs and 1 <= thresholds.shape[1] <= 2**MAX_BITS - 1,
            f"thresholds of shape {describe(thresholds.shape)} do not fit {layer.outputs} outputs",
        )
        ascending = (thresholds[:, 1:] >= thresholds[:, :-1]).all()  # a difference could overflow
        require(ascending, "thresholds are not in ascending order")
    if (pool := layer.pool) is not None:
        require(thresholds is not None, "accumulators cannot be pooled: it has no thresholds")
        require(pool.size >= 1 and pool.stride >= 1, f"bad pool {pool}")
        require(
            len(pool.padding) == 4 and 0 <= min(pool.padding) <= max(pool.padding) < pool.size,
            f"pool padding {pool.padding} is not within 0..{pool.size - 1}",
        )
        require(
            min(layer.out_shape) >= 1,
            f"a pool of {pool.size}x{pool.size} does not fit into {describe(layer.conv_shape)}",
        )
