# SPDX-License-Identifier: BSD-3-Clause
"""A feature map on its way through a QONNX graph: what its numbers are, and where each one lies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Union

import numpy as np

from qnn.importers.qonnx.graph import Array, Node
from qnn.importers.qonnx.layout import places
from qnn.importers.qonnx.steps import Step
from qnn.network import Dense, Grid, Padding, Shape, describe
from qnn.network.wiring import INPUT

Source = Union["Input", "Products", "FloatSums", "FloatProducts", "Held", "Sum", "HostFloats"]


@dataclass(frozen=True, eq=False)
class Input:
    """The input of the graph.

    Attributes:
        shape: its sides, without the batch.
        grid: the numbers that go in, where the file says so.
        wish: what the user says that it is: "picture", "array" or nothing.
        order: int64 (H, W, C), which of its elements lie where in the map that is read of it; None
            as long as that is not known, when it is a map of one pixel.
    """

    shape: tuple[int, ...]
    grid: Grid | None = None
    wish: str | None = None
    order: Array | None = None

    @property
    def raw(self) -> bool:
        """It is stated that whole numbers from 0 to 255 go in."""
        return self.grid is not None and self.grid.kind == "UINT8"


@dataclass(frozen=True, eq=False)
class Codes:
    """A map of unsigned codes: value = zero + step * code, code from 0 to top.

    Attributes:
        zero, step, top: see above.
        exact: the values in the graph are these, not only about these.
        sources: the layers that give the codes, side by side, by name.
        steps: where channels have steps of their own: of each, float64 (C,); `step` is the least of
            them. None: all have that.
        zeros: likewise the value of code 0 of each channel, float64 (C,); None: `zero`.
    """

    zero: float
    step: float
    top: int
    exact: bool = True
    sources: tuple[str, ...] = (INPUT,)
    steps: Array | None = None
    zeros: Array | None = None

    @property
    def bits(self) -> int:
        """Planes that hold the codes."""
        return max(1, self.top.bit_length())

    @property
    def levels(self) -> Array:
        """What the codes stand for where channels have no steps of their own, float32 (codes,)."""
        y: Array = (self.zero + self.step * np.arange(self.top + 1)).astype(np.float32)
        return y


@dataclass(frozen=True, eq=False)
class Products:
    """Sums of a convolution: value = unit * acc + offset, acc = sum of weight * code.

    Attributes:
        node: the convolution or fully connected layer.
        in_shape, in_bits: of the codes it reads, whose largest is `top`.
        weight: integers, int16 where they are of the file, (O, KH, KW, C/groups).
        unit, offset: float64 (O,), unit above 0.
        strides: in rows and in columns.
        padding, groups: as in qnn.network.Conv.
        stray: float64 (O,), error of the sums of the reference, relative to what it adds up; 0
            where they are exact.
        averaged: where they are averages of codes (qnn.importers.qonnx.averages), what those stand
            for.
        sources: the layers that give the codes, by name.
        levels: where an output is but one code, what each code of it stands for, float32
            (codes, O); its sums are the codes.
    """

    node: Node
    in_shape: Shape
    in_bits: int
    top: int
    weight: Array
    unit: Array
    offset: Array
    strides: tuple[int, int] = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    groups: int = 1
    stray: Array = field(default_factory=lambda: np.zeros(()))
    averaged: Codes | None = None
    sources: tuple[str, ...] = (INPUT,)
    levels: Array | None = None

    @property
    def bounds(self) -> tuple[Array, Array]:
        """The least and the largest acc of each output, int64 (O,)."""
        flat = self.weight.reshape(len(self.weight), -1)
        return np.minimum(flat, 0).sum(axis=1) * self.top, np.maximum(flat, 0).sum(
            axis=1
        ) * self.top

    def values(self, acc: Array, side: int = 0) -> Array:
        """float32 (..., O) of acc, int64 (..., O): the exact sums, rounded once.

        With `side` -1 or 1 what the reference may at the lowest or at the highest make of them.
        """
        if self.levels is not None:
            code = np.clip(acc, 0, len(self.levels) - 1)
            y: Array = self.levels[code, np.arange(len(self.weight))]
            return y
        exact = self.unit * acc + self.offset
        if side:
            rows = np.abs(self.weight).reshape(len(self.weight), -1)
            largest = rows.max(axis=1).astype(np.float64)
            on_the_way = largest * self.top * rows.shape[1] ** 0.5  # of partial sums
            size = self.unit * (np.abs(acc) + on_the_way) + np.abs(self.offset)
            exact = exact + side * self.stray * size
        y = exact.astype(np.float32)
        return y


@dataclass(frozen=True, eq=False)
class FloatSums:
    """Sums of a float convolution on pixels / 255, weight float64 (O, KH, KW, 3), bias (O,)."""

    node: Node
    size: int
    weight: Array
    bias: Array
    stride: int
    padding: int
    reads: str = ""


@dataclass(frozen=True, eq=False)
class FloatProducts:
    """Sums of a fully connected layer of float weights, which is the last one, on the host."""

    node: Node
    layer: Dense
    sources: tuple[str, ...] = (INPUT,)


@dataclass(frozen=True, eq=False)
class Part:
    """A map that a layer gives.

    Attributes:
        layer: its name.
        channels: of the map.
        levels: value of each of its codes, float32 (codes,), ascending; (codes, channels) where
            they differ between channels.
    """

    layer: str
    channels: int
    levels: Array


@dataclass(frozen=True, eq=False)
class Held:
    """Maps that layers have given, side by side; several nodes may read them.

    Attributes:
        node: where they were ended.
        parts: the maps.
        shape: of them, where pools among the steps behind them give maps of another.
    """

    node: Node
    parts: tuple[Part, ...]
    shape: Shape | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the layers."""
        return tuple(part.layer for part in self.parts)

    @property
    def values(self) -> Array:
        """What the codes of each channel stand for, float32 (codes, C); the largest of a map with
        fewer codes than others stands for those it has not."""
        count = max(len(part.levels) for part in self.parts)
        columns = []
        for one in self.parts:
            levels = one.levels if one.levels.ndim > 1 else one.levels[:, None]
            padded = np.pad(levels, ((0, count - len(levels)), (0, 0)), "edge")
            columns.append(np.broadcast_to(padded, (count, one.channels)))
        y: Array = np.concatenate(columns, axis=1)
        return y


@dataclass(frozen=True, eq=False)
class HostFloats:
    """Floats that a layer of the host has given, or that go in; `layer` is its name, or INPUT."""

    node: Node
    layer: str


@dataclass(frozen=True, eq=False)
class Sum:
    """Two maps of the same shape, added value by value.

    Attributes:
        node: the addition.
        shape: of the maps.
        operands: the maps, each with what its codes stand for where they are added, float32
            (codes, C).
    """

    node: Node
    shape: Shape
    operands: tuple[tuple[Held, Array], tuple[Held, Array]]


@dataclass(frozen=True, eq=False)
class Feature:
    """One tensor of the graph that depends on the picture.

    Attributes:
        source: what it starts from: Input, Products, FloatSums, FloatProducts, Held, Sum or
            HostFloats.
        shape: of the map (rows, columns, channels) that holds its elements.
        index: int64, as the tensor is shaped in the graph: where in the map each element lies.
        steps: what follows the source.
    """

    source: Source
    shape: Shape
    index: Array
    steps: tuple[Step, ...] = ()

    def then(self, *steps: Step) -> Feature:
        """The same map after more steps."""
        return replace(self, steps=self.steps + steps)

    def per_channel(self, node: Node, constant: Array, what: str = "its constant") -> Array:
        """A constant that broadcasts against this tensor, as float32 (channels,).

        Args:
            node: the one that has it, for the error.
            constant: one value for each channel, wherever the tensor has its channels.
            what: the constant is, for the error.

        Raises:
            NetworkError: it differs within a channel, is not finite, or does not broadcast.
        """
        channels = self.shape[2]
        try:
            spread = np.broadcast_to(constant, self.index.shape)
        except ValueError:
            raise node.refuse(
                f"its constant of shape {constant.shape} does not fit a tensor of shape "
                f"{self.index.shape}"
            ) from None
        in_place = np.empty(self.index.size, np.float32)
        in_place[self.index.reshape(-1)] = spread.reshape(-1)
        rows = in_place.reshape(-1, channels)
        if not np.isfinite(rows).all():
            raise node.refuse("it has a constant that is not finite")
        if (rows != rows[0]).any():
            raise node.refuse(f"{what} differs between pixels; use one value for a channel")
        return rows[0].copy()

    def require_map(self, node: Node) -> None:
        """NetworkError unless the tensor is the map as (1, channels, rows, columns)."""
        if not np.array_equal(self.index, places(self.shape)):
            movable = self.index.ndim == 4 and self.index.shape[0] == 1
            otherwise = ", or quantise the map to 8 bits or fewer before that" if movable else ""
            raise node.refuse(
                f"it reads a tensor of shape {self.index.shape} that is not the map "
                f"{describe(self.shape)} with channels first; remove the Transpose or Reshape "
                f"before it{otherwise}"
            )
