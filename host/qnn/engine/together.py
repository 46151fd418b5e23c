# SPDX-License-Identifier: BSD-3-Clause
"""Fully connected layers at the end of a run, for as many pictures at once as there are pixels.

Their weights are read once for all of them. The layers before run for each picture by itself; the
host lays the codes of some pictures side by side, as a row of pixels. A fully connected layer is
one of sums of bits, or a convolution whose kernel covers its map: over a row it is one of a kernel
of one pixel, with all codes of a picture as its channels.

Convolutions run like that where it takes fewer cycles by qnn.engine.estimate. The parameters of the
layers before and of those behind take the place of each other on chip; where both stay there, more
pictures wait for each other, so that this happens seldom. Where those of the whole run stay on chip
nothing is read again anyway, and as the host has more to do, an eighth must be saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from qnn.engine import estimate
from qnn.engine.binary_dense import DenseSums
from qnn.engine.capabilities import Capabilities
from qnn.engine.hosted import Hosted
from qnn.engine.layout import Layout
from qnn.engine.lowering import Lowered, folded
from qnn.engine.stages import laid_out
from qnn.errors import DoesNotFitError
from qnn.network import Conv
from qnn.network.wiring import Wiring, chain

P = TypeVar("P")
_ROWS = (1, 4)  # of pictures, that may wait for each other


@dataclass(frozen=True)
class Part:
    """Layers one after the other, laid out."""

    layers: Sequence[Lowered]
    layout: Layout


@dataclass(frozen=True)
class Plan(Generic[P]):
    """How pictures pass a run of layers; one of both parts may be missing.

    Attributes:
        each: runs for each picture.
        row: runs for a row of pictures, behind `each` or by itself.
        batch: pictures that best wait for each other before rows run.
    """

    each: P | None
    row: P | None = None
    batch: int = 1

    @property
    def parts(self) -> list[P]:
        """What runs, one after the other."""
        return [part for part in (self.each, self.row) if part is not None]


def plans(
    layers: Sequence[Lowered], capabilities: Capabilities, wiring: Wiring | None = None
) -> tuple[Plan[Part], Plan[Part]]:
    """How pictures had best pass a run of layers one by one, and how in a batch; often the same.

    Args:
        layers: of the run.
        capabilities: of the accelerator.
        wiring: what each layer reads; None: the one before it.

    Raises:
        DoesNotFitError: the layers do not fit the accelerator.
    """
    wiring = wiring or chain(len(layers))
    first = _connected_from(layers, wiring) if capabilities.pixels > 1 else len(layers)
    row = _row(layers[first:], capabilities)
    if row is not None and any(isinstance(layer, DenseSums) for layer in layers[first:]):
        # each of them is a stage of its own anyway, which reads its parameters again
        plan = Plan(_each(layers[:first], capabilities, wiring), row, capabilities.pixels)
        return plan, plan
    whole = _each(layers, capabilities, wiring)
    assert whole is not None
    alone = Plan(whole)
    if row is None:
        return alone, alone
    before = _each(layers[:first], capabilities, wiring)
    cycles, batch = min(
        (_cycles(before, row, rows, capabilities), rows * capabilities.pixels) for rows in _ROWS
    )
    limit = estimate.again(whole.layout, capabilities)
    if estimate.stays(whole.layout, capabilities):
        limit -= limit // 8
    if cycles >= limit:
        return alone, alone
    together = Plan(before, row, batch)
    return (together if before is None else alone), together


def row_of(maps: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Maps of codes as a row of pixels, (1, pictures, codes); of one it is no copy."""
    row = [codes.reshape(1, 1, -1) for codes in maps]
    return row[0] if len(row) == 1 else np.concatenate(row, axis=1)


def for_pictures(layer: Lowered, pictures: int) -> Lowered:
    """A fully connected layer, for a row of so many pictures."""
    if isinstance(layer, DenseSums):
        return layer.for_pictures(pictures)
    assert isinstance(layer, Conv)
    weight = layer.weight.reshape(*layer.weight.shape[:2], 1, 1, -1)
    return replace(layer, in_shape=(1, pictures, weight.shape[4]), weight=weight)


def _connected_from(layers: Sequence[Lowered], wiring: Wiring) -> int:
    """Number of the first of the fully connected layers at the end, each of which reads the one
    before it, a layer of the accelerator; the number of layers where there is none."""
    first = len(layers)
    while first and _is_connected(layers[first - 1]) and wiring[first - 1] == (first - 2,):
        first -= 1
    if 0 < first < len(layers) and isinstance(layers[first - 1], Hosted):
        first += 1
    return first


def _is_connected(layer: Lowered) -> bool:
    if isinstance(layer, Conv):
        covers = layer.kernel == layer.in_shape[:2] and not any(layer.padding)
        return covers and layer.groups == 1 and layer.pool is None
    return isinstance(layer, DenseSums)


def _each(layers: Sequence[Lowered], capabilities: Capabilities, wiring: Wiring) -> Part | None:
    if not layers:
        return None
    wiring = wiring[: len(layers)]
    layers = folded(layers, capabilities, wiring)
    return Part(layers, laid_out(layers, capabilities, wiring))


def _row(layers: Sequence[Lowered], capabilities: Capabilities) -> Part | None:
    """Fully connected layers for a row of pictures; None where there are none, or where more than
    one picture does not fit."""
    if not layers:
        return None
    row = [for_pictures(layer, capabilities.pixels) for layer in layers]
    try:
        return Part(row, laid_out(row, capabilities))
    except DoesNotFitError:
        return None


def _cycles(before: Part | None, row: Part, rows: int, capabilities: Capabilities) -> float:
    """Of a picture, where so many rows of them wait for each other."""
    pictures = rows * capabilities.pixels
    first = 0 if before is None else estimate.runs(before.layout, capabilities, pictures)
    return (first + estimate.runs(row.layout, capabilities, rows)) / pictures
