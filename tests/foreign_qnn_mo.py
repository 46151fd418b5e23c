# SPDX-License-Identifier: BSD-3-Clause
"""QNN-MO-PYNQ from the other side: writes random networks, and evaluates the words it wrote.

Nothing is shared with the importer: a layer is computed from the words of its files by the
format's own arithmetic, acc = S - 2 * sum_k 2**k * popcount(plane k AND weight word), where S is
the sum of the window.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

PE, SIMD = 32, 64


@dataclass(frozen=True)
class Layer:
    """One convolution of one branch, and the pool behind it.

    Attributes:
        per_set: most output channels that one set of files holds.
        pool: size, stride, and what is padded in all along a side; or None.
    """

    name: str
    channels: int
    outputs: int
    dim: int
    kernel: int
    padding: int
    stride: int = 1
    pool: tuple[int, int, int] | None = None
    per_set: int = 10**6

    @property
    def conv_dim(self) -> int:
        return (self.dim + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def out_dim(self) -> int:
        if self.pool is None:
            return self.conv_dim
        size, stride, padding = self.pool
        return (self.conv_dim + padding - size) // stride + 1

    @property
    def blocks(self) -> int:
        return -(-self.channels // SIMD)

    @property
    def sets(self) -> list[int]:
        """Output channels in each set of files."""
        full, rest = divmod(self.outputs, self.per_set)
        return [self.per_set] * full + [rest] * bool(rest)


@dataclass(frozen=True)
class Section:
    """Layers of each of so many branches; one branch: no split around them."""

    branches: int
    layers: tuple[Layer, ...]


def description(sections: list[Section], bits: int, first_prefix: int = 0) -> dict[str, Any]:
    """The layer JSON, decoration and all."""
    entries: list[dict[str, Any]] = []
    for number, section in enumerate(sections):
        first, last = section.layers[0], section.layers[-1]
        if section.branches > 1:
            entries.append(
                {
                    "name": f"split{number}",
                    "func": "split_layer",
                    "split": section.branches,
                    "input_channels": first.channels * section.branches,
                    "input_dim": first.dim,
                }
            )
        for layer in section.layers:
            entries += _entries(layer, bits)
        if section.branches > 1:
            entries.append(
                {
                    "name": f"merge{number}",
                    "func": "merge_layer",
                    "merge": section.branches,
                    "output_channels": last.outputs * section.branches,
                    "output_dim": last.out_dim,
                }
            )
    return {
        "network": "made by a test",
        "input_image": "nowhere.bin",
        "binparam": "parameters",
        "use_binparams": True,
        "binparam_skip": first_prefix,
        "layer_skip": 0,
        "layers": entries,
    }


def _entries(layer: Layer, bits: int) -> list[dict[str, Any]]:
    conv = {
        "name": layer.name,
        "func": "conv_layer",
        "input_bits": bits,
        "output_bits": bits,
        "weight_bits": 1,
        "threshold_bits": 16,
        "kernel_shape": layer.kernel,
        "kernel_stride": layer.stride,
        "input_channels": layer.channels,
        "input": [layer.channels, layer.dim, layer.dim],
        "output_channels": layer.outputs,
        "output": [layer.outputs, layer.conv_dim, layer.conv_dim],
        "padding": layer.padding,
    }
    if layer.pool is None:
        return [conv]
    size, stride, padding = layer.pool
    padded = layer.conv_dim + padding
    return [
        conv,
        {
            "name": f"pool of {layer.name}",
            "func": "maxpool_layer",
            "kernel_shape": size,
            "kernel_stride": stride,
            "input": [layer.outputs, padded, padded],
            "output": [layer.outputs, layer.out_dim, layer.out_dim],
            "padding": 0.5,
        },
    ]


def write(
    folder: Path,
    sections: list[Section],
    bits: int,
    rng: np.random.Generator,
    first_prefix: int = 0,
) -> Path:
    """Writes net-layers.json and the files of random parameters; returns the path of the former."""
    parameters = folder / "parameters"
    parameters.mkdir()
    prefix = first_prefix
    for section in sections:
        for _ in range(section.branches):
            for layer in section.layers:
                for outputs in layer.sets:
                    _write_set(parameters, prefix, layer, outputs, bits, rng)
                    prefix += 1
    path = folder / "net-layers.json"
    path.write_text(json.dumps(description(sections, bits, first_prefix)))
    return path


def _write_set(
    folder: Path, prefix: int, layer: Layer, outputs: int, bits: int, rng: np.random.Generator
) -> None:
    rows = -(-outputs // PE)
    spread = max(2, int((layer.kernel**2 * layer.channels) ** 0.5 * 2 ** (bits - 1)))
    unused = (1 << SIMD * layer.blocks) - (1 << layer.channels)
    for pe in range(PE):
        weights, thresholds = [], []
        for row in range(rows):
            real = row * PE + pe < outputs
            for _ in range(layer.kernel**2):
                lanes = int.from_bytes(rng.bytes(8 * layer.blocks), "little") | unused
                weights += [lanes >> SIMD * b & (1 << SIMD) - 1 for b in range(layer.blocks)]
            fields = _random_fields(rng, bits, spread) if real else [-1] * (2**bits - 1) + [1]
            number = sum((field & 0xFFFF) << 16 * i for i, field in enumerate(fields))
            words = [number >> 64 * i & (1 << 64) - 1 for i in range(2**bits // 4)]
            thresholds += reversed(words)  # the most significant word comes first
        (folder / f"{prefix}-{pe}-weights.bin").write_bytes(
            struct.pack(f"<{len(weights)}Q", *weights)
        )
        (folder / f"{prefix}-{pe}-thres.bin").write_bytes(
            struct.pack(f"<{len(thresholds)}Q", *thresholds)
        )


def _random_fields(rng: np.random.Generator, bits: int, spread: int) -> list[int]:
    """Thresholds of one channel and its flag: ascending, or wrapped, equal, or out of reach."""
    fields = sorted(rng.integers(-spread, spread + 1, 2**bits - 1).tolist())
    kind = rng.integers(0, 8)
    if kind == 0:  # equal steps that did not fit 16 bits
        fields = [19428 + 38634 * i for i in range(len(fields))]
    elif kind == 1:
        fields = [fields[0]] * len(fields)
    elif kind == 2:
        fields[0], fields[-1] = -(2**15), 2**15 - 1
    elif kind == 3:
        fields = [0] * len(fields)
    # Only the lowest bit of the flag counts.
    return [*fields, int(rng.integers(0, 2**15)) << 1 | int(rng.random() < 0.3)]


def evaluate(folder: Path, sections: list[Section], bits: int, codes: np.ndarray, prefix: int = 0):
    """Outputs of every convolution (behind its pool), all branches together, from the files."""
    outputs = []
    for section in sections:
        width = codes.shape[2] // section.branches
        found: list[list[np.ndarray]] = [[] for _ in section.layers]
        for branch in range(section.branches):
            maps = codes[..., branch * width : (branch + 1) * width]
            for position, layer in enumerate(section.layers):
                sets = []
                for count in layer.sets:
                    sets.append(_evaluate_set(folder, prefix, layer, count, bits, maps))
                    prefix += 1
                maps = _pool(np.concatenate(sets, axis=2), layer)
                found[position].append(maps)
        outputs += [np.concatenate(maps, axis=2) for maps in found]
        codes = outputs[-1]
    return outputs


def _words(path: Path) -> list[int]:
    raw = path.read_bytes()
    return list(struct.unpack(f"<{len(raw) // 8}Q", raw))


def _evaluate_set(folder, prefix, layer: Layer, count: int, bits: int, maps) -> np.ndarray:
    weights = [_words(folder / f"{prefix}-{pe}-weights.bin") for pe in range(PE)]
    thresholds = [_words(folder / f"{prefix}-{pe}-thres.bin") for pe in range(PE)]

    def plane(y, x, k, block):
        """Bit k of the codes of one pixel, as lanes of a word; nothing outside the map."""
        if not (0 <= y < layer.dim and 0 <= x < layer.dim):
            return 0
        channels = range(SIMD * block, min(SIMD * block + SIMD, layer.channels))
        return sum((int(maps[y, x, c]) >> k & 1) << c - SIMD * block for c in channels)

    side = range(-layer.padding, layer.dim + layer.padding)
    planes = {
        (y, x, k, b): plane(y, x, k, b)
        for y, x, k, b in product(side, side, range(bits), range(layer.blocks))
    }
    out = np.zeros((layer.conv_dim, layer.conv_dim, count), int)
    taps = list(product(range(layer.kernel), range(layer.kernel), range(layer.blocks)))
    for y, x in product(range(layer.conv_dim), repeat=2):
        top, left = y * layer.stride - layer.padding, x * layer.stride - layer.padding
        window = [[planes[top + ky, left + kx, k, b] for k in range(bits)] for ky, kx, b in taps]
        total = sum(p.bit_count() << k for word in window for k, p in enumerate(word))
        for o in range(count):
            pe, row = o % PE, o // PE
            negative = sum(
                (p & weights[pe][row * len(taps) + tap]).bit_count() << k
                for tap, word in enumerate(window)
                for k, p in enumerate(word)
            )
            out[y, x, o] = _code(total - 2 * negative, thresholds[pe], row, bits)
    return out


def _code(acc: int, words: list[int], row: int, bits: int) -> int:
    per_row = 2**bits // 4
    number = 0
    for word in words[row * per_row : (row + 1) * per_row]:
        number = number << 64 | word
    fields = [number >> 16 * i & 0xFFFF for i in range(2**bits)]
    signed = [field - (field >> 15 << 16) for field in fields]
    code = sum(acc >= threshold for threshold in signed[:-1])
    return 2**bits - 1 - code if fields[-1] & 1 else code


def _pool(maps: np.ndarray, layer: Layer) -> np.ndarray:
    if layer.pool is None:
        return maps
    size, stride, padding = layer.pool
    before = padding // 2
    padded = np.zeros((layer.conv_dim + padding, layer.conv_dim + padding, maps.shape[2]), int)
    padded[before : before + layer.conv_dim, before : before + layer.conv_dim] = maps
    out = np.zeros((layer.out_dim, layer.out_dim, maps.shape[2]), int)
    for y, x in product(range(layer.out_dim), repeat=2):
        window = padded[y * stride : y * stride + size, x * stride : x * stride + size]
        out[y, x] = window.max(axis=(0, 1))
    return out
