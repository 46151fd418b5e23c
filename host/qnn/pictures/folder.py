# SPDX-License-Identifier: BSD-3-Clause
"""Labelled pictures as people keep them: one folder a class, or a table beside the pictures.

A class is named in full, by one of the names that a comma parts in it ("tench, Tinca tinca"), or by
its number; upper and lower case are alike, and so are spaces, "_" and "-".
"""

from __future__ import annotations

import csv
import fnmatch
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qnn.errors import FormatError
from qnn.memory import enough_for
from qnn.pictures.dataset import read_bytes

MAX_TABLE_BYTES = 64 << 20
TABLE = ".csv"


@dataclass(frozen=True)
class Labelled:
    """The file of a picture, and the index of its class."""

    path: str
    label: int


def is_folder(source: str | os.PathLike[str]) -> bool:
    """Whether `read` is for it: a table, or a directory without files named like MNIST's."""
    path = Path(source)
    try:
        if not path.is_dir():
            return path.suffix.lower() == TABLE and path.is_file()
        return not fnmatch.filter(os.listdir(path), "*-images-idx3*")
    except (OSError, ValueError):
        return False


def read(source: str | os.PathLike[str], classes: Sequence[str]) -> list[Labelled]:
    """The pictures of a directory or of a table; none of them is opened.

    Args:
        source: a CSV file, each line a picture (its path from where the CSV file lies) and its
            class, further columns not read, the first line a heading where it is neither; or a
            directory with one such file; or a directory with one folder a class, with pictures at
            any depth. Files that begin with a dot are left out.
        classes: names of all classes.

    Raises:
        FormatError: it cannot be read, it is not of these forms, or it names what is no class, or
            several.
    """
    path, names = Path(source), _Names(classes)
    with enough_for(path):
        if not path.is_dir():
            return _of_table(path, names)
        entries = sorted(_entries(path))
        tables = [one for one in entries if one.suffix.lower() == TABLE and one.is_file()]
        folders = [one for one in entries if one.is_dir()]
        if len(tables) > 1:
            raise FormatError(f"{path}: it has several CSV files: name one of them")
        if tables:
            return _of_table(tables[0], names)
        if not folders:
            raise FormatError(
                f"{path}: no folder of a class, no CSV file, no t10k-images-idx3-ubyte[.gz] there"
            )
        found = []
        for folder in folders:
            label = names.find(folder.name, f"folder {folder}")
            found += [Labelled(os.fspath(one), label) for one in files(folder)]
        if not found:
            raise FormatError(f"{path}: its folders hold no picture")
        return found


class _Names:
    """Finds a class by what people write."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._whole = _index([one] for one in classes)
        self._parts = _index(one.split(",") for one in classes)

    def find(self, name: str, where: str) -> int:
        key, number = _plain(name), name.strip()
        found = self._whole.get(key) or self._parts.get(key) or set()
        if not found and re.fullmatch("[0-9]{1,9}", number) and int(number) < len(self._classes):
            return int(number)
        if len(found) > 1:
            several = " and ".join(str(one) for one in sorted(found))
            raise FormatError(f"{where}: {name!r} names classes {several}: use a number")
        if not found:
            some = ", ".join(self._classes[:10]) + (", ..." if len(self._classes) > 10 else "")
            raise FormatError(f"{where}: {name!r} is no class of the network; it knows {some}")
        return next(iter(found))


def _index(names: Iterable[Iterable[str]]) -> dict[str, set[int]]:
    """Which classes have a name."""
    found: dict[str, set[int]] = {}
    for label, of_class in enumerate(names):
        for name in of_class:
            found.setdefault(_plain(name), set()).add(label)
    return found


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def _entries(path: Path) -> list[Path]:
    try:
        return [one for one in path.iterdir() if not one.name.startswith(".")]
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from None


def files(folder: Path) -> list[Path]:
    """All files below a folder, in order, but those that begin with a dot; links to directories are
    not followed.

    Raises:
        FormatError: a folder cannot be read.
    """
    found = []
    for one in sorted(_entries(folder)):
        if one.is_dir() and not one.is_symlink():
            found += files(one)
        elif not one.is_dir():
            found.append(one)
    return found


def _of_table(path: Path, names: _Names) -> list[Labelled]:
    raw = read_bytes(path, MAX_TABLE_BYTES)
    try:
        rows = list(csv.reader(raw.decode("utf-8-sig").splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path}: no CSV file in UTF-8 ({error})") from None
    found = []
    for number, row in enumerate(rows, start=1):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) < 2 or not row[0].strip():
            raise FormatError(f"{path}: line {number}: want a picture and its class")
        picture = path.parent / row[0].strip()
        try:
            label = names.find(row[1], f"{path}: line {number}")
        except FormatError:
            if number == 1 and not os.path.lexists(picture):
                continue  # a heading
            raise
        found.append(Labelled(os.fspath(picture), label))
    if not found:
        raise FormatError(f"{path}: it names no picture")
    return found
