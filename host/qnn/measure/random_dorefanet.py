# SPDX-License-Identifier: BSD-3-Clause
"""Stand-ins of DoReFa-Net's shapes with random parameters: they run as fast as the real ones."""

from __future__ import annotations

import numpy as np

from qnn.compute.dense import BinaryDense, FloatDense, pack_columns
from qnn.compute.float_conv import Thresholds
from qnn.network import Conv, MaxPool, Network
from qnn.network.first import ConvFirst
from qnn.network.last import DenseChain, DenseLayer

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

    conv0 = random.normal(0, 0.1, (68, 12, 12, 3)).astype(np.float32)
    return Network(
        name="random-dorefanet",
        title="the shapes of DoReFa-Net, random parameters",
        task="classify",
        classes=tuple(f"class {i}" for i in range(1000)),
        layers=(
            conv("conv1", 54, 68, 180, 5, 2, MaxPool(3, 2, (0, 0, 1, 1))),
            conv("conv2", 27, 180, 272, 3, 1, MaxPool(3, 2, (1, 1, 1, 1))),
            conv("conv3", 14, 272, 384, 3, 2, None),
            conv("conv4", 14, 384, 256, 3, 2, MaxPool(3, 2)),
        ),
        first=ConvFirst(
            geometry="shrink-and-crop",
            size=224,
            mean=None,
            weight=conv0,
            bias=None,
            stride=4,
            padding=0,
            quantizer=Thresholds((5 / 6, 1 / 2, 1 / 6)),
            arithmetic="float64",
            transposed=False,
        ),
        last=random_dense_chain(random),
    )


def random_dense_chain(random: np.random.Generator | None = None) -> DenseChain:
    """Only its fully connected layers."""
    random = np.random.default_rng(SEED) if random is None else random
    layers = []
    for name, inputs, outputs, levels in (("fc0", 9216, 4096, 3), ("fc1", 4096, 4096, 1)):
        scale = random.uniform(0.005, 0.02, outputs).astype(np.float32)
        signs = 2 * random.integers(0, 2, (inputs, outputs), dtype=np.int8) - 1
        packed = pack_columns(signs * scale)
        assert packed is not None
        bias = random.normal(0, 0.3, outputs).astype(np.float32)
        matrix = BinaryDense(packed.bits, packed.lo, packed.hi, bias, inputs)
        layers.append(DenseLayer(name, matrix, levels))
    weight = random.normal(0, 0.02, (4096, 1000)).astype(np.float32)
    layers.append(DenseLayer("fct", FloatDense(weight, None), 0))
    return DenseChain(tuple(layers))
