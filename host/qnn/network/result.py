# SPDX-License-Identifier: BSD-3-Clause
"""What stands behind the layers: what their last map means, as probabilities, boxes or numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.compute.region import Detection, detect
from qnn.errors import NetworkError
from qnn.network.arithmetic import OPERATIONS, Arithmetic
from qnn.network.layer import Layer
from qnn.network.layers import describe


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """exp(x) over its sum along the last axis, float64; large values do not overflow."""
    largest = np.maximum.reduce(logits, axis=-1, keepdims=True)
    shifted: NDArray[np.float64] = np.exp(logits - largest, dtype=np.float64)
    shifted /= np.add.reduce(shifted, axis=-1, keepdims=True)
    return shifted


def _check_accumulators(network: str, layer: Layer, classes: int) -> None:
    """NetworkError unless the last layer gives one accumulator for each class."""
    if layer.out_dtype != np.int32 or layer.out_shape != (1, 1, classes):
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

    def check(self, network: str, layer: Layer, classes: int) -> None:
        """NetworkError if `layer`, the last of `network`, does not fit in front of it."""
        _check_accumulators(network, layer, classes)
        if self.offset.shape != (classes,) or self.divisor < 1 or not 0 < self.scale < np.inf:
            raise NetworkError(f"network {network}: its scores do not fit {classes} classes")

    def scores(self, maps: NDArray[np.number[Any]]) -> NDArray[np.float64]:
        """Scores, float64 (N, classes), of accumulators (N, 1, 1, classes)."""
        sums = maps.reshape(len(maps), -1) + self.offset
        return np.asarray(sums / self.divisor, np.float64)

    def probabilities(self, maps: NDArray[np.number[Any]]) -> NDArray[np.float64]:
        """Probabilities, float64 (N, classes), of accumulators (N, 1, 1, classes)."""
        return softmax(self.scores(maps) * self.scale)


def _values(
    maps: NDArray[np.number[Any]],
    levels: NDArray[np.float32] | None,
    steps: tuple[Arithmetic, ...],
) -> NDArray[np.float32]:
    """float32 of the shape of `maps`: accumulators, floats, or codes of `levels`, through steps."""
    x: NDArray[np.float32] = maps.astype(np.float32) if levels is None else levels[maps]
    for step in steps:
        x = step(x)
    return x


def _check_values(
    network: str, layer: Layer, levels: NDArray[np.float32] | None, steps: tuple[Arithmetic, ...]
) -> None:
    """NetworkError unless `_values` can be made of what `layer` gives."""
    channels = layer.out_shape[2]
    for step in steps:
        values = step.values
        if (
            step.op not in OPERATIONS
            or values.dtype != np.float32
            or values.shape != (channels,)
            or not np.isfinite(values).all()
            or (step.op == "divide" and not values.all())
        ):
            raise NetworkError(
                f"network {network}: a step of its scores ({step.op}) does not fit {channels} "
                "channels"
            )
    codes = layer.out_bits is not None
    if codes != (levels is not None):
        raise NetworkError(
            f"network {network}: layer {layer.name} gives {'codes' if codes else 'no codes'}, and "
            f"its result has {'a' if levels is not None else 'no'} value for each"
        )
    if levels is not None and (
        levels.dtype != np.float32
        or levels.shape != (1 << (layer.out_bits or 0),)
        or not np.isfinite(levels).all()
    ):
        raise NetworkError(
            f"network {network}: its result wants {1 << (layer.out_bits or 0)} finite values, one "
            "for each code"
        )


@dataclass(frozen=True, eq=False)
class FloatScores:
    """The last map becomes scores by float32 steps, in the order of the source.

    Attributes:
        steps: applied one after the other; the result is the score, probability its softmax.
        levels: where the last layer gives codes, what each stands for, float32 (2 ** bits,).
    """

    steps: tuple[Arithmetic, ...]
    levels: NDArray[np.float32] | None = None

    def check(self, network: str, layer: Layer, classes: int) -> None:
        """NetworkError if `layer`, the last of `network`, does not fit in front of it."""
        if layer.out_shape != (1, 1, classes):
            raise NetworkError(
                f"network {network}: {classes} classes want a map of 1x1x{classes}, but layer "
                f"{layer.name} gives {describe(layer.out_shape)}"
            )
        _check_values(network, layer, self.levels, self.steps)

    def scores(self, maps: NDArray[np.number[Any]]) -> NDArray[np.float32]:
        """Scores, float32 (N, classes), of a last map (N, 1, 1, classes)."""
        return _values(maps.reshape(len(maps), -1), self.levels, self.steps)

    def probabilities(self, maps: NDArray[np.number[Any]]) -> NDArray[np.float64]:
        """Probabilities, float64 (N, classes), of accumulators (N, 1, 1, classes)."""
        return softmax(self.scores(maps).astype(np.float64))


@dataclass(frozen=True, eq=False)
class Probabilities:
    """Softmax of the values that the last layer gives: floats, or codes times a unit.

    Attributes:
        unit: value of the code 1; 1 for floats.
    """

    unit: float = 1.0

    def check(self, network: str, layer: Layer, classes: int) -> None:
        """NetworkError if `layer`, the last of `network`, does not fit in front of it."""
        if layer.out_shape != (1, 1, classes):
            raise NetworkError(
                f"layer {layer.name}: it gives {describe(layer.out_shape)} for {classes} classes"
            )
        if layer.out_dtype == np.int32:
            raise NetworkError(f"layer {layer.name}: its accumulators are no values for a softmax")
        if not 0 < self.unit < np.inf or (layer.out_bits is None and self.unit != 1.0):
            raise NetworkError(f"network {network}: a unit of {self.unit} before the softmax")

    def scores(self, maps: NDArray[np.number[Any]]) -> NDArray[np.float64]:
        """Scores, float64 (N, classes), of maps (N, 1, 1, classes); of floats they may be the
        same array."""
        values = maps.reshape(len(maps), -1)
        return np.asarray(values if self.unit == 1 else values * self.unit, np.float64)

    def probabilities(self, maps: NDArray[np.number[Any]]) -> NDArray[np.float64]:
        """Probabilities, float64 (N, classes), of maps (N, 1, 1, classes)."""
        return softmax(self.scores(maps))


@dataclass(frozen=True, eq=False)
class FloatMap:
    """The last map becomes an array of numbers: of a segmentation, a detector's head, codes.

    Attributes:
        steps, levels: as of FloatScores, for each pixel.
        axes: the sides (rows, columns, channels) of the map in the order of the source.
        shape: of the array, as the source has it, without the batch; what is transposed by `axes`
            is reshaped to it.
    """

    steps: tuple[Arithmetic, ...]
    levels: NDArray[np.float32] | None
    axes: tuple[int, ...]
    shape: tuple[int, ...]

    def check(self, network: str, layer: Layer, classes: int) -> None:
        """NetworkError if `layer`, the last of `network`, does not fit in front of it."""
        if classes:
            raise NetworkError(f"network {network}: its map of numbers has no classes")
        if (
            sorted(self.axes) != [0, 1, 2]
            or min(self.shape, default=1) < 1
            or np.prod(self.shape) != np.prod(layer.out_shape)
        ):
            raise NetworkError(
                f"network {network}: a map of {describe(layer.out_shape)} in the order {self.axes} "
                f"is no array of {describe(self.shape)}"
            )
        _check_values(network, layer, self.levels, self.steps)

    def values(self, maps: NDArray[np.number[Any]]) -> NDArray[np.float32]:
        """float32 (N, *shape) of a last map (N, H, W, C)."""
        x = _values(maps, self.levels, self.steps).transpose(0, *(axis + 1 for axis in self.axes))
        return x.reshape(len(maps), *self.shape)


# Tinier-YOLO was trained on codes times 4/7, but published with the codes as they are: what the
# unit of its last layer is multiplied by.
FEATURE_SCALES = {"published": 1.0, "dequantized": 4 / 7}


@dataclass(frozen=True, eq=False)
class Boxes:
    """The region layer of YOLO v2, which reads the boxes off a map of floats.

    Attributes:
        anchors: float64 (A, 2), width and height in cells.
        input_size: side of the letterboxed picture, in pixels.
        transposed: rows and columns of the map change places first.
    """

    anchors: NDArray[np.float64]
    input_size: int
    transposed: bool

    def check(self, network: str, layer: Layer, classes: int) -> None:
        """NetworkError if `layer`, the last of `network`, does not fit in front of it."""
        wanted = len(self.anchors) * (5 + classes)
        if layer.out_dtype != np.float64 or layer.out_shape[2] != wanted:
            raise NetworkError(
                f"network {network}: its region layer reads floats of {wanted} channels for "
                f"{len(self.anchors)} anchors and {classes} classes, but layer {layer.name} gives "
                f"{describe(layer.out_shape)} {'floats' if layer.out_bits is None else 'codes'}"
            )

    def detect(
        self,
        features: NDArray[np.floating[Any]],
        classes: int,
        picture_size: tuple[int, int],
        threshold: float = 0.3,
    ) -> list[Detection]:
        """Objects in the picture that gave the features (H, W, C): qnn.compute.region.detect.

        Objects that lie wholly outside the picture are left out.
        """
        if self.transposed:
            features = features.swapaxes(0, 1)
        found = detect(features, classes, self.anchors, picture_size, self.input_size, threshold)
        # Clipped to the picture, a box wholly in the margin of the letterbox ends before it begins.
        return [d for d in found if d.box[0] <= d.box[2] and d.box[1] <= d.box[3]]


Classifier = Scores | FloatScores | Probabilities
Result = Classifier | Boxes | FloatMap
