# SPDX-License-Identifier: BSD-3-Clause
"""How this processor computes each kind of layer, by the arithmetic that defines it."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qnn.backends.floats import floats
from qnn.backends.integer_conv import IntegerConv
from qnn.backends.protocol import Maps
from qnn.network import Conv, Dense, FloatConv, Floats, Layer, Lookup, Rearrange
from qnn.network.layer import groups_of
from qnn.network.wiring import Wiring, side_by_side

Step: TypeAlias = Callable[[Maps], Maps]  # (N, H, W, C) to (N, OH, OW, O)


class HostLayers:
    """Layers, each behind those that it reads.

    Args:
        layers: some of a network, without a gap.
        step_of: what computes a layer.
        wiring: what each of them reads, by number in the network; None: the one before it.
        begin: number of the first of them.

    Attributes:
        reads: what they read from outside, by number.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        step_of: Callable[[Layer], Step] | None = None,
        wiring: Wiring | None = None,
        begin: int = 0,
    ) -> None:
        self._steps = [(step_of or host_step)(layer) for layer in layers]
        self._groups = [groups_of(layer) for layer in layers]
        self._begin = begin
        self._wiring = wiring or tuple((begin + n - 1,) for n in range(len(layers)))
        self.reads = {read for reads in self._wiring for read in reads if read < begin}
        # What nothing reads any more behind a layer.
        last = {read: n for n, reads in enumerate(self._wiring) for read in reads}
        self._done: list[list[int]] = [[] for _ in layers]
        for read, number in last.items():
            self._done[number].append(read)

    def __call__(self, maps: Maps) -> Maps:
        """What the last layer makes of the maps that the first one reads, (N, H, W, C)."""
        for made in self.trace(maps):
            maps = made
        return maps

    def trace(self, maps: Maps) -> Iterator[Maps]:
        """What each layer in turn makes of them."""
        return self.through({self._begin - 1: maps})

    def through(self, live: dict[int, Maps], keep: Container[int] = ()) -> Iterator[Maps]:
        """As `trace`, of maps by the number of the layer that gives them.

        Each layer adds what it gives to `live`, and what no later one of these layers reads is
        taken out, unless its number is in `keep`.
        """
        for number, step in enumerate(self._steps):
            reads = self._wiring[number]
            made = step(side_by_side([live[read] for read in reads], self._groups[number]))
            for read in self._done[number]:
                if read not in keep:
                    live.pop(read, None)
            live[self._begin + number] = made
            yield made


def host_step(layer: Layer) -> Step:
    """What computes a layer on this processor."""
    if isinstance(layer, Conv):
        return IntegerConv(layer)
    if isinstance(layer, Lookup):
        return lambda maps: layer.table[maps].reshape(len(maps), *layer.out_shape)
    if isinstance(layer, Rearrange):
        return lambda maps: maps.reshape(len(maps), -1)[:, layer.places]
    if isinstance(layer, Floats):
        return lambda maps: _each(layer, maps, lambda x: floats(layer, x))
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
