# SPDX-License-Identifier: BSD-3-Clause
"""Stand-ins of DoReFa-Net's shapes with random parameters: they run as fast as the real ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qnn.compute.dense import BinaryDense, FloatDense, pack_columns
from qnn.compute.float_conv import Thresholds
from qnn.network import Conv, Dense, FloatConv, MaxPool, Network, PictureInput
from qnn.network.result import Probabilities

SEED = 1


def random_dorefanet() -> Network:
    """The whole network."""
    random = np.random.default_rng(SEED)

    def conv(
        name: str,
        side: int,
        channels: int,
        outputs: int,
        kernel: int,
        groups: int,
        pool: MaxPool | None,
    ) -> Conv:
        per_group = channels // groups
        weight = random.integers(0, 2, (1, outputs, kernel, kernel, per_group), dtype=np.uint8)
        spread = int(2 * (kernel * kernel * per_group) ** 0.5)
        thresholds = random.integers(-spread, spread, (outputs, 3)).astype(np.int32)
        return Conv(
            name=name,
            in_shape=(side, side, channels),
            in_bits=2,
            weight=weight,
            thresholds=np.sort(thresholds, axis=1),
            padding=(kernel // 2,) * 4,
            groups=groups,
            pool=pool,
        )

    conv0 = random.normal(0, 0.02, (68, 12, 12, 3)).astype(np.float32)
    convolutions = Network(
        name="random-dorefanet",
        title="the shapes of DoReFa-Net, random parameters",
        task="classify",
        classes=(),
        picture=PictureInput("shrink-and-crop", 224),
        layers=(
            FloatConv(
                name="conv0",
                in_shape=(224, 224, 3),
                weight=conv0,
                bias=None,
                stride=4,
                padding=0,
                quantizer=Thresholds((5 / 6, 1 / 2, 1 / 6)),
                arithmetic="float64",
            ),
            conv("conv1", 54, 68, 180, 5, 2, MaxPool(3, 2, (0, 0, 1, 1))),
            conv("conv2", 27, 180, 272, 3, 1, MaxPool(3, 2, (1, 1, 1, 1))),
            conv("conv3", 14, 272, 384, 3, 2, None),
            conv("conv4", 14, 384, 256, 3, 2, MaxPool(3, 2)),
        ),
    )
    return completed(convolutions, random)


def completed(network: Network, random: np.random.Generator | None = None) -> Network:
    """DoReFa-Net without its fully connected layers, which read 6x6x256 codes, with random ones."""
    random = np.random.default_rng(SEED) if random is None else random
    fc0, fc1 = (_binary(random, inputs, 4096) for inputs in (9216, 4096))
    fct = FloatDense(random.normal(0, 0.02, (4096, 1000)).astype(np.float32), None)
    dense = (
        Dense("fc0", (6, 6, 256), 2, fc0, levels=3, unit=None),
        Dense("fc1", (1, 1, 4096), 2, fc1, levels=1, unit=1 / 3),
        Dense("fct", (1, 1, 4096), None, fct, levels=0),
    )
    return replace(
        network,
        layers=(*network.layers, *dense),
        result=Probabilities(),
        classes=tuple(f"class {i}" for i in range(1000)),
    )


def _binary(random: np.random.Generator, inputs: int, outputs: int) -> BinaryDense:
    scale = random.uniform(0.005, 0.02, outputs).astype(np.float32)
    signs = 2 * random.integers(0, 2, (inputs, outputs), dtype=np.int8) - 1
    packed = pack_columns(signs * scale)
    assert packed is not None
    bias = random.normal(0, 0.3, outputs).astype(np.float32)
    return BinaryDense(packed.bits, packed.lo, packed.hi, bias, inputs)
