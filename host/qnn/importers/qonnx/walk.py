# SPDX-License-Identifier: BSD-3-Clause
"""From node to node of a QONNX graph: constants are computed, one feature map becomes layers.

The map collects the steps that follow its sums; the next layer that reads it turns them into
thresholds. Branches do not exist here: every tensor that depends on the picture is read once.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np

from qnn.errors import FormatError, NetworkError
from qnn.importers.qonnx.averages import AVERAGES, average
from qnn.importers.qonnx.constants import fold
from qnn.importers.qonnx.datatypes import grid_of
from qnn.importers.qonnx.elementwise import ELEMENTWISE, Parameters
from qnn.importers.qonnx.ending import layout_of, parted
from qnn.importers.qonnx.feature import Codes, Feature, FloatProducts, FloatSums, Input, Products
from qnn.importers.qonnx.first import fold_first
from qnn.importers.qonnx.fold import (
    arithmetic,
    even,
    fold_layer,
    fold_scores,
    last_quantizer,
)
from qnn.importers.qonnx.graph import Array, Graph, Node
from qnn.importers.qonnx.inputs import as_map, read_input
from qnn.importers.qonnx.layout import LAYOUT, lying, places, rearrange
from qnn.importers.qonnx.padding import with_constants
from qnn.importers.qonnx.pools import pools_of
from qnn.importers.qonnx.products import multiply
from qnn.importers.qonnx.ranking import CHOICES, RANKING, require_ranking
from qnn.importers.qonnx.steps import Clip
from qnn.network import ArrayInput, Conv, Layer, PictureInput, Shape, describe, windows
from qnn.network.result import Arithmetic, FloatMap, FloatScores

PRODUCTS = ("Conv", "MatMul", "Gemm")
EITHER_SIDE = ("Add", "Sub", "Mul", "Div")  # may read the map behind a constant
FLOAT = 1  # of TensorProto.DataType
ADVICE = {
    "ArgMin": "multiply the scores by -1 and use ArgMax",
    "Concat": "the accelerator runs one chain of layers; use a grouped convolution",
    "ConvTranspose": "the accelerator only makes maps smaller",
    "Pad": "put the padding into the convolution",
    "Trunc": "quantise the average with Quant instead",
}


class Walk:
    """Walks a graph when it is made.

    Args:
        graph: what an .onnx file says.
        wish: what the user says that its input is: "picture", "array", or None.

    Attributes:
        layers: what the graph becomes.
        picture, array: what the input is; one of them is None.
        reads: what goes in and why that was decided, a sentence.
        result: scores, or the numbers of a map.
        missing: a sentence for each absent stage.
        undecided: layers with sums on a step of their quantiser, each with its node and how many
            outputs.

    Raises:
        FormatError: the graph contradicts itself.
        NetworkError: a node cannot be run as it is; the message names it and a way out.
    """

    def __init__(self, graph: Graph, wish: str | None = None) -> None:
        self.layers: list[Layer] = []
        self.picture: PictureInput | None = None
        self.array: ArrayInput | None = None
        self.reads = ""
        self.result: FloatScores | FloatMap | None = None
        self.missing: list[str] = []
        self.undecided: list[str] = []
        self._tensors: dict[str, Array | Feature] = dict(graph.constants)
        self._tensors[graph.input_name] = _input(graph, wish)
        self._opset = graph.opset
        self._ranked: dict[str, str] = {}  # tensors that stand for the scores, and what made them
        self._readers = Counter(graph.outputs)
        for node in graph.nodes:
            if node.op != "Shape":
                self._readers.update(set(node.inputs))
        for node in graph.nodes:
            result = self._result(node)
            self._tensors.update(dict.fromkeys(filter(None, node.outputs), result))
        ends = [self._tensors.get(name) for name in graph.outputs]
        if any(end is not ends[0] for end in ends) or not isinstance(ends[0], Feature):
            raise FormatError("the outputs of the graph are not one feature map; export one output")
        self._end(graph.nodes[-1], ends[0])

    def _result(self, node: Node) -> Array | Feature:
        inputs: list[Array | Feature | None] = []
        for name in node.inputs:
            if name and name not in self._tensors:
                raise node.refuse(f"it reads {name!r}, which no node before it gives")
            inputs.append(self._tensors.get(name))
        parameters: Parameters = [None if isinstance(x, Feature) else x for x in inputs]
        features = [x for x in inputs if isinstance(x, Feature)]
        if not features:
            return fold(node, parameters)
        if node.op == "Shape":
            return np.array(features[0].index.shape)
        name = next(n for n in node.inputs if isinstance(self._tensors.get(n), Feature))
        if len(features) > 1 or self._readers[name] > 1:
            raise node.refuse(
                f"{name!r} is read by more than one node, or meets another feature map; the "
                "accelerator runs one chain of layers, so remove the branch or residual addition"
            )
        if parameters[0] is not None and node.op not in EITHER_SIDE + PRODUCTS:
            raise node.refuse("it wants the feature map as its first input")
        ranked_by = self._ranked.get(name)
        if ranked_by or node.op in RANKING:
            return self._rank(node, features[0], parameters, ranked_by)
        return self._follow(node, features[0], parameters)

    def _rank(
        self, node: Node, feature: Feature, parameters: Parameters, before: str | None
    ) -> Feature:
        """The scores once more, behind what ranks or moves them; `before` ranked them already."""
        if node.op in RANKING and before not in CHOICES:
            require_ranking(node, feature, parameters, self._opset)
            before = node.op
        elif node.op not in (*LAYOUT, "Cast"):
            raise node.refuse("it comes after the scores were ranked; end the network there")
        elif node.op in LAYOUT and before not in CHOICES:
            feature = replace(feature, index=rearrange(node, feature.index, parameters[1:]))
        assert before is not None
        self._ranked.update(dict.fromkeys(node.outputs, before))
        return feature

    def _follow(self, node: Node, feature: Feature, parameters: Parameters) -> Feature:
        if node.op == "Cast":
            if node.attributes.get("to") != FLOAT:
                raise node.refuse(
                    "it turns the feature map into another type than float32, which rounds; "
                    "quantise it with Quant instead"
                )
            return feature
        if node.op in LAYOUT:
            return replace(feature, index=rearrange(node, feature.index, parameters[1:]))
        if node.op in ELEMENTWISE:
            return feature.then(*ELEMENTWISE[node.op](node, feature, parameters))
        if node.op == "MaxPool":
            return _pooled(node, feature)
        if node.op in AVERAGES:
            return average(node, feature, parameters, lambda f, s: self._read(node, f, s))
        if node.op in PRODUCTS:
            return multiply(
                node,
                feature,
                parameters,
                lambda f, s: self._read(node, f, s),
                lambda count, code: self._add_constants(node, count, code),
            )
        advice = ADVICE.get(node.op, "params/README.md lists those that are")
        raise node.refuse(f"this operator is not supported; {advice}")

    def _read(self, node: Node, feature: Feature, in_shape: Shape) -> Codes:
        """Ends the layer whose map `node` reads in the shape `in_shape`."""
        source = feature.source
        if isinstance(source, Products):
            return even(node, self._fold(node, feature, source))
        if isinstance(source, FloatProducts):
            raise self._float_before(source, node)
        if isinstance(source, FloatSums):
            first, codes = fold_first(node, feature, source, "conv0")
            self.picture = PictureInput("letterbox", source.size)
            self.reads = source.reads
            self.layers.append(first)
            return codes
        stage = read_input(node, feature, source, in_shape)
        self.picture, self.array, self.reads = stage.picture, stage.array, stage.reads
        self.layers += stage.layers
        return stage.codes

    def _add_constants(self, node: Node, count: int, code: int) -> None:
        """Channels that are that code everywhere, behind those of the map that was read last."""
        last = self.layers[-1] if self.layers else None
        if isinstance(last, Conv) and last.groups == 1:
            self.layers[-1] = with_constants(last, count, code)
        elif self.array is not None and last is None:
            self.array = replace(self.array, constants=(code,) * count)
        else:
            raise node.refuse(
                "it pads with 0 a map that has levels below 0, of a picture or of groups; use no "
                "padding, an activation whose lowest level is 0 (ReLU), or import it with --input "
                "array"
            )

    def _end(self, node: Node, feature: Feature) -> None:
        source = feature.source
        if isinstance(source, FloatProducts):
            kept = [step for step in feature.steps if isinstance(step, Arithmetic | Clip)]
            if len(kept) < len(feature.steps):
                raise self._float_before(source, node)
            self.layers.append(source.layer)
            classes = feature.shape[2]
            self.result = FloatScores(tuple(a for step in kept for a in arithmetic(step, classes)))
            return
        if not isinstance(source, Products):
            raise node.refuse(
                "no layer for the accelerator comes before it; export the whole network"
            )
        last = last_quantizer(feature.steps)
        if last is None:
            layer, steps = fold_scores(node, feature, source, self._name(source))
            self.layers.append(layer)
            levels: Array | None = None
        else:
            inside, behind = parted(node, feature.steps, last, feature.shape[2])
            levels = self._fold(node, replace(feature, steps=inside), source)
            codes = 1 << (self.convs[-1].out_bits or 0)
            levels = np.pad(levels, (0, codes - len(levels)), "edge")
            steps = tuple(s for step in behind for s in arithmetic(step, feature.shape[2]))
        if feature.shape[:2] == (1, 1):
            self.result = FloatScores(steps, levels)
            return
        self.result = FloatMap(steps, levels, *layout_of(node, feature))
        self.missing.append(
            f"no classes come out: it ends with a map of {describe(self.result.shape)} numbers, "
            "which Model.run gives, and qnn run where it reads arrays"
        )

    def _float_before(self, source: FloatProducts, node: Node) -> NetworkError:
        """The error to raise where something but arithmetic follows a layer of float weights."""
        return source.node.refuse(
            "its weights are no whole numbers of steps, and with float weights a fully connected "
            f"layer is the last one, which no quantiser follows, but node {node.name!r} does; "
            "quantise them to 8 bits or fewer"
        )

    def _fold(self, node: Node, feature: Feature, products: Products) -> Array:
        """Ends a layer with a quantiser; the values of its codes."""
        layers, levels, undecided = fold_layer(node, feature, products, self._name(products))
        self.layers += layers
        layer = layers[0]
        if undecided:
            self.undecided.append(
                f"{layer.name} ({products.node.name!r}, {undecided} of {layer.outputs} outputs)"
            )
        return levels

    def _name(self, products: Products) -> str:
        kind = "conv" if products.node.op == "Conv" else "fc"
        return f"{kind}{len(self.convs) + 1}"

    @property
    def convs(self) -> list[Conv]:
        """The integer layers."""
        return [layer for layer in self.layers if isinstance(layer, Conv)]


def _input(graph: Graph, wish: str | None) -> Feature:
    """The input, whose every element is a channel until a layer says in which map it lies."""
    count = math.prod(graph.input_shape)
    source = Input(graph.input_shape[1:], grid_of(graph.input_type), wish)
    return Feature(source, (1, 1, count), np.arange(count).reshape(graph.input_shape))


def _pooled(node: Node, feature: Feature) -> Feature:
    sides = feature.index.ndim
    feature = as_map(node, feature)
    rows, columns, channels = feature.shape
    pools = pools_of(node, (rows, columns))
    for pool in pools:
        top, left, bottom, right = pool.padding
        rows = windows(rows, top, bottom, pool.size, pool.stride)
        columns = windows(columns, left, right, pool.size, pool.stride)
    shape = (rows, columns, channels)
    index = lying(places(shape), sides, node.channels_last)
    return replace(feature, shape=shape, index=index).then(*pools)
