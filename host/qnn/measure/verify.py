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

from qnn.engine.placement import integer_run
from qnn.errors import PictureError, QnnError
from qnn.model import Model
from qnn.network import Conv, describe
from qnn.pictures import dataset, pipe
from qnn.pictures.picture import FORMATS, Source
from qnn.predecessor import activation_buffer

Maps: TypeAlias = "NDArray[np.number[Any]]"
RANDOM_SEED = 1
RANDOM_SIZE = (375, 500)  # rows and columns of a random picture


@dataclass(frozen=True)
class Row:
    """One compared tensor.

    Attributes:
        layer: "input", "output", a layer, or a part of one as its source calls it.
        shape: (rows, columns, channels).
        sha256: of what the backend gave, in [row][column][channel] order: uint8 codes, or
            little-endian int32 accumulators, float32 or float64 values.
        mismatches: values that differ from the golden model; of float64 sums those that another
            order of the same sums does not explain (qnn_sim.golden_network.rounding).
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
            activation codes for the first integer layer (see qnn.predecessor.activation_buffer),
            with which the layers before that are left out; None takes a random picture, or random
            codes where no picture can go in, always the same.
        progress: called with the number of layers done and of all.

    Returns:
        Rows for the input, each layer (each part of a grouped one) and the whole output.

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
    layers = model.network.layers
    given, skip = _input(model, source)
    yield _row("input", given, given, 0)
    found = expected = given
    leeway: Maps | float = 0.0
    maps_of: dict[int, Maps] = {skip - 1: given}
    off: dict[int, Maps | float] = {}
    for number, (layer, maps) in enumerate(
        zip(layers[skip:], model.trace(given[None], skip), strict=True), start=skip
    ):
        reads = model.network.wiring[number]
        read = golden_network.joined(layer, [maps_of[one] for one in reads])
        leeway = golden_network.rounding(layer, read, off.get(reads[0], 0.0))
        found, expected = maps[0], golden_network.run_layer(layer, read)
        maps_of[number], off[number] = expected, leeway
        names = (isinstance(layer, Conv) and layer.parts) or (layer.name,)
        parts = (_parts(one, len(names)) for one in (found, expected, leeway))
        for name, *compared in zip(names, *parts, strict=True):
            yield _row(name, *compared)
        if progress is not None:
            progress(number + 1, len(layers))
    yield _row("output", found, expected, leeway)


def _input(model: Model, source: Source | None) -> tuple[Maps, int]:
    """What goes in, and how many of the first layers it is behind."""
    network = model.network
    if isinstance(source, str | os.PathLike):
        name, raw = os.fspath(source), None
        if pipe.is_pipe(name):
            source = pipe.read(name, PictureError)
            raw = source.data
        if not _is_picture(Path(name), raw):
            skip = integer_run(network.layers).start
            layer = network.layers[skip]
            if layer.in_bits is None:
                raise QnnError(f"network {network.name} has no layer that reads activation codes")
            octets = None if raw is None else np.frombuffer(raw, np.uint8)
            return activation_buffer.read(Path(name), layer.in_shape, layer.in_bits, octets), skip
    if source is not None:
        return model.tensor(source), 0
    random = np.random.default_rng(RANDOM_SEED)
    if network.in_bits is None:
        return model.tensor(random.integers(0, 256, (*RANDOM_SIZE, 3), dtype=np.uint8)), 0
    return random.integers(0, 1 << network.in_bits, network.in_shape, dtype=np.uint8), 0


def _is_picture(path: Path, raw: bytes | None) -> bool:
    """False for what is in no format of pictures; missing files count as pictures.

    Args:
        raw: what came through a pipe, if `path` is one.
    """
    try:
        if (raw is None and not path.is_file()) or dataset.read_images(path, raw) is not None:
            return True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(path if raw is None else io.BytesIO(raw), formats=FORMATS).close()
        return True
    except UnidentifiedImageError:
        return False
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return True  # a picture that qnn.pictures.picture will refuse with a reason


def _parts(maps: Maps, count: int) -> Iterator[Maps]:
    width = maps.shape[-1] // count
    return (maps[..., i * width : (i + 1) * width] for i in range(count))


def _row(name: str, found: Maps, expected: Maps, leeway: Maps | float) -> Row:
    if found.shape != expected.shape:
        raise QnnError(
            f"layer {name}: the backend gave {describe(found.shape)}, the golden model "
            f"{describe(expected.shape)}"
        )
    stored = np.ascontiguousarray(found, dtype=found.dtype.newbyteorder("<"))
    digest = hashlib.sha256(stored.tobytes()).hexdigest()
    if np.issubdtype(found.dtype, np.floating):
        wrong = ~(abs(found - expected) <= leeway)  # also what is not a number
    else:
        wrong = found != expected
    return Row(name, found.shape, digest, int(wrong.sum()))
