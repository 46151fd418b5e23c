# SPDX-License-Identifier: BSD-3-Clause
"""What stands around the layers, beside what Pillow needs for the same picture in the same run; and
what a process costs that looks at one picture: time to start, and memory.

Ratios are of instructions, where something counts them (qnn.measure.effort), else of the
processor's time."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from qnn import store
from qnn.backends import DEFAULTS, Settings
from qnn.errors import QnnError
from qnn.measure.bench import SEED, write_noise
from qnn.measure.effort import Meter
from qnn.model import Model, best_classes, check_task, objects_in
from qnn.network import Network, PictureInput
from qnn.network.result import Boxes, FloatMap
from qnn.pictures.geometry import Letterbox
from qnn.pictures.picture import Picture

PICTURE = (500, 334)  # width and height of the picture that is looked at where none is named
_LAYERS = ("first_layer", "offload", "last_layers")
QUANTISE = "quantise"
AROUND = ("packing", "between", "unpacking", "scores")
_IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
_STATUS = "/proc/self/status"
_PEAK = f"""
import contextlib, io, re, sys
def kb(name):
    return int(re.search(name + r":\\s*(\\d+) kB", open("{_STATUS}").read())[1])
{{}}
with contextlib.redirect_stdout(io.StringIO()):
    {{}}
print(kb("VmHWM") - apart)
"""
_ALL = "apart = 0"
# Memory of the simulated board, and of the simulation of its accelerator, given back before the
# command takes as much.
_WITHOUT_SIMULATION = """
import qnn_sim.platform
before = kb("VmRSS")
board = qnn_sim.platform.SimulatedBoard()
apart = kb("VmRSS") - before
board.close()
del board
"""


@dataclass(frozen=True)
class Stage:
    """Median time of a stage for one picture.

    Attributes:
        name: "pixels" (from the file to 8-bit RGB), "scale" (from them to what the first layer
            reads), "quantise" (from floats to the numbers that an accelerator reads), "decode" (all
            in one); around an accelerator "packing" (where it reads them), "between" its stages
            (what is in doubt, and sums that become codes), "unpacking"; "scores" (classes or boxes
            of the last map); then of a run of the network "first_layer", "offload", and
            "last_layers" with the result.
        ms: this package; of an accelerator that is simulated the time that its cycles would take.
        ratio: median of what it cost beside Pillow just before; None where modelled, or where only
            time is known and instructions are counted.
    """

    name: str
    ms: float
    ratio: float | None


@dataclass(frozen=True)
class Process:
    """What a Python process costs.

    Attributes:
        import_s: `import qnn`, median.
        ready_s: `import qnn.model`, with all that a network on the CPU uses, numpy included.
        peak_mb: most memory that classifying (or detecting in) one picture had resident, in 10**6
            bytes, without that of a simulation; None where the system does not tell.
        libraries_mb: of it the interpreter, numpy and pillow.
    """

    import_s: float
    ready_s: float
    peak_mb: float | None
    libraries_mb: float | None


@dataclass(frozen=True)
class Report:
    """What was timed.

    Attributes:
        backend: its name.
        picture: name of the file, and its width and height.
        pillow: what Pillow did, its ratio 1.
        resized_to: width and height to which Pillow did.
        stages: one after the other.
        pictures_per_s: from file to result, one after the other; None of a simulation.
        process: of its own.
        unit: of what the ratios are: "instructions" or "ns".
        share: of AROUND together, in what decode costs.
    """

    backend: str
    picture: tuple[str, tuple[int, int]]
    pillow: Stage
    resized_to: tuple[int, int]
    stages: list[Stage]
    pictures_per_s: float | None
    process: Process
    unit: str
    share: float


def stages(
    network: Network,
    backend: str,
    repeat: int,
    settings: Settings = DEFAULTS,
    picture: Path | None = None,
) -> Report:
    """Times each stage `repeat` times, after a run that fills caches; of a simulation once.

    Args:
        network: with all from the picture to the result.
        picture: a file; None: a JPEG of noise, PICTURE large.

    Raises:
        QnnError: the network is incomplete, the picture cannot be read, the backend cannot run.
    """
    seen_by = check_task(network, network.task).picture
    assert seen_by is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise.jpg" if picture is None else picture
        if picture is None:
            write_noise(path, PICTURE, np.random.default_rng(SEED))
        size = Picture.open(path).size
        resized_to = _resized_to(seen_by, size)
        meter = Meter()
        with Model(network, backend, settings) as model:
            (pillow, *around), share = beside_pillow(meter, model, path, repeat)
            counted = meter.unit != "ns"
            layers, pictures_per_s = _layers(model, path, repeat, None if counted else pillow.ms)
        stored = Path(folder) / "network"
        stored.mkdir()
        store.save(network, stored)
        process = _process(network.task, stored, model, path)
    named = path.name, size
    return Report(
        model.backend, named, pillow, resized_to, around + layers, pictures_per_s, process,
        meter.unit, share,
    )  # fmt: skip


def beside_pillow(
    meter: Meter, model: Model, picture: Path, repeat: int
) -> tuple[list[Stage], float]:
    """Pillow, what comes before the layers and what is around an accelerator; and the share of
    AROUND in what decode costs. The layers run once before, and not again."""
    seen_by = model.network.picture
    assert seen_by is not None
    behind = _behind(model, picture)
    quantise = behind.pop(QUANTISE, None)
    resized_to = _resized_to(seen_by, Picture.open(picture).size)
    actions = _before(seen_by, picture, resized_to, quantise) | behind
    return _weighed(meter, actions, repeat)


def _resized_to(seen_by: PictureInput, size: tuple[int, int]) -> tuple[int, int]:
    if seen_by.geometry == "letterbox":
        width, height = Letterbox(*size, seen_by.size).inner
        return max(width, 1), max(height, 1)
    return seen_by.size, seen_by.size


def _before(
    seen_by: PictureInput,
    path: Path,
    resized_to: tuple[int, int],
    quantise: Callable[[], object] | None,
) -> dict[str, Callable[[], object]]:
    """Pillow, and what comes before the layers."""

    def pillow() -> None:
        with Image.open(path) as image:
            image.resize(resized_to)

    def decode() -> None:
        seen_by.tensor(Picture.open(path))
        if quantise is not None:
            quantise()

    opened = Picture.open(path)
    opened.pixels()
    return {
        "pillow": pillow,
        "pixels": lambda: Picture.open(path).pixels(),
        "scale": lambda: seen_by.tensor(opened),
        **({} if quantise is None else {QUANTISE: quantise}),
        "decode": decode,
    }


def _behind(model: Model, path: Path) -> dict[str, Callable[[], object]]:
    """What is around an accelerator, QUANTISE too, and what makes a result of the last map."""
    network, result = model.network, model.network.result
    decoded = model.decode(path)
    maps = decoded.tensor[None]
    (offload,) = model.stream([maps])

    def scores() -> object:
        if isinstance(result, Boxes):
            return objects_in(network, result, offload.maps, decoded.size)
        assert result is not None and not isinstance(result, FloatMap)
        return best_classes(network, result, offload.maps)

    return {**model.around(maps), "scores": scores}


def _weighed(
    meter: Meter, actions: dict[str, Callable[[], object]], repeat: int
) -> tuple[list[Stage], float]:
    """Actions in turns, the first beside which the others stand; and the share of AROUND."""
    seconds = np.empty((repeat + 1, len(actions)))
    costs = np.empty_like(seconds)
    names = [*actions]
    for turn in range(repeat + 1):
        for k, action in enumerate(actions.values()):
            start = time.perf_counter()
            costs[turn, k] = meter.of(action)
            seconds[turn, k] = time.perf_counter() - start
    filled = slice(1, None)  # the first fills caches
    times = 1e3 * np.median(seconds[filled], axis=0)
    ratios = np.median(costs[filled] / costs[filled, :1], axis=0)
    found = [Stage(*one) for one in zip(names, times.tolist(), ratios.tolist(), strict=True)]
    of = dict(zip(names, np.median(costs[filled], axis=0), strict=True))
    return found, float(sum(of.get(name, 0) for name in AROUND) / of["decode"])


def _layers(
    model: Model, path: Path, repeat: int, pillow_ms: float | None
) -> tuple[list[Stage], float | None]:
    """The stages of whole runs, beside Pillow where its time is given, and how many pictures a
    second go through."""
    count = 1 if model.simulated else repeat + 1
    look = model.classify_all if model.network.task == "classify" else model.detect_all
    marks, results = [], []
    for result in look([path] * count):
        marks.append(time.perf_counter())
        results.append(result)
    found = []
    for name in _LAYERS:
        times_us = [result.times_us[name] for result in results if name in result.times_us]
        if not times_us:
            continue
        ms = float(np.median(times_us[-repeat:])) / 1e3
        cycles, clock_mhz = results[-1].cycles, model.clock_mhz
        if name == "offload" and model.simulated and cycles is not None and clock_mhz is not None:
            found.append(Stage(name, cycles / clock_mhz / 1e3, None))
        else:
            found.append(Stage(name, ms, None if pillow_ms is None else ms / pillow_ms))
    return found, None if model.simulated else (count - 1) / (marks[-1] - marks[0])


def _process(task: str, network: Path, model: Model, picture: Path) -> Process:
    arguments = [task, str(picture), "--model", str(network), "--backend", model.backend]
    apart = _WITHOUT_SIMULATION if model.simulated else _ALL
    peak = libraries = None
    if Path(_STATUS).exists():
        libraries = _child(_PEAK.format(_ALL, "import numpy, PIL.Image")) * 1024 / 1e6
        look = "from qnn.cli import main; assert main(sys.argv[1:]) == 0"
        peak = _child(_PEAK.format(apart, look), *arguments) * 1024 / 1e6
    import_s, ready_s = (
        float(np.median([_child(_IMPORT.format(name)) for _ in range(3)]))
        for name in ("qnn", "qnn.model")
    )
    return Process(import_s, ready_s, peak, libraries)


def _child(code: str, *arguments: str) -> float:
    """The number that a Python process prints."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise QnnError(f"a process that was to be measured failed: {last.removeprefix('qnn: ')}")
    return float(done.stdout)
