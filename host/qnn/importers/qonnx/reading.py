# SPDX-License-Identifier: BSD-3-Clause
"""A layer ends where a node reads it: its steps become thresholds, its map the codes of a Part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qnn.errors import NetworkError
from qnn.importers.qonnx.feature import (
    Codes,
    Feature,
    FloatProducts,
    FloatSums,
    Held,
    HostFloats,
    Part,
    Products,
    Sum,
)
from qnn.importers.qonnx.first import fold_first
from qnn.importers.qonnx.floats import quantised
from qnn.importers.qonnx.fold import even, fold_layer, last_quantizer
from qnn.importers.qonnx.graph import Array, Node
from qnn.importers.qonnx.inputs import Stage, read_input
from qnn.importers.qonnx.layers import Layers
from qnn.importers.qonnx.neighbours import Neighbours
from qnn.importers.qonnx.padding import with_constants
from qnn.importers.qonnx.pools import copying
from qnn.importers.qonnx.steps import Count, Step
from qnn.importers.qonnx.sums import as_products, codes_of, fold_sum
from qnn.network import Conv, PictureInput, Shape
from qnn.network.wiring import INPUT


class Reading:
    """Ends layers and hands out their codes; what was ended already, is so once.

    Args:
        made: the layers, to which those are appended.

    Attributes:
        made: see above.
        parts: the map that was ended last.
    """

    def __init__(self, made: Layers) -> None:
        self.made = made
        self.parts: tuple[Part, ...] = ()
        self._alone = False  # what was read last is read by that node alone
        self._ended: dict[tuple[object, ...], tuple[Part, ...]] = {}
        self._neighbours = Neighbours()

    def read(self, node: Node, feature: Feature, in_shape: Shape) -> Codes:
        """Ends the layer whose map `node` reads in the shape `in_shape`.

        Raises:
            NetworkError: it is not quantised, or not so that its codes can be read.
        """
        source = feature.source
        self._alone = not isinstance(source, Held) or bool(feature.steps)
        if isinstance(source, Held) and not feature.steps:
            return codes_of(node, self._lying_together(node, source, feature.shape))
        if isinstance(source, Held | Sum | Products):
            self.fold(node, feature)
            return codes_of(node, Held(node, self.parts))
        if isinstance(source, FloatProducts):
            raise float_before(source, node)
        if isinstance(source, HostFloats):
            return self._quantised_floats(node, feature, source)
        if isinstance(source, FloatSums):
            first, codes = fold_first(node, feature, source, "conv0")
            picture = PictureInput("letterbox", source.size)
            self.made.begin(node, Stage(codes, source.reads, picture, layers=(first,)))
            return replace(codes, sources=(first.name,))
        self.made.require_first(node)
        stage = read_input(node, feature, source, in_shape)
        self.made.begin(node, stage)
        return replace(stage.codes, sources=(self.made.last,))

    def fold(self, node: Node, feature: Feature) -> Array:
        """Ends a layer of integers with a quantiser; the values of its codes."""
        key = (feature.source, *feature.steps)
        if key in self._ended:
            self.parts = self._ended[key]
            return self.parts[0].levels
        made, source, undecided = self.made, feature.source, 0
        if isinstance(source, Held):
            source = as_products(node, feature, source)
            feature = replace(feature, steps=with_quantiser(node, source, feature.steps))
        if isinstance(source, Sum):
            names = tuple(held.names[0] for held, _ in source.operands)
            name = f"add{len(made.convs) + 1}"
            layers, levels, undecided = fold_sum(node, feature, source, name)
        else:
            assert isinstance(source, Products)
            names = source.sources
            layers, levels, undecided = fold_layer(
                node, replace(feature, source=source), source, made.name_of(source)
            )
        made.append(layers, names)
        layer = layers[0]
        if undecided:
            made.undecided.append(
                f"{layer.name} ({source.node.name!r}, {undecided} of {layer.outputs} outputs)"
            )
        self.parts = (Part(layers[-1].name, layers[-1].outputs, levels),)
        self._ended[key] = self.parts
        return levels

    def forget(self) -> None:
        """Lets go of what was ended: it is as large as the layers."""
        self._ended.clear()

    def _quantised_floats(self, node: Node, feature: Feature, source: HostFloats) -> Codes:
        """The codes that the quantiser behind floats gives."""
        if last_quantizer(feature.steps) is None:
            raise node.refuse(
                f"what it reads from node {source.node.name!r} is not quantised; put an activation "
                "quantiser of 8 bits or fewer between them"
            )
        name = self.made.new_name("codes")
        layer, codes = quantised(node, feature, name)
        self.made.append([layer], (source.layer,))
        self.parts = (Part(name, feature.shape[2], codes.levels),)
        return replace(codes, sources=(name,))

    def _lying_together(self, node: Node, held: Held, shape: Shape) -> Held:
        """The maps, where they can lie behind each other in memory; else a copy of them."""
        if self._neighbours.can_lie(held.names):
            self._neighbours.lay(held.names)
            return held
        (rows, columns, _), parts = shape, list[Part]()
        for part in held.parts:
            codes = codes_of(node, replace(held, parts=(part,)))
            shape = rows, columns, part.channels
            parts += self.made.copy(node, shape, codes, part.levels).parts
        self._neighbours.lay([part.layer for part in parts])
        return replace(held, parts=tuple(parts))

    def add_constants(self, node: Node, codes: Codes, count: int, code: int) -> tuple[str, ...]:
        """Channels that are that code everywhere, behind those of what was read last.

        Returns:
            What is to be read then.
        """
        made = self.made
        if codes.sources == (INPUT,) and made.array is not None:
            made.array = replace(made.array, constants=(code,) * count)
            return codes.sources
        names = [layer.name for layer in made.layers]
        last = made.layers[names.index(codes.sources[0])] if codes.sources[0] in names else None
        if len(codes.sources) > 1 or not isinstance(last, Conv):
            raise node.refuse(
                "it pads with 0 a map that has levels below 0, of a picture or of several maps side"
                " by side; use no padding, an activation whose lowest level is 0 (ReLU), or import "
                "it with --input array"
            )
        if last.groups > 1 or last is not made.layers[-1] or not self._alone:
            last = copying(node, last.out_shape, codes.top, f"copy{len(made.convs) + 1}")
            made.append([last], codes.sources)
        made.layers[-1] = with_constants(last, count, code)
        return (last.name,)


def with_quantiser(node: Node, products: Products, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Steps behind maps of codes, which hand on the codes where there is no quantiser."""
    if last_quantizer(steps) is not None:
        return steps
    assert products.levels is not None
    levels = np.unique(products.levels)
    codes = even(node, levels)
    thresholds = levels[1:] if len(levels) > 1 else np.array([np.inf], np.float32)
    row = np.zeros(products.levels.shape[1], np.int64)
    as_they_are = Count(thresholds[None], np.float32(codes.step), np.float32(codes.zero), row)
    return (as_they_are, *steps)


def float_before(source: FloatProducts, node: Node) -> NetworkError:
    """The error to raise where something but arithmetic follows a layer of float weights."""
    return source.node.refuse(
        "its weights are no whole numbers of steps, and with float weights a fully connected "
        f"layer is the last one, which no quantiser follows, but node {node.name!r} does; "
        "quantise them to 8 bits or fewer"
    )
