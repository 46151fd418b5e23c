# SPDX-License-Identifier: BSD-3-Clause
"""Layers as Hypothesis draws them; apart from random_networks, which benches import: the simulator
would wait for Hypothesis."""

import numpy as np
from hypothesis import strategies as st
from random_networks import random_conv

from qnn.network import Conv, MaxPool


@st.composite
def convs(draw) -> Conv:
    """Layers of every shape: groups, strides, lopsided padding, planes, bits, pools."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    kernel = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    # Any padding; at the bottom and right at least as much as the kernel needs to fit.
    top, left = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    bottom = max(draw(st.integers(0, 2)), kernel[0] - rows - top)
    right = max(draw(st.integers(0, 2)), kernel[1] - columns - left)
    stride = draw(st.sampled_from([1, 1, 1, 2, 2, 3, 4]))
    across = draw(st.sampled_from([None, None, 1, 2, 3]))
    levels = draw(st.none() | st.sampled_from([1, 2, 3, 7, 15, 255]))
    pool = None
    if levels is not None and draw(st.booleans()):
        size = draw(st.integers(2, 3))
        sides = (
            (top + rows + bottom - kernel[0]) // stride + 1,
            (left + columns + right - kernel[1]) // (across or stride) + 1,
        )
        before = [draw(st.integers(0, size - 1)) for _ in sides]
        after = [
            max(draw(st.integers(0, size - 1)), size - side - first)
            for side, first in zip(sides, before, strict=True)
        ]
        pool = MaxPool(size, draw(st.integers(1, 2)), (*before, *after))
    return random_conv(
        rng,
        (rows, columns, groups * draw(st.integers(1, 5))),
        groups * draw(st.integers(1, 5)),
        kernel,
        in_bits=draw(st.integers(1, 8)),
        levels=levels,
        coefficients=draw(
            st.sampled_from([(1,), (1,), (1, 1), (1, 2), (3,), (128, 1), (8, 4, 2, 1, 1)])
        ),
        groups=groups,
        stride=stride,
        across=across,
        padding=(top, left, bottom, right),
        pool=pool,
    )
