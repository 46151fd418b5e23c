# SPDX-License-Identifier: BSD-3-Clause
"""Any layer of a network.

Each has `name`; `in_shape`, `out_shape`: (H, W, C) of the maps it reads and gives; `in_bits`,
`out_bits`: planes of their unsigned codes, None for floats and for accumulators; `out_dtype`: uint8
for codes, int32 for accumulators, float64 for floats; `macs`: products for one picture.
"""

from typing import TypeAlias

from qnn.network.float_layers import Dense, FloatConv, Lookup
from qnn.network.floats import Floats
from qnn.network.layers import Conv
from qnn.network.rearrange import Rearrange

Layer: TypeAlias = Conv | Lookup | FloatConv | Dense | Rearrange | Floats

KINDS: dict[type, str] = {  # as files and commands call them
    Conv: "integer",
    Lookup: "table",
    FloatConv: "float-convolution",
    Dense: "matrix",
    Rearrange: "places",
    Floats: "floats",
}


def groups_of(layer: Layer) -> int:
    """Parts that the channels of a layer fall into."""
    return layer.groups if isinstance(layer, Conv | Floats) else 1
