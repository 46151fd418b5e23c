# SPDX-License-Identifier: BSD-3-Clause
"""The last stage, on the host: what the layers give becomes probabilities or boxes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.compute.dense import BinaryDense, FloatDense
from qnn.compute.region import Detection, detect
from qnn.errors import NetworkError
from qnn.network.layers import Conv, describe


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """exp(x) over its sum along the last axis, float64; large values do not overflow."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True), dtype=np.float64)
    return shifted / shifted.sum(axis=-1, keepdims=True)


def _check_accumulators(network: str, layer: Conv, classes: int) -> None:
    """NetworkError unless the last layer gives one accumulator for each class."""
    if layer.out_bits is not None or layer.out_shape != (1, 1, classes):
        raise NetworkError(
            f"network {network}: {classes} classes want accumulators of 1x1x{classes}, but layer "
            f"{layer.name} gives {describe(layer.out_shape)}"
        )


@dataclass(frozen=True, eq=False)
class Scores:
    """Accumulators of the last layer are the scores: score = (acc + offset) / divisor.

    Attributes:
        offset: int64 (classes,).
        divisor: 1, or 2 where two weight planes count everything twice.
        scale: probability = softmax(score * scale); it never changes the order of classes.
    """

    offset: NDArray[np.int64]
    divisor: int
    scale: float

    def check(self, network: str, layer: Conv, classes: int) -> None:
        """NetworkError if `layer`, the last of `network`, does not fit in front of it."""
        _check_accumulators(network, layer, classes)
        if self.offset.shape != (classes,) or self.divisor < 1 or not 0 < self.scale < np.inf:
            raise NetworkError(f"network {network}: its scores do not fit {classes} classes")

    def scores(self, maps: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """Scores, float64 (N, classes), of accumulators (N, 1, 1, classes)."""
        return (maps.reshape(len(maps), -1) + self.offset) / self.divisor

    def probabilities(self, maps: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """Probabilities, float64 (N, classes), of accumulators (N, 1, 1, classes)."""
        return softmax(self.scores(maps) * self.scale)


OPERATIONS: dict[str, Callable[..., NDArray[np.float32]]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
}


@dataclass(frozen=True, eq=False)
class Arithmetic:
    """One operation for each channel: y = x op values, rounded to float32.

    Attributes:
        op: a key of OPERATIONS.
        values: float32 (channels,), finite; what is divided by is not 0.
    """

    op: str
    values: NDArray[np.float32]

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """y, float32 (..., channels), of x of that shape."""
        return OPERATIONS[self.op](x, self.values)


@dataclass(frozen=True, eq=False)
class FloatScores:
    """Accumulators of the last layer become scores by float32 steps, in the order of the source.

    Attributes:
        steps: applied one after the other; the result is the score, probability its softmax.
    """

    steps: tuple[Arithmetic, ...]

    def check(self, network: str, layer: Conv, classes: int) -> None:
        """NetworkError if `layer`, the last of `network`, does not fit in front of it."""
        _check_accumulators(network, layer, classes)
        for step in self.steps:
            values = step.values
            if (
                step.op not in OPERATIONS
                or values.dtype != np.float32
                or values.shape != (classes,)
                or not np.isfinite(values).all()
                or (step.op == "divide" and not values.all())
            ):
                raise NetworkError(
                    f"network {network}: a step of its scores ({step.op}) does not fit "
                    f"{classes} classes"
                )

    def scores(self, maps: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Scores, float32 (N, classes), of accumulators (N, 1, 1, classes)."""
        x: NDArray[np.float32] = maps.reshape(len(maps), -1).astype(np.float32)
        for step in self.steps:
            x = step(x)
        return x

    def probabilities(self, maps: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """Probabilities, float64 (N, classes), of accumulators (N, 1, 1, classes)."""
        return softmax(self.scores(maps).astype(np.float64))


@dataclass(frozen=True, eq=False)
class DenseLayer:
    """One fully connected layer of a DenseChain: its matrix and what follows it.

    Attributes:
        name: for reports.
        matrix: one bit for each weight (BinaryDense), or floats (FloatDense).
        levels: 0: outputs as they are; 1: clipped to 0..1; n > 1: clipped, then rounded (half to
            even) to one of n + 1 equal steps.
    """

    name: str
    matrix: BinaryDense | FloatDense
    levels: int

    @property
    def shape(self) -> tuple[int, int]:
        """(inputs, outputs)."""
        matrix = self.matrix
        n_in = matrix.n_in if isinstance(matrix, BinaryDense) else len(matrix.weight)
        return n_in, len(matrix.bias)


@dataclass(frozen=True, eq=False)
class DenseChain:
    """Fully connected layers, float, on the codes divided by the largest of them; softmax.

    DoReFa-Net divides by the largest code of the picture at hand, which is all but always the
    largest code there is. Codes are flattened as (row, column, channel).
    """

    layers: tuple[DenseLayer, ...]

    def check(self, network: str, layer: Conv, classes: int) -> None:
        """NetworkError if `layer`, the last of `network`, does not fit in front of it."""
        if layer.out_bits is None:
            raise NetworkError(f"layer {layer.name}: fully connected layers read codes")
        names = [dense.name for dense in self.layers]
        if len(set(names)) < len(names):
            raise NetworkError(f"two of the fully connected layers {', '.join(names)} share a name")
        before, count, codes = layer.name, int(np.prod(layer.out_shape)), True
        for dense in self.layers:
            if not 0 <= dense.levels <= 255:
                raise NetworkError(f"layer {dense.name}: {dense.levels} levels are not in 0..255")
            if isinstance(dense.matrix, BinaryDense) and not codes:
                raise NetworkError(f"layer {dense.name}: its bits read codes, not floats")
            codes = dense.levels > 1
            if dense.shape[0] != count:
                raise NetworkError(
                    f"layer {dense.name}: it reads {dense.shape[0]} values, but layer {before} "
                    f"before it gives {count}"
                )
            before, count = dense.name, dense.shape[1]
        if count != classes:
            raise NetworkError(f"layer {before}: it gives {count} values for {classes} classes")

    def probabilities(self, maps: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """Probabilities, float64 (N, classes), of codes (N, H, W, C)."""
        return np.stack([softmax(self._logits(codes.ravel())) for codes in maps])

    def _logits(self, codes: NDArray[Any]) -> NDArray[np.float64]:
        x: NDArray[Any] = codes
        scale = 1.0 / max(int(codes.max()), 1)  # x * scale are the values; x stays whole numbers
        for layer in self.layers:
            y = layer.matrix(x, scale)
            if layer.levels > 1:
                x, scale = np.rint(y.clip(0, 1) * layer.levels).astype(np.uint8), 1 / layer.levels
            else:
                x, scale = (y.clip(0, 1) if layer.levels else y), 1.0
        return x * scale


# Tinier-YOLO was trained on codes times 4/7, but published with the codes as they are.
FEATURE_SCALES = {"published": 1.0, "dequantized": 4 / 7}


@dataclass(frozen=True, eq=False)
class Region:
    """A 1x1 float convolution and the region layer of YOLO v2 behind it.

    Attributes:
        matrix: FloatDense of (channels, anchors * (5 + classes)).
        anchors: float64 (A, 2), width and height in cells.
        input_size: side of the letterboxed picture, in pixels.
        transposed: rows and columns of the map change places first.
    """

    matrix: FloatDense
    anchors: NDArray[np.float64]
    input_size: int
    transposed: bool

    def check(self, network: str, layer: Conv, classes: int) -> None:
        """NetworkError if `layer`, the last of `network`, does not fit in front of it."""
        shape = self.matrix.weight.shape
        wanted = (layer.out_shape[2], len(self.anchors) * (5 + classes))
        if layer.out_bits is None or shape != wanted:
            raise NetworkError(
                f"network {network}: its region layer has weights of {describe(shape)}, but "
                f"layer {layer.name} and {classes} classes want {describe(wanted)}"
            )

    def detect(
        self,
        codes: NDArray[np.uint8],
        classes: int,
        picture_size: tuple[int, int],
        feature_scale: str = "published",
        threshold: float = 0.3,
    ) -> list[Detection]:
        """Objects in the picture that gave the codes, uint8 (H, W, C): qnn.compute.region.detect.

        Objects that lie wholly outside the picture are left out.
        """
        if self.transposed:
            codes = codes.swapaxes(0, 1)
        features = self.matrix(codes, FEATURE_SCALES[feature_scale])
        found = detect(features, classes, self.anchors, picture_size, self.input_size, threshold)
        # Clipped to the picture, a box wholly in the margin of the letterbox ends before it begins.
        return [d for d in found if d.box[0] <= d.box[2] and d.box[1] <= d.box[3]]


Classifier = Scores | FloatScores | DenseChain
Last = Classifier | Region
