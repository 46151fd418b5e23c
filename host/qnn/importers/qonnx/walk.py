# SPDX-License-Identifier: BSD-3-Clause
"""From node to node of a QONNX graph: constants are computed, feature maps become layers.

A map collects the steps that follow its sums; the next layer that reads it turns them into
thresholds. Where several nodes read it, the layer ends there, and each goes on from its codes.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np

from qnn.importers.qonnx.averages import AVERAGES, average
from qnn.importers.qonnx.constants import fold, room_for
from qnn.importers.qonnx.datatypes import grid_of
from qnn.importers.qonnx.elementwise import ELEMENTWISE, Parameters
from qnn.importers.qonnx.feature import Feature, HostFloats, Input
from qnn.importers.qonnx.float_layers import in_floats
from qnn.importers.qonnx.graph import MAX_MAP, Array, Graph, Node
from qnn.importers.qonnx.joining import added, side_by_side
from qnn.importers.qonnx.layers import Layers
from qnn.importers.qonnx.layout import LAYOUT, LargeMapError, rearrange
from qnn.importers.qonnx.outputs import outputs_of
from qnn.importers.qonnx.pooling import max_pool
from qnn.importers.qonnx.products import multiply
from qnn.importers.qonnx.ranking import CHOICES, RANKING, require_ranking
from qnn.importers.qonnx.reading import Reading
from qnn.importers.qonnx.resize import RESIZING, resized
from qnn.importers.qonnx.settling import are_codes, lies_apart, moved, settled
from qnn.network import describe

PRODUCTS = ("Conv", "MatMul", "Gemm")
MAPS = ("Conv", "MaxPool", "AveragePool", "GlobalAveragePool")  # want the tensor to be the map
EITHER_SIDE = ("Add", "Sub", "Mul", "Div")  # may read the map behind a constant
FLOAT = 1  # of TensorProto.DataType
ADVICE = {
    "ArgMin": "multiply the scores by -1 and use ArgMax",
    "ConvTranspose": "use a Resize of mode nearest and a Conv behind it",
    "Pad": "put the padding into the convolution",
    **dict.fromkeys(("Gelu", "HardSwish", "Mish", "Softplus", "ThresholdedRelu"), "use Relu"),
    **dict.fromkeys(("Max", "Min"), "use Clip"),
    **dict.fromkeys(
        ("GroupNormalization", "InstanceNormalization", "LayerNormalization", "LRN"),
        "use BatchNormalization",
    ),
}


class Walk:
    """Walks a graph when it is made.

    Args:
        graph: what an .onnx file says.
        wish: what the user says that its input is: "picture", "array", or None.

    Attributes:
        made: the layers that the graph becomes, and what goes in.
        outputs: what comes out.

    Raises:
        FormatError: the graph contradicts itself.
        NetworkError: a node cannot be run as it is; the message names it and a way out.
    """

    def __init__(self, graph: Graph, wish: str | None = None) -> None:
        self.made = Layers()
        self._reading = Reading(self.made)
        self._tensors: dict[str, Array | Feature] = dict(graph.constants)
        self._tensors[graph.input_name] = _input(graph, wish)
        self._opset = graph.opset
        self._room = room_for(graph)  # elements of constants that are computed from now on
        self._ranked: dict[str, str] = {}  # tensors that stand for the scores, and what made them
        self._readers = Counter(graph.outputs)
        for node in graph.nodes:
            if node.op != "Shape":
                self._readers.update(set(node.inputs))
        for node in graph.nodes:
            try:
                result = self._result(node)
            except LargeMapError as large:
                raise node.refuse(
                    f"a map of {describe(large.shape)} is larger than any here ({MAX_MAP} values); "
                    "use a smaller input, fewer channels, less padding or a larger stride"
                ) from None
            self._tensors.update(dict.fromkeys(filter(None, node.outputs), result))
        self.outputs = outputs_of(self._reading, graph, self._tensors)
        self._tensors.clear()  # as large as the layers, several times
        self._reading.forget()

    def _result(self, node: Node) -> Array | Feature:
        inputs: list[Array | Feature | None] = []
        for name in node.inputs:
            if name and name not in self._tensors:
                raise node.refuse(f"it reads {name!r}, which no node before it gives")
            inputs.append(self._tensors.get(name))
        parameters: Parameters = [None if isinstance(x, Feature) else x for x in inputs]
        features = [x for x in inputs if isinstance(x, Feature)]
        if not features:
            folded = fold(node, parameters, self._room)
            self._room -= folded.size
            return folded
        if node.op == "Shape":
            return np.array(features[0].index.shape)
        if parameters[0] is not None and node.op not in EITHER_SIDE + PRODUCTS:
            raise node.refuse("it wants the feature map as its first input")
        names = [n for n in node.inputs if isinstance(self._tensors.get(n), Feature)]
        ranked_by = next(filter(None, map(self._ranked.get, names)), None)
        if (ranked_by or node.op in RANKING) and len(features) == 1:
            return self._rank(node, features[0], parameters, ranked_by)
        for n in names:
            if self._readers[n] > 1:
                self._tensors[n] = settled(self._reading, node, self._feature(n))
        features = [self._feature(n) for n in names]
        if node.op == "Concat":
            return side_by_side(self._reading, node, features, len(node.inputs))
        if len(features) == 1:
            return self._follow(node, features[0], parameters)
        if node.op == "Add" and len(features) == 2:
            return added(self._reading, node, features[0], features[1])
        raise node.refuse(
            f"{names[1]!r} meets another feature map; of two maps the accelerator makes a sum "
            "(Add) or lays them side by side (Concat): use one of these"
        )

    def _feature(self, name: str) -> Feature:
        found = self._tensors[name]
        assert isinstance(found, Feature)
        return found

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
        if node.op == "GlobalMaxPool":
            sides = slice(1, -1) if node.channels_last else slice(2, None)
            whole = {"kernel_shape": list(feature.index.shape[sides])}
            node = replace(node, op="MaxPool", attributes=node.attributes | whole)
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
        reading = self._reading
        if node.op in RESIZING:
            return moved(
                reading, node, feature, lambda x: resized(node, x, parameters[1:], self._opset)
            )
        if node.op == "MaxPool" and isinstance(feature.source, HostFloats) and are_codes(feature):
            feature = settled(reading, node, feature, required=True)
        if node.op in MAPS and lies_apart(node, feature):
            feature = moved(reading, node, feature, lambda x: x)
        if node.op in (*PRODUCTS, "MaxPool"):
            found = in_floats(reading, node, feature, parameters)
            if found is not None:
                return found
        if node.op == "MaxPool":
            return max_pool(reading, node, feature)
        if node.op in AVERAGES:
            return average(node, feature, parameters, lambda f, s: reading.read(node, f, s))
        if node.op in PRODUCTS:
            return multiply(
                node,
                feature,
                parameters,
                lambda f, s: reading.read(node, f, s),
                lambda codes, count, code: reading.add_constants(node, codes, count, code),
            )
        advice = ADVICE.get(node.op, "leave it out, or use one of those in params/README.md")
        raise node.refuse(f"this operator is not supported; {advice}")


def _input(graph: Graph, wish: str | None) -> Feature:
    """The input, whose every element is a channel until a layer says in which map it lies."""
    count = math.prod(graph.input_shape)
    source = Input(graph.input_shape[1:], grid_of(graph.input_type), wish)
    return Feature(source, (1, 1, count), np.arange(count).reshape(graph.input_shape))
