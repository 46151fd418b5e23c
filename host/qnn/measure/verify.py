# SPDX-License-Identifier: BSD-3-Clause
"""Every layer of a network on a backend against the golden model, every value compared."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from qnn.errors import PictureError, QnnError
from qnn.model import Model
from qnn.network import Network, describe
from qnn.pictures import dataset, pipe
from qnn.pictures.picture import Picture, Source
from qnn.predecessor import activation_buffer

Maps: TypeAlias = "NDArray[np.integer[Any]]"
RANDOM_SEED = 1


@dataclass(frozen=True)
class Row:
    """One compared tensor.

    Attributes:
        layer: "input", "output", a layer, or a part of one as its source calls it.
        shape: (rows, columns, channels).
        sha256: of what the backend gave, in [row][column][channel] order: uint8 codes, or
            little-endian int32 accumulators.
        mismatches: values that differ from the golden model.
    """

    layer: str
    shape: tuple[int, ...]
    sha256: str
    mismatches: int


def verify(
    model: Model,
    source: Source | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Runs one input through a model and through the golden model, and compares every tensor.

    Args:
        model: what to test.
        source: a picture (see qnn.pictures.picture), or the path of a file or pipe of packed
            activation codes (see qnn.predecessor.activation_buffer); None takes random codes,
            always the same.
        progress: called with the number of layers done and of all.

    Returns:
        Rows for the input codes, each layer (each part of a grouped one) and the whole output.

    Raises:
        QnnError: the input cannot be read, or the golden model (package qnn_sim) is not installed.
    """
    return list(compare(model, source, progress))


def compare(
    model: Model,
    source: Source | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Row]:
    """As `verify`, each row as soon as it is there."""
    try:
        from qnn_sim import golden_network
    except ImportError:
        raise QnnError(
            "the golden model is not installed; verify runs from a checkout of the project"
        ) from None
    network = model.network
    codes, golden_codes = _input(model, source, golden_network.first_codes)
    yield _row("input", codes, golden_codes)
    golden = golden_network.trace(network.layers, golden_codes)
    total = len(network.layers)
    found: Maps = codes
    expected: Maps = golden_codes
    for done, (layer, maps) in enumerate(
        zip(network.layers, model.trace(codes[None]), strict=True), start=1
    ):
        found, expected = maps[0], next(golden)
        names = layer.parts or (layer.name,)
        for name, one, other in zip(
            names, _parts(found, len(names)), _parts(expected, len(names)), strict=True
        ):
            yield _row(name, one, other)
        if progress is not None:
            progress(done, total)
    yield _row("output", found, expected)


def _input(
    model: Model,
    source: Source | None,
    golden_first: Callable[..., NDArray[np.uint8]],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The codes that go into the layers, from the first stage and from its golden model."""
    network = model.network
    if source is None:
        codes = _random_codes(network)
        return codes, codes
    if isinstance(source, str | os.PathLike):
        name, raw = os.fspath(source), None
        if pipe.is_pipe(name):
            source = pipe.read(name, PictureError)
            raw = source.data
        if not _is_picture(Path(name), raw):
            octets = None if raw is None else np.frombuffer(raw, np.uint8)
            codes = activation_buffer.read(Path(name), network.in_shape, network.in_bits, octets)
            return codes, codes
    tensor = model.first.tensor(Picture.open(source))
    return model.first.codes(tensor), golden_first(model.first, tensor)


def _random_codes(network: Network) -> NDArray[np.uint8]:
    random = np.random.default_rng(RANDOM_SEED)
    return random.integers(0, 1 << network.in_bits, network.in_shape, dtype=np.uint8)


def _is_picture(path: Path, raw: bytes | None) -> bool:
    """False for files that no picture format owns; missing files count as pictures.

    Args:
        raw: what came through a pipe, if `path` is one.
    """
    try:
        if (raw is None and not path.is_file()) or dataset.read_images(path, raw) is not None:
            return True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(path if raw is None else io.BytesIO(raw)).close()
        return True
    except UnidentifiedImageError:
        return False
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return True  # a picture that qnn.pictures.picture will refuse with a reason


def _parts(maps: Maps, count: int) -> Iterator[Maps]:
    width = maps.shape[-1] // count
    return (maps[..., i * width : (i + 1) * width] for i in range(count))


def _row(name: str, found: Maps, expected: Maps) -> Row:
    if found.shape != expected.shape:
        raise QnnError(
            f"layer {name}: the backend gave {describe(found.shape)}, the golden model "
            f"{describe(expected.shape)}"
        )
    stored = np.ascontiguousarray(found, dtype=found.dtype.newbyteorder("<"))
    digest = hashlib.sha256(stored.tobytes()).hexdigest()
    return Row(name, found.shape, digest, int((found != expected).sum()))
