# SPDX-License-Identifier: BSD-3-Clause
"""The layers that stay in floating point: first convolution, fully connected layers, region layer.

Written for reading, one formula at a time. Coordinates of a map are (row, column, channel).
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = "NDArray[np.floating[Any]]"
Numbers: TypeAlias = "NDArray[np.number[Any]]"


def _conv_sequential(
    x: Floats,
    weight: Floats,
    bias: Floats | None,
    stride: int,
    padding: int,
    dtype: type[np.floating[Any]],
) -> Floats:
    if x.ndim != 3 or weight.ndim != 4 or weight.shape[3] != x.shape[2]:
        raise ValueError(f"shapes do not fit: x {x.shape}, weight {weight.shape}")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"want one bias for each of {len(weight)} outputs, got {bias.shape}")
    outputs, kernel_rows, kernel_columns, channels = weight.shape
    padded = np.pad(x.astype(dtype), ((padding, padding), (padding, padding), (0, 0)))
    rows = (padded.shape[0] - kernel_rows) // stride + 1
    columns = (padded.shape[1] - kernel_columns) // stride + 1
    if rows < 1 or columns < 1:
        raise ValueError(f"the kernel {weight.shape} is larger than the padded x {padded.shape}")

    acc = np.zeros((rows, columns, outputs), dtype)
    for c in range(channels):
        for i in range(kernel_rows):
            for j in range(kernel_columns):
                seen = padded[i : i + stride * rows : stride, j : j + stride * columns : stride, c]
                acc += seen[..., None] * weight[:, i, j, c].astype(dtype)
    return acc if bias is None else acc + bias.astype(dtype)


def conv_float64(
    x: Floats, weight: Floats, bias: Floats | None, stride: int, padding: int
) -> Floats:
    """Convolve: y[r, q, o] = sum over c, i, j of w[o, i, j, c] * x[r*s+i-p, q*s+j-p, c], + b[o].

    Every operation is a float64 operation, the sum runs in the order c, i, j and the bias comes
    last, so the result is defined to the last bit. With float32 data the products are exact.

    Args:
        x: float, shape (H, W, C), zero outside.
        weight: float, shape (O, KH, KW, C).
        bias: float, shape (O,), or None.
        stride: step s in both directions, 1 or more.
        padding: zero rows and columns p on each of the four sides.

    Returns:
        float64, shape ((H+2p-KH)//s+1, (W+2p-KW)//s+1, O).

    Raises:
        ValueError: the shapes do not fit.

    Source: the cross-correlation every framework calls convolution.
    """
    return _conv_sequential(x, weight, bias, stride, padding, np.float64)


def conv_float32_sequential(
    x: Floats, weight: Floats, bias: Floats | None, stride: int, padding: int
) -> Floats:
    """Convolve as conv_float64, but round each product and each partial sum to float32.

    The order (channel, kernel row, kernel column, then bias) is part of the definition: another
    one gives other last bits, and a network that rounds them to three bits then differs.

    Source: the first layer of Tinier-YOLO; its published detections need this order.
    """
    return _conv_sequential(x, weight, bias, stride, padding, np.float32)


def count_thresholds(x: Floats, thresholds: Floats) -> NDArray[np.uint8]:
    """Quantise: y = number of k with thresholds[k] < x. Strict: a tie does not count.

    Args:
        x: float32 or float64, any shape; compared by value, neither side is rounded.
        thresholds: float, shape (K,), K at most 255; order is irrelevant.

    Returns:
        uint8, shape of x.

    Source: DoReFa-Net as exported by tensorpack, first layer, thresholds 1/6, 1/2 and 5/6.
    """
    below = thresholds.astype(np.float64) < x.astype(np.float64)[..., None]
    count: NDArray[np.uint8] = below.sum(axis=-1, dtype=np.uint8)
    return count


def quantize_uniform(x: Floats, top: float, levels: int) -> NDArray[np.uint8]:
    """Quantise: y = round_half_even(clip(x, 0, top) / top * levels).

    Each of the steps is rounded to the float type of x, in this order.

    Args:
        x: float32 or float64, finite, any shape.
        top: the value that becomes the highest code, above 0.
        levels: the highest code, 1 to 255.

    Returns:
        uint8, shape of x.

    Source: Tinier-YOLO, first layer, top 4 and levels 7.
    """
    kind = x.dtype.type
    limited = np.clip(x, kind(0), kind(top))
    return np.rint(limited / kind(top) * kind(levels)).astype(np.uint8)


def fully_connected(x: Numbers, weight: Floats, bias: Floats | None) -> NDArray[np.float64]:
    """Multiply: y = x W + b in float64.

    Args:
        x: shape (..., N).
        weight: shape (N, M).
        bias: shape (M,), or None.

    Returns:
        float64, shape (..., M).
    """
    y: NDArray[np.float64] = x.astype(np.float64) @ weight.astype(np.float64)
    return y if bias is None else y + bias.astype(np.float64)


def two_valued(
    words: NDArray[np.uint64], lo: Floats, hi: Floats, inputs: int
) -> NDArray[np.float64]:
    """The weights of a matrix with two values in each column.

    W[64*k + i, o] = hi[o] where bit i of words[o, k] is 1, else lo[o].

    Args:
        words: uint64, shape (M, ceil(N / 64)).
        lo, hi: float, shape (M,).
        inputs: N.

    Returns:
        float64, shape (N, M).
    """
    number = np.arange(inputs, dtype=np.uint64)
    chosen = words[:, number // np.uint64(64)] >> number % np.uint64(64) & np.uint64(1)
    return np.where(chosen.T == 1, hi.astype(np.float64), lo.astype(np.float64))


def clip01(x: Floats) -> Floats:
    """Limit every value to 0..1: y = min(max(x, 0), 1)."""
    limited: Floats = np.clip(x, 0, 1)
    return limited


def quantize(x: Floats, bits: int) -> Floats:
    """Round values in 0..1 to one of 2**bits equal levels, which stay in 0..1.

    y = round_half_even(x * n) / n with n = 2**bits - 1. Shape and float type are those of x.

    Source: Zhou et al., "DoReFa-Net", arXiv:1606.06160, equation 5.
    """
    levels = 2**bits - 1
    rounded: Floats = np.rint(x * levels) / levels
    return rounded


def softmax(x: Floats) -> Floats:
    """Turn scores into probabilities along the last axis: y = exp(x) / sum(exp(x))."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    p: Floats = e / e.sum(axis=-1, keepdims=True)
    return p


def _sigmoid(x: float) -> float:
    e = math.exp(-abs(x))
    return (1.0 if x >= 0 else e) / (1.0 + e)


def _intersection_over_union(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Of two boxes (centre x, centre y, width, height)."""

    def shared(centre_a: float, size_a: float, centre_b: float, size_b: float) -> float:
        end = min(centre_a + size_a / 2, centre_b + size_b / 2)
        return max(0.0, end - max(centre_a - size_a / 2, centre_b - size_b / 2))

    both = shared(a[0], a[2], b[0], b[2]) * shared(a[1], a[3], b[1], b[3])
    either = a[2] * a[3] + b[2] * b[3] - both
    return both / either if either > 0 else 0.0


def region_boxes(
    features: Floats,
    classes: int,
    anchors: Floats,
    picture_size: tuple[int, int],
    input_size: int = 416,
    threshold: float = 0.3,
    overlap: float = 0.3,
) -> list[tuple[int, float, tuple[int, int, int, int]]]:
    """Find objects: decode the map of a YOLO v2 region layer into boxes on the picture.

    Every cell (row, column) and anchor (aw, ah) proposes a box from its values tx, ty, tw, th, to
    and one score for each class, in units of the network's square input:

        x = (sigmoid(tx) + column) / columns        w = exp(tw) * aw / columns
        y = (sigmoid(ty) + row) / rows              h = exp(th) * ah / rows
        p(class) = sigmoid(to) * softmax(scores)(class), or 0 unless above the threshold

    The letterbox around the picture is undone. Then, in each class on its own, boxes are taken
    from the most probable down (of equals the earlier proposal first), and one that overlaps a
    box taken before by more than `overlap` (intersection over union) loses this class. A
    proposal that is left with a class is reported under its most probable one.

    Args:
        features: float, shape (rows, columns, A * (5 + classes)), anchor by anchor.
        classes: number of classes.
        anchors: float, shape (A, 2), width and height in cells.
        picture_size: width and height of the picture in pixels.
        input_size: side of the network's input in pixels.
        threshold, overlap: see above.

    Returns:
        (class, probability, (left, top, right, bottom)) in the order anchor, row, column; pixels,
        cut towards zero and limited to left, top >= 0, right <= width-1, bottom <= height-1.

    Source: Redmon and Farhadi, "YOLO9000", arXiv:1612.08242, section 2, and the darknet framework.
    """
    rows, columns = features.shape[:2]
    values = features.astype(np.float64).reshape(rows, columns, len(anchors), 5 + classes)
    width, height = picture_size
    if width > height:
        inner_width, inner_height = input_size, height * input_size // width
    else:
        inner_width, inner_height = width * input_size // height, input_size

    boxes: list[tuple[float, float, float, float]] = []
    probabilities: list[list[float]] = []
    for a, (anchor_width, anchor_height) in enumerate(anchors):
        for row in range(rows):
            for column in range(columns):
                tx, ty, tw, th, to = values[row, column, a, :5]
                x = (_sigmoid(tx) + column) / columns
                y = (_sigmoid(ty) + row) / rows
                w = math.exp(tw) * anchor_width / columns
                h = math.exp(th) * anchor_height / rows
                # From the input to the picture, whose own width and height then count as 1.
                x = (x - (input_size - inner_width) / 2 / input_size) * input_size / inner_width
                y = (y - (input_size - inner_height) / 2 / input_size) * input_size / inner_height
                boxes.append((x, y, w * input_size / inner_width, h * input_size / inner_height))
                likely = _sigmoid(to) * softmax(values[row, column, a, 5:])
                probabilities.append([float(p) if p > threshold else 0.0 for p in likely])

    for k in range(classes):
        of_class = [p[k] for p in probabilities]
        proposed = [i for i, p in enumerate(of_class) if p > 0]
        taken: list[int] = []
        for i in sorted(proposed, key=of_class.__getitem__, reverse=True):
            if any(_intersection_over_union(boxes[i], boxes[j]) > overlap for j in taken):
                probabilities[i][k] = 0.0
            else:
                taken.append(i)

    found = []
    for (x, y, w, h), p in zip(boxes, probabilities, strict=True):
        if max(p) > 0:
            left, top = int((x - w / 2) * width), int((y - h / 2) * height)
            right, bottom = int((x + w / 2) * width), int((y + h / 2) * height)
            corners = max(left, 0), max(top, 0), min(right, width - 1), min(bottom, height - 1)
            found.append((p.index(max(p)), max(p), corners))
    return found
