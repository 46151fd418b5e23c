# SPDX-License-Identifier: BSD-3-Clause
"""The region layer of YOLO v2: from the last feature map to boxes on the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qnn.errors import NetworkError, QnnError
from qnn.pictures.geometry import Letterbox


class Detection(NamedTuple):
    """One object: class, probability, and (left, top, right, bottom) in pixels of the picture."""

    class_index: int
    probability: float
    box: tuple[int, int, int, int]


def detect(
    features: NDArray[np.floating[Any]],
    classes: int,
    anchors: NDArray[np.floating[Any]] | Sequence[tuple[float, float]],
    picture_size: tuple[int, int],
    input_size: int = 416,
    threshold: float = 0.3,
    overlap: float = 0.3,
) -> list[Detection]:
    """Find the objects in a feature map.

    Args:
        features: float (rows, columns, A * (5 + classes)); for each of A anchors x, y, w, h,
            objectness, then the class scores, all before their sigmoid, exp or softmax.
        classes: number of classes.
        anchors: (A, 2), width and height in cells of the map.
        picture_size: width and height of the picture before the letterbox, in pixels.
        input_size: side of the letterbox, in pixels.
        threshold: least probability, exclusive: objectness times class probability.
        overlap: most intersection over union of two boxes of a class, inclusive; of two that
            overlap more the less probable goes, and of equals the later one.

    Returns:
        At most one detection for each cell and anchor, under the best class left to it, in the
        order anchor, row, column. Box sides are cut towards zero; left and top are at least 0,
        right and bottom at most width-1 and height-1. A box that lies wholly in the margin of the
        letterbox so ends before it begins.

    Raises:
        NetworkError: features, classes and anchors do not fit together.
        QnnError: features are not finite, or the picture is too narrow for the letterbox.

    Source: Redmon and Farhadi, "YOLO9000", arXiv:1612.08242; order, letterbox and suppression as
        in the darknet framework (which leaves the order of equals open).
    """
    anchors = np.asarray(anchors, np.float64)
    depth = len(anchors) * (5 + classes)
    if features.ndim != 3 or anchors.shape[1:] != (2,) or features.shape[2] != depth:
        raise NetworkError(
            f"want features (rows, columns, {depth}) for {classes} classes and anchors "
            f"{anchors.shape}, got {features.shape}"
        )
    if not np.isfinite(features).all():
        raise QnnError("the feature map has values that are not finite: check the weights")
    place = Letterbox(*picture_size, input_size)
    if min(place.inner) < 1:
        raise QnnError("a picture of {} x {} is too long and thin: crop it".format(*picture_size))

    rows, columns = features.shape[:2]
    grid = features.reshape(rows, columns, len(anchors), 5 + classes)
    objects = _sigmoid(grid[..., 4].transpose(2, 0, 1).astype(np.float64))
    # No class is more probable than the object itself.
    likely = anchor, row, column = np.nonzero(objects > threshold)
    objectness = objects[likely]
    values = grid[row, column, anchor].astype(np.float64)

    cells = np.array([columns, rows])
    centre = (_sigmoid(values[:, :2]) + np.stack([column, row], axis=1)) / cells
    with np.errstate(over="ignore"):
        extent = np.exp(values[:, 2:4]) * anchors[anchor] / cells
    boxes = place.to_picture(np.concatenate([centre, extent], axis=1))
    low, high = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2

    probability = np.exp(values[:, 5:] - values[:, 5:].max(axis=1, keepdims=True))
    probability *= objectness[:, None] / probability.sum(axis=1, keepdims=True)
    probability[probability <= threshold] = 0
    # A box without area, or an infinite one, overlaps nothing: not a number is not larger.
    with np.errstate(over="ignore", invalid="ignore"):
        areas = (high - low).prod(axis=1)
        for several in np.flatnonzero(np.count_nonzero(probability, axis=0) > 1):
            _suppress(probability[:, several], low, high, areas, overlap)

    kept = np.flatnonzero(probability.any(axis=1))
    best = probability[kept].argmax(axis=1)
    pixels = np.array(picture_size)
    top_left = np.maximum(low[kept] * pixels, 0)
    bottom_right = np.minimum(high[kept] * pixels, pixels - 1)
    corners = np.concatenate([top_left, bottom_right], axis=1).astype(np.int64).tolist()
    return [
        Detection(int(c), float(p), (left, top, right, bottom))
        for c, p, (left, top, right, bottom) in zip(
            best, probability[kept, best], corners, strict=True
        )
    ]


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    e = np.exp(-np.abs(x))
    y: NDArray[np.float64] = np.where(x >= 0, 1.0, e) / (1.0 + e)
    return y


def _suppress(
    probability: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    areas: NDArray[np.float64],
    overlap: float,
) -> None:
    """Set the probability (N,) to 0 where a more probable box overlaps; corners float64 (N, 2),
    areas (N,)."""
    (waiting,) = probability.nonzero()
    waiting = waiting[(-probability[waiting]).argsort(kind="stable")]
    while waiting.size > 1:
        first, rest = waiting[0], waiting[1:]
        both = np.minimum(high[first], high[rest]) - np.maximum(low[first], low[rest])
        intersection = np.maximum(both, 0).prod(axis=1)
        hit = intersection / (areas[rest] + areas[first] - intersection) > overlap
        probability[rest[hit]] = 0
        waiting = rest[~hit]
