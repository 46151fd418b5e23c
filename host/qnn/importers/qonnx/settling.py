# SPDX-License-Identifier: BSD-3-Clause
"""Features that are ended where they stand, so that several nodes can go on from their codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from qnn.importers.qonnx.feature import Feature, FloatSums, Held, Input, Part, Source
from qnn.importers.qonnx.fold import last_quantizer
from qnn.importers.qonnx.graph import Array, Node
from qnn.importers.qonnx.inputs import as_map, flattened
from qnn.importers.qonnx.layout import lying, places, standing
from qnn.importers.qonnx.reading import Reading
from qnn.network import Rearrange


def settled(reading: Reading, node: Node, feature: Feature, required: bool = False) -> Feature:
    """A feature whose layer ends here, which starts from its codes.

    One that is not quantised stays as it is, unless `required`.

    Raises:
        NetworkError: it is not quantised, and that is required.
    """
    source = feature.source
    if isinstance(source, Held) and not (required and feature.steps):
        return feature
    if last_quantizer(feature.steps) is None and not isinstance(source, Held):
        if not required:
            return feature
        raise node.refuse(
            f"{_what(source)} is not quantised, and meets another feature map here; put an "
            "activation quantiser of 8 bits or fewer between them, of the same scale for both"
        )
    if isinstance(source, Input):
        return _settled_input(reading, node, feature, source)
    codes = reading.read(node, feature, feature.shape)
    if isinstance(source, FloatSums):
        held = reading.made.copy(node, feature.shape, codes)
        return replace(feature, source=held, steps=())
    (part,) = reading.parts
    return replace(feature, source=Held(node, (part,)), steps=())


def _settled_input(reading: Reading, node: Node, feature: Feature, source: Input) -> Feature:
    """The input, which the layer behind it reads alone: of others that hands on its codes."""
    index = feature.index
    placed = flattened(node, feature, source) if index.ndim == 2 else as_map(node, feature)
    codes = reading.read(node, placed, placed.shape)
    if index.ndim != 2:
        placed = replace(placed, index=lying(placed.index, index.ndim, node.channels_last))
    return replace(placed, source=reading.made.copy(node, placed.shape, codes), steps=())


def as_one(reading: Reading, node: Node, feature: Feature) -> Held:
    """Maps side by side as the one map of a layer that hands on their codes."""
    plain = replace(feature, steps=())
    codes = reading.read(node, plain, plain.shape)
    return reading.made.copy(node, plain.shape, codes)


def in_one_map(reading: Reading, node: Node, feature: Feature) -> tuple[Feature, Part]:
    """A feature that is ended here, in the map of one layer.

    Raises:
        NetworkError: it is not quantised.
    """
    feature = settled(reading, node, feature, required=True)
    held = feature.source
    assert isinstance(held, Held)
    if len(held.parts) > 1:
        held = as_one(reading, node, feature)
    (part,) = held.parts
    return feature, part


def moved(
    reading: Reading, node: Node, feature: Feature, move: Callable[[Array], Array]
) -> Feature:
    """What `move` makes of the tensor, as a map in whose order it lies: a layer of the host.

    Raises:
        NetworkError: it is not quantised, no map, or has scales that no move can follow.
    """
    feature, part = in_one_map(reading, node, feature)
    last = _channels_last(feature)
    found = standing(move(feature.index), last)
    if found.ndim != 4 or found.shape[0] != 1:
        raise node.refuse(
            f"it reads a tensor of shape {feature.index.shape}, which is no map; use it before the "
            "Flatten or Reshape"
        )
    where = found[0].transpose(1, 2, 0)
    if part.levels.ndim > 1 and (where % part.channels != np.arange(where.shape[2])).any():
        raise node.refuse(
            "it moves values between channels whose scales differ; use one for all channels"
        )
    bits = max(len(part.levels) - 1, 1).bit_length()
    name = reading.made.new_name("move")
    layer = Rearrange(name, feature.shape, bits, np.ascontiguousarray(where, np.int32))
    reading.made.append([layer], (part.layer,))
    index = lying(places(layer.out_shape), feature.index.ndim, last)
    return Feature(
        Held(node, (replace(part, layer=name, channels=layer.out_shape[2]),)),
        layer.out_shape,
        index,
    )


def lies_apart(node: Node, feature: Feature) -> bool:
    """Whether a layer reads codes as a map that lies in an order of its own."""
    if isinstance(feature.source, Input) or not are_codes(feature):
        return False
    if feature.index.ndim not in (3, 4):
        return False
    tensor = standing(feature.index, node.channels_last)
    return tensor.shape[0] == 1 and not np.array_equal(tensor, places(feature.shape))


def are_codes(feature: Feature) -> bool:
    """Whether what is read there was quantised."""
    return isinstance(feature.source, Held) or last_quantizer(feature.steps) is not None


def _channels_last(feature: Feature) -> bool:
    """Whether the tensor is the map with its channels last."""
    return np.array_equal(feature.index, lying(places(feature.shape), feature.index.ndim, True))


def _what(source: Source) -> str:
    """What a feature map comes from, for an error."""
    return "the input" if isinstance(source, Input) else f"what node {source.node.name!r} gives"
