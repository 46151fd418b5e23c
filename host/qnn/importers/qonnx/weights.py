# SPDX-License-Identifier: BSD-3-Clause
"""Float weights that are small multiples of one scale, as integers and as planes of +-1."""

from __future__ import annotations

import numpy as np

from qnn.importers.qonnx.graph import Array, Node

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
    """Whole numbers as sums of planes of +-1: factor * w = sum over n of coefficient_n * (+-1).

    With total the sum of the coefficients, (factor * w + total) / 2 runs from 0 to total and is
    the sum of the coefficients whose bit is 1: powers of two and what is left.

    Returns:
        uint8 (planes, *weight.shape), the coefficients, and the factor: 1 where all weights are
        odd, else 2.

    Raises:
        NetworkError: one is larger than LARGEST.
    """
    largest = max(int(np.abs(weight).max()), 1)
    if largest > LARGEST:
        raise node.refuse(
            f"its weights from {weight.min()} to {weight.max()} are larger than {LARGEST}; "
            "quantise them to at most 8 bits"
        )
    factor = 1 if (weight % 2 == 1).all() else 2
    total = factor * largest
    powers: list[int] = []
    while sum(powers) + (1 << len(powers)) <= total:
        powers.append(1 << len(powers))
    left = total - sum(powers)
    coefficients = (*([left] if left else []), *reversed(powers))
    rest: Array = weight.astype(np.int16)
    rest *= np.int16(factor)
    rest += np.int16(total)
    rest //= np.int16(2)
    bits = np.empty((len(coefficients), *weight.shape), np.uint8)
    for taken, coefficient in zip(bits, coefficients, strict=True):
        np.greater_equal(rest, coefficient, out=taken)
        rest -= np.int16(coefficient) * taken
    return bits, coefficients, factor
