# SPDX-License-Identifier: BSD-3-Clause
"""Networks in QONNX that are no chains: residual additions, maps side by side, two heads."""

from __future__ import annotations

import numpy as np
from foreign_qonnx import Graph


class Branches:
    """A graph under construction, with a tensor for each of its branches.

    Args:
        rng: makes the weights.
        shape: of the picture, (1, C, S, S).
        bits: of weights and of activations.
        dyadic: scales are powers of two, so that the sums of the reference executor are exact.
    """

    def __init__(
        self, rng: np.random.Generator, shape: tuple[int, ...], bits: int = 2, dyadic: bool = True
    ) -> None:
        self.rng, self.bits, self.dyadic = rng, bits, dyadic
        self.graph = Graph(shape).quant(1 / 256, 8)
        self.channels = {self.graph.tensor: shape[1]}

    @property
    def start(self) -> str:
        """The picture, quantised."""
        return next(iter(self.channels))

    def scale(self) -> float:
        power = float(2.0 ** self.rng.integers(-2, 1))
        return power if self.dyadic else power * float(self.rng.uniform(0.6, 1.7))

    def conv(self, tensor: str, outputs: int, kernel: int = 3, stride: int = 1, **options) -> str:
        """A convolution that keeps the size but for its stride, and what normalises it."""
        graph, rng = self.graph, self.rng
        graph.tensor = tensor
        inputs = self.channels[tensor] // options.get("group", 1)
        bits = max(self.bits, 2)
        top = 2 ** (bits - 1) - 1
        weight = graph.weight(
            rng.integers(-top, top + 1, (outputs, inputs, kernel, kernel)), self.scale(), bits
        )
        graph.then(
            "Conv", weight, strides=[stride] * 2, pads=[kernel // 2] * 4, kernel_shape=[kernel] * 2,
            **options,
        )  # fmt: skip
        gain = rng.choice([0.125, 0.25, 0.5], (1, outputs, 1, 1))
        graph.then("Mul", gain).then("Add", rng.integers(-4, 5, (1, outputs, 1, 1)) / 4)
        self.channels[graph.tensor] = outputs
        return graph.tensor

    def quant(self, tensor: str, scale: object = None, **options) -> str:
        """A ReLU and a quantiser; or one that keeps signs."""
        self.graph.tensor = tensor
        if not options.get("signed"):
            self.graph.then("Relu")
        self.graph.quant(self.scale() if scale is None else scale, self.bits, **options)
        self.channels[self.graph.tensor] = self.channels[tensor]
        return self.graph.tensor

    def add(self, one: str, other: str) -> str:
        tensor = self.graph.node("Add", one, other)
        self.channels[tensor] = self.channels[one]
        return tensor

    def concat(self, *tensors: str, axis: int = 1) -> str:
        tensor = self.graph.node("Concat", *tensors, axis=axis)
        self.channels[tensor] = sum(self.channels[one] for one in tensors)
        return tensor

    def block(self, tensor: str, outputs: int, stride: int = 1) -> str:
        """A residual block of ResNet-8."""
        inner = self.quant(self.conv(tensor, outputs, stride=stride))
        inner, shared = self.conv(inner, outputs), self.scale()
        if stride > 1 or outputs != self.channels[tensor]:
            tensor = self.conv(tensor, outputs, 1, stride)
        added = self.add(self.quant(inner, shared), self.quant(tensor, shared))
        return self.quant(added)

    def scores(self, tensor: str, side: int, classes: int = 10) -> str:
        """A fully connected layer."""
        graph = self.graph
        graph.tensor = tensor
        features = self.channels[tensor] * side * side
        weight = graph.weight(self.rng.integers(-1, 2, (classes, features)), self.scale(), 2)
        graph.then("Flatten").then("Gemm", weight, self.rng.integers(-8, 8, classes) / 2, transB=1)
        return graph.tensor


def residual(rng: np.random.Generator, dyadic: bool = True, bits: int = 2) -> Graph:
    """A block whose shortcut is its input, and one with a stride."""
    made = Branches(rng, (1, 3, 8, 8), bits, dyadic)
    tensor = made.quant(made.conv(made.start, 8))
    tensor = made.block(made.block(tensor, 8), 16, 2)
    made.scores(tensor, 4)
    return made.graph


def signed_sum(rng: np.random.Generator, dyadic: bool = True) -> Graph:
    """Maps of two signed quantisers added, normalised with both signs, pooled, then padded."""
    made = Branches(rng, (1, 1, 8, 8), 3, dyadic)
    stem = made.quant(made.conv(made.start, 6))
    left = made.quant(made.conv(stem, 6), signed=1)
    right = made.quant(made.conv(stem, 6, 1), signed=1)
    graph = made.graph
    graph.tensor = made.add(left, right)
    gain = np.array([1, -0.5, 0.25, 2, -1, 0.5]).reshape(1, 6, 1, 1)
    graph.then("Mul", gain).then("Add", rng.integers(-4, 5, (1, 6, 1, 1)) / 4)
    made.channels[graph.tensor] = 6
    tensor = made.quant(graph.tensor, signed=1)
    graph.tensor = tensor
    graph.then("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.channels[graph.tensor] = 6
    made.scores(made.quant(made.conv(graph.tensor, 5)), 4)
    return graph


def side_by_side(rng: np.random.Generator, dyadic: bool = True) -> Graph:
    """Three branches of other widths, one of them read twice, side by side twice."""
    made = Branches(rng, (1, 3, 8, 8), 2, dyadic)
    scale = made.scale()
    stem = made.quant(made.conv(made.start, 8), scale)
    one = made.quant(made.conv(stem, 5), scale)
    two = made.quant(made.conv(stem, 40, 1), scale * 2)
    joined = made.concat(one, stem, two)
    inner = made.quant(made.conv(joined, 12), scale)
    tensor = made.quant(made.conv(made.concat(stem, inner), 7))
    made.scores(tensor, 8)
    return made.graph


def two_heads(rng: np.random.Generator, dyadic: bool = True) -> tuple[Graph, tuple[str, str]]:
    """Scores, and a map of numbers that is read on: the graph and its outputs."""
    made = Branches(rng, (1, 3, 8, 8), 2, dyadic)
    stem = made.quant(made.conv(made.start, 8, stride=2))
    boxes = made.conv(stem, 6, 1)
    tensor = made.quant(made.conv(stem, 8))
    return made.graph, (made.scores(tensor, 4), boxes)


def of_the_input(rng: np.random.Generator, dyadic: bool = True) -> Graph:
    """Two layers read the quantised picture."""
    made = Branches(rng, (1, 3, 6, 6), 2, dyadic)
    scale = made.scale()
    one = made.quant(made.conv(made.start, 4), scale)
    two = made.quant(made.conv(made.start, 4, 1), scale)
    made.scores(made.quant(made.conv(made.quant(made.add(one, two)), 4)), 6)
    return made.graph


def resnet8(rng: np.random.Generator, dyadic: bool = True, side: int = 32) -> Graph:
    """ResNet-8 of MLPerf Tiny, with weights and activations of 2 bits."""
    made = Branches(rng, (1, 3, side, side), 2, dyadic)
    tensor = made.quant(made.conv(made.start, 16))
    for outputs, stride in ((16, 1), (32, 2), (64, 2)):
        tensor = made.block(tensor, outputs, stride)
    graph = made.graph
    graph.tensor = tensor
    graph.then("AveragePool", kernel_shape=[side // 4] * 2)
    made.channels[graph.tensor] = 64
    made.scores(graph.tensor, 1)
    return graph


def resnet18(rng: np.random.Generator) -> Graph:
    """ResNet-18 for pictures of 224x224, with weights and activations of 4 bits."""
    made = Branches(rng, (1, 3, 224, 224), 4)
    graph = made.graph
    graph.tensor = made.quant(made.conv(made.start, 64, 7, 2))
    graph.then("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    tensor = graph.tensor
    made.channels[tensor] = 64
    for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        tensor = made.block(made.block(tensor, outputs, stride), outputs)
    graph.tensor = tensor
    graph.then("GlobalAveragePool")
    made.channels[graph.tensor] = 512
    made.scores(graph.tensor, 1, 1000)
    return graph


def mobilenet(rng: np.random.Generator, side: int = 32) -> Graph:
    """Depthwise layers and 1x1 layers in turn, with weights and activations of 4 bits, and a global
    average pool."""
    made = Branches(rng, (1, 3, side, side), 4)
    tensor = made.quant(made.conv(made.start, 8, stride=2))
    for outputs, stride in ((16, 1), (32, 2), (32, 1), (64, 2)):
        channels = made.channels[tensor]
        deep = made.quant(made.conv(tensor, channels, stride=stride, group=channels))
        tensor = made.quant(made.conv(deep, outputs, 1))
    graph = made.graph
    graph.tensor = tensor
    graph.then("GlobalAveragePool")
    made.channels[graph.tensor] = 64
    made.scores(graph.tensor, 1)
    return graph


def u_net(rng: np.random.Generator, dyadic: bool = True) -> Graph:
    """Two times to half the size and back, each time beside what was there before."""
    made = Branches(rng, (1, 3, 8, 8), 2, dyadic)
    graph, scale = made.graph, made.scale()
    tensor = made.quant(made.conv(made.start, 6), scale)
    shortcuts = []
    for outputs in (10, 20):
        shortcuts.append(tensor)
        tensor = made.quant(made.conv(tensor, outputs, stride=2), scale)
    for shortcut in reversed(shortcuts):
        graph.tensor = tensor
        twice = graph.constant([1, 1, 2, 2])
        graph.then("Resize", "", twice, mode="nearest", nearest_mode="floor",
                   coordinate_transformation_mode="asymmetric")  # fmt: skip
        made.channels[graph.tensor] = made.channels[tensor]
        joined = made.concat(graph.tensor, shortcut)
        tensor = made.quant(made.conv(joined, made.channels[shortcut]), scale)
    made.scores(tensor, 8)
    return graph


def scale_of_each_channel(rng: np.random.Generator, dyadic: bool = True) -> Graph:
    """Channels in steps of their own, read by a depthwise layer, or with steps that are multiples
    of one by any layer; averaged, too."""
    made = Branches(rng, (1, 3, 8, 8), 2, dyadic)
    scales = 2.0 ** rng.integers(-2, 2, (1, 6, 1, 1))
    any_scales = scales if dyadic else scales * rng.uniform(0.6, 1.7, scales.shape)
    tensor = made.quant(made.conv(made.start, 6), any_scales)
    tensor = made.quant(made.conv(tensor, 12, group=6))
    tensor = made.quant(made.conv(tensor, 6), made.scale() * scales)
    last = made.scale() * 2.0 ** rng.integers(-2, 2, (1, 7, 1, 1))
    made.graph.tensor = made.quant(made.conv(tensor, 7), last)
    made.graph.then("AveragePool", kernel_shape=[8, 8])
    made.channels[made.graph.tensor] = 7
    made.scores(made.graph.tensor, 1)
    return made.graph


KINDS = {
    make.__name__: make
    for make in (residual, signed_sum, side_by_side, of_the_input, scale_of_each_channel, u_net)
}
