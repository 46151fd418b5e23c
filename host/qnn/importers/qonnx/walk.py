# SPDX-License-Identifier: BSD-3-Clause
"""From node to node of a QONNX graph: constants are computed, feature maps become layers.

A map collects the steps that follow its sums; the next layer that reads it turns them into
thresholds. Where several nodes read it, the layer ends there, and each goes on from its codes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from qnn.errors import FormatError, NetworkError
from qnn.importers.qonnx.averages import AVERAGES, average
from qnn.importers.qonnx.constants import fold, room_for
from qnn.importers.qonnx.datatypes import grid_of
from qnn.importers.qonnx.elementwise import ELEMENTWISE, Parameters
from qnn.importers.qonnx.ending import layout_of, lies_otherwise, parted
from qnn.importers.qonnx.feature import (
    Codes,
    Feature,
    FloatProducts,
    FloatSums,
    Held,
    HostFloats,
    Input,
    Part,
    Products,
    Source,
    Sum,
)
from qnn.importers.qonnx.first import fold_first
from qnn.importers.qonnx.floats import operations, pooled, quantised, sums, values_of
from qnn.importers.qonnx.fold import (
    arithmetic,
    even,
    fold_layer,
    fold_scores,
    last_quantizer,
    through,
)
from qnn.importers.qonnx.graph import MAX_MAP, Array, Graph, Node
from qnn.importers.qonnx.inputs import as_it_is, as_map, flattened, kind_of, read_input
from qnn.importers.qonnx.layout import LAYOUT, lying, places, rearrange, standing
from qnn.importers.qonnx.padding import with_constants
from qnn.importers.qonnx.pools import copying, pools_of
from qnn.importers.qonnx.products import biased, multiply
from qnn.importers.qonnx.ranking import CHOICES, RANKING, require_ranking
from qnn.importers.qonnx.resize import RESIZING, resized
from qnn.importers.qonnx.steps import Clip, Count, Step
from qnn.importers.qonnx.sums import (
    as_products,
    codes_of,
    fold_sum,
    is_even,
    of_values,
    require_equal,
)
from qnn.importers.qonnx.weights import are_whole
from qnn.network import (
    ArrayInput,
    Conv,
    Floats,
    Head,
    Layer,
    MaxPool,
    PictureInput,
    Rearrange,
    Shape,
    describe,
    windows,
)
from qnn.network.arithmetic import Arithmetic
from qnn.network.result import FloatMap, FloatScores
from qnn.network.wiring import INPUT

PRODUCTS = ("Conv", "MatMul", "Gemm")
MAPS = ("Conv", "MaxPool", "AveragePool", "GlobalAveragePool")  # want the tensor to be the map
EITHER_SIDE = ("Add", "Sub", "Mul", "Div")  # may read the map behind a constant
MAX_SIDE_BY_SIDE = 256  # maps
FLOAT = 1  # of TensorProto.DataType
ADVICE = {
    "ArgMin": "multiply the scores by -1 and use ArgMax",
    "ConvTranspose": "the accelerator only makes maps smaller",
    "Pad": "put the padding into the convolution",
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
        inputs: what layers read that do not read the one before them, by name.
        heads: outputs beside the first of the graph, whose name is `output` then.
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
        self.inputs: dict[str, tuple[str, ...]] = {}
        self.heads: list[Head] = []
        self.missing: list[str] = []
        self.undecided: list[str] = []
        self._tensors: dict[str, Array | Feature] = dict(graph.constants)
        self._tensors[graph.input_name] = _input(graph, wish)
        self._opset = graph.opset
        self._room = room_for(graph)  # elements of constants that are computed from now on
        self._parts: tuple[Part, ...] = ()  # the map that was ended last
        self._alone = False  # what was read last is read by that node alone
        self._ended: dict[tuple[object, ...], tuple[Part, ...]] = {}
        self._behind: dict[str, str] = {}  # by the name of a layer: whose map lies behind its own
        self._before: dict[str, str] = {}
        self._ranked: dict[str, str] = {}  # tensors that stand for the scores, and what made them
        self._readers = Counter(graph.outputs)
        for node in graph.nodes:
            if node.op != "Shape":
                self._readers.update(set(node.inputs))
        for node in graph.nodes:
            result = self._result(node)
            self._tensors.update(dict.fromkeys(filter(None, node.outputs), result))
        self._finish(graph)
        self._tensors.clear()  # as large as the layers, several times
        self._ended.clear()

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
                self._tensors[n] = self._settled(node, self._feature(n))
        features = [self._feature(n) for n in names]
        if node.op == "Concat":
            return self._side_by_side(node, features, len(node.inputs))
        if len(features) == 1:
            return self._follow(node, features[0], parameters)
        if node.op == "Add" and len(features) == 2:
            return self._sum(node, features[0], features[1])
        raise node.refuse(
            f"{names[1]!r} meets another feature map; of two maps the accelerator makes a sum "
            "(Add) or lays them side by side (Concat)"
        )

    def _feature(self, name: str) -> Feature:
        found = self._tensors[name]
        assert isinstance(found, Feature)
        return found

    def _settled(self, node: Node, feature: Feature, required: bool = False) -> Feature:
        """A feature whose layer ends here, so that several nodes can go on from its codes.

        One that is not quantised stays as it is, unless `required`.
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
            return self._settled_input(node, feature, source)
        codes = self._read(node, feature, feature.shape)
        if isinstance(source, FloatSums):
            return replace(feature, source=self._copied(node, feature.shape, codes), steps=())
        (part,) = self._parts
        return replace(feature, source=Held(node, (part,)), steps=())

    def _settled_input(self, node: Node, feature: Feature, source: Input) -> Feature:
        """The input, which the layer behind it reads alone: of others that hands on its codes."""
        index = feature.index
        placed = flattened(node, feature, source) if index.ndim == 2 else as_map(node, feature)
        codes = self._read(node, placed, placed.shape)
        if index.ndim != 2:
            placed = replace(placed, index=lying(placed.index, index.ndim, node.channels_last))
        return replace(placed, source=self._copied(node, placed.shape, codes), steps=())

    def _copied(self, node: Node, shape: Shape, codes: Codes, levels: Array | None = None) -> Held:
        """A layer that hands on what it reads."""
        layer = copying(node, shape, codes.top, f"copy{len(self.convs) + 1}")
        self._append([layer], codes.sources)
        if levels is None:
            levels = (codes.zero + codes.step * np.arange(codes.top + 1)).astype(np.float32)
        return Held(node, (Part(layer.name, shape[2], levels),))

    def _sum(self, node: Node, one: Feature, other: Feature) -> Feature:
        """Two feature maps, added."""
        features = []
        for feature in (one, other):
            source, steps = feature.source, feature.steps
            if (
                not isinstance(source, Held)
                or any(isinstance(step, MaxPool) for step in steps)
                or not is_even(through(steps, source.values))
            ):
                feature = self._settled(node, feature, required=True)
            features.append(feature)
        require_equal(node, features)
        held, values = [], []
        for feature in features:
            assert isinstance(feature.source, Held)
            held.append(feature.source)
            values.append(through(feature.steps, feature.source.values))
        (a, b), (of_a, of_b) = held, values
        like = replace(features[0], steps=())
        if a.names == b.names:
            return replace(like, source=of_values(node, like, a, of_a + of_b))
        a, b = (
            self._as_one(node, feature) if len(feature.source.parts) > 1 else feature.source
            for feature in features
            if isinstance(feature.source, Held)
        )
        return replace(like, source=Sum(node, one.shape, ((a, of_a), (b, of_b))))

    def _as_one(self, node: Node, feature: Feature) -> Held:
        """Maps side by side as the one map of a layer that hands on their codes."""
        held = feature.source
        assert isinstance(held, Held)
        plain = replace(feature, steps=())
        return self._copied(node, plain.shape, self._read(node, plain, plain.shape))

    def _side_by_side(self, node: Node, features: Sequence[Feature], count: int) -> Feature:
        """Feature maps side by side along their channels."""
        if len(features) < count:
            raise node.refuse("it lays a constant beside a feature map; leave the constant out")
        settled = [self._settled(node, feature, required=True) for feature in features]
        rows, columns, _ = settled[0].shape
        if any(one.shape[:2] != (rows, columns) for one in settled):
            raise node.refuse(
                f"it lays maps of {', '.join(describe(one.shape) for one in settled)} side by "
                "side; use maps of the same rows and columns"
            )
        count = sum(len(one.source.parts) for one in settled if isinstance(one.source, Held))
        channels, before, found = sum(one.shape[2] for one in settled), 0, list[Array]()
        if count > MAX_SIDE_BY_SIDE or rows * columns * channels > MAX_MAP:
            raise node.refuse(
                f"it lays {count} maps side by side, {rows}x{columns}x{channels} together; at most "
                f"{MAX_SIDE_BY_SIDE} of {MAX_MAP} values can be: leave some out"
            )
        for one in settled:
            pixel, channel = np.divmod(one.index, one.shape[2])
            found.append(pixel * channels + before + channel)
            before += one.shape[2]
        try:
            index = np.concatenate(found, axis=int(node.attributes.get("axis", 1)))
        except (ValueError, IndexError):
            raise node.refuse(
                f"tensors of {', '.join(describe(one.index.shape) for one in settled)} do not lie "
                "side by side along that axis; use axis = 1"
            ) from None
        if index.shape[0] != 1:
            raise node.refuse("it lays inputs of a batch one behind the other; use axis = 1")
        parts = [
            part for one in settled if isinstance(one.source, Held) for part in one.source.parts
        ]
        return Feature(Held(node, tuple(parts)), (rows, columns, channels), index)

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
        if node.op in RESIZING:
            return self._moved(
                node, feature, lambda x: resized(node, x, parameters[1:], self._opset)
            )
        if node.op in MAPS and _lies_apart(node, feature):
            feature = self._moved(node, feature, lambda x: x)
        if node.op in (*PRODUCTS, "MaxPool"):
            found = self._in_floats(node, feature, parameters)
            if found is not None:
                return found
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
                lambda codes, count, code: self._add_constants(node, codes, count, code),
            )
        advice = ADVICE.get(node.op, "params/README.md lists those that are")
        raise node.refuse(f"this operator is not supported; {advice}")

    def _in_floats(self, node: Node, feature: Feature, parameters: Parameters) -> Feature | None:
        """What a node makes of floats, on the host; None where it reads no floats."""
        as_codes = last_quantizer(feature.steps) is not None
        if as_codes and isinstance(feature.source, HostFloats):
            return None
        given = None if as_codes else self._as_floats(node, feature)
        if given is None:
            return self._by_float_weights(node, feature, parameters)
        read, sides, name = given.source, feature.index.ndim, self._new_name("float")
        assert isinstance(read, HostFloats)
        if node.op not in ("Gemm", "MatMul"):
            given = as_map(node, given)
        before = operations(node, given.steps, given.shape[2])
        if node.op == "MaxPool":
            layer, index = pooled(node, given, before, name, sides)
        else:
            layer, index = sums(
                node, given, parameters, before, None, self._new_name("float"), sides
            )
        self._append([layer], (read.layer,))
        made = Feature(HostFloats(node, name), layer.out_shape, index)
        return made if node.op == "MaxPool" else biased(node, made, parameters[2:])

    def _as_floats(self, node: Node, feature: Feature) -> Feature | None:
        """What a node reads without a quantiser, as the floats of a layer or of the input; None
        where it is neither."""
        source = feature.source
        if isinstance(source, HostFloats):
            return feature
        if node.op == "MaxPool":
            return None
        if isinstance(source, Input):
            return self._input_as_it_is(node, feature, source)
        if not isinstance(source, FloatProducts):
            return None
        layer = replace(source.layer, name=f"{source.layer.name}{len(self.layers)}")
        self._append([layer], source.sources)
        return replace(feature, source=HostFloats(source.node, layer.name))

    def _by_float_weights(
        self, node: Node, feature: Feature, parameters: Parameters
    ) -> Feature | None:
        """The sums of codes and float weights; None where a convolution of the picture or the last
        layer takes them, or the weights are whole numbers."""
        weight = parameters[1] if len(parameters) > 1 else None
        if node.op != "Conv" or weight is None or weight.ndim not in (3, 4):
            return None
        if isinstance(feature.source, Input):
            placed = as_map(node, feature)
            assert isinstance(placed.source, Input)
            picture = kind_of(node, placed.source, placed.steps).picture
            if picture and (placed.shape[2] != 1 or placed.shape[0] != placed.shape[1]):
                return None
        elif not _are_codes(feature):
            return None
        first = np.moveaxis(weight, -1, 1) if node.channels_last else weight
        if are_whole(first) or not np.isfinite(weight).all():
            return None
        feature = as_map(node, feature)
        codes = self._read(node, feature, feature.shape)
        before = values_of(codes, feature.shape[2])
        name = self._new_name("float")
        layer, index = sums(node, feature, parameters, before, codes.bits, name, weight.ndim)
        self._append([layer], codes.sources)
        return biased(node, Feature(HostFloats(node, name), layer.out_shape, index), parameters[2:])

    def _new_name(self, kind: str) -> str:
        """Of the next layer, which has no name in the file."""
        return f"{kind}{len(self.layers) + 1}"

    def _input_as_it_is(self, node: Node, feature: Feature, source: Input) -> Feature | None:
        """The input as floats, as `node` reads it; None where it is something else."""
        if node.op == "Conv":
            placed = as_map(node, feature)
        else:
            placed = flattened(node, feature, source)
        assert isinstance(placed.source, Input)
        stage = as_it_is(node, placed.source, placed.shape)
        if stage is None:
            return None
        self._require_first(node)
        self.array, self.reads = stage.array, stage.reads
        return replace(placed, source=HostFloats(node, INPUT))

    def _moved(self, node: Node, feature: Feature, move: Callable[[Array], Array]) -> Feature:
        """What `move` makes of the tensor, as a map in whose order it lies: a layer of the host."""
        feature = self._settled(node, feature, required=True)
        held = feature.source
        assert isinstance(held, Held)
        if len(held.parts) > 1:
            held = self._as_one(node, feature)
        (part,) = held.parts
        last = _channels_last(feature)
        moved = standing(move(feature.index), last)
        if moved.ndim != 4 or moved.shape[0] != 1:
            raise node.refuse(f"it reads a tensor of shape {feature.index.shape}, which is no map")
        where = moved[0].transpose(1, 2, 0)
        if part.levels.ndim > 1 and (where % part.channels != np.arange(where.shape[2])).any():
            raise node.refuse(
                "it moves values between channels whose scales differ; use one for all channels"
            )
        bits = max(len(part.levels) - 1, 1).bit_length()
        name = self._new_name("move")
        layer = Rearrange(name, feature.shape, bits, np.ascontiguousarray(where, np.int32))
        self._append([layer], (part.layer,))
        index = lying(places(layer.out_shape), feature.index.ndim, last)
        return Feature(
            Held(node, (replace(part, layer=name, channels=layer.out_shape[2]),)),
            layer.out_shape,
            index,
        )

    def _read(self, node: Node, feature: Feature, in_shape: Shape) -> Codes:
        """Ends the layer whose map `node` reads in the shape `in_shape`."""
        source = feature.source
        self._alone = not isinstance(source, Held) or bool(feature.steps)
        if isinstance(source, Held) and not feature.steps:
            return codes_of(node, self._lying_together(node, source, feature.shape))
        if isinstance(source, Held | Sum):
            self._fold(node, feature)
            return codes_of(node, Held(node, self._parts))
        if isinstance(source, Products):
            self._fold(node, feature)
            return codes_of(node, Held(node, self._parts))
        if isinstance(source, FloatProducts):
            raise self._float_before(source, node)
        if isinstance(source, HostFloats):
            return self._quantised_floats(node, feature, source)
        if isinstance(source, FloatSums):
            first, codes = fold_first(node, feature, source, "conv0")
            self._require_first(node)
            self.picture = PictureInput("letterbox", source.size)
            self.reads = source.reads
            self.layers.append(first)
            return replace(codes, sources=(first.name,))
        self._require_first(node)
        stage = read_input(node, feature, source, in_shape)
        self.picture, self.array, self.reads = stage.picture, stage.array, stage.reads
        self.layers += stage.layers
        return replace(stage.codes, sources=(self.layers[-1].name if self.layers else INPUT,))

    def _quantised_floats(self, node: Node, feature: Feature, source: HostFloats) -> Codes:
        """The codes that the quantiser behind floats gives."""
        if last_quantizer(feature.steps) is None:
            raise node.refuse(
                f"what it reads from node {source.node.name!r} is not quantised; put an activation "
                "quantiser of 8 bits or fewer between them"
            )
        name = self._new_name("codes")
        layer, codes = quantised(node, feature, name)
        self._append([layer], (source.layer,))
        levels = (codes.zero + codes.step * np.arange(codes.top + 1)).astype(np.float32)
        self._parts = (Part(name, feature.shape[2], levels),)
        return replace(codes, sources=(name,))

    def _require_first(self, node: Node) -> None:
        """NetworkError where the input was read already."""
        if self.picture is not None or self.array is not None:
            raise node.refuse(
                "it reads the input beside another node, each with a quantiser of its own or none; "
                "quantise the input once, before both"
            )

    def _lying_together(self, node: Node, held: Held, shape: Shape) -> Held:
        """The maps, where they can lie behind each other in memory; else a copy of them.

        Each map has one place, and so one other behind it, and one before it.
        """
        found = held
        pairs = list(pairwise(held.names))
        if all(
            self._behind.get(one, other) == other and self._before.get(other, one) == one
            and one != other
            for one, other in pairs
        ):  # fmt: skip
            self._behind.update(pairs)
            self._before.update((other, one) for one, other in pairs)
            return found
        (rows, columns, _), parts = shape, list[Part]()
        for part in held.parts:
            copied = replace(held, parts=(part,))
            codes = codes_of(node, copied)
            shape = rows, columns, part.channels
            parts += self._copied(node, shape, codes, part.levels).parts
        self._behind.update(pairwise(part.layer for part in parts))
        self._before.update((b, a) for a, b in pairwise(part.layer for part in parts))
        return replace(held, parts=tuple(parts))

    def _add_constants(self, node: Node, codes: Codes, count: int, code: int) -> tuple[str, ...]:
        """Channels that are that code everywhere, behind those of what was read last.

        Returns:
            What is to be read then.
        """
        if codes.sources == (INPUT,) and self.array is not None:
            self.array = replace(self.array, constants=(code,) * count)
            return codes.sources
        names = [layer.name for layer in self.layers]
        last = self.layers[names.index(codes.sources[0])] if codes.sources[0] in names else None
        if len(codes.sources) > 1 or not isinstance(last, Conv):
            raise node.refuse(
                "it pads with 0 a map that has levels below 0, of a picture or of several maps side"
                " by side; use no padding, an activation whose lowest level is 0 (ReLU), or import "
                "it with --input array"
            )
        if last.groups > 1 or last is not self.layers[-1] or not self._alone:
            last = copying(node, last.out_shape, codes.top, f"copy{len(self.convs) + 1}")
            self._append([last], codes.sources)
        self.layers[-1] = with_constants(last, count, code)
        return (last.name,)

    def _finish(self, graph: Graph) -> None:
        """What comes out: the first output last, so that its layer is the last one."""
        ends = {name: self._tensors.get(name) for name in graph.outputs}
        found: dict[int, tuple[str, Feature]] = {}
        for name, end in ends.items():
            if not isinstance(end, Feature):
                raise FormatError(f"output {name!r} is no feature map; leave it out of the export")
            found.setdefault(id(end), (name, end))
        (output, first), *others = found.values()
        self.output = output if others else ""
        for name, end in reversed(others):
            result, layer = self._end(graph.nodes[-1], end)
            assert isinstance(result, FloatScores | FloatMap)
            self.heads.insert(0, Head(name, layer, result))
        self.result, _ = self._end(graph.nodes[-1], first)
        if isinstance(self.result, FloatMap):
            self.missing.append(
                f"no classes come out: it ends with a map of {describe(self.result.shape)} "
                "numbers, which Model.run gives, and qnn run where it reads arrays"
            )

    def _end(self, node: Node, feature: Feature) -> tuple[FloatScores | FloatMap, str]:
        """What an output is, and the name of the layer whose map that is."""
        floats = isinstance(feature.source, HostFloats)
        if last_quantizer(feature.steps) is not None and (floats or lies_otherwise(feature)):
            feature = self._settled(node, feature, required=True)
        if isinstance(feature.source, Held) and lies_otherwise(feature):
            feature = self._moved(node, feature, lambda x: x)
        source = feature.source
        if isinstance(source, FloatProducts):
            kept = [step for step in feature.steps if isinstance(step, Arithmetic | Clip)]
            if len(kept) < len(feature.steps):
                raise self._float_before(source, node)
            taken = {layer.name for layer in self.layers}
            name = source.layer.name
            if name in taken:
                name = f"{name}{len(self.layers)}"
            self._append([replace(source.layer, name=name)], source.sources)
            classes = feature.shape[2]
            steps = tuple(a for step in kept for a in arithmetic(step, classes))
            return FloatScores(steps), name
        if isinstance(source, HostFloats):
            return self._end_of_floats(node, feature, source)
        if isinstance(source, Held):
            source = as_products(node, feature, source)
            feature = replace(feature, source=source, steps=_quantised(node, source, feature.steps))
        if not isinstance(source, Products | Sum):
            raise node.refuse(
                "no layer for the accelerator comes before it; export the whole network"
            )
        last = last_quantizer(feature.steps)
        if last is None and isinstance(source, Products):
            layers, steps, levels = fold_scores(node, feature, source, self._name(source))
            self._append(layers, source.sources)
        else:
            if last is None:
                raise node.refuse(
                    "it ends with a sum of two maps that is not quantised; put a quantiser of 8 "
                    "bits or fewer behind it"
                )
            inside, behind = parted(node, feature.steps, last, feature.shape[2])
            levels = self._fold(node, replace(feature, steps=inside))
            codes = 1 << (self.convs[-1].out_bits or 0)
            levels = np.pad(levels, (0, codes - len(levels)), "edge")
            steps = tuple(s for step in behind for s in arithmetic(step, feature.shape[2]))
        name = self.layers[-1].name
        if feature.shape[:2] == (1, 1):
            return FloatScores(steps, levels), name
        return FloatMap(steps, levels, *layout_of(node, feature)), name

    def _end_of_floats(
        self, node: Node, feature: Feature, source: HostFloats
    ) -> tuple[FloatScores | FloatMap, str]:
        """An output that a layer of floats gives, and the name of that layer."""
        name = source.layer
        if not self.layers or name == INPUT:
            raise node.refuse("no layer comes before it; export the whole network")
        if self.layers[-1].name != name:
            name = self._new_name("float")
            self._append([Floats(name, feature.shape)], (source.layer,))
        steps = operations(node, feature.steps, feature.shape[2])
        if feature.shape[:2] == (1, 1):
            return FloatScores(steps), name
        return FloatMap(steps, None, *layout_of(node, feature)), name

    def _float_before(self, source: FloatProducts, node: Node) -> NetworkError:
        """The error to raise where something but arithmetic follows a layer of float weights."""
        return source.node.refuse(
            "its weights are no whole numbers of steps, and with float weights a fully connected "
            f"layer is the last one, which no quantiser follows, but node {node.name!r} does; "
            "quantise them to 8 bits or fewer"
        )

    def _fold(self, node: Node, feature: Feature) -> Array:
        """Ends a layer with a quantiser; the values of its codes.

        What was ended already, is so once.
        """
        key = (feature.source, *feature.steps)
        if key in self._ended:
            self._parts = self._ended[key]
            return self._parts[0].levels
        source, undecided = feature.source, 0
        if isinstance(source, Held):
            source = as_products(node, feature, source)
            feature = replace(feature, steps=_quantised(node, source, feature.steps))
        if isinstance(source, Sum):
            names = tuple(held.names[0] for held, _ in source.operands)
            name = f"add{len(self.convs) + 1}"
            layers, levels, undecided = fold_sum(node, feature, source, name)
        else:
            assert isinstance(source, Products)
            names = source.sources
            layers, levels, undecided = fold_layer(
                node, replace(feature, source=source), source, self._name(source)
            )
        self._append(layers, names)
        layer = layers[0]
        if undecided:
            self.undecided.append(
                f"{layer.name} ({source.node.name!r}, {undecided} of {layer.outputs} outputs)"
            )
        self._parts = (Part(layers[-1].name, layers[-1].outputs, levels),)
        self._ended[key] = self._parts
        return levels

    def _append(self, layers: Sequence[Layer], reads: tuple[str, ...]) -> None:
        """Layers behind those that are there, of which the first reads others by name."""
        before = self.layers[-1].name if self.layers else INPUT
        if reads != (before,):
            self.inputs[layers[0].name] = reads
        self.layers += layers

    def _name(self, products: Products) -> str:
        kind = {"Conv": "conv"}.get(products.node.op, "fc")
        if products.levels is not None:
            kind = "codes"
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


def _channels_last(feature: Feature) -> bool:
    """Whether the tensor is the map with its channels last."""
    return np.array_equal(feature.index, lying(places(feature.shape), feature.index.ndim, True))


def _are_codes(feature: Feature) -> bool:
    """Whether what is read there was quantised."""
    return isinstance(feature.source, Held) or last_quantizer(feature.steps) is not None


def _lies_apart(node: Node, feature: Feature) -> bool:
    """Whether a layer reads codes as a map that lies in an order of its own."""
    if isinstance(feature.source, Input) or not _are_codes(feature):
        return False
    if feature.index.ndim not in (3, 4):
        return False
    tensor = standing(feature.index, node.channels_last)
    return tensor.shape[0] == 1 and not np.array_equal(tensor, places(feature.shape))


def _what(source: Source) -> str:
    """What a feature map comes from, for an error."""
    return "the input" if isinstance(source, Input) else f"what node {source.node.name!r} gives"


def _quantised(node: Node, products: Products, steps: tuple[Step, ...]) -> tuple[Step, ...]:
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


def _pooled(node: Node, feature: Feature) -> Feature:
    sides = feature.index.ndim
    feature = as_map(node, feature)
    if isinstance(feature.source, Held) and feature.source.shape is None:
        feature = replace(feature, source=replace(feature.source, shape=feature.shape))
    rows, columns, channels = feature.shape
    pools = pools_of(node, (rows, columns))
    for pool in pools:
        top, left, bottom, right = pool.padding
        rows = windows(rows, top, bottom, pool.size, pool.stride)
        columns = windows(columns, left, right, pool.size, pool.stride)
    shape = (rows, columns, channels)
    index = lying(places(shape), sides, node.channels_last)
    return replace(feature, shape=shape, index=index).then(*pools)
