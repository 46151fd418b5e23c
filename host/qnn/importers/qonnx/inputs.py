# SPDX-License-Identifier: BSD-3-Clause
"""The input of a QONNX graph: is it a picture or an array of numbers, and which codes do they mean?

The quantiser and the annotation of the input say what codes mean. It is a picture where the user
says so, or where the file leaves no doubt: a square of one or three channels whose quantiser has no
values that a picture has not.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from qnn.importers.qonnx.array_thresholds import LARGEST, fold_array
from qnn.importers.qonnx.feature import Codes, Feature, Input
from qnn.importers.qonnx.fold import fold_pixels, last_quantizer, raw, through
from qnn.importers.qonnx.graph import Array, Node
from qnn.importers.qonnx.layout import places, standing
from qnn.importers.qonnx.steps import Count, Quantizer, Step, select
from qnn.network import ArrayInput, Layer, Lookup, MaxPool, PictureInput, Shape, describe
from qnn.network.arithmetic import Arithmetic

_FINER = 64  # a quantiser with so many times the values of a picture was made for others


@dataclass(frozen=True)
class Kind:
    """What an input is, and why, in words that go on after "because"."""

    picture: bool
    why: str


@dataclass(frozen=True, eq=False)
class Stage:
    """What stands before the first layer; `codes` is what that reads."""

    codes: Codes
    reads: str
    picture: PictureInput | None = None
    array: ArrayInput | None = None
    layers: tuple[Layer, ...] = ()


def kind_of(node: Node, source: Input, steps: Sequence[Step]) -> Kind:
    """Whether the input is a picture.

    Args:
        node: the one that reads it, for the error.
        source: the input.
        steps: behind it.

    Raises:
        NetworkError: the user wishes a picture, and it cannot be one.
    """
    square = _map_of_picture(source.shape)
    if source.wish == "picture":
        side = math.isqrt(source.shape[0]) if len(source.shape) == 1 else 0
        if square is None and (len(source.shape) != 1 or side * side != source.shape[0]):
            raise node.refuse(
                f"its input of {describe(source.shape)} is no square picture, grey or RGB; import "
                "it with --input array"
            )
        if source.grid is not None and not source.raw:
            raise node.refuse(
                f"its input is annotated {source.grid.kind}, and pixels are UINT8; import it with "
                "--input array"
            )
        return Kind(True, "it was wished")
    if source.wish == "array":
        return Kind(False, "it was wished")
    if square is None:
        return Kind(False, f"an input of {describe(source.shape)} is no square of 1 or 3 channels")
    if source.grid is not None and not source.raw:
        return Kind(False, f"its input is annotated {source.grid.kind}")
    last = last_quantizer(steps)
    if last is None:
        return Kind(True, f"its input of {describe(source.shape)} is a square, not quantised")
    steps = steps[: last + 1]
    black, white = 0.0, 255.0 if raw(source, steps) else 1.0
    ends = np.array([[-LARGEST], [black], [white], [LARGEST]], np.float32)
    channels = _width(steps)
    x = np.repeat(ends, channels, axis=1)
    quantizer = steps[-1]
    assert isinstance(quantizer, Quantizer)
    with np.errstate(over="ignore"):
        before = through(steps[:-1], x)
        least, dark, light, most = (int(c) for c in quantizer.codes(before)[:, 0])
    if least < dark and before[1, 0] >= 0:
        return Kind(False, "its input quantiser has values below 0, which no pixel has")
    if (light - dark) * _FINER <= most - least:
        return Kind(
            False,
            f"of the {most - least + 1} codes of its input quantiser a picture from {black:g} to "
            f"{white:g} would have {light - dark + 1}",
        )
    return Kind(True, f"its input of {describe(source.shape)} is a square of 1 or 3 channels")


def _width(steps: Sequence[Step]) -> int:
    """Channels that the constants of steps are for; 1 where they have none."""
    widths = [len(step.values) for step in steps if isinstance(step, Arithmetic)]
    widths += [len(step.row) for step in steps if isinstance(step, Count)]
    return max(widths, default=1)


def _map_of_picture(shape: tuple[int, ...]) -> Array | None:
    """Which element of the input lies where in a square picture (S, S, C); None if it is none."""
    if len(shape) != 3:
        return None
    order = np.arange(math.prod(shape)).reshape(shape)
    if shape[0] in (1, 3) and shape[1] == shape[2]:
        return order.transpose(1, 2, 0)
    if shape[2] in (1, 3) and shape[0] == shape[1]:
        return order
    return None


def as_map(node: Node, feature: Feature) -> Feature:
    """A feature as the map that a convolution or a pool reads, its tensor (1, C, H, W).

    Raises:
        NetworkError: the tensor is no map, or a constant before it differs within a channel.
    """
    source, index = feature.source, standing(feature.index, node.channels_last)
    if not isinstance(source, Input) or source.order is not None or index.ndim != 4:
        feature = replace(feature, index=index)
        feature.require_map(node)
        return feature
    if index.shape[0] != 1:
        raise node.refuse(
            f"it reads the input as a tensor of {describe(index.shape)}, whose first side is no "
            "batch of 1; remove the Transpose or Reshape before it"
        )
    return _placed(node, feature, source, index[0].transpose(1, 2, 0))


def flattened(node: Node, feature: Feature, source: Input) -> Feature:
    """The input as a fully connected layer reads it, which wants a tensor of (1, n)."""
    if source.order is not None:
        return feature
    if kind_of(node, source, feature.steps).picture:
        order = _map_of_picture(source.shape)
        if order is None:
            side = math.isqrt(feature.index.size)
            order = np.arange(feature.index.size).reshape(side, side, 1)
    else:
        order = np.arange(feature.index.size).reshape(1, 1, -1)
    placed = _placed(node, feature, source, order)
    where = np.empty(order.size, np.int64)
    where[order.reshape(-1)] = np.arange(order.size)
    return replace(placed, index=where[feature.index])


def _placed(node: Node, feature: Feature, source: Input, order: Array) -> Feature:
    """The input as a map whose elements are those of `order`, (H, W, C)."""
    rows = order.reshape(-1, order.shape[2])
    for step in feature.steps:
        for held in (step.values,) if isinstance(step, Arithmetic) else _rows(step):
            if (held[rows] != held[rows[0]]).any():
                raise node.refuse(
                    "a constant between it and the input differs between pixels; use one value "
                    "for a channel"
                )
    return Feature(
        replace(source, order=order),
        (order.shape[0], order.shape[1], order.shape[2]),
        places((order.shape[0], order.shape[1], order.shape[2])),
        tuple(select(step, rows[0]) for step in feature.steps),
    )


def _rows(step: Step) -> tuple[Array, ...]:
    return (step.row,) if isinstance(step, Count) else ()


def read_input(node: Node, feature: Feature, source: Input, in_shape: Shape) -> Stage:
    """What makes codes of the input.

    Args:
        node: the one that reads it.
        feature: the input, which `as_map` or `flattened` made a map of.
        source: its source.
        in_shape: in which `node` reads it.

    Raises:
        NetworkError: the input cannot be quantised, or not before that node.
    """
    assert source.order is not None
    kind = kind_of(node, source, feature.steps)
    if any(isinstance(step, MaxPool) for step in feature.steps):
        raise node.refuse("a max-pool reads the input itself; put a convolution before it")
    if kind.picture:
        return _picture(node, feature, source, in_shape, kind)
    if in_shape != feature.shape:
        raise node.refuse(f"it reads {describe(in_shape)} of an input of {describe(source.shape)}")
    thresholds, codes = fold_array(node, feature.steps, feature.shape[2], source.grid)
    array = ArrayInput(
        shape=source.shape,
        axes=_axes(node, source.shape, source.order),
        map_shape=in_shape,
        thresholds=thresholds,
        low=codes.zero,
        step=codes.step,
        grid=source.grid,
    )
    other = " (--input picture reads pictures)" if _may_be_picture(source) else ""
    return Stage(codes, f"{array.describe()}, because {kind.why}{other}", array=array)


def as_it_is(node: Node, source: Input, shape: Shape) -> Stage | None:
    """An array of floats that no quantiser follows; None where the input has another meaning.

    Args:
        node: the one that reads it.
        source: the input, which `as_map` or `flattened` made a map of.
        shape: of that map.
    """
    assert source.order is not None
    kind = kind_of(node, source, ())
    if kind.picture or source.grid is not None:
        return None
    array = ArrayInput(source.shape, _axes(node, source.shape, source.order), shape, None, 0.0, 1.0)
    reads = f"{array.describe()}, because {kind.why} and no quantiser follows it"
    return Stage(Codes(0.0, 1.0, 1), reads, array=array)


def _may_be_picture(source: Input) -> bool:
    if source.grid is not None and not source.raw:
        return False
    side = math.isqrt(source.shape[0])
    flat = len(source.shape) == 1 and side > 1 and side * side == source.shape[0]
    return flat or _map_of_picture(source.shape) is not None


def _picture(node: Node, feature: Feature, source: Input, in_shape: Shape, kind: Kind) -> Stage:
    table, codes = fold_pixels(node, feature, source)
    picture = replace(picture_of(node, feature, source), table=None if len(table) == 1 else table)
    layers: tuple[Layer, ...] = ()
    if len(table) == 1:
        layers = (Lookup("pixels", feature.shape, table[0], in_shape),)
    elif in_shape != feature.shape:
        as_they_are: Array = np.minimum(np.arange(256, dtype=np.uint8), table.max())
        layers = (Lookup("pixels", feature.shape, as_they_are, in_shape),)
    return Stage(codes, picture_reads(feature, source, kind), picture, layers=layers)


def picture_of(node: Node, feature: Feature, source: Input) -> PictureInput:
    """Where the pixels of an input come from that is a picture.

    Raises:
        NetworkError: it does not lie in the map as a picture lies in the input.
    """
    rows, columns, channels = feature.shape
    assert source.order is not None
    natural = _map_of_picture(source.shape)
    if natural is None:
        natural = source.order
    turned = np.array_equal(natural.transpose(1, 0, 2), source.order)
    geometry = {1: "fit-grey", 3: "thumbnail-on-white"}.get(channels)
    if rows != columns or geometry is None or not (
        turned or np.array_equal(natural, source.order)
    ):  # fmt: skip
        raise node.refuse(
            f"it reads the picture as a map of {describe(feature.shape)} in an order of its own; "
            "remove the Transpose, Reshape or SpaceToDepth before it"
        )
    return PictureInput(geometry, rows, transposed=turned and rows > 1 and not np.array_equal(
        natural, source.order
    ))  # fmt: skip


def picture_reads(feature: Feature, source: Input, kind: Kind) -> str:
    """A sentence that tells of the decision for a picture."""
    side, _, channels = feature.shape
    colours = "RGB" if channels == 3 else "grey"
    pixel = "as it is" if raw(source, feature.steps) else "as p / 255"
    return (
        f"pictures of {side}x{side} {colours} pixels, a pixel p going in {pixel}, because "
        f"{kind.why} (--input array reads numbers)"
    )


def _axes(node: Node, shape: tuple[int, ...], order: Array) -> tuple[int, ...]:
    """The sides of the input in the order in which they fill the map."""
    elements = np.arange(order.size).reshape(shape)
    found = itertools.permutations(range(len(shape)))
    for axes in sorted(found, key=lambda one: shape[one[-1]] != order.shape[2]):
        if np.array_equal(elements.transpose(axes).reshape(order.shape), order):
            return axes
    raise node.refuse(
        f"it reads the input of {describe(shape)} in an order that no Transpose makes; remove the "
        "Reshape or SpaceToDepth before it"
    )
