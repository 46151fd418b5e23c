# SPDX-License-Identifier: BSD-3-Clause
"""How this processor computes each kind of layer, by the arithmetic that defines it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qnn.backends.integer_conv import IntegerConv
from qnn.backends.protocol import Maps
from qnn.network import Conv, Dense, FloatConv, Layer, Lookup

Step: TypeAlias = Callable[[Maps], Maps]  # (N, H, W, C) to (N, OH, OW, O)


class HostLayers:
    """Layers, one after the other.

    Args:
        layers: each reads what the one before it gives.
        step_of: what computes a layer.
    """

    def __init__(
        self, layers: Sequence[Layer], step_of: Callable[[Layer], Step] | None = None
    ) -> None:
        self._steps = [(step_of or host_step)(layer) for layer in layers]

    def __call__(self, maps: Maps) -> Maps:
        """What the last layer makes of the maps that the first one reads, (N, H, W, C)."""
        for step in self._steps:
            maps = step(maps)
        return maps

    def trace(self, maps: Maps) -> Iterator[Maps]:
        """What each layer in turn makes of them."""
        return trace(self._steps, maps)


def trace(steps: Sequence[Step], maps: Maps) -> Iterator[Maps]:
    """What each step in turn makes of maps."""
    for step in steps:
        maps = step(maps)
        yield maps


def host_step(layer: Layer) -> Step:
    """What computes a layer on this processor."""
    if isinstance(layer, Conv):
        return IntegerConv(layer)
    if isinstance(layer, Lookup):
        return lambda maps: layer.table[maps].reshape(len(maps), *layer.out_shape)
    if isinstance(layer, FloatConv):
        return lambda maps: _each(layer, maps, lambda x: layer.convolution(x.astype(np.float32)))
    return lambda maps: _each(layer, maps, lambda x: _dense(layer, x))


def _each(layer: Layer, maps: Maps, one: Callable[[NDArray[Any]], NDArray[Any]]) -> Maps:
    out = np.empty((len(maps), *layer.out_shape), layer.out_dtype)
    for x, into in zip(maps, out, strict=True):
        into[...] = one(x)
    return out


def _dense(layer: Dense, x: NDArray[Any]) -> NDArray[Any]:
    return layer.given(layer.matrix(x.ravel() if layer.of_map else x, layer.unit_of(x)))
