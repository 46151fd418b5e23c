# SPDX-License-Identifier: BSD-3-Clause
"""The layers of BNN-PYNQ: a directory of `<layer>-<pe>-weights.bin`, `-thres.bin`, classes.txt.

Which network a directory holds (CNV or LFC, 1 or 2-bit weights, 1 or 2-bit activations) follows
from its files alone; the format is described in params/README.md. Its activations are bipolar
(-1, +1) or ternary (-1, 0, +1) and its first input may be signed: value = factor * code + zero,
code unsigned. With S the sum of an output's weights, and dot its sum of weight * value,

    dot = factor * acc + zero * S,  so  dot >= D  means  acc >= ceil((D - zero * S) / factor)

for every integer D. That is exact because no layer here pads its map. A ternary weight is the
half sum of two +-1 planes, so those layers count everything twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.errors import FormatError
from qnn.network import Conv, MaxPool, Shape


@dataclass(frozen=True)
class _Matrix:
    """One layer: its place in the network and how its files are folded."""

    in_shape: Shape
    kernel: int
    rows: int  # neurons as packed, padding included
    columns: int  # synapses as packed, padding included
    pool: bool
    pe: dict[str, int]  # by family of folding: "W1" or "W2"
    simd: dict[str, int]


def _cnv() -> tuple[_Matrix, ...]:
    pe = {"W1": (16, 32, 16, 16, 4, 1, 1, 1, 4), "W2": (8, 16, 8, 8, 4, 1, 1, 2, 4)}
    simd = {"W1": (3, 32, 32, 32, 32, 32, 4, 8, 1), "W2": (3, 16, 16, 16, 8, 8, 2, 2, 1)}
    shapes = [(32, 3), (30, 64), (14, 64), (12, 128), (5, 128), (3, 256), (1, 256), (1, 512)]
    sides_channels = [*shapes, (1, 512)]
    kernels = (3, 3, 3, 3, 3, 3, 1, 1, 1)
    rows = (64, 64, 128, 128, 256, 256, 512, 512, 64)
    return tuple(
        _Matrix(
            in_shape=(side, side, channels),
            kernel=kernels[i],
            rows=rows[i],
            columns=kernels[i] ** 2 * channels,
            pool=i in (1, 3),
            pe={family: folding[i] for family, folding in pe.items()},
            simd={family: folding[i] for family, folding in simd.items()},
        )
        for i, (side, channels) in enumerate(sides_channels)
    )


def _lfc() -> tuple[_Matrix, ...]:
    inputs, packed = (784, 1024, 1024, 1024), (832, 1024, 1024, 1024)
    rows, pe, simd = (1024, 1024, 1024, 64), (32, 64, 32, 16), (64, 32, 64, 8)
    return tuple(
        _Matrix((1, 1, inputs[i]), 1, rows[i], packed[i], False, {"W1": pe[i]}, {"W1": simd[i]})
        for i in range(4)
    )


FAMILIES = {9: ("cnv", _cnv()), 4: ("lfc", _lfc())}


@dataclass(frozen=True, eq=False)
class BnnPynq:
    """What a directory holds.

    Attributes:
        family: "cnv" or "lfc".
        weight_bits, activation_bits: 1 or 2.
        layers: the last one hands out accumulators.
        offset: int64, shape (classes,): score = (accumulator + offset) / divisor; for CNV the
            score the board prints, for LFC the distance of the sum from the output's threshold
            (its bit is 1 where that is not negative).
        classes: from classes.txt.
    """

    family: str
    weight_bits: int
    activation_bits: int
    layers: tuple[Conv, ...]
    offset: NDArray[np.int64]
    divisor: int
    classes: tuple[str, ...]


def read_directory(folder: Path) -> BnnPynq:
    """Reads a parameter directory.

    Raises:
        FormatError: a file is missing or truncated, or the files are of no network known here.
    """
    classes = _read_classes(folder)
    counts = _count_files(folder)
    family, matrices = FAMILIES.get(len(counts), ("", ()))
    known = (w for w in ("W1", "W2") if counts == [m.pe.get(w) for m in matrices])
    folding = next(known, None)
    if folding is None or not matrices:
        raise FormatError(
            f"{folder}: its weight files ({counts} for each layer) are neither of a CNV nor of an "
            "LFC network; name the directory that holds the *-weights.bin files"
        )
    if len(classes) > matrices[-1].rows:
        raise FormatError(
            f"{folder / 'classes.txt'}: {len(classes)} classes, but the network has "
            f"{matrices[-1].rows} outputs"
        )
    reader = _Reader(folder, folding)
    activation_bits = reader.thresholds_per_neuron(0, matrices[0])
    layers: list[Conv] = []
    for index, matrix in enumerate(matrices[:-1]):
        weight = reader.weights(index, matrix)
        code = _input_code(family, index, activation_bits)
        thresholds = code.fold(reader.thresholds(index, matrix, activation_bits), weight)
        layers.append(_layer(index, matrix, weight, code.bits, folding, thresholds))

    index, matrix = len(matrices) - 1, matrices[-1]
    weight = reader.weights(index, matrix, len(classes))
    code = _input_code(family, index, activation_bits)
    if family == "cnv":
        offset = code.score_offset(weight)
    else:
        offset = -code.fold(reader.thresholds(index, matrix, 1, len(classes)), weight)[:, 0]
    layers.append(_layer(index, matrix, weight[: len(classes)], code.bits, folding, None))
    scale = len(layers[-1].coefficients)
    return BnnPynq(
        family=family,
        weight_bits=int(folding[1]),
        activation_bits=activation_bits,
        layers=tuple(layers),
        offset=offset[: len(classes)] * scale,
        divisor=scale,
        classes=classes,
    )


@dataclass(frozen=True)
class _Code:
    """How an input is coded, value = factor * code + zero, and what its thresholds count."""

    bits: int
    factor: int
    zero: int
    unit: str  # thresholds are of the "dot" product, of its "double", or of "equal" pairs

    def fold(self, stored: NDArray[np.int64], weight: NDArray[np.int8]) -> NDArray[np.int64]:
        """Thresholds T of "quantity > T" as T' of "acc >= T'"; both of shape (rows, K)."""
        if self.unit == "double":
            least = stored // 2 + 1
        elif self.unit == "equal":
            least = 2 * stored - weight.shape[1] + 1
        else:
            least = stored + 1
        total = weight.sum(axis=1, dtype=np.int64)[:, None]
        return -((self.zero * total - least) // self.factor)

    def score_offset(self, weight: NDArray[np.int8]) -> NDArray[np.int64]:
        """What to add to an accumulator for the quantity in the source's unit, shape (rows,)."""
        total = weight.sum(axis=1, dtype=np.int64)
        return (weight.shape[1] - total) // 2 if self.unit == "equal" else self.zero * total


def _input_code(family: str, index: int, activation_bits: int) -> _Code:
    if index == 0 and family == "cnv":
        return _Code(8, 1, -128, "double")
    unit = "equal" if activation_bits == 1 else "dot"
    if index == 0 or activation_bits == 1:
        return _Code(1, 2, -1, unit)
    return _Code(2, 1, -1, unit)


def _layer(
    index: int,
    matrix: _Matrix,
    weight: NDArray[np.int8],
    in_bits: int,
    folding: str,
    thresholds: NDArray[np.int64] | None,
) -> Conv:
    channels = matrix.in_shape[2]
    used = weight[:, : matrix.kernel**2 * channels]
    shaped = used.reshape(len(used), matrix.kernel, matrix.kernel, channels)
    if folding == "W2":  # -1, 0, +1 as half of (-1, -1), (+1, -1), (+1, +1)
        planes = [shaped >= 0, shaped > 0]
    else:
        planes = [shaped > 0]
    scale = len(planes)
    return Conv(
        name=f"layer{index}",
        in_shape=matrix.in_shape,
        in_bits=in_bits,
        weight=np.stack(planes).astype(np.uint8),
        coefficients=(1,) * scale,
        thresholds=None if thresholds is None else (thresholds * scale).astype(np.int32),
        pool=MaxPool(2, 2) if matrix.pool else None,
    )


def _read_classes(folder: Path) -> tuple[str, ...]:
    path = folder / "classes.txt"
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise FormatError(f"{path}: not a text file") from None
    names = [name for name in names if name]
    if not names:
        raise FormatError(f"{path}: it names no class")
    return tuple(names)


def _count_files(folder: Path) -> list[int]:
    """Number of weight files of each layer, layer 0 first."""
    counts: list[int] = []
    while any(folder.glob(f"{len(counts)}-*-weights.bin")):
        counts.append(sum(1 for _ in folder.glob(f"{len(counts)}-*-weights.bin")))
    return counts


@dataclass(frozen=True)
class _Reader:
    """Reads one layer from its files, one file for each PE."""

    folder: Path
    folding: str

    def weights(self, index: int, matrix: _Matrix, used: int | None = None) -> NDArray[np.int8]:
        """-1, 0 or +1, shape (rows, columns).

        Only the first `used` rows need to be in the files (all, if None): some directories leave
        out padding rows of the last layer, and the words past the end of a file are 0.
        """
        pe, simd = matrix.pe[self.folding], matrix.simd[self.folding]
        bits = int(self.folding[1])
        folds = matrix.rows // pe, matrix.columns // simd  # of neurons, of synapses
        count = folds[0] * folds[1]
        needed = count if used is None else -(-used // pe) * folds[1]
        weight = np.empty((folds[0], pe, matrix.columns), dtype=np.int8)
        for i in range(pe):
            stored = self._words(f"{index}-{i}-weights.bin", "<u8", needed, used)
            words = np.zeros(count, dtype="<u8")
            words[: len(stored)] = stored[:count]
            lanes = np.unpackbits(words.view(np.uint8).reshape(count, 8), axis=1, bitorder="little")
            lanes = lanes[:, : simd * bits].reshape(count, simd, bits).astype(np.int8)
            signed = 2 * lanes[..., 0] - 1 if bits == 1 else lanes[..., 0] - 2 * lanes[..., 1]
            if (signed < -1).any():
                raise FormatError(
                    f"{self.folder / f'{index}-{i}-weights.bin'}: a 2-bit weight of -2; only "
                    "-1, 0 and +1 are known"
                )
            weight[:, i] = signed.reshape(folds[0], matrix.columns)
        return weight.reshape(matrix.rows, matrix.columns)

    def thresholds(
        self, index: int, matrix: _Matrix, count: int, used: int | None = None
    ) -> NDArray[np.int64]:
        """As stored, the low 16 bits of each word, shape (rows, count), ascending."""
        pe = matrix.pe[self.folding]
        folds = matrix.rows // pe
        needed = (folds if used is None else -(-used // pe)) * count
        stored = np.zeros((folds, pe, count), dtype=np.int64)
        for i in range(pe):
            words = self._words(f"{index}-{i}-thres.bin", "<i8", needed, used)[: folds * count]
            rows = len(words) // count
            stored[:rows, i] = words[: rows * count].astype(np.int16).reshape(rows, count)
        return np.sort(stored.reshape(matrix.rows, count), axis=1)

    def thresholds_per_neuron(self, index: int, matrix: _Matrix) -> int:
        """1 or 2, from the size of a file: one or two words for each neuron."""
        folds = matrix.rows // matrix.pe[self.folding]
        names = [f"{index}-{i}-thres.bin" for i in range(matrix.pe[self.folding])]
        words = [len(self._words(name, "<i8", folds)) for name in names]
        for name, count in zip(names, words, strict=True):
            if count not in (folds, 2 * folds) or count < max(words):
                raise FormatError(
                    f"{self.folder / name}: {8 * count} bytes, but {8 * folds} or {16 * folds} "
                    "in each file are expected; the file is truncated or of another network"
                )
        return words[0] // folds

    def _words(
        self, name: str, dtype: str, needed: int, classes: int | None = None
    ) -> NDArray[np.integer[Any]]:
        """The words of a file, at least `needed`; those of a last layer, for that many classes."""
        path = self.folder / name
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise FormatError(f"{path}: cannot be read ({error.strerror})") from None
        if len(raw) % 8 or len(raw) < 8 * needed:
            why = "" if classes is None else f" for the {classes} classes of classes.txt"
            raise FormatError(
                f"{path}: {len(raw)} bytes, but {8 * needed} are needed{why}; the file is "
                "truncated or of another network"
            )
        return np.frombuffer(raw, dtype)
