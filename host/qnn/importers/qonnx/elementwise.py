# SPDX-License-Identifier: BSD-3-Clause
"""ONNX operators on single values, as steps behind a feature map."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qnn.importers.qonnx.feature import Feature, Input
from qnn.importers.qonnx.graph import Array, Node
from qnn.importers.qonnx.linear import dequantize_linear, quantize_linear
from qnn.importers.qonnx.steps import QUANTIZERS, Clip, Count, Step, only, quantizer, truncation
from qnn.network.arithmetic import Arithmetic

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
    shape = feature.index.shape
    axis = len(shape) - 1 if node.channels_last else 1
    given = [x for x in parameters[1:] if x is not None]
    wanted = shape[axis : axis + 1]
    if len(shape) < 2 or len(given) != 4 or any(x.shape != wanted for x in given):
        raise node.refuse(f"it wants four constants for the channels of a tensor of shape {shape}")
    if node.attributes.get("training_mode"):
        raise node.refuse("it is in training mode; export the model in evaluation mode")
    sides = tuple(-1 if side == axis else 1 for side in range(len(shape)))
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


def _leaky(node: Node, feature: Feature, parameters: Parameters) -> list[Step]:
    """LeakyRelu, whose slope is an attribute, and PRelu, which has one for each channel."""
    slope = np.asarray(node.attributes.get("alpha", 0.01), np.float32)
    if node.op == "PRelu":
        slope = feature.per_channel(node, _second(node, parameters), "its slope")
    slope = np.broadcast_to(slope, feature.shape[2:]).astype(np.float32)
    if not (slope >= 0).all() or not np.isfinite(slope).all():
        raise node.refuse(
            f"its slope below 0 is {slope.min():g}, so it falls and rises; use one from 0 on"
        )
    return [Arithmetic("leaky", slope)]


def _elu(node: Node, feature: Feature, parameters: Parameters) -> list[Step]:
    """Elu; and Selu, which is larger by gamma."""
    selu = node.op == "Selu"
    alpha = float(node.attributes.get("alpha", 1.67326319217681884765625 if selu else 1.0))
    gamma = float(node.attributes.get("gamma", 1.05070102214813232421875))
    if not (0 <= alpha < np.inf and 0 < gamma < np.inf):
        raise node.refuse(f"its alpha is {alpha:g} and its gamma {gamma:g}; use positive ones")
    ones = np.ones(feature.shape[2], np.float32)
    steps: list[Step] = [Arithmetic("elu", np.float32(alpha) * ones)]
    return [*steps, Arithmetic("multiply", np.float32(gamma) * ones)] if selu else steps


def _second(node: Node, parameters: Parameters) -> Array:
    given = parameters[1] if len(parameters) > 1 else None
    if given is None:
        raise node.refuse("it wants a constant behind the feature map")
    return given


def _squash(node: Node, feature: Feature, parameters: Parameters) -> list[Step]:
    op = {"Sigmoid": "sigmoid", "Tanh": "tanh"}[node.op]
    return [Arithmetic(op, np.zeros(feature.shape[2], np.float32))]


def _hard_sigmoid(node: Node, feature: Feature, parameters: Parameters) -> list[Step]:
    alpha, beta = node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5)
    if not 0 < alpha < np.inf or not np.isfinite(beta):
        raise node.refuse(f"its slope is {alpha:g} and its offset {beta:g}; use a positive slope")
    ones = np.ones(feature.shape[2], np.float32)
    return [
        Arithmetic("multiply", np.float32(alpha) * ones),
        Arithmetic("add", np.float32(beta) * ones),
        Clip(0, 1),
    ]


def _quantize(node: Node, feature: Feature, parameters: Parameters) -> list[Step]:
    if node.op == "BipolarQuant" or len(parameters) < 3:
        one: Parameters = [_scale(node, feature, x) for x in parameters[1:2]]
        return [quantizer(node, one + parameters[2:])]
    zero = parameters[2]
    moved = None if zero is None or not zero.size else only(node, "zero point", zero)
    return [quantizer(node, [_scale(node, feature, parameters[1]), moved, *parameters[3:]])]


def _truncate(node: Node, feature: Feature, parameters: Parameters) -> list[Step]:
    return [truncation(node, parameters[1:])]


def _scale(node: Node, feature: Feature, scale: Array | None) -> Array | None:
    """The scale of a quantiser, float32: one, or where they differ one for each channel."""
    if scale is None or not scale.size:
        return None
    if (scale == scale.flat[0]).all() or isinstance(feature.source, Input):
        return only(node, "scale", scale)
    return feature.per_channel(node, scale, "its scale")


def _count(node: Node, feature: Feature, parameters: Parameters) -> list[Step]:
    thresholds, shape = parameters[1] if len(parameters) > 1 else None, feature.index.shape
    layout = str(node.attributes.get("data_layout") or {3: "NWC", 4: "NCHW"}.get(len(shape), "NC"))
    axis = layout.index("C") if "C" in layout else 1  # as the reference executor finds it
    if axis >= len(shape):
        raise node.refuse(
            f"its layout {layout!r} does not fit a tensor of shape {shape}; leave data_layout out"
        )
    if thresholds is None or thresholds.ndim != 2 or len(thresholds) not in (1, shape[axis]):
        raise node.refuse(
            f"it wants a matrix of thresholds with 1 row, or {shape[axis]} for the channels along "
            f"axis {axis} of its input, of shape {shape}; its layout is {layout!r}"
        )
    scale = np.float32(node.attributes.get("out_scale", 1.0))
    if np.isnan(thresholds).any() or not thresholds.size:
        raise node.refuse("it has no thresholds, or some that are not a number")
    if not scale > 0:
        raise node.refuse(
            f"its out_scale is {scale}, not a positive number; use a positive one, and turn the "
            "sign of the weights behind it"
        )
    rows, row = np.unique(thresholds.astype(np.float32), axis=0, return_inverse=True)
    along = [-1 if side == axis else 1 for side in range(len(shape))]
    what = f"its row of thresholds along axis {axis} (layout {layout!r})"
    row_of = feature.per_channel(node, row.reshape(along), what)
    bias = np.float32(node.attributes.get("out_bias", 0.0))
    return [Count(rows, scale, bias, row_of.astype(np.int64))]


ELEMENTWISE: dict[str, Callable[[Node, Feature, Parameters], list[Step]]] = {
    "Add": _add,
    "Sub": _subtract,
    "Mul": _multiply,
    "Div": _divide,
    "BatchNormalization": _normalise,
    "Relu": _relu,
    "Clip": _clip,
    "LeakyRelu": _leaky,
    "PRelu": _leaky,
    "Elu": _elu,
    "Selu": _elu,
    "Sigmoid": _squash,
    "Tanh": _squash,
    "HardSigmoid": _hard_sigmoid,
    "MultiThreshold": _count,
    "QuantizeLinear": quantize_linear,
    "DequantizeLinear": dequantize_linear,
    "Trunc": _truncate,
    **dict.fromkeys(QUANTIZERS, _quantize),
}
