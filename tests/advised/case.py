# SPDX-License-Identifier: BSD-3-Clause
"""One refusal: its words, and the graph without and with what it advises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from foreign_qonnx import Graph

Make = Callable[[bool], "Graph | onnx.ModelProto"]


@dataclass(frozen=True)
class Case:
    """A graph that is refused.

    Attributes:
        make: the graph; with True as its argument what the refusal advises is done.
        says: words of the refusal: the advice.
        compared: the reference executor can run the graph with the advice, and its scores are
            those of the import.
        wish, advised_wish: what the user says that the input is, without and with the advice.
    """

    make: Make
    says: str
    compared: bool = True
    wish: str | None = None
    advised_wish: str | None = None

    def model(self, advised: bool) -> onnx.ModelProto:
        """The graph as a file has it."""
        made = self.make(advised)
        return made.model() if isinstance(made, Graph) else made


class Cases(list[Case]):
    """Cases, each of which a function adds that makes its graph."""

    def add(
        self, says: str, *, compared: bool = True, wish: str | None = None,
        advised_wish: str | None = None,
    ) -> Callable[[Make], Make]:  # fmt: skip
        """As a decorator: the function makes the graph of a case; see Case."""

        def added(make: Make) -> Make:
            self.append(Case(make, says, compared, wish, advised_wish))
            return make

        return added


def ternary(*shape: int) -> np.ndarray:
    """Weights -1, 0 and 1, always the same ones."""
    return np.random.default_rng(7).integers(-1, 2, shape)


def floats(*shape: int) -> np.ndarray:
    """Weights that are no multiples of a step, always the same ones."""
    return np.random.default_rng(8).normal(0, 1, shape)


def numbers(*shape: int, bits: int = 4, scale: object = 0.25, signed: int = 0) -> Graph:
    """An array of numbers, quantised; of four channels and 6x6 where no shape is given."""
    return Graph((1, *(shape or (4, 6, 6)))).quant(scale, bits, signed=signed)


def conv(graph: Graph, inputs: int = 4, outputs: int = 4, kernel: int = 3, **attributes) -> Graph:
    """A convolution of weights of 2 bits."""
    share = inputs // attributes.get("group", 1)
    weight = graph.weight(ternary(outputs, share, kernel, kernel), 0.5, 2)
    return graph.then("Conv", weight, **attributes)


def relu(graph: Graph, scale: object = 0.5, bits: int = 2, **options) -> Graph:
    """A ReLU and a quantiser."""
    return graph.then("Relu").quant(scale, bits, **options)


def scores(graph: Graph, features: int, classes: int = 3) -> Graph:
    """A fully connected layer of weights of 2 bits."""
    weight = graph.weight(ternary(classes, features), 0.5, 2)
    return graph.then("Flatten").then("Gemm", weight, transB=1)


def annotated(graph: Graph, kind: str) -> onnx.ModelProto:
    """The graph with the type of its input, as FINN writes it."""
    model = graph.model()
    annotation = model.graph.quantization_annotation.add(tensor_name="picture")
    annotation.quant_parameter_tensor_names.add(key="finn_datatype", value=kind)
    return model
