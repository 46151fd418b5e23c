# SPDX-License-Identifier: BSD-3-Clause
"""A whole network of BNN-PYNQ: a table of pixels, its layers, and the scores behind them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qnn.errors import FormatError
from qnn.importers.bnn_pynq.layers import read_directory
from qnn.network import Lookup, Network, PictureInput
from qnn.network.result import Scores

# The published networks come without a temperature for their probabilities. Of the powers of two
# these make the labels of 500 CIFAR-10 test pictures most likely, for cnv-w1a1 and for cnv-w1a2
# and cnv-w2a2; W1A1 scores count half a dot product.
SCORE_SCALE = {1: 1 / 32, 2: 1 / 64}


def import_network(path: Path, name: str) -> Network:
    """See qnn.importers.import_network."""
    if not path.is_dir():
        raise FormatError(f"{path}: not a directory; name the one with the *-weights.bin files")
    found = read_directory(path)
    pixels = np.arange(256)
    if found.family == "cnv":
        # x = 2 p / 255 - 1 in steps of 1/128, rounded and saturated, plus 128.
        codes = np.minimum((512 * pixels + 255) // 510, 255).astype(np.uint8)
        picture = PictureInput("thumbnail-on-white", 32)
        pixels_to_codes = Lookup("pixels", (32, 32, 3), codes, (32, 32, 3))
    else:
        picture = PictureInput("fit-grey", 28)
        codes = (pixels >= 128).astype(np.uint8)
        pixels_to_codes = Lookup("pixels", (28, 28, 1), codes, (1, 1, 784))
    precision = f"W{found.weight_bits}A{found.activation_bits}"
    return Network(
        name=name,
        title=f"{found.family.upper()} {precision} of BNN-PYNQ, {len(found.classes)} classes",
        task="classify",
        classes=found.classes,
        layers=(pixels_to_codes, *found.layers),
        picture=picture,
        result=Scores(found.offset, found.divisor, SCORE_SCALE[found.activation_bits]),
        source="imported from the BNN-PYNQ format",
    )
