# SPDX-License-Identifier: BSD-3-Clause
"""Arrays of numbers from .npy and .npz files, or through a pipe; no pickle is read."""

from __future__ import annotations

import io
import math
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from qnn.errors import ArrayError
from qnn.memory import drain, enough_for
from qnn.pictures import pipe

MAX_BYTES = 1 << 30
_NPY, _ZIP = b"\x93NUMPY", b"PK"


def check_readable(name: str) -> None:
    """ArrayError where `name` is no file that can be read, before anything runs."""
    try:
        if stat.S_ISDIR(os.stat(name).st_mode):
            raise ArrayError(f"{name}: a directory; name an .npy or .npz file")
        with Path(name).open("rb"):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ArrayError(f"{name}: cannot be read ({reason})") from None


def own_name(file: str) -> str:
    """What the array of an .npy file or pipe is called."""
    if pipe.is_pipe(file):
        return "stdin" if file == pipe.STDIN else Path(file).name
    return Path(file).stem


def read(name: str) -> Iterator[tuple[str, NDArray[Any] | ArrayError]]:
    """The arrays of a file or pipe, each with its name: in an .npz its own, else that of the file.

    Args:
        name: of an .npy or .npz file, or of a pipe (see qnn.pictures.pipe).

    Yields:
        An array, or why that one cannot be read.

    Raises:
        ArrayError: nothing of it can be read.
    """
    own, piped = own_name(name), None
    if pipe.is_pipe(name):
        piped = pipe.read(name, ArrayError, MAX_BYTES).data
    else:
        check_readable(name)
    with (
        Path(name).open("rb") if piped is None else io.BytesIO(piped) as source,
        enough_for(name, ArrayError),
    ):
        start = source.read(len(_NPY))
        source.seek(0)
        if start == _NPY:
            yield own, _read(name, source)
        elif start[:2] == _ZIP:
            yield from _of_archive(name, source)
        else:
            raise ArrayError(f"{name}: no .npy or .npz file; write it with numpy.save")


def _read(where: str, file: IO[bytes]) -> NDArray[Any]:
    try:
        return of_npy(file)
    except MemoryError:
        raise
    except Exception as error:  # numpy and zipfile have no list of what a damaged file raises
        raise ArrayError(f"{where}: cannot be read ({type(error).__name__}: {error})") from None


def _of_archive(name: str, source: IO[bytes]) -> Iterator[tuple[str, NDArray[Any] | ArrayError]]:
    try:
        archive = zipfile.ZipFile(source)
        members = [m for m in archive.namelist() if m.endswith(".npy")]
    except Exception as error:
        raise ArrayError(f"{name}: truncated or altered ({type(error).__name__})") from None
    if not members:
        raise ArrayError(f"{name}: it holds no arrays; write it with numpy.savez")
    for member in members:
        own, where = member.removesuffix(".npy"), f"{name}: array {member.removesuffix('.npy')}"
        try:
            with archive.open(member) as file:
                yield own, _read(where, file)
        except ArrayError as error:
            yield own, error
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
            yield own, ArrayError(f"{where}: cannot be read ({type(error).__name__})")


def of_npy(file: IO[bytes]) -> NDArray[Any]:
    """An array as numpy.save writes it; its header may state more than is there.

    Raises:
        Exception: of some kind, where it is damaged; ValueError for Python objects.
    """
    if np.lib.format.read_magic(file) == (1, 0):
        shape, in_columns, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, in_columns, dtype = np.lib.format.read_array_header_2_0(file)
    if dtype.hasobject:
        raise ValueError("an array of Python objects")
    size = math.prod(shape) * dtype.itemsize
    data = drain(file.read, min(size, MAX_BYTES) + 1)
    if len(data) != size:
        raise EOFError("truncated")
    return np.ndarray(shape, dtype, data, order="F" if in_columns else "C")
