# SPDX-License-Identifier: BSD-3-Clause
"""Layers that have as many of something as a command can say, for small accelerators."""

import random_networks

from qnn.network import MaxPool

LARGEST = {
    # weights of 9 bits, so that groups stay as they are
    "commands": [((3, 2, 64), 64, (1, 1), {"groups": 64, "coefficients": (128, 127)})],
    "tiles and channels": [
        ((1, 8, 3), 4080, (1, 1), {"levels": 1}),
        ((1, 8, 4080), 20, (1, 1), {"in_bits": 1}),
    ],
    "bytes of two planes": [
        ((1, 12, 3), 1360, (1, 1), {"levels": 3}),
        ((1, 12, 1360), 20, (1, 1), {"in_bits": 2}),
    ],
    "tiles beyond the rings": [((6, 6, 48), 33 * 16, (5, 5), {"padding": (2,) * 4})],
    "rows": [((1023, 3, 1), 33 * 16, (3, 1), {"in_bits": 1, "levels": 1, "stride": 2})],
    "output rows": [((1023, 3, 1), 20, (1, 2), {"in_bits": 1, "levels": 1})],
    "rows to pool": [((1022, 3, 2), 20, (1, 1), {"pool": MaxPool(2, 1, (1, 0, 0, 0))})],
    "columns": [((3, 1023, 4), 20, (3, 3), {"padding": (1, 1, 1, 1)})],
    "columns of blocks": [
        ((1, 1023, 3), 20, (1, 1), {"levels": 1}),
        ((1, 1023, 20), 5, (1, 3), {"in_bits": 1, "padding": (0, 1, 0, 0)}),
    ],
    "pooled columns": [((4, 128, 4), 20, (2, 1), {"pool": MaxPool(2, 2)})],
    "thresholds": [((4, 4, 4), 2048, (1, 1), {"levels": 2})],
    "weights": [((2, 2, 2048), 16, (2, 2), {"coefficients": (1, 1), "in_bits": 4})],
    "sums": [
        ((1, 3, 1024), 20, (1, 1), {"coefficients": (128,) * 9, "in_bits": 8, "levels": None})
    ],
}


def largest(rng, what):
    return [
        random_networks.random_conv(rng, shape, outputs, kernel, **options)
        for shape, outputs, kernel, options in LARGEST[what]
    ]
