# SPDX-License-Identifier: BSD-3-Clause
"""Memory for what is between two operations, the same for each picture: new memory is slow."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 1 << 23  # that is kept under a name; more, of a large picture, is given back

_kept = threading.local()


def scratch(name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """An array with anything in it. The next call of this thread with that name may give the same
    memory again."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    kept: NDArray[np.uint8] | None = getattr(_kept, name, None)
    if kept is None or len(kept) < size:
        kept = np.empty(size, np.uint8)
        if size <= MOST_BYTES:
            setattr(_kept, name, kept)
    return kept[:size].view(dtype).reshape(shape)
