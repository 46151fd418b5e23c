# SPDX-License-Identifier: BSD-3-Clause
"""What is computed: the description of a network, its layers, and what a run of them gave."""

from qnn.network.layers import (
    MAX_BITS,
    MAX_FAN_IN,
    Conv,
    MaxPool,
    Padding,
    Shape,
    Windowed,
    check_outputs,
    check_windows,
    describe,
    windows,
)
from qnn.network.network import Network, check_name

__all__ = [
    "MAX_BITS",
    "MAX_FAN_IN",
    "Conv",
    "MaxPool",
    "Network",
    "Padding",
    "Shape",
    "Windowed",
    "check_name",
    "check_outputs",
    "check_windows",
    "describe",
    "windows",
]
