# SPDX-License-Identifier: BSD-3-Clause
"""Writes QONNX models and runs them with the reference executor of the package qonnx."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from qnn.backends import open_session
from qnn_sim.onnx_reference import execute

QONNX = "qonnx.custom_op.general"
CHANNELS_LAST = "qonnx.custom_op.channels_last"


class Graph:
    """A chain of nodes under construction; `tensor` is the end of it.

    Args:
        shape: of the input, batch included.
        opset: of the standard operators.
    """

    def __init__(self, shape: tuple[int, ...], opset: int = 13) -> None:
        self.shape, self.opset = shape, opset
        self.qonnx_opset: int | None = 1  # of those of QONNX, where the model names one
        self.nodes, self.initializers = [], []
        self.tensor = "picture"
        self.metadata: list = []

    def constant(self, value: object, dtype: type = np.float32) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def node(self, op: str, *inputs: str, name: str = "", domain: str = "", **attributes) -> str:
        """Any node; returns the name of its output."""
        output = f"t{len(self.nodes)}"
        name = name or f"{op}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(op, inputs, [output], name=name, domain=domain, **attributes)
        )
        return output

    def then(self, op: str, *constants: object, **attributes) -> Graph:
        """A standard node on the end of the chain, with constants (or names) behind it."""
        names = [c if isinstance(c, str) else self.constant(c) for c in constants]
        self.tensor = self.node(op, self.tensor, *names, **attributes)
        return self

    def quant(
        self, scale=1.0, bits=2, *, signed=0, narrow=0, zero=0.0, rounding="ROUND", op="Quant"
    ) -> Graph:
        self.tensor = self.quantised(
            self.tensor, scale, bits, signed=signed, narrow=narrow, zero=zero, rounding=rounding,
            op=op,
        )  # fmt: skip
        return self

    def bipolar(self, scale=1.0) -> Graph:
        return self.then("BipolarQuant", scale, domain=QONNX)

    def weight(self, value, scale=1.0, bits=1) -> str:
        """The name of a weight behind a quantiser: bipolar for 1 bit, else signed and narrow."""
        name = self.constant(value)
        if bits == 1:
            return self.node("BipolarQuant", name, self.constant(scale), domain=QONNX)
        return self.quantised(name, scale, bits, signed=1, narrow=1)

    def quantised(
        self, tensor, scale, bits, *, signed=0, narrow=0, zero=0.0, rounding="ROUND", op="Quant"
    ) -> str:
        """The name of a tensor behind a quantiser."""
        constants = [self.constant(c) for c in (scale, zero, float(bits))]
        return self.node(
            op, tensor, *constants, domain=QONNX, signed=signed, narrow=narrow,
            rounding_mode=rounding,
        )  # fmt: skip

    def model(self, *outputs: str, whole: tuple[str, ...] = ()) -> onnx.ModelProto:
        """The model that gives `outputs` (else the end), of which those in `whole` are int64."""
        kind = TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes,
            "random",
            [helper.make_tensor_value_info("picture", kind, self.shape)],
            [
                helper.make_tensor_value_info(o, TensorProto.INT64 if o in whole else kind, None)
                for o in outputs or (self.tensor,)
            ],
            self.initializers,
        )
        domains = {"": self.opset, QONNX: self.qonnx_opset, CHANNELS_LAST: 1}
        opsets = [helper.make_opsetid(*domain) for domain in domains.items() if domain[1]]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def save(self, path: Path) -> Path:
        path.write_bytes(self.model().SerializeToString())
        return path


def random_model(
    rng: np.random.Generator, dyadic: bool = True, scales: tuple[float, ...] = ()
) -> Graph:
    """A network of up to three convolutions and one to three fully connected layers.

    Args:
        rng: makes every choice.
        dyadic: scales are powers of two, so that the sums of the reference executor are exact.
        scales: or all scales are of these.
    """
    while (graph := _Maker(rng, dyadic and not scales, scales).network()) is None:
        pass
    return graph


class _Maker:
    def __init__(self, rng: np.random.Generator, dyadic: bool, scales: tuple[float, ...]) -> None:
        self.rng, self.dyadic, self.scales = rng, dyadic, scales
        self.channels, side = self.choose(1, 3), int(rng.integers(6, 14))
        self.rows = self.columns = side
        self.graph = Graph((1, self.channels, side, side), self.choose(11, 13))

    def choose(self, *options):
        return options[self.rng.integers(len(options))]

    def scale(self, *shape):
        if self.scales:
            return np.full(shape, self.choose(*self.scales))
        power = 2.0 ** self.rng.integers(-4, 2, shape)
        return power if self.dyadic else power * self.rng.uniform(0.6, 1.7, shape)

    def network(self) -> Graph | None:
        """None where the last map has more rows than the accelerator can be connected to."""
        graph, rng = self.graph, self.rng
        unsigned = self.input()
        flat = self.channels == 1 and rng.random() < 0.2
        for _ in range(0 if flat else rng.integers(1, 4)):
            if min(self.rows, self.columns) >= 3:
                unsigned = self.convolution(unsigned)
        if self.rows > 7 and not flat:
            return None
        graph.then("Flatten") if rng.random() < 0.5 else _reshape(graph)
        features = self.rows * self.columns * self.channels
        for left in reversed(range(rng.integers(1, 4))):
            outputs, bits = int(rng.integers(2, 40)), self.choose(1, 1, 2)
            if rng.random() < 0.5:
                weight = graph.weight(rng.normal(0, 1, (outputs, features)), self.scale(), bits)
                graph.then("Gemm", weight, rng.integers(-8, 8, outputs) / 2, transB=1)
            else:
                weight = graph.weight(rng.normal(0, 1, (outputs, features)), self.scale(), bits)
                graph.then("MatMul", graph.node("Transpose", weight, perm=[1, 0]))
            features = outputs
            if left:
                self.normalise((1, outputs))
                self.activation()
        for op, value in (("Sub", 0.4488), ("Div", 17.8), ("Mul", rng.normal()), ("Add", -1.14)):
            if rng.random() < 0.6:
                graph.then(op, value)
        return graph

    def convolution(self, unsigned: bool) -> bool:
        """One with all that follows it; True where the lowest level behind it is 0."""
        rng, choose = self.rng, self.choose
        kernel, stride = choose(1, 2, 3), choose(1, 1, 2)
        padding = [int(n) for n in rng.integers(0, 2, 4)] if unsigned else [0, 0, 0, 0]
        groups = choose(*(g for g in (1, 1, 2, 3) if self.channels % g == 0))
        outputs, bits = groups * int(rng.integers(1, 5)), choose(1, 1, 2, 3)
        sizes = self.scale(outputs, 1, 1, 1) if rng.random() < 0.5 else self.scale()
        value = rng.normal(0, 1, (outputs, self.channels // groups, kernel, kernel))
        constants: list = [self.graph.weight(value, sizes, bits)]
        if rng.random() < 0.3:
            constants.append(rng.integers(-8, 8, outputs) / 4)
        self.graph.then(
            "Conv", *constants, strides=[stride] * 2, pads=padding, group=groups,
            kernel_shape=[kernel] * 2,
        )  # fmt: skip
        self.channels = outputs
        self.shrink(padding, kernel, stride)
        pool_first = rng.random() < 0.2 and min(self.rows, self.columns) > 2
        if pool_first:
            self.pool(2, 2, [0, 0, 0, 0])
        self.normalise((1, outputs, 1, 1), ascending=pool_first)
        unsigned = self.activation()
        if not pool_first and rng.random() < 0.5 and min(self.rows, self.columns) > 2:
            self.pool(
                *choose((2, 2), (3, 2), (3, 1), (2, 1)), [int(n) for n in rng.integers(0, 2, 4)]
            )
        return unsigned

    def pool(self, size: int, stride: int, padding: list[int]) -> None:
        self.graph.then("MaxPool", kernel_shape=[size] * 2, strides=[stride] * 2, pads=padding)
        self.shrink(padding, size, stride)

    def shrink(self, padding: list[int], size: int, stride: int) -> None:
        self.rows = (self.rows + padding[0] + padding[2] - size) // stride + 1
        self.columns = (self.columns + padding[1] + padding[3] - size) // stride + 1

    def input(self) -> bool:
        """What happens to the picture first; True where its lowest level is 0."""
        graph, choose = self.graph, self.choose
        kinds = ("unsigned", "signed", "bipolar", "ternary")
        kind = choose(*kinds) if self.dyadic else choose("none", "division", *kinds)
        if kind == "none":
            return True
        if kind == "division":
            graph.then("Div", 255.0).quant(1 / 255, 8)
            return True
        if kind == "unsigned":
            scale, op = choose(1 / 256, 1 / 128, 1 / 8), choose("Quant", "IntQuant")
            graph.quant(scale, choose(8, 4), op=op)
            return True
        graph.then("Mul", 2.0).then("Sub", [1.0])
        if kind == "signed":
            graph.quant(1 / 128, 8, signed=1, narrow=choose(0, 1))
        elif kind == "bipolar":
            graph.bipolar(choose(1.0, 0.5))
        else:
            graph.quant(1.0, 2, signed=1, narrow=1)
        return False

    def normalise(self, sides: tuple[int, ...], ascending: bool = False) -> None:
        rng, graph, channels = self.rng, self.graph, sides[1]
        gain, bias, mean = (rng.integers(-12, 12, channels) / 8 for _ in range(3))
        gain = np.abs(gain) if ascending else gain
        choice = rng.random()
        if choice < 0.5:
            variance = rng.uniform(0.5, 60, channels)
            graph.then("BatchNormalization", gain, bias, mean, variance, epsilon=1e-5)
        elif choice < 0.8:
            graph.then("Mul", gain.reshape(sides)).then("Add", bias.reshape(sides))
        elif ascending:
            graph.then("Div", np.abs(mean.reshape(sides)) + 0.5)
        else:  # constant - x
            tensor = graph.constant(bias.reshape(sides))
            graph.tensor = graph.node("Sub", tensor, graph.tensor)

    def activation(self) -> bool:
        """A quantiser; True where its lowest level is 0."""
        graph, choose, scale = self.graph, self.choose, self.scale
        kind = choose("relu", "relu", "bipolar", "signed", "hardtanh", "thresholds")
        if kind == "relu":
            rounding = choose("ROUND", "FLOOR", "HALF_UP")
            graph.then("Relu").quant(scale(), choose(1, 2, 2, 3), rounding=rounding)
            return True
        if kind == "bipolar":
            graph.bipolar(scale())
            return False
        if kind == "signed":
            narrow, zero = choose(0, 1), choose(0, 0, 1)
            graph.quant(scale(), choose(2, 3), signed=1, narrow=narrow, zero=zero)
            return False
        if kind == "hardtanh":
            graph.then("Clip", -1.0, 1.0).quant(0.5, 2, signed=1)
            return False
        thresholds = np.sort(self.rng.integers(-20, 20, (1, choose(1, 3, 7))) / 4, axis=1)
        graph.then("MultiThreshold", thresholds, domain=QONNX, out_dtype="UINT8", out_scale=0.5)
        return True


def _reshape(graph: Graph) -> None:
    """As PyTorch exports x.view(x.shape[0], -1)."""
    first = graph.node("Gather", graph.node("Shape", graph.tensor), _int(graph, 0), axis=0)
    sides = (
        graph.node("Unsqueeze", first, _int(graph, [0]))
        if graph.opset >= 13
        else (graph.node("Unsqueeze", first, axes=[0]))
    )
    target = graph.node("Concat", sides, _int(graph, [-1]), axis=0)
    graph.tensor = graph.node("Reshape", graph.tensor, target)


def _int(graph: Graph, value) -> str:
    return graph.constant(value, np.int64)


def as_input(pixels: np.ndarray, raw: bool = False) -> np.ndarray:
    """Pixels, uint8 (H, W, C), as a graph reads them, float32 (1, C, H, W)."""
    x = pixels.astype(np.float32) if raw else pixels.astype(np.float32) / np.float32(255)
    return x.transpose(2, 0, 1)[None]


def random_pictures(rng, size: int, channels: int, count: int) -> np.ndarray:
    """Noise, and pictures that are mostly black or white; the first two are only that."""
    pixels = rng.integers(0, 256, (count, size, size, channels), dtype=np.uint8)
    for i, picture in enumerate(pixels):
        picture[rng.random(picture.shape) < i % 3 / 3] = rng.choice([0, 255])
    pixels[0], pixels[1] = 0, 255
    return pixels


def scores(network, pixels: np.ndarray) -> np.ndarray:
    """Scores, float32 (N, classes), of pixels, uint8 (N, H, W, C)."""
    _, session = open_session("cpu", network)
    floats = network.in_bits is None
    maps = pixels.astype(np.float32) / np.float32(255) if floats else pixels
    return network.result.scores(session.run(maps))


def both(network, graph: Graph, raw: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Scores of an imported network and of the reference executor for the same pictures."""
    sides = graph.shape[2] if len(graph.shape) == 4 else math.isqrt(graph.shape[1])
    channels = graph.shape[1] if len(graph.shape) == 4 else 1
    pixels = random_pictures(np.random.default_rng(1), sides, channels, 6)
    model, wanted = graph.model(), []
    for picture in pixels:
        (found,) = execute(model, as_input(picture, raw).reshape(graph.shape)).values()
        wanted.append(found.reshape(-1))
    return scores(network, pixels), np.array(wanted)
