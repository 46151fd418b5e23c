# SPDX-License-Identifier: BSD-3-Clause
"""Float weights that are small multiples of one scale, as integers and as planes of +-1."""

from __future__ import annotations

import numpy as np

from qnn.importers.qonnx.graph import Array, Node
from qnn.network.planes import planes_of

TOLERANCE = 1.5e-4  # of a step: float32 rounds a multiple of a scale
LARGEST = 128  # weights of 8 bits


def integers(node: Node, weight: Array) -> tuple[Array, Array]:
    """Weights of each output as whole numbers times a scale of its own.

    Args:
        node: for the error.
        weight: float32 (O, ...), quantised.

    Returns:
        int16 of the same shape, and scales, float64 (O,), above 0.

    Raises:
        NetworkError: they are no small multiples of one number.
    """
    if not np.isfinite(weight).all():
        raise node.refuse("it has weights that are not finite")
    rows = weight.reshape(len(weight), -1)
    whole, scales = np.zeros(rows.shape, np.int16), np.ones(len(rows))
    for number, row in enumerate(row.astype(np.float64) for row in rows):
        scale = _scale(row, LARGEST)
        if scale is None:
            raise node.refuse(
                f"the weights of output {number} are not whole numbers of steps from -{LARGEST} to "
                f"{LARGEST}; quantise them to at most 8 bits"
            )
        whole[number], scales[number] = np.rint(row / scale), scale
    return whole.reshape(weight.shape), scales


def are_whole(weight: Array) -> bool:
    """Whether the weights of each output are whole numbers of steps, as `integers` wants them."""
    rows = weight.reshape(len(weight), -1)
    return all(_scale(row.astype(np.float64), LARGEST) is not None for row in rows)


def _scale(row: Array, largest: int) -> float | None:
    """The largest scale of which all numbers are multiples to `largest`; None if there is none."""
    sizes = np.abs(row[row != 0])
    if not sizes.size:
        return 1.0
    for parts in range(1, largest + 1):
        scale = float(sizes.min() / parts)
        multiples = row / scale
        if not np.abs(multiples).max() < largest + 0.5:
            return None
        if np.abs(multiples - np.rint(multiples)).max() < TOLERANCE:
            return scale
    return None


def planes(node: Node, weight: Array) -> tuple[Array, tuple[int, ...], int]:
    """Whole numbers as qnn.network.planes has them.

    Raises:
        NetworkError: one is larger than LARGEST.
    """
    if np.abs(weight).max() > LARGEST:
        raise node.refuse(
            f"its weights from {weight.min()} to {weight.max()} are larger than {LARGEST}; "
            "quantise them to at most 8 bits"
        )
    return planes_of(weight)
