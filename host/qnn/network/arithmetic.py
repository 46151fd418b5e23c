# SPDX-License-Identifier: BSD-3-Clause
"""Operations on the values of each channel, in float32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def _sigmoid(x: NDArray[np.float32], _: NDArray[np.float32]) -> NDArray[np.float32]:
    exact = np.asarray(x, np.float64)
    y: NDArray[np.float32] = (0.5 * (1 + np.tanh(exact / 2))).astype(np.float32)
    return y


def _tanh(x: NDArray[np.float32], _: NDArray[np.float32]) -> NDArray[np.float32]:
    y: NDArray[np.float32] = np.tanh(np.asarray(x, np.float64)).astype(np.float32)
    return y


def _leaky(x: NDArray[np.float32], slope: NDArray[np.float32]) -> NDArray[np.float32]:
    y: NDArray[np.float32] = np.where(x < 0, x * slope, x)
    return y


def _elu(x: NDArray[np.float32], size: NDArray[np.float32]) -> NDArray[np.float32]:
    below = size * np.expm1(np.minimum(x, 0).astype(np.float64))
    y: NDArray[np.float32] = np.where(x > 0, x, below).astype(np.float32)
    return y


OPERATIONS: dict[str, Callable[..., NDArray[np.float32]]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "leaky": _leaky,
    "elu": _elu,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
}


@dataclass(frozen=True, eq=False)
class Arithmetic:
    """One operation for each channel: y = x op values, rounded to float32.

    Attributes:
        op: a key of OPERATIONS; "leaky" multiplies what is below 0, "elu" makes it values *
            (exp(x) - 1), "sigmoid" and "tanh" use no values.
        values: float32 (channels,), finite; what is divided by is not 0.
    """

    op: str
    values: NDArray[np.float32]

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """y, float32 (..., channels), of x of that shape."""
        return OPERATIONS[self.op](x, self.values)
