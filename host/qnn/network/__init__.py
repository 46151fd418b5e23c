# SPDX-License-Identifier: BSD-3-Clause
"""What is computed: the description of a network, and what a run of it gave."""

from qnn.network.array_input import ArrayInput, Grid
from qnn.network.float_layers import Dense, FloatConv, Lookup
from qnn.network.floats import Floats
from qnn.network.layer import Layer
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
from qnn.network.network import Head, Network, check_name
from qnn.network.picture_input import PictureInput
from qnn.network.rearrange import Rearrange

__all__ = [
    "MAX_BITS",
    "MAX_FAN_IN",
    "ArrayInput",
    "Conv",
    "Dense",
    "FloatConv",
    "Floats",
    "Grid",
    "Head",
    "Layer",
    "Lookup",
    "MaxPool",
    "Network",
    "Padding",
    "PictureInput",
    "Rearrange",
    "Shape",
    "Windowed",
    "check_name",
    "check_outputs",
    "check_windows",
    "describe",
    "windows",
]
