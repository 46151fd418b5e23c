# SPDX-License-Identifier: BSD-3-Clause
"""BNN-PYNQ from the other side: writes random parameters, and evaluates the words it wrote.

Nothing is shared with the importer: activations are -1 and +1, or -1, 0 and +1, or eighths of the
first input; sums are XNOR popcounts or signed; output = number of thresholds T with T < sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Layer:
    """A matrix of `rows` neurons by `columns` synapses, folded to pe by simd.

    kernel, dim and channels are those of its convolution, 1 and 1 for a fully connected one.
    """

    rows: int
    columns: int
    pe: int
    simd: int
    kernel: int
    dim: int
    pool: bool = False
    thresholded: bool = True

    @property
    def words(self) -> int:
        return self.rows * self.columns // (self.pe * self.simd)


def _cnv(pe: tuple[int, ...], simd: tuple[int, ...]) -> tuple[Layer, ...]:
    shapes = [
        (64, 27, 3, 32),
        (64, 576, 3, 30),
        (128, 576, 3, 14),
        (128, 1152, 3, 12),
        (256, 1152, 3, 5),
        (256, 2304, 3, 3),
        (512, 256, 1, 1),
        (512, 512, 1, 1),
        (64, 512, 1, 1),
    ]
    return tuple(
        Layer(rows, columns, pe[i], simd[i], kernel, dim, pool=i in (1, 3), thresholded=i < 8)
        for i, (rows, columns, kernel, dim) in enumerate(shapes)
    )


_CNV_W1 = _cnv((16, 32, 16, 16, 4, 1, 1, 1, 4), (3, 32, 32, 32, 32, 32, 4, 8, 1))
_CNV_W2 = _cnv((8, 16, 8, 8, 4, 1, 1, 2, 4), (3, 16, 16, 16, 8, 8, 2, 2, 1))
_LFC = (
    Layer(1024, 832, 32, 64, 1, 1),
    Layer(1024, 1024, 64, 32, 1, 1),
    Layer(1024, 1024, 32, 64, 1, 1),
    Layer(64, 1024, 16, 8, 1, 1),
)


@dataclass(frozen=True)
class Kind:
    """One of the published architectures."""

    weight_bits: int
    activation_bits: int
    layers: tuple[Layer, ...]

    @property
    def convolutional(self) -> bool:
        return len(self.layers) == 9


KINDS = {
    "cnvW1A1": Kind(1, 1, _CNV_W1),
    "cnvW1A2": Kind(1, 2, _CNV_W1),
    "cnvW2A2": Kind(2, 2, _CNV_W2),
    "lfcW1A1": Kind(1, 1, _LFC),
    "lfcW1A2": Kind(1, 2, _LFC),
}


def thresholds_per_neuron(kind: Kind, index: int) -> int:
    """One bit takes one threshold, -1, 0 and +1 take two; the outputs of LFC are always bits."""
    last_of_lfc = not kind.convolutional and index == 3
    return 1 if last_of_lfc else kind.activation_bits


def write(folder: Path, kind: Kind, classes: list[str], rng: np.random.Generator) -> Path:
    """Writes a directory of random parameters."""
    folder.mkdir()
    (folder / "classes.txt").write_text("\n".join(classes) + "\n")
    for index, layer in enumerate(kind.layers):
        for pe in range(layer.pe):
            words = _random_words(kind, layer, rng)
            (folder / f"{index}-{pe}-weights.bin").write_bytes(words.astype("<u8").tobytes())
            if layer.thresholded:
                stored = _random_thresholds(kind, index, rng)
                (folder / f"{index}-{pe}-thres.bin").write_bytes(stored.astype("<i8").tobytes())
    return folder


def _random_words(kind: Kind, layer: Layer, rng: np.random.Generator) -> np.ndarray:
    lanes = rng.integers(0, 2, (layer.words, layer.simd), dtype=np.uint64)
    if kind.weight_bits == 2:
        lanes = rng.choice(np.array([0, 1, 3], np.uint64), (layer.words, layer.simd))
    shifts = np.arange(layer.simd, dtype=np.uint64) * np.uint64(kind.weight_bits)
    return np.bitwise_or.reduce(lanes << shifts, axis=1)


def _random_thresholds(kind: Kind, index: int, rng: np.random.Generator) -> np.ndarray:
    """Where sums lie; some out of reach; the bits above the lowest 16 are anything."""
    layer = kind.layers[index]
    per_neuron = thresholds_per_neuron(kind, index)
    spread, centre = layer.columns**0.5, 0.0
    if index == 0 and kind.convolutional:
        spread *= 2 * 70
    elif kind.activation_bits == 1:
        spread, centre = spread / 2, layer.columns / 2
    stored = np.rint(rng.normal(centre, spread, (layer.rows // layer.pe, per_neuron)))
    stored = np.sort(stored.astype(np.int64), axis=1)
    rare = rng.random(stored.shape) < 0.02
    stored[rare] = rng.choice([-(2**15), 2**15 - 1, -1, 0], rare.sum())
    stored = np.sort(stored, axis=1)
    high = rng.integers(-(2**40), 2**40, stored.shape) << 16
    return np.where(rng.random(stored.shape) < 0.3, stored & 0xFFFF | high, stored)


def _padded(raw: bytes, dtype: str, count: int) -> np.ndarray:
    """Exactly `count` words: a word past the end of the file is 0, surplus words do not matter."""
    words = np.zeros(count, np.dtype(dtype))
    found = np.frombuffer(raw, dtype)[:count]
    words[: len(found)] = found
    return words


def weights(folder: Path, kind: Kind, index: int) -> np.ndarray:
    """-1, 0 or +1, int64 (rows, columns), from the files."""
    layer = kind.layers[index]
    matrix = np.empty((layer.rows, layer.columns), np.int64)
    synapses_folds = layer.columns // layer.simd
    for pe in range(layer.pe):
        raw = (folder / f"{index}-{pe}-weights.bin").read_bytes()
        words = _padded(raw, "<u8", layer.words).reshape(-1, synapses_folds)
        for lane in range(layer.simd):
            shift, mask = np.uint64(lane * kind.weight_bits), np.uint64(2**kind.weight_bits - 1)
            bits = (words >> shift & mask).astype(np.int64)
            if kind.weight_bits == 1:
                values = np.where(bits == 1, 1, -1)
            else:
                values = np.where(bits >= 2, bits - 4, bits)
            matrix[pe :: layer.pe, lane :: layer.simd] = values
    return matrix


def thresholds(folder: Path, kind: Kind, index: int) -> np.ndarray:
    """As 16-bit registers hold them, int64 (rows, K)."""
    layer, per_neuron = kind.layers[index], thresholds_per_neuron(kind, index)
    folds = layer.rows // layer.pe
    matrix = np.empty((layer.rows, per_neuron), np.int64)
    for pe in range(layer.pe):
        raw = (folder / f"{index}-{pe}-thres.bin").read_bytes()
        low = _padded(raw, "<i8", folds * per_neuron) & 0xFFFF
        matrix[pe :: layer.pe] = (low - (low >> 15 << 16)).reshape(folds, per_neuron)
    return matrix


def evaluate(folder: Path, kind: Kind, x: np.ndarray) -> Iterator[np.ndarray]:
    """Values behind each layer in turn, the last of them sums of CNV or output bits of LFC.

    Args:
        x: CNV: the quantised input, -128 to 127, (32, 32, 3); LFC: 784 bits.

    Yields:
        int64 (rows, columns, channels): -1, 0 and +1.
    """
    if not kind.convolutional:
        x = np.concatenate([2 * x.astype(np.int64) - 1, np.full(832 - 784, -1)])[None, None]
    for index, layer in enumerate(kind.layers):
        x = x.astype(np.int64)
        matrix = weights(folder, kind, index)
        last = index == len(kind.layers) - 1
        sums = _sums(kind, index, matrix, _windows(x, layer.kernel))
        if not layer.thresholded:
            yield sums
            break
        stored = thresholds(folder, kind, index)
        count = (stored < sums[..., None]).sum(axis=-1)
        if stored.shape[1] == 1:
            x = np.where(count == 1, 1, -1)
        else:
            x = count - 1
        if layer.pool:
            quarters = [x[i::2, j::2] for i in (0, 1) for j in (0, 1)]
            x = np.maximum.reduce(quarters)
        yield count if last else x


def _windows(x: np.ndarray, kernel: int) -> np.ndarray:
    """(rows, columns, kernel * kernel * channels): kernel row, kernel column, channel."""
    side = x.shape[0] - kernel + 1
    shifted = [x[i : i + side, j : j + side] for i in range(kernel) for j in range(kernel)]
    return np.concatenate(shifted, axis=2)


def _sums(kind: Kind, index: int, matrix: np.ndarray, windows: np.ndarray) -> np.ndarray:
    # A float64 holds these sums exactly, and multiplies faster than an integer.
    if index == 0 and kind.convolutional:
        return (2 * (windows.astype(float) @ matrix.T)).astype(np.int64)
    if kind.activation_bits == 1:
        ones, set_bits = (windows > 0).astype(float), (matrix > 0).astype(float)
        return (ones @ set_bits.T + (1 - ones) @ (1 - set_bits).T).astype(np.int64)
    return (windows.astype(float) @ matrix.T).astype(np.int64)
