# SPDX-License-Identifier: BSD-3-Clause
"""Options and output that several commands share."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from qnn import library
from qnn.backends import BACKENDS
from qnn.errors import QnnError

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
    """--model and --backend."""
    parser.add_argument(
        "--model",
        metavar="M",
        default=default,
        help=f"a name from `qnn models`, or a directory (default: {default})",
    )
    parser.add_argument(
        "--backend",
        metavar="B",
        default="auto",
        help=f"auto, {', '.join(BACKENDS)} (default: auto, the best there is)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object and nothing else"
    )


def positive(text: str) -> int:
    """An argument type: a whole number from 1 on."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return value


def fraction(text: str) -> float:
    """An argument type: a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def print_json(document: dict[str, Any]) -> None:
    """One object on standard output."""
    print(json.dumps(document, indent=1, ensure_ascii=False))


def save_picture(image: Image.Image, path: Path) -> None:
    """Writes a picture; QnnError if that fails, and nothing half written stays."""
    if not path.name or path.is_dir() or (path.exists() and not path.is_file()):
        raise QnnError(f"cannot write {path}: not the name of a file")
    partial = path.with_name(f".{path.name}.partial")
    try:
        image.save(partial, format="PNG")
        partial.replace(path)
    except OSError as error:
        raise QnnError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    print(f"wrote {path}", file=sys.stderr)


def print_times(model: str, backend: str, times_us: Sequence[Mapping[str, int]]) -> None:
    """What ran, and a table of the mean time of each stage over all pictures."""
    sums: Counter[str] = Counter()
    for times in times_us:
        sums.update(times)
    total, count = sum(sums.values()), len(times_us)
    print(f"\nmodel {model} on {backend}\n{'stage':<14}{'ms':>10}{'share':>9}")
    for stage, time_us in sums.items():
        print(f"{stage:<14}{time_us / count / 1e3:>10.2f}{time_us / max(total, 1):>9.0%}")
    mean = "" if count == 1 else f"   mean of {count} pictures"
    print(f"{'all':<14}{total / count / 1e3:>10.2f}{mean}")
