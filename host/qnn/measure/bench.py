# SPDX-License-Identifier: BSD-3-Clause
"""How fast the stages of a network run, beside the straightforward numpy in the same run.

The stages are those of a picture: decoding, the layers on the host before the run of layers that a
backend takes, that run, and the layers behind it with the result. An accelerator's run is told by
kinds of layers: a float first one, convolutions of codes, fully connected ones; and what the host
does between them. The layers that it takes are timed on this processor too, in the same run. Of a
stream of pictures host and accelerator have one each: the slower of the two says how many go
through.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
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
from qnn.engine.placement import Place, Where, accelerated, hosted, integer_run
from qnn.measure import baseline
from qnn.network import Conv, Dense, FloatConv, Layer, Network, PictureInput
from qnn.network.layer import groups_of
from qnn.network.result import Boxes, FloatMap
from qnn.network.wiring import OUTSIDE, side_by_side
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
        stage: "decode", "first_layer", "packing", "offload", "fully_connected", "between" or
            "last_layers".
        ms: this package.
        baseline_ms: qnn.measure.baseline on the same data; None where it has nothing to compare.
        cycles: of an accelerator.
        simulated: they were; then `ms` is modelled, cycles / clock.
        simulation_s: what simulating a whole picture took, in one of the rows.
        macs: products of weights and activations.
        cpu_ms: the same on this processor, as backend cpu has it; None where it has no such stage,
            or is what was timed.
    """

    stage: str
    ms: float
    baseline_ms: float | None
    cycles: int | None = None
    simulated: bool = False
    simulation_s: float | None = None
    macs: int = 0
    cpu_ms: float | None = None

    @property
    def where(self) -> Where:
        """Where the stage runs."""
        return "host" if self.cycles is None else "accelerator"

    @property
    def kind(self) -> str:
        """Where `ms` comes from: "measured" here, or "modelled" from simulated cycles."""
        return "modelled" if self.simulated else "measured"

    @property
    def ratio(self) -> float | None:
        """How many times faster than the baseline; None where only one of the two is measured."""
        if self.baseline_ms is None or self.kind != "measured":
            return None
        return self.baseline_ms / self.ms


@dataclass(frozen=True)
class Flow:
    """A stream of pictures, from files to results.

    Attributes:
        host_ms: of this host, for one picture.
        accelerator_ms: of the accelerator, for one picture; None where there is none.
        pictures_per_s: that go through: timed, or of a simulation what the slower of the two lets
            through.
        simulated: it is that of a simulation.
    """

    host_ms: float
    accelerator_ms: float | None
    pictures_per_s: float
    simulated: bool = False

    @property
    def kind(self) -> str:
        """Where `pictures_per_s` comes from: "measured" here, or "modelled"."""
        return "modelled" if self.simulated else "measured"

    @property
    def critical(self) -> Where:
        """Which of the two takes longer."""
        return "host" if self.host_ms >= (self.accelerator_ms or 0) else "accelerator"


@dataclass(frozen=True)
class Report:
    """What was timed.

    Attributes:
        backend: its name.
        places: where each layer of the network ran, and why.
        rows: one for each stage that the network has.
        flow: of all of them.
    """

    backend: str
    places: tuple[Place, ...]
    rows: list[Row]
    flow: Flow


def bench(network: Network, backend: str, repeat: int, settings: Settings = DEFAULTS) -> Report:
    """Times each stage `repeat` times on random data, after a run that fills caches; of a
    simulation one run is timed, for all are alike."""
    random = np.random.default_rng(SEED)
    given = _random_maps(network, random)
    with ExitStack() as stack:
        decode: Callable[[], Maps] = lambda: given  # noqa: E731
        if network.picture is not None:
            decode = stack.enter_context(_decoding(network.picture, random))
        backend, session = open_session(backend, network, settings)
        stack.callback(session.close)
        run = accelerated(session.places)
        accelerator = run.start < run.stop
        if not accelerator:
            run = integer_run(network.layers)
        layers, before, after = (
            network.layers,
            network.layers[: run.start],
            network.layers[run.stop :],
        )
        rows: list[Row] = []
        if network.picture is not None:
            rows.append(Row("decode", _median_ms(decode, repeat), None))
        if before:
            rows.append(_first_row(network, before, given, repeat))
        traced = [*islice(session.trace(given), max(run.stop, 1))]  # fills caches
        live = dict(enumerate(traced)) | {OUTSIDE: given}
        reads = [
            side_by_side([live[read][0] for read in own], groups_of(layer))
            for layer, own in zip(layers[run], network.wiring[run], strict=True)
        ]
        own = set(hosted(session.places, run)) if accelerator else set[int]()
        rows += _offload_rows(session, layers[run], own, given, reads, repeat)
        if after or network.result is not None:
            rows.append(_last_row(network, run.stop, live, repeat))
        if accelerator:
            rows = [_beside_cpu(row) for row in rows]
        flow = _flow(network, session, rows, decode, repeat)
    return Report(backend, session.places, rows, flow)


def _beside_cpu(row: Row) -> Row:
    """The row of a stage that backend cpu has too, with its time there."""
    if row.where == "accelerator" or row.stage in ("packing", "between"):
        return row
    return replace(row, cpu_ms=row.ms)


def _flow(
    network: Network, session: Session, rows: Sequence[Row], decode: Callable[[], Maps], repeat: int
) -> Flow:
    host_ms = sum(row.ms for row in rows if row.where == "host")
    cycles = sum(row.cycles or 0 for row in rows)
    accelerator_ms = None
    if cycles and session.clock_mhz is not None:
        accelerator_ms = cycles / session.clock_mhz / 1e3
    if session.simulated:
        slower_ms = max(host_ms, accelerator_ms or 0)
        return Flow(host_ms, accelerator_ms, 1e3 / slower_ms, simulated=True)
    marks = []
    for offload in session.stream(decode() for _ in range(repeat + 1)):
        _result(network, offload.maps)
        marks.append(time.perf_counter())
    return Flow(host_ms, accelerator_ms, repeat / (marks[-1] - marks[0]))


def _random_maps(network: Network, random: np.random.Generator) -> Maps:
    """What the first layer reads: codes, or floats that a picture could give; of one picture."""
    if network.in_bits is None:
        low, high = (-0.5, 0.5) if network.picture is None else network.picture.limits
        return random.uniform(low, high, (1, *network.in_shape)).astype(np.float32)
    return random.integers(0, 1 << network.in_bits, (1, *network.in_shape), dtype=np.uint8)


def write_noise(path: Path, size: tuple[int, int], random: np.random.Generator) -> None:
    """A JPEG of blurred noise, of a width and a height."""
    noise = random.integers(0, 256, (size[1] // 20, size[0] // 20, 3), dtype=np.uint8)
    Image.fromarray(noise).resize(size).save(path, "JPEG", quality=90)


@contextmanager
def _decoding(picture: PictureInput, random: np.random.Generator) -> Iterator[Callable[[], Maps]]:
    """What reads and scales a JPEG of blurred noise."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise.jpg"
        write_noise(path, PICTURE, random)
        yield lambda: picture.tensor(Picture.open(path))[None]


def _first_row(network: Network, layers: Sequence[Layer], given: Maps, repeat: int) -> Row:
    host = HostLayers(layers, wiring=network.wiring[: len(layers)])
    baseline_ms = None
    if len(layers) == 1 and isinstance(layers[0], FloatConv):
        baseline_ms = _median_ms(_straightforward(layers[0], given[0]), min(repeat, 3))
    ms = _median_ms(lambda: host(given), repeat)
    return Row("first_layer", ms, baseline_ms, macs=_macs(layers))


def _offload_rows(
    session: Session,
    layers: Sequence[Layer],
    of_host: Container[int],
    given: Maps,
    reads: Sequence[NDArray[Any]],
    repeat: int,
) -> list[Row]:
    """The run of a backend; `reads` is what each of its layers reads, `of_host` the numbers of
    those between that the host computes."""
    runs = 1 if session.simulated else repeat
    offloads = [offload for _ in range(runs) for offload in session.stream([given])]
    ms = float(np.median([offload.offload_us for offload in offloads])) / 1e3
    between_ms = float(np.median([offload.between_us for offload in offloads])) / 1e3
    packing = [one.packing_us for one in offloads if one.packing_us is not None]
    rows = [Row("packing", float(np.median(packing)) / 1e3, None)] if packing else []
    between = [layer for number, layer in enumerate(layers) if number in of_host]
    stages = [
        "between" if number in of_host else _stage_of(layer) for number, layer in enumerate(layers)
    ] or ["offload"]
    order = ("first_layer", "offload", "fully_connected")
    names = sorted(set(stages) - {"between"}, key=order.index)
    main = "offload" if "offload" in names else names[-1]  # has what belongs to no layer
    groups: dict[str, list[tuple[Layer, NDArray[Any]]]] = {name: [] for name in names}
    for name, layer, x in zip(stages, layers, reads, strict=False):  # no layers: no groups
        if name in groups:
            groups[name].append((layer, x))
    compared_ms = {name: _baseline_ms(group, repeat) for name, group in groups.items()}
    macs = {name: _macs([layer for layer, _ in group]) for name, group in groups.items()}
    cycles, clock_mhz = offloads[-1].cycles, session.clock_mhz
    if cycles is None or clock_mhz is None:
        return [*rows, Row(main, ms, compared_ms[main], macs=macs[main])]
    taken = dict.fromkeys([*names, "between"], 0)
    for name, own in zip(stages, session.layer_cycles(), strict=True):
        taken[name] += own
    taken[main] += cycles - sum(taken.values())
    simulated = session.simulated
    for name in names:
        own_ms = taken[name] / clock_mhz / 1e3
        if name == main and not simulated:  # with the time of the host around it
            own_ms = ms - between_ms - (cycles - taken[main]) / clock_mhz / 1e3
        seconds = ms / 1e3 if simulated and name == main else None
        rows.append(
            Row(
                name, own_ms, compared_ms[name], taken[name], simulated, seconds, macs[name],
                _cpu_ms(groups[name], repeat),
            )
        )  # fmt: skip
    if between_ms:
        rows.append(Row("between", between_ms, None, macs=_macs(between)))
    return rows


def _cpu_ms(layers: Sequence[tuple[Layer, NDArray[Any]]], repeat: int) -> float:
    """Layers, each on what it reads, as backend cpu has them."""
    steps = [(HostLayers([layer]), x[None]) for layer, x in layers]
    return _median_ms(lambda: [host(maps) for host, maps in steps], min(repeat, 3))


def _macs(layers: Sequence[Layer]) -> int:
    return sum(layer.macs for layer in layers)


def _stage_of(layer: Layer) -> str:
    """Where a layer of an accelerator's run is counted."""
    if isinstance(layer, FloatConv):
        return "first_layer"
    return "fully_connected" if isinstance(layer, Dense) else "offload"


def _last_row(network: Network, begin: int, live: dict[int, Maps], repeat: int) -> Row:
    """The layers behind the run, from one number on, and the result."""
    layers, result = network.layers[begin:], network.result
    host = HostLayers(layers, wiring=network.wiring[begin:], begin=begin)
    read = live[begin - 1]

    def last() -> object:
        (maps,) = deque(host.through(dict(live)), maxlen=1) or (read,)
        return _result(network, maps)

    dense = [layer for layer in layers if isinstance(layer, Dense)]
    baseline_ms = None
    if dense and len(dense) == len(layers) and not isinstance(result, Boxes):
        matrices = [_float64_matrix(layer) for layer in dense]
        baseline_ms = _median_ms(
            lambda: _softmax(_baseline_dense(dense, matrices, read[0])), min(repeat, 3)
        )
    return Row("last_layers", _median_ms(last, repeat), baseline_ms, macs=_macs(layers))


def _result(network: Network, maps: Maps) -> object:
    """What is made of the map of the last layer."""
    result = network.result
    if result is None:
        return maps
    if isinstance(result, Boxes):
        features = np.asarray(maps[0], np.float64)
        return result.detect(features, len(network.classes), PICTURE)
    return result.values(maps) if isinstance(result, FloatMap) else result.probabilities(maps)


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


def _baseline_ms(layers: Sequence[tuple[Layer, NDArray[Any]]], repeat: int) -> float:
    """Layers, each on what it reads, as the baseline has them."""
    steps = [_baseline_step(layer, x) for layer, x in layers]
    return _median_ms(lambda: [step() for step in steps], min(repeat, 3))


def _baseline_step(layer: Layer, x: NDArray[Any]) -> Callable[[], NDArray[Any]]:
    if isinstance(layer, FloatConv):
        return _straightforward(layer, x)
    if isinstance(layer, Dense):
        matrix = _float64_matrix(layer)
        return lambda: _baseline_dense([layer], [matrix], x)
    assert isinstance(layer, Conv)
    return lambda: baseline.layer(layer, x)


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
    return x


def _softmax(x: NDArray[np.float64]) -> NDArray[np.float64]:
    exponents = np.exp(x - x.max())
    return exponents / exponents.sum()
