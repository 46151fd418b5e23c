# SPDX-License-Identifier: BSD-3-Clause
"""The numpy layers under the names that notebooks written for QNN-MO-PYNQ call them by.

Everything here takes and returns what its predecessor did. New code calls `qnn.load` instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.errors import QnnError
from qnn.network import describe, windows
from qnn.network.result import softmax

Floats = NDArray[Any]
__all__ = [
    "conv_layer",
    "fully_connected",
    "get_topn_indexes",
    "qrelu",
    "quantize",
    "softmax",
    "threshold",
]


def conv_layer(
    x: Floats,
    W: Floats,
    b: Floats | None = None,
    stride: int = 1,
    padding: int = 0,
) -> Floats:
    """Convolution of one picture.

    Args:
        x: (1, H, W, C).
        W: (O, C, KH, KW).
        b: added to the products, of a shape that broadcasts with (O, OH * OW), or None.
        stride, padding: of the window; the padding is zeros on all sides.

    Returns:
        (O, OH, OW), in the floating type of the arguments.

    Raises:
        QnnError: shapes do not fit.
    """
    if x.ndim != 4 or len(x) != 1 or W.ndim != 4 or x.shape[3] != W.shape[1]:
        raise QnnError(
            f"conv_layer takes x of 1xHxWxC and W of OxCxKHxKW, not {describe(x.shape)} and "
            f"{describe(W.shape)}"
        )
    padded = np.pad(x[0], ((padding, padding), (padding, padding), (0, 0)))
    rows, columns = (
        windows(size, padding, padding, kernel, stride)
        for size, kernel in zip(x.shape[1:3], W.shape[2:], strict=True)
    )
    if rows < 1 or columns < 1:
        raise QnnError(f"a kernel of {describe(W.shape[2:])} does not fit {describe(x.shape)}")
    views = np.lib.stride_tricks.sliding_window_view(padded, W.shape[2:], (0, 1))  # type: ignore[call-overload]
    by_window = views[::stride, ::stride].transpose(0, 1, 3, 4, 2)  # rows, columns, KH, KW, C
    products = np.ascontiguousarray(by_window).reshape(rows * columns, -1) @ (
        W.transpose(2, 3, 1, 0).reshape(-1, len(W))
    )
    out = products.T if b is None else products.T + b
    return np.ascontiguousarray(out).reshape(len(W), rows, columns)


def threshold(x: Floats, t: Floats) -> NDArray[np.int64]:
    """For each value of x the number of thresholds t, shape (K,), that it exceeds."""
    return (x[..., None] > t).sum(axis=-1)


def fully_connected(x: Floats, W: Floats, b: Floats) -> Floats:
    """x @ W + b: x (n,), W (n, m), b (m,)."""
    return np.dot(x, W) + b


def qrelu(x: Floats) -> Floats:
    """x, limited to 0..1."""
    return x.clip(0.0, 1.0)


def quantize(x: Floats, k: int) -> Floats:
    """x in 0..1, rounded (half to even) to one of 2**k values from 0 to 1."""
    levels = float(2**k - 1)
    return np.round(x * levels) / levels


def get_topn_indexes(scores: Floats, n: int) -> NDArray[np.int64]:
    """Indexes of the n largest of scores, shape (N,), the largest first."""
    return np.argsort(scores)[-n:][::-1] if n else np.empty(0, np.int64)
