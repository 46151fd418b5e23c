# SPDX-License-Identifier: BSD-3-Clause
"""Where a Conv, MatMul, Gemm or MaxPool computes in floats on the host, and where it does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qnn.importers.qonnx.elementwise import Parameters
from qnn.importers.qonnx.feature import Feature, FloatProducts, HostFloats, Input
from qnn.importers.qonnx.floats import operations, pooled, sums, values_of
from qnn.importers.qonnx.fold import last_quantizer
from qnn.importers.qonnx.graph import Node
from qnn.importers.qonnx.inputs import as_it_is, as_map, flattened, kind_of
from qnn.importers.qonnx.products import biased
from qnn.importers.qonnx.reading import Reading
from qnn.importers.qonnx.settling import are_codes
from qnn.importers.qonnx.weights import are_whole
from qnn.network.wiring import INPUT


def in_floats(
    reading: Reading, node: Node, feature: Feature, parameters: Parameters
) -> Feature | None:
    """What a node makes of floats, on the host; None where it reads no floats.

    Args:
        reading: ends the layers that are read.
        node: of type Conv, MatMul, Gemm or MaxPool.
        feature: what it reads.
        parameters: its inputs, as in qnn.importers.qonnx.elementwise.
    """
    as_codes = last_quantizer(feature.steps) is not None
    if as_codes and isinstance(feature.source, HostFloats):
        return None
    given = None if as_codes else _as_floats(reading, node, feature)
    if given is None:
        return _by_float_weights(reading, node, feature, parameters)
    made, read, sides = reading.made, given.source, feature.index.ndim
    name = made.new_name("float")
    assert isinstance(read, HostFloats)
    if node.op not in ("Gemm", "MatMul"):
        given = as_map(node, given)
    before = operations(node, given.steps, given.shape[2])
    if node.op == "MaxPool":
        layer, index = pooled(node, given, before, name, sides)
    else:
        layer, index = sums(node, given, parameters, before, None, name, sides)
    made.append([layer], (read.layer,))
    found = Feature(HostFloats(node, name), layer.out_shape, index)
    return found if node.op == "MaxPool" else biased(node, found, parameters[2:])


def _as_floats(reading: Reading, node: Node, feature: Feature) -> Feature | None:
    """What a node reads without a quantiser, as the floats of a layer or of the input; None where
    it is neither."""
    source = feature.source
    if isinstance(source, HostFloats):
        return feature
    if node.op == "MaxPool":
        return None
    if isinstance(source, Input):
        return _input_as_it_is(reading, node, feature, source)
    if not isinstance(source, FloatProducts):
        return None
    layer = replace(source.layer, name=f"{source.layer.name}{len(reading.made.layers)}")
    reading.made.append([layer], source.sources)
    return replace(feature, source=HostFloats(source.node, layer.name))


def _by_float_weights(
    reading: Reading, node: Node, feature: Feature, parameters: Parameters
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
    elif not are_codes(feature):
        return None
    first = np.moveaxis(weight, -1, 1) if node.channels_last else weight
    if are_whole(first) or not np.isfinite(weight).all():
        return None
    feature, made = as_map(node, feature), reading.made
    codes = reading.read(node, feature, feature.shape)
    before = values_of(codes, feature.shape[2])
    name = made.new_name("float")
    layer, index = sums(node, feature, parameters, before, codes.bits, name, weight.ndim)
    made.append([layer], codes.sources)
    return biased(node, Feature(HostFloats(node, name), layer.out_shape, index), parameters[2:])


def _input_as_it_is(
    reading: Reading, node: Node, feature: Feature, source: Input
) -> Feature | None:
    """The input as floats, as `node` reads it; None where it is something else."""
    placed = as_map(node, feature) if node.op == "Conv" else flattened(node, feature, source)
    assert isinstance(placed.source, Input)
    stage = as_it_is(node, placed.source, placed.shape)
    if stage is None:
        return None
    reading.made.begin(node, stage)
    return replace(placed, source=HostFloats(node, INPUT))
