# SPDX-License-Identifier: BSD-3-Clause
"""ONNX operators that only move elements, on any array.

The importer uses them on constants as they are, and on feature maps as arrays of places: where in
the map, rows, columns, channels, each element of the tensor comes from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from qnn.errors import NetworkError
from qnn.importers.qonnx.graph import MAX_MAP, Array, Node
from qnn.network import describe

LAYOUT = (
    "Identity",
    "Dropout",
    "Transpose",
    "Reshape",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "DepthToSpace",
    "SpaceToDepth",
)


def rearrange(node: Node, x: Array, parameters: Sequence[Array | None]) -> Array:
    """What a node of type LAYOUT makes of x; `parameters` are its other inputs.

    Raises:
        NetworkError: the parameters do not fit the shape of x.
    """
    try:
        return _rearranged(node, x, parameters)
    except (ValueError, TypeError, IndexError, KeyError, OverflowError):
        raise node.refuse(
            f"it does not fit its input of shape {x.shape}; export with a batch of 1"
        ) from None


def _rearranged(node: Node, x: Array, parameters: Sequence[Array | None]) -> Array:
    if node.op == "Transpose":
        return x.transpose(node.attributes.get("perm"))
    if node.op == "Reshape":
        target = _integers(node, "shape", parameters)
        if not node.attributes.get("allowzero"):
            target = [x.shape[i] if n == 0 else n for i, n in enumerate(target)]
        batch = node.attributes.get("batch", 1)  # of the file; here the batch counts 1
        if math.prod(target) == batch * x.size and target[0] == batch:
            target[0] = 1
        return x.reshape(target)
    if node.op == "Flatten":
        axis = node.attributes.get("axis", 1)
        axis += x.ndim * (axis < 0)
        return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))
    if node.op == "Squeeze":
        axes = _integers(node, "axes", parameters, default=True)
        return x.squeeze(tuple(axes) if axes else None)
    if node.op == "Unsqueeze":
        return np.expand_dims(x, tuple(_integers(node, "axes", parameters)))
    if node.op in ("DepthToSpace", "SpaceToDepth"):
        return _blocks(node, x)
    training = parameters[1] if len(parameters) > 1 else None
    if node.op == "Dropout" and training is not None and training.any():
        raise node.refuse("it is in training mode; export the model in evaluation mode")
    return x  # Identity; Dropout is one when nothing is trained


def _blocks(node: Node, x: Array) -> Array:
    """Channels as squares of pixels, or the other way round; x is (N, C, H, W)."""
    batch, channels, rows, columns = x.shape
    size = int(node.attributes["blocksize"])
    if node.op == "SpaceToDepth":
        x = x.reshape(batch, channels, rows // size, size, columns // size, size)
        x = x.transpose(0, 3, 5, 1, 2, 4)
        return x.reshape(batch, channels * size * size, rows // size, columns // size)
    if node.attributes.get("mode", "DCR") == "CRD":
        x = x.reshape(batch, channels // size**2, size, size, rows, columns)
        x = x.transpose(0, 1, 4, 2, 5, 3)
    else:
        x = x.reshape(batch, size, size, channels // size**2, rows, columns)
        x = x.transpose(0, 3, 4, 1, 5, 2)
    return x.reshape(batch, channels // size**2, rows * size, columns * size)


def _integers(
    node: Node, name: str, parameters: Sequence[Array | None], default: bool = False
) -> list[int]:
    """A list that old operator sets give as attribute and newer ones as input."""
    given = node.attributes.get(name)
    if given is None and parameters:
        given = parameters[0]
    if given is None and default:
        return []
    return [int(n) for n in np.asarray(given).reshape(-1)]


def standing(index: Array, channels_last: bool) -> Array:
    """A tensor of a map as (1, C, H, W): its channels first, a line as a map of one row."""
    if channels_last and index.ndim > 2:
        index = np.moveaxis(index, -1, 1)
    return index[:, :, None, :] if index.ndim == 3 else index


def lying(index: Array, sides: int, channels_last: bool) -> Array:
    """The inverse of `standing`, for a tensor of so many sides."""
    index = index[:, :, 0, :] if sides == 3 else index
    return np.moveaxis(index, 1, -1) if channels_last else index


class LargeMapError(NetworkError):
    """A map is larger than any network here has; `shape` is (rows, columns, channels)."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__(f"a map of {describe(shape)} is larger than any here")
        self.shape = shape


def places(shape: tuple[int, int, int]) -> Array:
    """The tensor (1, C, H, W) of places in a map (H, W, C), int64.

    Raises:
        LargeMapError: it has more than MAX_MAP values.
    """
    rows, columns, channels = shape
    count = rows * columns * channels
    if count > MAX_MAP:
        raise LargeMapError(shape)
    return np.arange(count).reshape(1, rows, columns, channels).transpose(0, 3, 1, 2)
