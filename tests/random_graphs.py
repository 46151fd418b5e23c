# SPDX-License-Identifier: BSD-3-Clause
"""Networks of codes that are no chains, with random parameters, made from a seeded generator.

in > stem > block > block ...     a block of any of BLOCKS reads what the one before it gives
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from random_networks import coefficients_of, network_of, random_codes, random_conv

from qnn.network import Conv, MaxPool, Network

WEIGHT_BITS = 4  # of sums and averages
PADDED = (1, 1, 1, 1)  # keeps the size of a map under a kernel of 3x3


@dataclass
class Made:
    """Layers so far, and what those of them read that do not read the one before."""

    rng: np.random.Generator
    layers: list[Conv] = field(default_factory=list)
    inputs: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def last(self) -> Conv:
        return self.layers[-1]

    def any_of(self, *values: int) -> int:
        return int(self.rng.choice(values))

    def levels(self) -> int:
        """Thresholds of a layer, for codes of 1 to 4 bits, rarely of 8."""
        return self.any_of(1, 3, 3, 5, 7, 15, 255)

    def add(self, layer: Conv, *reads: Conv) -> Conv:
        self.layers.append(layer)
        self.inputs[layer.name] = tuple(one.name for one in reads)
        return layer

    def conv(self, outputs: int, kernel: int, *reads: Conv, **options) -> Conv:
        """A convolution that keeps the size, of maps side by side."""
        maps = [one.out_shape for one in reads]
        facts = {"levels": self.levels(), "padding": PADDED if kernel == 3 else (0, 0, 0, 0)}
        layer = random_conv(
            self.rng,
            (*maps[0][:2], sum(channels for _, _, channels in maps)),
            outputs,
            (kernel, kernel),
            name=f"layer{len(self.layers)}",
            in_bits=max(one.out_bits or 0 for one in reads),
            coefficients=coefficients_of(self.any_of(1, 2, 4)) if self.rng.random() < 0.4 else (1,),
            **(facts | options),
        )
        return self.add(layer, *reads)

    def of_weights(self, like: Conv, weight: np.ndarray) -> Conv:
        """The last layer, which is `like`, with weights int64 (O, KH, KW, C/groups) of
        WEIGHT_BITS."""
        half = 1 << (WEIGHT_BITS - 1)
        planes = [(weight + half) >> bit & 1 for bit in reversed(range(WEIGHT_BITS))]
        bits = np.stack([*planes, np.zeros_like(weight)]).astype(np.uint8)
        self.layers[-1] = replace(like, weight=bits, coefficients=coefficients_of(WEIGHT_BITS))
        return self.layers[-1]


def addition(made: Made) -> None:
    """p a + q b of each channel of two maps: a map and what a layer makes of it."""
    shortcut, channels = made.last, made.last.outputs
    inner = made.conv(channels, 3, shortcut)
    shares = [g for g in (1, 2, 3, 4) if channels % g == 0 and channels // g <= 32]
    groups = made.any_of(*(shares or [1]))
    pool = MaxPool(2, 2) if min(shortcut.out_shape[:2]) > 3 and made.rng.random() < 0.3 else None
    added = made.conv(channels, 1, inner, shortcut, groups=groups, pool=pool)
    share, each = channels // groups, np.arange(channels)
    weight = np.zeros((channels, 1, 1, 2 * share), np.int64)
    for begin in (0, share):
        weight[each, 0, 0, begin + each % share] = made.rng.integers(-8, 8, channels)
    made.of_weights(added, weight)


def side_by_side(made: Made) -> None:
    """Two or three maps, one behind the other."""
    stem = made.last
    reads = [stem] if made.rng.random() < 0.5 else []
    while len(reads) < made.any_of(2, 2, 3):
        reads.append(made.conv(made.any_of(3, 8, 16, 20, 40), made.any_of(1, 3), stem))
    rest = [] if stem in reads else [stem]
    made.conv(made.any_of(4, 16, 17), made.any_of(1, 3), *made.rng.permutation([*reads, *rest]))


def pad_code(made: Made) -> None:
    """A padded layer behind channels that are one code everywhere, but 0 outside the map."""
    channels, constants = made.any_of(5, 8, 30), made.any_of(1, 2)
    before = made.conv(channels, 1, made.last)
    assert before.thresholds is not None
    thresholds = before.thresholds.copy()
    code = made.any_of(*range(thresholds.shape[1] + 1))
    thresholds[-constants:, :code] = -before.bound
    thresholds[-constants:, code:] = before.bound + 1
    made.layers[-1] = replace(before, thresholds=thresholds)
    made.conv(made.any_of(4, 16, 17), 3, made.last)


def average(made: Made) -> None:
    """Averages of windows of 2x2, or of the whole map."""
    rows, columns, channels = made.last.out_shape
    whole = min(rows, columns) < 2 or made.rng.random() < 0.5
    kernel = (rows, columns) if whole else (2, 2)
    before = made.last
    layer = random_conv(
        made.rng, before.out_shape, channels, kernel, name=f"layer{len(made.layers)}",
        in_bits=before.out_bits or 0, levels=made.levels(), stride=1 if whole else 2,
    )  # fmt: skip
    made.add(layer, before)
    each = np.eye(channels, dtype=np.int64)[:, None, None, :]
    made.of_weights(layer, np.broadcast_to(each, (channels, *kernel, channels)))


BLOCKS: tuple[Callable[[Made], None], ...] = (addition, side_by_side, pad_code, average)


def random_graph(rng: np.random.Generator) -> tuple[Network, np.ndarray]:
    """One of each of two or three blocks in any order, and the codes of a picture."""
    made = Made(rng)
    rows, columns = rng.integers(1, 9, 2).tolist()
    stem = random_conv(
        rng, (rows, columns, made.any_of(1, 3, 8)), made.any_of(4, 6, 16, 24, 40), (3, 3),
        name="layer0", in_bits=made.any_of(1, 2, 8), levels=made.levels(), padding=PADDED,
    )  # fmt: skip
    made.layers.append(stem)
    for number in rng.permutation(len(BLOCKS))[: made.any_of(2, 3)]:
        BLOCKS[number](made)
    if rng.random() < 0.3:
        made.conv(made.any_of(3, 10), 1, made.last, levels=None)
    network = network_of(*made.layers, inputs=made.inputs)
    return network, random_codes(rng, network, 3)[rng.choice(3, p=[0.05, 0.05, 0.9])]
