# SPDX-License-Identifier: BSD-3-Clause
"""How fast the stages of a network run, beside the straightforward numpy in the same run.

The stages are those of a picture: decoding, the layers on the host before the run of layers that a
backend takes, that run, and the layers behind it with the result.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from qnn.backends import DEFAULTS, Session, Settings, open_session
from qnn.backends.host_layers import HostLayers
from qnn.backends.protocol import Maps
from qnn.compute.dense import FloatDense
from qnn.compute.float_conv import Uniform
from qnn.engine.placement import Place, accelerated, integer_run
from qnn.measure import baseline
from qnn.network import Conv, Dense, FloatConv, Layer, Network, PictureInput
from qnn.network.result import Boxes, FloatMap
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


@dataclass(frozen=True)
class Report:
    """What was timed.

    Attributes:
        backend: its name.
        places: where each layer of the network ran, and why.
        rows: one for each stage that the network has.
    """

    backend: str
    places: tuple[Place, ...]
    rows: list[Row]


def bench(network: Network, backend: str, repeat: int, settings: Settings = DEFAULTS) -> Report:
    """Times each stage `repeat` times on random data, after a run that fills caches; of a
    simulation one run is timed, for all are alike."""
    random = np.random.default_rng(SEED)
    rows: list[Row] = []
    if network.picture is not None:
        rows.append(_decode_row(network.picture, random, repeat))
    given = _random_maps(network, random)
    backend, session = open_session(backend, network, settings)
    try:
        run = accelerated(session.places)
        if run.start == run.stop:
            run = integer_run(network.layers)
        before, after = network.layers[: run.start], network.layers[run.stop :]
        if before:
            rows.append(_first_row(before, given, repeat))
        *_, read = islice(session.trace(given), max(run.stop, 1))  # fills caches
        codes = HostLayers(before)(given)[0]
        rows += _offload_rows(session, network.layers[run], given, codes, repeat)
    finally:
        session.close()
    if after or network.result is not None:
        rows.append(_last_row(network, after, read if run.stop else given, repeat))
    return Report(backend, session.places, rows)


def _random_maps(network: Network, random: np.random.Generator) -> Maps:
    """What the first layer reads: codes, or floats that a picture could give; of one picture."""
    if network.in_bits is None:
        low, high = (-0.5, 0.5) if network.picture is None else network.picture.limits
        return random.uniform(low, high, (1, *network.in_shape)).astype(np.float32)
    return random.integers(0, 1 << network.in_bits, (1, *network.in_shape), dtype=np.uint8)


def _decode_row(picture: PictureInput, random: np.random.Generator, repeat: int) -> Row:
    """A JPEG of blurred noise, read and scaled."""
    width, height = PICTURE
    noise = random.integers(0, 256, (height // 20, width // 20, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise.jpg"
        Image.fromarray(noise).resize(PICTURE).save(path, quality=90)
        return Row("decode", _median_ms(lambda: picture.tensor(Picture.open(path)), repeat), None)


def _first_row(layers: Sequence[Layer], given: Maps, repeat: int) -> Row:
    host = HostLayers(layers)
    baseline_ms = None
    if len(layers) == 1 and isinstance(layers[0], FloatConv):
        baseline_ms = _median_ms(_straightforward(layers[0], given[0]), min(repeat, 3))
    return Row("first_layer", _median_ms(lambda: host(given), repeat), baseline_ms)


def _offload_rows(
    session: Session, layers: Sequence[Layer], given: Maps, codes: NDArray[Any], repeat: int
) -> list[Row]:
    runs = 1 if session.simulated else repeat
    offloads = [offload for _ in range(runs) for offload in session.stream([given])]
    ms = float(np.median([offload.offload_us for offload in offloads])) / 1e3
    baseline_ms = _median_ms(lambda: _baseline_layers(layers, codes), min(repeat, 3))
    packing = [one.packing_us for one in offloads if one.packing_us is not None]
    rows = [Row("packing", float(np.median(packing)) / 1e3, None)] if packing else []
    cycles = offloads[-1].cycles
    if session.simulated and cycles is not None and session.clock_mhz is not None:
        rows.append(Row("offload", cycles / session.clock_mhz / 1e3, baseline_ms, cycles, ms / 1e3))
    else:
        rows.append(Row("offload", ms, baseline_ms, cycles))
    return rows


def _last_row(network: Network, layers: Sequence[Layer], read: Maps, repeat: int) -> Row:
    """The layers behind the run, and the result."""
    host, result = HostLayers(layers), network.result

    def last() -> object:
        maps = host(read)
        if result is None:
            return maps
        if isinstance(result, Boxes):
            features = np.asarray(maps[0], np.float64)
            return result.detect(features, len(network.classes), PICTURE)
        return result.values(maps) if isinstance(result, FloatMap) else result.probabilities(maps)

    dense = [layer for layer in layers if isinstance(layer, Dense)]
    baseline_ms = None
    if dense and len(dense) == len(layers) and not isinstance(result, Boxes):
        matrices = [_float64_matrix(layer) for layer in dense]
        baseline_ms = _median_ms(lambda: _baseline_dense(dense, matrices, read[0]), min(repeat, 3))
    return Row("last_layers", _median_ms(last, repeat), baseline_ms)


def _median_ms(action: Callable[[], object], repeat: int) -> float:
    action()  # fills caches and allocates buffers
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return float(np.median(times) * 1e3)


def _straightforward(layer: FloatConv, x: NDArray[Any]) -> Callable[[], NDArray[Any]]:
    """A float convolution as the baseline has it."""
    weight = layer.weight.astype(np.float64)
    padding = (layer.padding,) * 4

    def run() -> NDArray[Any]:
        out = baseline.convolution(x, weight, layer.stride, padding)
        if layer.bias is not None:
            out = out + layer.bias
        if isinstance(layer.quantizer, Uniform):
            scaled = out.clip(0, layer.quantizer.top) / layer.quantizer.top
            return np.round(scaled * layer.quantizer.levels)
        return (out[..., None] > np.array(layer.quantizer.values)).sum(axis=-1)

    return run


def _baseline_layers(layers: Sequence[Layer], codes: NDArray[Any]) -> NDArray[Any]:
    for layer in layers:
        if isinstance(layer, FloatConv):
            codes = _straightforward(layer, codes)().astype(np.uint8)
        else:
            assert isinstance(layer, Conv)
            codes = baseline.layer(layer, codes)
    return codes


def _float64_matrix(layer: Dense) -> NDArray[np.float64]:
    """The weights as the baseline keeps them, (inputs, outputs)."""
    matrix = layer.matrix
    if isinstance(matrix, FloatDense):
        return matrix.weight.astype(np.float64)
    bits = np.unpackbits(matrix.bits.view(np.uint8), axis=1, count=matrix.n_in, bitorder="little")
    return np.where(bits, matrix.hi[:, None], matrix.lo[:, None]).T.astype(np.float64)


def _baseline_dense(
    layers: Sequence[Dense], matrices: Sequence[NDArray[np.float64]], codes: NDArray[Any]
) -> NDArray[np.float64]:
    x = codes.ravel() / max(codes.max(), 1)
    for layer, weight in zip(layers, matrices, strict=True):
        x = x @ weight + layer.matrix.bias
        if layer.levels:
            x = x.clip(0, 1)
        if layer.levels > 1:
            x = np.round(x * layer.levels) / layer.levels
    exponents = np.exp(x - x.max())
    return exponents / exponents.sum()
