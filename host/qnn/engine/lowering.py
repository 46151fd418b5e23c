# SPDX-License-Identifier: BSD-3-Clause
"""Layers of a network as what the accelerator runs, each with what the host adds to it."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import TypeAlias

from qnn.compute.dense import BinaryDense
from qnn.engine import float_first
from qnn.engine.binary_dense import DenseSums
from qnn.engine.capabilities import Capabilities
from qnn.engine.float_first import FloatFirst
from qnn.engine.group_merging import merging_for
from qnn.engine.hosted import Hosted, Step
from qnn.engine.parameters import Layer
from qnn.engine.program import compile_layers
from qnn.engine.row_folding import RowFolding, folding_for
from qnn.errors import DoesNotFitError
from qnn.network import Conv, Dense, FloatConv, Floats, Rearrange
from qnn.network import Layer as AnyLayer
from qnn.network.wiring import Wiring, chain

Lowered: TypeAlias = Layer | FloatFirst | RowFolding | Hosted
Limits: TypeAlias = "tuple[float, float] | None"


def lower(
    layers: Sequence[AnyLayer],
    limits: Limits = None,
    hosted: Container[int] = (),
    step_of: Callable[[AnyLayer], Step] | None = None,
) -> list[Lowered]:
    """A run of layers for a driver.

    Args:
        layers: one after the other.
        limits: least and largest value of what the first one reads, where that are floats; None:
            not known.
        hosted: numbers of those that the host computes, not the first one and not the last one.
        step_of: how; None: it does not, for they are only laid out.

    Raises:
        DoesNotFitError: the accelerator has no such layer.
    """
    return [
        Hosted(layer, step_of and step_of(layer))
        if number in hosted
        else lower_layer(layer, None if number else limits)
        for number, layer in enumerate(layers)
    ]


def lower_layer(layer: AnyLayer, limits: Limits = None) -> Lowered:
    """One of them; errors as of `lower`."""
    if isinstance(layer, Conv):
        return layer
    if isinstance(layer, FloatConv):
        if limits is None:
            raise DoesNotFitError(
                f"layer {layer.name}: only the first layer behind a picture can be one of floats "
                "there"
            )
        return float_first.lowered(layer.name, layer.convolution, layer.in_shape, *limits)
    if isinstance(layer, Dense):
        if isinstance(layer.matrix, BinaryDense):
            return DenseSums(layer, layer.matrix)
        raise DoesNotFitError(f"layer {layer.name}: float64 sums; the accelerator sums integers")
    if isinstance(layer, Floats):
        raise DoesNotFitError(f"layer {layer.name}: sums of floats; the accelerator sums integers")
    if isinstance(layer, Rearrange):
        raise DoesNotFitError(f"layer {layer.name}: it only moves values; the accelerator has none")
    raise DoesNotFitError(f"layer {layer.name}: a table of pixels; the accelerator has none")


def folded(
    layers: Sequence[Lowered], capabilities: Capabilities, wiring: Wiring | None = None
) -> list[Lowered]:
    """The same layers, where that is faster the first one with the rows of its kernel folded, and
    those that read one map with fewer groups, as far as they fit so behind the others.

    Args:
        layers: of a run.
        capabilities: of the accelerator.
        wiring: what each layer reads; None: the one before it.
    """
    found = [
        regrouped(layer, capabilities, reads)
        for layer, reads in zip(layers, wiring or chain(len(layers)), strict=True)
    ]
    if found and isinstance(first := found[0], Conv):
        found[0] = folding_for(first, capabilities) or first
    fewer = [n for n, layer in enumerate(layers) if n and found[n] is not layer]
    # Channels of a map lie apart where groups have given them, which takes more weight words.
    whole = list(found)
    for number in fewer:
        if _fit(whole, capabilities, wiring):
            break
        whole[number] = layers[number]
    return whole if not fewer or _fit(whole, capabilities, wiring) else found


def _fit(layers: Sequence[Lowered], capabilities: Capabilities, wiring: Wiring | None) -> bool:
    try:
        compile_layers([compiled(layer) for layer in layers], capabilities, wiring=wiring)
    except DoesNotFitError:
        return False
    return True


def regrouped(layer: Lowered, capabilities: Capabilities, reads: Sequence[object]) -> Lowered:
    """A layer, of fewer groups where that is faster; of what it reads each of its groups has its
    share, so it must be one map."""
    if isinstance(layer, Conv) and layer.groups > 1 and len(reads) == 1:
        return merging_for(layer, capabilities) or layer
    return layer


def compiled(layer: Lowered) -> Layer | Hosted:
    """What of it has its place in a program."""
    if isinstance(layer, FloatFirst):
        return layer.words
    return layer.conv if isinstance(layer, RowFolding) else layer
