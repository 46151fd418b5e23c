# SPDX-License-Identifier: BSD-3-Clause
"""ONNX operators on single values, as steps behind a feature map."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qnn.importers.qonnx.feature import Feature
from qnn.importers.qonnx.graph import Array, Node
from qnn.importers.qonnx.steps import QUANTIZERS, Clip, Count, Step, only, quantizer
from qnn.network.result import Arithmetic

Parameters = list[Array | None]  # the other inputs of a node


def _add(node: Node, feature: Feature, parameters: Parameters) -> list[Step]:
    return [Arithmetic("add", _constant(node, feature, parameters))]


def _multiply(node: Node, feature: Feature, parameters: Parameters) -> list[Step]:
    return [Arithmetic("multiply", _constant(node, feature, parameters))]


def _subtract(node: Node, feature: Feature, parameters: Parameters) -> list[Step]:
    values = _constant(node, feature, parameters)
    if parameters[0] is not None:  # constant - map
        minus_one = -np.ones(len(values), np.float32)
        return [Arithmetic("multiply", minus_one), Arithmetic("add", values)]
    return [Arithmetic("subtract", values)]


def _divide(node: Node, feature: Feature, parameters: Parameters) -> list[Step]:
    values = _constant(node, feature, parameters)
    if parameters[0] is not None or not values.all():
        raise node.refuse("it divides by the feature map or by 0; multiply by a constant instead")
    return [Arithmetic("divide", values)]


def _constant(node: Node, feature: Feature, parameters: Parameters) -> Array:
    given = [x for x in parameters if x is not None]
    if len(given) != 1:
        raise node.refuse("it wants one constant beside the feature map")
    return feature.per_channel(node, given[0])


def _normalise(node: Node, feature: Feature, parameters: Parameters) -> list[Step]:
    """y = x * g + (bias - mean * g) with g = gain / sqrt(variance + epsilon), in this order."""
    feature_rank, channels = feature.index.ndim, feature.shape[2]
    given = [x for x in parameters[1:] if x is not None]
    if len(given) != 4 or any(x.shape != (channels,) for x in given) or feature_rank < 2:
        raise node.refuse(f"it wants four constants for {channels} channels")
    sides = (1, channels) + (1,) * (feature_rank - 2)
    gain, bias, mean, variance = (feature.per_channel(node, x.reshape(sides)) for x in given)
    epsilon = np.float32(node.attributes.get("epsilon", 1e-5))
    with np.errstate(all="ignore"):
        g: Array = gain * (np.float32(1) / np.sqrt(variance + epsilon))
        shift: Array = bias - mean * g
    if not (np.isfinite(g).all() and np.isfinite(shift).all()):
        raise node.refuse("its variance is not positive")
    return [Arithmetic("multiply", g), Arithmetic("add", shift)]


def _relu(node: Node, feature: Feature, parameters: Parameters) -> list[Step]:
    return [Clip(0, np.inf)]


def _clip(node: Node, feature: Feature, parameters: Parameters) -> list[Step]:
    low, high = (
        node.attributes.get(name, parameters[i] if i < len(parameters) else None)
        for i, name in ((1, "min"), (2, "max"))
    )
    return [
        Clip(
            -np.inf if low is None else float(only(node, "lower limit", np.asarray(low))),
            np.inf if high is None else float(only(node, "upper limit", np.asarray(high))),
        )
    ]


def _quantize(node: Node, feature: Feature, parameters: Parameters) -> list[Step]:
    names = ("scale", "zero point")
    one: Parameters = [
        only(node, name, x) if x is not None and x.size else None
        for name, x in zip(names, parameters[1:], strict=False)
    ]
    return [quantizer(node, one + parameters[3:])]


def _count(node: Node, feature: Feature, parameters: Parameters) -> list[Step]:
    thresholds, channels, rank = parameters[1], feature.shape[2], feature.index.ndim
    layout = node.attributes.get("data_layout") or {2: "NC", 4: "NCHW"}.get(rank, "")
    if thresholds is None or thresholds.ndim != 2 or len(thresholds) not in (1, channels):
        raise node.refuse(f"it wants thresholds for {channels} channels")
    if len(layout) != rank or "C" not in layout or not np.isfinite(thresholds).all():
        raise node.refuse(f"its thresholds or its layout {layout!r} do not fit its input")
    if feature.index.shape[layout.index("C")] != channels:
        raise node.refuse(f"its layout {layout!r} does not fit its input")
    scale = np.float32(node.attributes.get("out_scale", 1.0))
    if not scale > 0:
        raise node.refuse(f"its out_scale is {scale}, not a positive number")
    spread = np.broadcast_to(thresholds, (channels, thresholds.shape[1])).astype(np.float32)
    return [Count(spread, scale, np.float32(node.attributes.get("out_bias", 0.0)))]


ELEMENTWISE: dict[str, Callable[[Node, Feature, Parameters], list[Step]]] = {
    "Add": _add,
    "Sub": _subtract,
    "Mul": _multiply,
    "Div": _divide,
    "BatchNormalization": _normalise,
    "Relu": _relu,
    "Clip": _clip,
    "MultiThreshold": _count,
    **dict.fromkeys(QUANTIZERS, _quantize),
}
