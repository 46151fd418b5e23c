# SPDX-License-Identifier: BSD-3-Clause
"""Labelled pictures from the files that data sets come in."""

from __future__ import annotations

import gzip
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.errors import FormatError

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


def read(path: Path) -> Dataset:
    """Reads a data set.

    Args:
        path: a directory with the MNIST file names (t10k-images-idx3-ubyte, t10k-labels-...,
            gzipped or not), an IDX file of pictures beside its file of labels, a CIFAR-10 binary
            file (.bin), or an .npz with arrays "images" and "labels".

    Raises:
        FormatError: missing, truncated, or of another format.
    """
    if not path.exists():
        raise FormatError(f"{path}: no such file or directory; name a data set")
    if path.is_dir():
        found = sorted(path.glob("t10k-images-idx3-ubyte*")) or sorted(path.glob("*-images-idx3*"))
        if not found:
            raise FormatError(f"{path}: no t10k-images-idx3-ubyte[.gz] there; name a file")
        path = found[0]
    if path.suffix == ".npz":
        images, labels = _read_npz(path)
    elif path.suffix == ".bin":
        images, labels = _read_cifar(path)
    else:
        beside = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
        if beside == path:
            raise FormatError(f"{path}: not a data set; see `qnn eval --help` for what is")
        images, labels = read_idx(path), read_idx(beside)
    pictures = images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3)
    if not pictures or 0 in images.shape[1:3] or labels.ndim != 1 or len(images) != len(labels):
        raise FormatError(
            f"{path}: pictures of shape {images.shape} and labels of shape {labels.shape} do not "
            "belong together"
        )
    if not len(images):
        raise FormatError(f"{path}: it holds no picture")
    return Dataset(images, labels.astype(np.int64))


def read_images(path: Path) -> NDArray[np.uint8] | None:
    """Pictures of an IDX or CIFAR-10 binary file, uint8 (N, H, W) or (N, H, W, 3).

    Returns:
        None if the file is neither, by its first bytes or by its name.

    Raises:
        FormatError: it is one of them, but truncated.
    """
    if path.suffix == ".bin" and path.stat().st_size % CIFAR_RECORD == 0:
        return _read_cifar(path)[0]
    with path.open("rb") as file:
        if file.read(4) == IDX_IMAGES:
            return read_idx(path)
    return None


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes, gzipped or not (the format of MNIST)."""
    raw = _read_bytes(path)
    if raw[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as file:
                raw = file.read(MAX_BYTES + 1)
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


def _read_cifar(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    raw = np.frombuffer(_read_bytes(path), np.uint8)
    if not len(raw) or len(raw) % CIFAR_RECORD:
        raise FormatError(
            f"{path}: {len(raw)} bytes are not whole CIFAR-10 records of {CIFAR_RECORD}"
        )
    records = raw.reshape(-1, CIFAR_RECORD)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0]


def _read_npz(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images, labels = np.asarray(arrays["images"]), np.asarray(arrays["labels"])
    except KeyError:
        raise FormatError(f'{path}: it has no arrays "images" and "labels"') from None
    except Exception as error:  # numpy and zipfile have no list of what a damaged file raises
        raise FormatError(f"{path}: cannot be read ({type(error).__name__})") from None
    if images.dtype != np.uint8 or not np.issubdtype(labels.dtype, np.integer):
        raise FormatError(f"{path}: pictures are {images.dtype} and labels {labels.dtype}")
    return images, labels


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from None
    if len(raw) > MAX_BYTES:
        raise FormatError(f"{path}: larger than any data set known here")
    return raw
