# SPDX-License-Identifier: BSD-3-Clause
"""Labelled pictures from the files that data sets come in."""

from __future__ import annotations

import fnmatch
import gzip
import io
import math
import os
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.errors import FormatError
from qnn.memory import drain, enough_for
from qnn.pictures import pipe
from qnn.pictures.arrays import of_npy

MAX_BYTES = 1 << 30
IDX_IMAGES = b"\0\0\x08\x03"  # unsigned bytes, three dimensions
CIFAR_RECORD = 1 + 3 * 32 * 32  # label, then red, green and blue, 32x32 each


@dataclass(frozen=True, eq=False)
class Dataset:
    """Pictures of one size and their labels.

    Attributes:
        images: uint8 (N, H, W) grey or (N, H, W, 3) RGB.
        labels: int64 (N,).
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def read(source: str | os.PathLike[str]) -> Dataset:
    """Reads a data set.

    Args:
        source: a directory with the MNIST file names (t10k-images-idx3-ubyte, t10k-labels-...,
            gzipped or not), an IDX file of pictures beside its file of labels, a CIFAR-10 binary
            file (.bin), an .npz with arrays "images" and "labels", or a pipe (see qnn.pipe)
            through which one of the last two comes.

    Raises:
        FormatError: missing, truncated, of another format, or too large for this machine.
    """
    with enough_for(os.fspath(source)):
        return _read(source)


def _read(source: str | os.PathLike[str]) -> Dataset:
    path = Path(source)
    if pipe.is_pipe(os.fspath(source)):
        raw = pipe.read(os.fspath(source), FormatError, MAX_BYTES).data
        if raw[:2] == b"PK":
            return _checked(path, *_of_npz(path, raw))
        if len(raw) % CIFAR_RECORD:
            raise FormatError(
                f"{path}: neither an .npz nor whole CIFAR-10 records came through the pipe; name "
                "the file of another data set"
            )
        return _checked(path, *_of_cifar(path, raw))
    try:
        is_directory = stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise FormatError(f"{path}: no such file or directory; name a data set") from None
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from None
    if is_directory:
        try:
            names = sorted(os.listdir(path))
        except OSError as error:
            raise FormatError(f"{path}: cannot be read ({error.strerror})") from None
        found = fnmatch.filter(names, "t10k-images-idx3-ubyte*") or fnmatch.filter(
            names, "*-images-idx3*"
        )
        if not found:
            raise FormatError(f"{path}: no t10k-images-idx3-ubyte[.gz] there; name a file")
        path = path / found[0]
    if path.suffix == ".npz":
        images, labels = _of_npz(path)
    elif path.suffix == ".bin":
        images, labels = _of_cifar(path, read_bytes(path, MAX_BYTES))
    else:
        beside = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
        if beside == path:
            raise FormatError(f"{path}: not a data set; see `qnn eval --help` for what is")
        images, labels = read_idx(path), read_idx(beside)
    return _checked(path, images, labels)


def _checked(path: Path, images: NDArray[Any], labels: NDArray[Any]) -> Dataset:
    pictures = images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3)
    if not pictures or 0 in images.shape[1:3] or labels.ndim != 1 or len(images) != len(labels):
        raise FormatError(
            f"{path}: pictures of shape {images.shape} and labels of shape {labels.shape} do not "
            "belong together"
        )
    if not len(images):
        raise FormatError(f"{path}: it holds no picture")
    return Dataset(images, labels.astype(np.int64))


def read_images(path: Path, raw: bytes | None = None) -> NDArray[np.uint8] | None:
    """Pictures of an IDX or CIFAR-10 binary file, uint8 (N, H, W) or (N, H, W, 3).

    Args:
        raw: what the file holds, if it was read already.

    Returns:
        None if the file is neither, by its first bytes or by its name.

    Raises:
        FormatError: it is one of them, but truncated, or too large for this machine.
        OSError: it cannot be read.
    """
    with enough_for(path):
        return _read_images(path, raw)


def _read_images(path: Path, raw: bytes | None) -> NDArray[np.uint8] | None:
    size = path.stat().st_size if raw is None else len(raw)
    if path.suffix == ".bin" and size % CIFAR_RECORD == 0:
        return _of_cifar(path, read_bytes(path, MAX_BYTES) if raw is None else raw)[0]
    if raw is None:
        with path.open("rb") as file:
            start = file.read(4)
        return read_idx(path) if start == IDX_IMAGES else None
    return _of_idx(path, raw) if raw[:4] == IDX_IMAGES else None


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes, gzipped or not (the format of MNIST)."""
    with enough_for(path):
        return _of_idx(path, read_bytes(path, MAX_BYTES))


def _of_idx(path: Path, raw: bytes) -> NDArray[np.uint8]:
    if raw[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(raw)) as file:
                raw = drain(file.read, MAX_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise FormatError(f"{path}: truncated or altered ({error})") from None
    if len(raw) < 4 or raw[:3] != b"\0\0\x08" or not 1 <= raw[3] <= 4:
        raise FormatError(f"{path}: not an IDX file of unsigned bytes")
    start = 4 + 4 * raw[3]
    shape = [int.from_bytes(raw[i : i + 4], "big") for i in range(4, start, 4)]
    if len(raw) != start + math.prod(shape):
        raise FormatError(
            f"{path}: {len(raw)} bytes, but {start + math.prod(shape)} are stated; truncated"
        )
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def _of_cifar(path: Path, raw: bytes) -> tuple[NDArray[Any], NDArray[Any]]:
    if not len(raw) or len(raw) % CIFAR_RECORD:
        raise FormatError(
            f"{path}: {len(raw)} bytes are not whole CIFAR-10 records of {CIFAR_RECORD}"
        )
    records = np.frombuffer(raw, np.uint8).reshape(-1, CIFAR_RECORD)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0]


def _of_npz(path: Path, raw: bytes | None = None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Of a file, or of what came in its place through a pipe."""
    try:
        with zipfile.ZipFile(path if raw is None else io.BytesIO(raw)) as archive:
            images, labels = _member(archive, "images"), _member(archive, "labels")
    except KeyError:
        raise FormatError(f'{path}: it has no arrays "images" and "labels"') from None
    except MemoryError:
        raise
    except Exception as error:  # numpy and zipfile have no list of what a damaged file raises
        raise FormatError(f"{path}: cannot be read ({type(error).__name__})") from None
    if images.dtype != np.uint8 or not np.issubdtype(labels.dtype, np.integer):
        raise FormatError(f"{path}: pictures are {images.dtype} and labels {labels.dtype}")
    return images, labels


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(f"{name}.npy") as file:
        return of_npy(file)


def read_bytes(path: Path, most: int) -> bytes:
    """A file of at most so many bytes; FormatError where it is larger or cannot be read."""
    try:
        with path.open("rb") as file:
            raw = drain(file.read, most + 1)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from None
    if len(raw) > most:
        raise FormatError(f"{path}: larger than the {most >> 20} MiB that are read")
    return raw
