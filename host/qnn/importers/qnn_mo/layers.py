# SPDX-License-Identifier: BSD-3-Clause
"""The layers of QNN-MO-PYNQ: a layer JSON beside folders of `<prefix>-<pe>-weights.bin` files.

The format is described in params/README.md. What has to be minded, and is:

* bit 1 of a weight word stands for -1, and the unused lanes of a word hold ones;
* thresholds of 3-bit activations are two words, the first the most significant;
* thresholds are compared one by one, so a triple that wrapped at 16 bits (and is no longer in
  ascending order) counts as it does in hardware: sorting it here keeps that count;
* files are numbered in execution order, branch after branch inside a split;
* a convolution with more outputs than the overlay holds is spread over consecutive prefixes;
* the padding of a pool follows from the shapes, the odd row and column at the bottom and right.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.errors import FormatError, NetworkError
from qnn.network import Conv, MaxPool, describe, windows
from qnn.store.fields import read_object

PE = 32  # files per prefix; output channel o lies in file o % PE, row o // PE
SIMD = 64  # input channels per word
SUFFIXES = {"weights": "weights.bin", "thresholds": "thres.bin"}


@dataclass
class _Conv:
    """A convolution as the JSON states it, before its files are read."""

    name: str
    in_channels: int  # of one branch
    in_dim: int
    outputs: int  # of one branch
    out_dim: int
    kernel: int
    stride: int
    padding: int
    bits: int | None
    pool: MaxPool | None = None


@dataclass
class _Section:
    """Convolutions between a split and its merge; outside a split, one convolution."""

    branches: int
    convs: list[_Conv]


@dataclass
class _Part:
    """The parameters of one branch of a convolution, in canonical form."""

    name: str
    weight: NDArray[np.uint8]  # (outputs, K, K, in_channels), 1 for +1
    thresholds: NDArray[np.int32]  # (outputs, 2**bits - 1), ascending


def read_json(path: Path) -> dict[str, Any]:
    """The layer JSON as a dictionary with a list under "layers".

    Raises:
        FormatError: missing, not JSON, or without layers.
    """
    description = read_object(path)
    layers = description.get("layers")
    if not isinstance(layers, list) or not all(isinstance(entry, dict) for entry in layers):
        raise FormatError(f'{path}: not a layer JSON, it has no list of "layers"')
    return description


def read_layers(path: Path, description: dict[str, Any]) -> tuple[Conv, ...]:
    """The offloaded layers that `path`, read as `description`, lists, with their parameters.

    Raises:
        FormatError: a field of the JSON or a parameter file is missing, truncated or malformed.
        NetworkError: the layers do not chain, or are of an unknown type.
    """
    folder = path.parent / str(description.get("binparam", ""))
    if not os.path.isdir(folder):  # False, too, for names that no folder can have
        raise FormatError(
            f'{path}: its parameter folder {folder} does not exist; mend "binparam" or fetch it'
        )
    prefix = _integer(path, description, "binparam_skip", default=0)
    layers: list[Conv] = []
    for section in _sections(path, description):
        parts: list[list[_Part]] = [[] for _ in section.convs]
        for _ in range(section.branches):
            for conv, branches in zip(section.convs, parts, strict=True):
                part, prefix = _read_part(folder, conv, prefix, alone=section.branches == 1)
                branches.append(part)
        layers += map(_layer, section.convs, parts)
    return tuple(layers)


def _integer(path: Path, entry: dict[str, Any], key: str, default: int | None = None) -> int:
    value = entry.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1 << 20:
        layer = f"layer {entry['name']}: " if "name" in entry else ""
        raise FormatError(f"{path}: {layer}{key!r} should be a whole number, not {value!r}")
    return value


def _shape(path: Path, entry: dict[str, Any], key: str) -> tuple[int, int]:
    """(channels, side) of an [channels, side, side] field."""
    value = entry.get(key)
    if (
        not isinstance(value, list)
        or len(value) not in (2, 3)
        or not all(isinstance(v, int) and 0 < v <= 1 << 16 for v in value)
    ):
        raise FormatError(
            f"{path}: layer {entry.get('name')}: {key!r} should be [channels, side, side], "
            f"not {value!r}"
        )
    if value[1] != value[-1]:
        raise NetworkError(
            f"layer {entry.get('name')}: the format knows square maps only, "
            f"not {describe(tuple(value))}"
        )
    return value[0], value[1]


def _sections(path: Path, description: dict[str, Any]) -> list[_Section]:
    """Follows the shapes from layer to layer and folds each pool into the convolution before it."""
    sections: list[_Section] = []
    split: _Section | None = None
    after: _Conv | None = None  # the convolution directly before
    channels = dim = 0  # of the whole map, all branches together; 0 before the first layer
    for index, entry in enumerate(description["layers"]):
        if index < _integer(path, description, "layer_skip", default=0):
            continue
        name, kind = str(entry.get("name", f"#{index}")), entry.get("func")
        entry = {**entry, "name": name}
        branches = split.branches if split else 1
        if kind == "conv_layer":
            conv = _conv(path, entry, channels // branches, dim)
            if split:
                split.convs.append(conv)
            else:
                sections.append(_Section(1, [conv]))
            channels, dim, after = conv.outputs * branches, conv.out_dim, conv
            continue
        if kind == "maxpool_layer":
            if after is None:
                raise NetworkError(
                    f"layer {name}: a pool is only possible directly after a convolution; "
                    "move it there"
                )
            after.pool = _pool(path, entry, after)
            dim = _shape(path, entry, "output")[1]
        elif kind == "split_layer":
            if split:
                raise NetworkError(f"layer {name}: a split inside a split is not possible")
            split = _Section(_integer(path, entry, "split"), [])
            if not channels:  # the first layer: the shape is stated here
                channels = _integer(path, entry, "input_channels")
                dim = _integer(path, entry, "input_dim")
            if split.branches < 1 or not channels or channels % split.branches:
                raise NetworkError(
                    f"layer {name}: {channels} channels cannot be split into "
                    f"{split.branches} branches"
                )
            sections.append(split)
        elif kind == "merge_layer":
            if split is None or _integer(path, entry, "merge") != split.branches:
                raise NetworkError(f"layer {name}: there is no split of that many branches open")
            stated = (
                _integer(path, entry, "output_channels"),
                _integer(path, entry, "output_dim"),
            )
            if stated != (channels, dim):
                raise NetworkError(
                    f"layer {name}: it states {stated[1]}x{stated[1]}x{stated[0]}, but its "
                    f"branches give {dim}x{dim}x{channels}"
                )
            split = None
        elif kind not in ("fc_layer", "none"):
            raise NetworkError(
                f"layer {name}: unknown layer type {kind!r}; known are conv_layer, "
                "maxpool_layer, split_layer, merge_layer, fc_layer and none"
            )
        after = None
    if split:
        raise NetworkError("the last split is never merged; add a merge_layer")
    if not any(section.convs for section in sections):
        raise NetworkError(f"{path}: it lists no convolution to offload")
    return sections


def _conv(path: Path, entry: dict[str, Any], channels: int, dim: int) -> _Conv:
    (in_channels, in_dim), (outputs, out_dim) = (
        _shape(path, entry, "input"),
        _shape(path, entry, "output"),
    )
    if channels and (channels, dim) != (in_channels, in_dim):
        raise NetworkError(
            f"layer {entry['name']}: it reads {in_dim}x{in_dim}x{in_channels}, but the layer "
            f"before it gives {dim}x{dim}x{channels}"
        )
    kernel, stride = (
        _integer(path, entry, "kernel_shape"),
        _integer(path, entry, "kernel_stride", default=1),
    )
    padding = _integer(path, entry, "padding", default=0)
    computed = windows(in_dim, padding, padding, kernel, stride) if kernel and stride else 0
    if computed != out_dim:
        raise NetworkError(
            f"layer {entry['name']}: it states an output of {out_dim}x{out_dim}, but kernel "
            f"{kernel}, stride {stride} and padding {padding} give {computed}x{computed}"
        )
    return _Conv(
        name=entry["name"],
        in_channels=in_channels,
        in_dim=in_dim,
        outputs=outputs,
        out_dim=out_dim,
        kernel=kernel,
        stride=stride,
        padding=padding,
        bits=_integer(path, entry, "output_bits") if "output_bits" in entry else None,
    )


def _pool(path: Path, entry: dict[str, Any], conv: _Conv) -> MaxPool:
    (channels, padded), (out_channels, out_dim) = (
        _shape(path, entry, "input"),
        _shape(path, entry, "output"),
    )
    if (channels, out_channels) != (conv.outputs, conv.outputs) or padded < conv.out_dim:
        raise NetworkError(
            f"layer {entry['name']}: it pools {padded}x{padded}x{channels}, but layer "
            f"{conv.name} gives {conv.out_dim}x{conv.out_dim}x{conv.outputs}"
        )
    before = (padded - conv.out_dim) // 2
    after = padded - conv.out_dim - before
    size, stride = (
        _integer(path, entry, "kernel_shape"),
        _integer(path, entry, "kernel_stride", default=1),
    )
    computed = windows(conv.out_dim, before, after, size, stride) if size and stride else 0
    if computed != out_dim:
        raise NetworkError(
            f"layer {entry['name']}: it states an output of {out_dim}x{out_dim}, but a pool of "
            f"{size}, stride {stride} on {padded}x{padded} gives {computed}x{computed}"
        )
    return MaxPool(size, stride, (before, before, after, after))


def _read_part(folder: Path, conv: _Conv, prefix: int, *, alone: bool) -> tuple[_Part, int]:
    """One branch of a convolution from the files from `prefix` on, and the prefix after them."""
    blocks = -(-conv.in_channels // SIMD)
    row_words = conv.kernel * conv.kernel * blocks
    start, remaining = prefix, conv.outputs
    weight, thresholds = [], []
    while remaining > 0:
        words = _read_words(folder, prefix, "weights")
        rows = words.shape[1] // row_words
        if rows == 0 or words.shape[1] != rows * row_words or (rows - 1) * PE >= remaining:
            raise FormatError(
                f"{folder / _file_name(prefix, 0, 'weights')}: {words.shape[1] * 8} bytes do not "
                f"fit layer {conv.name} ({conv.kernel}x{conv.kernel} kernel, {conv.in_channels} "
                f"inputs, {remaining} outputs); the file is truncated or of another network"
            )
        if rows * PE < remaining and not alone:
            raise NetworkError(
                f"layer {conv.name}: inside a split all {conv.outputs} outputs have to lie in "
                f"one set of files, but prefix {prefix} holds {rows * PE}"
            )
        count = min(rows * PE, remaining)
        bits = _weight_bits(words, rows, conv, blocks)[:count]
        fields, inverted = (a[:count] for a in _thresholds(folder, prefix, rows, conv))
        # K - count(T <= acc) = count(1 - T <= -acc): an inverted channel is one of negated weights.
        weight.append(np.where(inverted[:, None, None, None], 1 - bits, bits))
        thresholds.append(np.where(inverted[:, None], 1 - fields, fields))
        remaining -= count
        prefix += 1
    name = f"{conv.name}/" + "+".join(map(str, range(start, prefix)))
    ordered = np.sort(np.concatenate(thresholds), axis=1).astype(np.int32)
    return _Part(name, np.concatenate(weight).astype(np.uint8), ordered), prefix


def _layer(conv: _Conv, parts: list[_Part]) -> Conv:
    thresholds = np.concatenate([part.thresholds for part in parts])
    return Conv(
        name=conv.name,
        in_shape=(conv.in_dim, conv.in_dim, conv.in_channels * len(parts)),
        in_bits=int(thresholds.shape[1]).bit_length(),
        weight=np.concatenate([part.weight for part in parts])[None],
        thresholds=thresholds,
        stride=conv.stride,
        padding=(conv.padding,) * 4,
        groups=len(parts),
        pool=conv.pool,
        parts=tuple(part.name for part in parts),
    )


def _file_name(prefix: int, pe: int, kind: str) -> str:
    return f"{prefix}-{pe}-{SUFFIXES[kind]}"


def _read_words(folder: Path, prefix: int, kind: str) -> NDArray[np.uint64]:
    """All files of a prefix, shape (PE, words)."""
    columns: list[bytes] = []
    for pe in range(PE):
        path = folder / _file_name(prefix, pe, kind)
        try:
            columns.append(path.read_bytes())
        except OSError as error:
            raise FormatError(f"{path}: cannot be read ({error.strerror})") from None
        if len(columns[-1]) != len(columns[0]) or len(columns[0]) % 8:
            raise FormatError(
                f"{path}: {len(columns[-1])} bytes, where the file of PE 0 has "
                f"{len(columns[0])}; one of them is truncated or of another network"
            )
    return np.frombuffer(b"".join(columns), "<u8").reshape(PE, -1)


def _weight_bits(
    words: NDArray[np.uint64], rows: int, conv: _Conv, blocks: int
) -> NDArray[np.uint8]:
    """Bits with 1 for +1, shape (rows * PE, K, K, in_channels)."""
    lanes = np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, bitorder="little")
    lanes = lanes.reshape(PE, rows, conv.kernel, conv.kernel, blocks * SIMD)
    ordered = lanes.swapaxes(0, 1).reshape(rows * PE, conv.kernel, conv.kernel, blocks * SIMD)
    return 1 - ordered[..., : conv.in_channels]


def _thresholds(
    folder: Path, prefix: int, rows: int, conv: _Conv
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Thresholds, shape (rows * PE, 2**bits - 1), and the flag "complement the output"."""
    words = _read_words(folder, prefix, "thresholds")
    per_row = words.shape[1] // rows
    bits = {1: 2, 2: 3, 4: 4}.get(per_row)  # 2**bits fields of 16 bits
    if bits is None or words.shape[1] != per_row * rows or conv.bits not in (None, bits):
        raise FormatError(
            f"{folder / _file_name(prefix, 0, 'thresholds')}: {words.shape[1] * 8} bytes do not "
            f"fit layer {conv.name} ({rows * PE} output rows, {conv.bits or '2 to 4'}-bit "
            "activations); the file is truncated or of another network"
        )
    by_row = words.reshape(PE, rows, per_row).swapaxes(0, 1).reshape(rows * PE, per_row)
    fields = np.ascontiguousarray(by_row[:, ::-1]).astype("<u8").view("<i2").astype(np.int32)
    return fields[:, :-1], (fields[:, -1] & 1).astype(bool)
