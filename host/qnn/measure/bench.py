# SPDX-License-Identifier: BSD-3-Clause
"""How fast the stages of a network run, beside the straightforward numpy in the same run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from qnn.backends import DEFAULTS, Session, Settings, open_session
from qnn.compute.dense import FloatDense
from qnn.compute.float_conv import Uniform
from qnn.measure import baseline
from qnn.network import Network
from qnn.network.first import ConvFirst, First
from qnn.network.last import DenseChain, DenseLayer, Region
from qnn.pictures.picture import Picture

SEED = 1
PICTURE = (500, 375)  # width and height: about those of ImageNet's
# Of DoReFa-Net with the implementation that this project follows, on its Zynq board: a figure of a
# blog post for each stage that it names, 1.30 s in all.
PUBLISHED_MS = {"first_layer": 655.0, "offload": 80.0, "last_layers": 569.0}
PUBLISHED_ALL_MS = 1300.0


@dataclass(frozen=True)
class Row:
    """Median time of one stage for one picture.

    Attributes:
        stage: "decode", "first_layer", "packing", "offload" or "last_layers".
        ms: this package.
        baseline_ms: qnn.measure.baseline on the same data; None where it has nothing to compare.
        cycles: of an accelerator, for the offload.
        simulation_s: what simulating them took; then `ms` is modelled, cycles / clock.
    """

    stage: str
    ms: float
    baseline_ms: float | None
    cycles: int | None = None
    simulation_s: float | None = None

    @property
    def kind(self) -> str:
        """Where `ms` comes from: "measured" here, or "modelled" from simulated cycles."""
        return "measured" if self.simulation_s is None else "modelled"

    @property
    def ratio(self) -> float | None:
        """How many times faster than the baseline; None where only one of the two is measured."""
        if self.baseline_ms is None or self.kind != "measured":
            return None
        return self.baseline_ms / self.ms


def bench(
    network: Network, backend: str, repeat: int, settings: Settings = DEFAULTS
) -> tuple[str, list[Row]]:
    """Times each stage `repeat` times on random data, after a run that fills caches; of a
    simulation one run is timed, for all are alike.

    Returns:
        The backend's name, and a row for each stage that the network has.
    """
    random = np.random.default_rng(SEED)
    rows: list[Row] = []
    first = network.first
    if first is not None:
        rows.append(_decode_row(first, random, repeat))
        rows.append(_first_row(first, random, repeat))
    codes = random.integers(0, 1 << network.in_bits, network.in_shape, dtype=np.uint8)
    backend, session = open_session(backend, network, settings)
    try:
        maps = session.run(codes[None])  # fills caches, and what an accelerator keeps
        rows += _offload_rows(session, network, codes, repeat)
    finally:
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
    elif isinstance(last, Region):
        found = _median_ms(lambda: last.detect(maps[0], len(network.classes), PICTURE), repeat)
        rows.append(Row("last_layers", found, None))
    elif last is not None:
        rows.append(Row("last_layers", _median_ms(lambda: last.probabilities(maps), repeat), None))
    return backend, rows


def _decode_row(first: First, random: np.random.Generator, repeat: int) -> Row:
    """A JPEG of blurred noise, read and scaled."""
    width, height = PICTURE
    noise = random.integers(0, 256, (height // 20, width // 20, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise.jpg"
        Image.fromarray(noise).resize(PICTURE).save(path, quality=90)
        return Row("decode", _median_ms(lambda: first.tensor(Picture.open(path)), repeat), None)


def _offload_rows(
    session: Session, network: Network, codes: NDArray[np.uint8], repeat: int
) -> list[Row]:
    runs = 1 if session.simulated else repeat
    offloads = [offload for _ in range(runs) for offload in session.stream([codes[None]])]
    ms = float(np.median([offload.offload_us for offload in offloads])) / 1e3
    baseline_ms = _median_ms(lambda: _baseline_layers(network, codes), min(repeat, 3))
    packing = [one.packing_us for one in offloads if one.packing_us is not None]
    rows = [Row("packing", float(np.median(packing)) / 1e3, None)] if packing else []
    cycles = offloads[-1].cycles
    if session.simulated and cycles is not None and session.clock_mhz is not None:
        rows.append(Row("offload", cycles / session.clock_mhz / 1e3, baseline_ms, cycles, ms / 1e3))
    else:
        rows.append(Row("offload", ms, baseline_ms, cycles))
    return rows


def _median_ms(action: Callable[[], object], repeat: int) -> float:
    action()  # fills caches and allocates buffers
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return float(np.median(times) * 1e3)


def _first_row(first: First, random: np.random.Generator, repeat: int) -> Row:
    if not isinstance(first, ConvFirst):
        tensor = first.tensor(Picture.open(np.zeros((*PICTURE[::-1], 3), np.uint8)))
        return Row("first_layer", _median_ms(lambda: first.codes(tensor), repeat), None)
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
