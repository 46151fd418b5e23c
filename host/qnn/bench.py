# SPDX-License-Identifier: BSD-3-Clause
"""How fast the stages of a network run, beside the straightforward numpy in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn import baseline
from qnn.backends import open_session
from qnn.dense import BinaryDense, FloatDense, pack_columns
from qnn.first import ConvFirst
from qnn.float_conv import Thresholds, Uniform
from qnn.last import DenseChain, DenseLayer, FloatScores, Region, Scores
from qnn.network import Conv, MaxPool, Network

SEED = 1


@dataclass(frozen=True)
class Row:
    """Median time of one stage for one picture.

    Attributes:
        stage: "first_layer", "offload" or "last_layers".
        ms: this package.
        baseline_ms: qnn.baseline on the same data; None where it has nothing to compare.
    """

    stage: str
    ms: float
    baseline_ms: float | None

    @property
    def ratio(self) -> float | None:
        """How many times faster than the baseline."""
        return None if self.baseline_ms is None else self.baseline_ms / self.ms


def bench(network: Network, backend: str, repeat: int) -> tuple[str, list[Row]]:
    """Times each stage `repeat` times on random data.

    Returns:
        The backend's name, and a row for each stage that the network has.
    """
    random = np.random.default_rng(SEED)
    rows: list[Row] = []
    if isinstance(network.first, ConvFirst):
        rows.append(_first_row(network.first, random, repeat))
    codes = random.integers(0, 1 << network.in_bits, network.in_shape, dtype=np.uint8)
    backend, session = open_session(backend, network)
    rows.append(
        Row(
            "offload",
            _median_ms(lambda: session.run(codes[None]), repeat),
            _median_ms(lambda: _baseline_layers(network, codes), min(repeat, 3)),
        )
    )
    maps = session.run(codes[None])
    session.close()
    last = network.last
    if isinstance(last, DenseChain):
        matrices = [_float64_matrix(layer) for layer in last.layers]
        rows.append(
            Row(
                "last_layers",
                _median_ms(lambda: last.probabilities(maps), repeat),
                _median_ms(lambda: _baseline_dense(last, matrices, maps[0]), min(repeat, 3)),
            )
        )
    elif isinstance(last, Scores | FloatScores):
        rows.append(Row("last_layers", _median_ms(lambda: last.probabilities(maps), repeat), None))
    elif isinstance(last, Region):
        found = _median_ms(lambda: last.detect(maps[0], len(network.classes), (640, 480)), repeat)
        rows.append(Row("last_layers", found, None))
    return backend, rows


def _median_ms(action: Callable[[], object], repeat: int) -> float:
    action()  # fills caches and allocates buffers
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return float(np.median(times) * 1e3)


def _first_row(first: ConvFirst, random: np.random.Generator, repeat: int) -> Row:
    x = random.random((first.size, first.size, 3), dtype=np.float32) - np.float32(0.5)
    weight = first.weight.astype(np.float64)
    padding = (first.padding,) * 4

    def straightforward() -> NDArray[Any]:
        out = baseline.convolution(x, weight, first.stride, padding)
        if first.bias is not None:
            out = out + first.bias
        if isinstance(first.quantizer, Uniform):
            scaled = out.clip(0, first.quantizer.top) / first.quantizer.top
            return np.round(scaled * first.quantizer.levels)
        return (out[..., None] > np.array(first.quantizer.values)).sum(axis=-1)

    return Row(
        "first_layer",
        _median_ms(lambda: first.codes(x), repeat),
        _median_ms(straightforward, min(repeat, 3)),
    )


def _baseline_layers(network: Network, codes: NDArray[Any]) -> NDArray[Any]:
    for layer in network.layers:
        codes = baseline.layer(layer, codes)
    return codes


def _float64_matrix(layer: DenseLayer) -> NDArray[np.float64]:
    """The weights as the baseline keeps them, (inputs, outputs)."""
    matrix = layer.matrix
    if isinstance(matrix, FloatDense):
        return matrix.weight.astype(np.float64)
    bits = np.unpackbits(matrix.bits.view(np.uint8), axis=1, count=matrix.n_in, bitorder="little")
    return np.where(bits, matrix.hi[:, None], matrix.lo[:, None]).T.astype(np.float64)


def _baseline_dense(
    last: DenseChain, matrices: list[NDArray[np.float64]], codes: NDArray[Any]
) -> NDArray[np.float64]:
    x = codes.ravel() / max(codes.max(), 1)
    for layer, weight in zip(last.layers, matrices, strict=True):
        x = x @ weight + layer.matrix.bias
        if layer.levels:
            x = x.clip(0, 1)
        if layer.levels > 1:
            x = np.round(x * layer.levels) / layer.levels
    exponents = np.exp(x - x.max())
    return exponents / exponents.sum()


def random_dorefanet() -> Network:
    """A network of DoReFa-Net's shapes with random parameters: it runs as fast as the real one."""
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
    """Fully connected layers of DoReFa-Net's shapes with random parameters."""
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
