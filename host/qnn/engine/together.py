# SPDX-License-Identifier: BSD-3-Clause
"""Fully connected layers at the end of a run, for as many pictures at once as there are pixels.

Their weights are read once for all of them. The layers before run for each picture by itself; the
host lays the codes of some pictures side by side, as a row of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.engine.binary_dense import DenseSums
from qnn.engine.capabilities import Capabilities
from qnn.engine.lowering import Lowered
from qnn.engine.program import compile_layers
from qnn.errors import DoesNotFitError
from qnn.network.wiring import Wiring, chain


def split(
    layers: Sequence[Lowered], capabilities: Capabilities, wiring: Wiring | None = None
) -> list[list[Lowered]]:
    """The layers of a run for each picture, and those for some pictures together.

    Args:
        layers: of the run.
        capabilities: of the accelerator.
        wiring: what each layer reads; None: the one before it.

    Returns:
        One list, of all layers, where the run does not end with fully connected ones, each of which
        reads the one before it, where there is none before them, or where more than one picture
        does not fit.
    """
    first = len(layers)
    while first and isinstance(layers[first - 1], DenseSums):
        first -= 1
    before, behind = list(layers[:first]), layers[first:]
    reads = (wiring or chain(len(layers)))[first:]
    if not before or not behind or capabilities.pixels == 1 or reads != chain(len(layers))[first:]:
        return [list(layers)]
    together = [
        layer.for_pictures(capabilities.pixels) for layer in behind if isinstance(layer, DenseSums)
    ]
    try:
        compile_layers(together, capabilities)
    except DoesNotFitError:
        return [list(layers)]
    return [before, [*together]]


def row_of(maps: Sequence[NDArray[Any]], pictures: int) -> NDArray[np.uint8]:
    """Maps of codes as a row of pixels, uint8 (1, pictures, codes); what is missing is 0."""
    row = np.zeros((1, pictures, maps[0].size), np.uint8)
    for number, codes in enumerate(maps):
        row[0, number] = codes.ravel()
    return row
