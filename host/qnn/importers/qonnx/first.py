# SPDX-License-Identifier: BSD-3-Clause
"""A first layer of float weights: a float convolution (qnn.network.FloatConv).

Sums, scales and batch norm are folded in float64. The reference executor rounds each of its steps
to float32, so a code may differ from its where an output lies on the border of two codes.
"""

from __future__ import annotations

import numpy as np

from qnn.compute.float_conv import Thresholds
from qnn.importers.qonnx.feature import Codes, Feature, FloatSums, Input
from qnn.importers.qonnx.fold import even, last_quantizer, levels_of, raw
from qnn.importers.qonnx.graph import Array, Node
from qnn.importers.qonnx.inputs import kind_of, picture_of, picture_reads
from qnn.importers.qonnx.steps import Clip, Count, Linear, Quantizer, Uniform, is_linear
from qnn.importers.qonnx.truncation import Truncated
from qnn.network import FloatConv, MaxPool, Padding
from qnn.network.arithmetic import OPERATIONS, Arithmetic

LARGEST = 2.0**125  # no sum of a picture with sensible weights is larger


def float_sums(
    node: Node, feature: Feature, weight: Array, padding: Padding, strides: tuple[int, int]
) -> FloatSums:
    """The sums of a convolution that reads the picture, through arithmetic at most.

    Args:
        node: the convolution.
        feature: the picture and the steps behind it.
        weight: (O, KH, KW, C), not grouped.
        padding, strides: its own.

    Raises:
        NetworkError: the picture is no square of RGB, or is not read as it is.
    """
    rows, columns, channels = feature.shape
    if rows != columns or channels != 3 or len(set(padding)) != 1 or len(set(strides)) != 1:
        raise node.refuse(
            "its weights are no whole numbers of steps, and with float weights a layer runs on the "
            "host only, on a square RGB picture with the same padding on all sides and the same "
            "stride both ways; quantise them to 8 bits or fewer"
        )
    assert isinstance(feature.source, Input)
    white = 255.0 if raw(feature.source, feature.steps) else 1.0
    ends = np.array([[0.0], [white]]).repeat(channels, axis=1)  # of x, for each colour
    for step in feature.steps:
        if isinstance(step, Quantizer):
            raise node.refuse(
                "its weights are no whole numbers of steps, and its input is quantised; quantise "
                "them, too, to 8 bits or fewer, or leave the input as it is"
            )
        if not is_linear(step):
            raise node.refuse(
                "its weights are no whole numbers of steps, and it reads a picture that was more "
                "than shifted and scaled before; quantise them and what it reads to 8 bits or fewer"
            )
        assert isinstance(step, Arithmetic)
        ends = OPERATIONS[step.op](ends, step.values.astype(np.float64))
    offset, gain = ends[0], ends[1] - ends[0]
    if padding[0] and offset.any():
        raise node.refuse(
            "it pads with 0 a picture whose 0 was moved before; leave out the padding, or what "
            "moves it"
        )
    exact = weight.astype(np.float64)
    picture_of(node, feature, feature.source)  # it lies in the map as in the input
    kind = kind_of(node, feature.source, feature.steps)
    return FloatSums(
        node, rows, exact * gain, (exact * offset).sum(axis=(1, 2, 3)), strides[0],
        padding[0], picture_reads(feature, feature.source, kind),
    )  # fmt: skip


def fold_first(node: Node, feature: Feature, sums: FloatSums, name: str) -> tuple[FloatConv, Codes]:
    """The layer whose codes are those of the last quantiser behind the sums.

    Raises:
        NetworkError: something else than arithmetic, a ReLU or Clip and a quantiser follows.
    """
    steps, last = feature.steps, last_quantizer(feature.steps)
    if last is None:
        raise node.refuse(
            f"what it reads from node {sums.node.name!r} is not quantised; put an activation "
            "quantiser of 8 bits or fewer between them"
        )
    clip = Clip(-np.inf, np.inf)
    gain: Array = np.ones(len(sums.bias))
    bias: Array = sums.bias
    for number, step in enumerate(steps[:last]):
        if isinstance(step, Clip) and number == last - 1:
            clip = step
        elif isinstance(step, Arithmetic) and is_linear(step):
            values = step.values.astype(np.float64)
            bias = OPERATIONS[step.op](bias, values)
            if step.op in ("multiply", "divide"):
                gain = OPERATIONS[step.op](gain, values)
        else:
            raise sums.node.refuse(
                "it has float weights and runs on the host, where only a bias, a normalisation and "
                "a ReLU may stand between it and its quantiser; quantise its weights to 8 bits or "
                "fewer"
            )
    if any(isinstance(step, MaxPool) for step in steps[last + 1 :]):
        raise sums.node.refuse(
            "it has float weights and runs on the host, where no pool follows; use a stride, or "
            "quantise its weights to 8 bits or fewer"
        )
    quantizer = steps[last]
    assert isinstance(quantizer, Quantizer)
    borders = _borders(sums.node, quantizer)
    limits = np.array([[-LARGEST], [LARGEST]], np.float32)
    with np.errstate(over="ignore"):
        least, most = quantizer.codes(clip(limits))[:, 0]
    levels, rank = levels_of(node, steps, last, int(least), int(most))
    borders = borders[least:most][np.diff(rank) > 0] if most > least else np.array([LARGEST])
    layer = FloatConv(
        name=name,
        in_shape=(sums.size, sums.size, 3),
        weight=(sums.weight * gain[:, None, None, None]).astype(np.float32),
        bias=bias.astype(np.float32),
        stride=sums.stride,
        padding=sums.padding,
        quantizer=Thresholds(tuple(float(b) for b in borders)),
        arithmetic="float64",
    )
    return layer, even(node, levels)


def _borders(node: Node, quantizer: Quantizer) -> Array:
    """Values above which the codes 1, 2, ... begin, float64."""
    if isinstance(quantizer, Truncated):
        raise node.refuse(
            "it has float weights and runs on the host, where no Trunc follows; quantise with "
            "Quant, or quantise its weights to 8 bits or fewer"
        )
    if isinstance(quantizer, Uniform):
        if quantizer.rounding is not np.rint:
            raise node.refuse(
                "it has float weights and runs on the host, where its quantiser rounds with ROUND "
                "only; quantise its weights to 8 bits or fewer, or round so"
            )
        below = np.arange(quantizer.low, quantizer.high)
        borders = (below + 0.5 - float(quantizer.zero)) * float(quantizer.scale)
        ties_rise = below % 2 == 1  # to the even number
    elif isinstance(quantizer, Linear):
        below = np.arange(quantizer.low, quantizer.high) - quantizer.zero
        borders = (below + 0.5) * float(quantizer.scale)
        ties_rise = below % 2 == 1
    elif isinstance(quantizer, Count):
        if (quantizer.thresholds != quantizer.thresholds[0]).any():
            raise node.refuse(
                "it has float weights and runs on the host, where all channels have the same "
                "thresholds; quantise its weights to 8 bits or fewer"
            )
        borders = np.sort(quantizer.thresholds[0].astype(np.float64))
        ties_rise = np.ones(len(borders), bool)
    else:
        borders = np.array([-float(quantizer.zero) * float(quantizer.divisor)])
        ties_rise = np.ones(1, bool)
    return np.where(ties_rise, np.nextafter(borders, -np.inf), borders)
