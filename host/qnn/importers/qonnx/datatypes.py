# SPDX-License-Identifier: BSD-3-Clause
"""Names of data types as QONNX and FINN annotate tensors (finn_datatype): which numbers occur.

Source: qonnx.core.datatype.
"""

from __future__ import annotations

import re

from qnn.network import Grid

MAX_WIDTH = 32
_SMALL = {"BINARY": (0.0, 1.0, 2), "BIPOLAR": (-1.0, 2.0, 2), "TERNARY": (-1.0, 1.0, 3)}
_WHOLE = re.compile(r"(U?)INT(\d{1,2})")
_FIXED = re.compile(r"FIXED<(\d{1,2}),(-?\d{1,2})>")


def grid_of(name: str | None) -> Grid | None:
    """The values of a type; None where any number is one, or where nothing is known of it."""
    if name is None:
        return None
    if name in _SMALL:
        low, step, count = _SMALL[name]
        return Grid(name, low, step, count)
    if (whole := _WHOLE.fullmatch(name)) is not None:
        bits = int(whole[2])
        if 1 <= bits <= MAX_WIDTH:
            return Grid(name, 0.0 if whole[1] else -(2.0 ** (bits - 1)), 1.0, 1 << bits)
    if (fixed := _FIXED.fullmatch(name)) is not None:
        bits, step = int(fixed[1]), 2.0 ** (int(fixed[2]) - int(fixed[1]))
        if 1 <= bits <= MAX_WIDTH:
            return Grid(name, -step * 2 ** (bits - 1), step, 1 << bits)
    return None
