# SPDX-License-Identifier: BSD-3-Clause
"""What comes out of a graph: scores, or the numbers of a map, and further heads beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from qnn.errors import FormatError
from qnn.importers.qonnx.ending import layout_of, lies_otherwise, parted
from qnn.importers.qonnx.feature import Feature, FloatProducts, Held, HostFloats, Products, Sum
from qnn.importers.qonnx.floats import operations
from qnn.importers.qonnx.fold import arithmetic, fold_scores, last_quantizer
from qnn.importers.qonnx.graph import Array, Graph, Node
from qnn.importers.qonnx.reading import Reading, float_before, with_quantiser
from qnn.importers.qonnx.settling import moved, settled
from qnn.importers.qonnx.steps import Clip
from qnn.importers.qonnx.sums import as_products
from qnn.network import Floats, Head, describe
from qnn.network.arithmetic import Arithmetic
from qnn.network.result import FloatMap, FloatScores

Result = FloatScores | FloatMap


@dataclass(frozen=True)
class Outputs:
    """What comes out.

    Attributes:
        result: of the last layer.
        name: of the first output of the graph, which that is; "" where there is no other.
        heads: outputs beside it.
        missing: a sentence for each absent stage.
    """

    result: Result
    name: str
    heads: tuple[Head, ...]
    missing: tuple[str, ...]


def outputs_of(reading: Reading, graph: Graph, tensors: Mapping[str, Array | Feature]) -> Outputs:
    """Ends the layers that outputs come from: that of the first output last.

    Raises:
        FormatError: an output is no feature map.
        NetworkError: one ends in a way that no result has.
    """
    found: dict[int, tuple[str, Feature]] = {}
    for name in graph.outputs:
        end = tensors.get(name)
        if not isinstance(end, Feature):
            raise FormatError(f"output {name!r} is no feature map; leave it out of the export")
        found.setdefault(id(end), (name, end))
    (output, first), *others = found.values()
    heads: list[Head] = []
    for name, end in reversed(others):
        result, layer = _end(reading, graph.nodes[-1], end)
        heads.insert(0, Head(name, layer, result))
    result, _ = _end(reading, graph.nodes[-1], first)
    missing: tuple[str, ...] = ()
    if isinstance(result, FloatMap):
        missing = (
            f"no classes come out: it ends with a map of {describe(result.shape)} "
            "numbers, which Model.run gives, and qnn run where it reads arrays",
        )
    return Outputs(result, output if others else "", tuple(heads), missing)


def _end(reading: Reading, node: Node, feature: Feature) -> tuple[Result, str]:
    """What an output is, and the name of the layer whose map that is."""
    floats = isinstance(feature.source, HostFloats)
    if last_quantizer(feature.steps) is not None and (floats or lies_otherwise(feature)):
        feature = settled(reading, node, feature, required=True)
    if isinstance(feature.source, Held) and lies_otherwise(feature):
        feature = moved(reading, node, feature, lambda x: x)
    source = feature.source
    if isinstance(source, FloatProducts):
        return _end_of_float_weights(reading, node, feature, source)
    if isinstance(source, HostFloats):
        return _end_of_floats(reading, node, feature, source)
    if isinstance(source, Held):
        source = as_products(node, feature, source)
        steps = with_quantiser(node, source, feature.steps)
        feature = replace(feature, source=source, steps=steps)
    if not isinstance(source, Products | Sum):
        raise node.refuse("no layer for the accelerator comes before it; export the whole network")
    made, last = reading.made, last_quantizer(feature.steps)
    operations_behind: tuple[Arithmetic, ...]
    if last is None and isinstance(source, Products):
        layers, operations_behind, levels = fold_scores(node, feature, source, made.name_of(source))
        made.append(layers, source.sources)
    else:
        if last is None:
            raise node.refuse(
                "it ends with a sum of two maps that is not quantised; put a quantiser of 8 "
                "bits or fewer behind it"
            )
        inside, behind = parted(node, feature.steps, last, feature.shape[2])
        levels = reading.fold(node, replace(feature, steps=inside))
        codes = 1 << (made.convs[-1].out_bits or 0)
        levels = np.pad(levels, (0, codes - len(levels)), "edge")
        operations_behind = tuple(s for step in behind for s in arithmetic(step, feature.shape[2]))
    name = made.last
    if feature.shape[:2] == (1, 1):
        return FloatScores(operations_behind, levels), name
    return FloatMap(operations_behind, levels, *layout_of(node, feature)), name


def _end_of_float_weights(
    reading: Reading, node: Node, feature: Feature, source: FloatProducts
) -> tuple[Result, str]:
    """Scores that a last layer of float weights gives, and the name of that layer."""
    kept = [step for step in feature.steps if isinstance(step, Arithmetic | Clip)]
    if len(kept) < len(feature.steps):
        raise float_before(source, node)
    made, name = reading.made, source.layer.name
    if name in {layer.name for layer in made.layers}:
        name = f"{name}{len(made.layers)}"
    made.append([replace(source.layer, name=name)], source.sources)
    classes = feature.shape[2]
    return FloatScores(tuple(a for step in kept for a in arithmetic(step, classes))), name


def _end_of_floats(
    reading: Reading, node: Node, feature: Feature, source: HostFloats
) -> tuple[Result, str]:
    """An output that a layer of floats gives, and the name of that layer."""
    made, name = reading.made, source.layer
    if made.last != name:
        name = made.new_name("float")
        made.append([Floats(name, feature.shape)], (source.layer,))
    steps = operations(node, feature.steps, feature.shape[2])
    if feature.shape[:2] == (1, 1):
        return FloatScores(steps), name
    return FloatMap(steps, None, *layout_of(node, feature)), name
