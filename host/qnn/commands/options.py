# SPDX-License-Identifier: BSD-3-Clause
"""Options and output that several commands share."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from qnn.backends import BACKENDS, Settings
from qnn.commands.progress import Bar
from qnn.engine.placement import wish_for_first
from qnn.errors import QnnError
from qnn.network import Network
from qnn.network.result import FEATURE_SCALES
from qnn.pictures import folder
from qnn.store import library

if TYPE_CHECKING:
    from qnn.model import Classification, Detections, Model

Result = TypeVar("Result", "Classification", "Detections")

IMAGES = "picture files, and folders of them; also pipes, and - for standard input"
AUTO = "auto"
Commands = Any  # argparse gives its sub-parser action no public name


def add_command(
    commands: Commands, name: str, description: str, example: str
) -> argparse.ArgumentParser:
    """A sub-command with a help text that ends with an example."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=description,
        description=description,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def add_model(parser: argparse.ArgumentParser, default: str = library.DEFAULT) -> None:
    """--model, --backend, --clock-mhz and --first."""
    parser.add_argument(
        "--model",
        metavar="M",
        default=default,
        help=f"a name from `qnn models`, or a directory (default: {default})",
    )
    add_backend(parser)


def add_backend(parser: argparse.ArgumentParser) -> None:
    """--backend, --clock-mhz and --first."""
    parser.add_argument(
        "--backend",
        metavar="B",
        default=AUTO,
        help=f"auto, {', '.join(BACKENDS)} (default: auto, the best there is)",
    )
    parser.add_argument(
        "--clock-mhz",
        metavar="F",
        type=frequency,
        help="clock of the accelerator; of a simulated one: what times are modelled with (100)",
    )
    parser.add_argument(
        "--first",
        choices=("host", "accelerator"),
        help="where the first layer runs, where there is an accelerator (default: on it, if it "
        "can); the codes are the same",
    )


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """--cluster, in the place of what add_backend adds."""
    parser.add_argument(
        "--cluster",
        metavar="URL",
        help="have the workers of this Dask scheduler (tcp://host:8786) look at the pictures; see "
        "`qnn worker --help`",
    )


def check_cluster(args: argparse.Namespace) -> None:
    """QnnError where --cluster stands beside what its workers decide."""
    given = (args.backend != AUTO, args.clock_mhz is not None, args.first is not None)
    if args.cluster is not None and any(given):
        name = ("--backend", "--clock-mhz", "--first")[given.index(True)]
        raise QnnError(f"{name} is for each worker to say: give it to `qnn worker`")


@contextlib.contextmanager
def open_model(args: argparse.Namespace) -> Iterator[Model]:
    """What add_model's arguments name, with a bar while a simulated accelerator works."""
    from qnn.model import Model

    network = library.find(args.model)
    with (
        Bar(f"simulating {network.name}", "cycles") as bar,
        Model(network, args.backend, settings(args, network, bar.update)) as model,
    ):
        yield model


def settings(
    args: argparse.Namespace,
    network: Network,
    progress: Callable[[int, int], None] | None = None,
) -> Settings:
    """What add_model's arguments say of how a backend should work."""
    return Settings(args.clock_mhz, progress, wish_for_first(network, args.first))


def add_top(parser: argparse.ArgumentParser) -> None:
    """--top."""
    parser.add_argument(
        "--top", metavar="K", type=positive, default=5, help="classes per picture (5)"
    )


def add_boxes(parser: argparse.ArgumentParser) -> None:
    """--threshold and --feature-scale."""
    parser.add_argument(
        "--threshold",
        metavar="P",
        type=fraction,
        default=0.3,
        help="least probability of an object (0.3)",
    )
    parser.add_argument(
        "--feature-scale",
        choices=tuple(FEATURE_SCALES),
        default="published",
        help="what the last layer of Tinier-YOLO is fed: its codes 0..7 as they are, as in the "
        "published results (default), or times 4/7, the values it was trained on: boxes fit "
        "better then, probabilities are lower",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object and nothing else"
    )


def expanded(names: Sequence[str]) -> list[str]:
    """Names of pictures, and in the place of a folder that of each file in it, in order.

    Raises:
        QnnError: a folder cannot be read.
    """
    found: list[str] = []
    for name in names:
        inside = folder.files(Path(name)) if name and os.path.isdir(name) else []
        found += [os.fspath(one) for one in inside] or [name]
    return found


def positive(text: str) -> int:
    """An argument type: a whole number from 1 on."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return value


def port(text: str) -> int:
    """An argument type: a number of a port, or 0."""
    if not text.isascii() or not text.isdigit() or int(text) > 0xFFFF:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, a number from 0 to 65535")
    return int(text)


def fraction(text: str) -> float:
    """An argument type: a number from 0 to 1."""
    return _number(text, lambda value: 0 <= value <= 1, "a number from 0 to 1")


def frequency(text: str) -> float:
    """An argument type: a number of MHz."""
    return _number(text, lambda value: 0 < value < 10_000, "a number of MHz")


def seconds(text: str) -> float:
    """An argument type: a number of seconds."""
    return _number(text, lambda value: 0 <= value <= 1e9, "a number of seconds")


def _number(text: str, holds: Callable[[float], bool], wanted: str) -> float:
    with contextlib.suppress(ValueError):
        if holds(value := float(text)):
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")


def print_json(document: dict[str, Any]) -> None:
    """One object on standard output."""
    print(json.dumps(document, indent=1, ensure_ascii=False))


def check_targets(paths: Sequence[Path], inputs: Iterable[str | os.PathLike[str]]) -> None:
    """Refuses, before any work is done, what could not be written after it.

    Args:
        paths: where `save_picture`, `save_arrays` or `save_text` will write.
        inputs: what will be read; a path that is one of these is refused.

    Raises:
        QnnError: one of the paths cannot be written, as far as that can be known before.
    """
    read = {key for name in inputs if (key := _identity(name)) is not None}
    for path in paths:
        check_name(path)
        if _identity(path) in read:
            raise QnnError(f"{path} is to be read: give what is written another name")
    for parent, path in {path.parent: path for path in paths}.items():
        if not parent.is_dir():
            raise QnnError(f"cannot write {path}: there is no directory {parent}")
        with _writing(path) as partial:
            partial.touch()


def save_picture(image: Image.Image, path: Path) -> None:
    """Writes a picture; QnnError if that fails, and nothing half written stays."""
    _save(path, lambda partial: image.save(partial, format="PNG"))


def save_arrays(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Writes an .npz; QnnError if that fails, and nothing half written stays."""

    def write(partial: Path) -> None:
        with partial.open("wb") as file:  # of a name numpy would add to it
            np.savez(file, **arrays)  # type: ignore[arg-type]

    _save(path, write)


def save_text(text: str, path: Path) -> None:
    """Writes text in UTF-8, names of files as they are; QnnError as `save_picture`."""
    data = text.encode("utf-8", "surrogateescape")
    _save(path, lambda partial: partial.write_bytes(data))


def _save(path: Path, write: Callable[[Path], object]) -> None:
    check_name(path)
    with _writing(path) as partial:
        write(partial)
        partial.replace(path)
    print(f"wrote {path}", file=sys.stderr)


def check_name(path: Path) -> None:
    """QnnError if it is no name for a file, or that of something else."""
    try:
        is_other = not path.name or not stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise QnnError(f"cannot write {path}: {reason}") from None
    if is_other:
        raise QnnError(f"cannot write {path}: not the name of a file")


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to first; nothing stays there, and no OSError passes."""
    partial = path.with_name(f".qnn-{os.getpid()}.partial")
    try:
        yield partial
    except OSError as error:
        raise QnnError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Which file it is, whatever it is called; None if there is none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def print_results(
    ran: tuple[dict[str, Any], float | None],
    results: Sequence[Result],
    name: str,
    found: Callable[[Result], list[dict[str, Any]]],
    report: dict[str, Any],
) -> None:
    """JSON of all pictures, with times: of the host in microseconds, by stage; of an accelerator
    in milliseconds, and where they come from.

    Args:
        ran: as `what_ran` has it.
        name: of what was found in each picture.
        found: that, of one result.
        report: further fields.
    """
    document, clock_mhz = ran
    document["results"] = []
    for result in results:
        one: dict[str, Any] = {"image": result.image, name: found(result)}
        one["times_us"] = result.times_us
        if result.cycles is not None and clock_mhz is not None:
            one["cycles"] = result.cycles
            one["accelerator_ms"] = result.cycles / clock_mhz / 1e3
        document["results"].append(one)
    print_json(document | report)


def what_ran(network: Network, model: Model | None) -> tuple[dict[str, Any], float | None]:
    """How the JSON of results begins, and the clock of an accelerator."""
    document: dict[str, Any] = {
        "model": network.name,
        "backend": None if model is None else model.backend,
    }
    clock_mhz = None if model is None else model.clock_mhz
    if model is not None and clock_mhz is not None:
        times = "modelled" if model.simulated else "measured"
        document["accelerator"] = {"clock_mhz": clock_mhz, "times": times}
    return document, clock_mhz


def classes_document(result: Classification) -> list[dict[str, Any]]:
    """The classes of a picture, for JSON."""
    return [
        {"index": c.index, "name": c.name, "probability": c.probability} for c in result.classes
    ]


def objects_document(result: Detections) -> list[dict[str, Any]]:
    """The objects in a picture, for JSON."""
    return [
        {"class": o.name, "probability": o.probability, "box": list(o.box)} for o in result.objects
    ]


def print_times(title: str, results: Sequence[Classification | Detections]) -> None:
    """`title`, and a table of the mean time of each stage over all pictures."""
    sums: Counter[str] = Counter()
    for result in results:
        sums.update(result.times_us)
    print(*times_lines(title, len(results), sums), sep="\n")


def print_cycles(model: Model, results: Sequence[Classification | Detections]) -> None:
    """A line of the mean time of an accelerator, where there is one."""
    for line in cycles_lines(model, len(results), sum(result.cycles or 0 for result in results)):
        print(line)


def times_lines(title: str, count: int, sums_us: Mapping[str, int]) -> Iterator[str]:
    """The lines of `print_times`, of the sums over `count` pictures."""
    total = sum(sums_us.values())
    yield f"\n{title}"
    yield f"{'stage':<14}{'ms':>10}{'share':>9}"
    for stage, time_us in sums_us.items():
        yield f"{stage:<14}{time_us / count / 1e3:>10.2f}{time_us / max(total, 1):>9.0%}"
    mean = "" if count == 1 else f"   mean of {count} pictures"
    yield f"{'all':<14}{total / count / 1e3:>10.2f}{mean}"


def cycles_lines(model: Model, count: int, cycles: int) -> Iterator[str]:
    """That of `print_cycles`, of the sum over `count` pictures; none without an accelerator."""
    if model.clock_mhz is not None:
        mean_cycles = cycles / count
        how = ", modelled: offload above is the time to simulate it" if model.simulated else ""
        ms = mean_cycles / model.clock_mhz / 1e3
        yield f"accelerator {ms:.3f} ms: {mean_cycles:,.0f} cycles at {model.clock_mhz:g} MHz{how}"
