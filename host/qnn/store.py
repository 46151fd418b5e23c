# SPDX-License-Identifier: BSD-3-Clause
"""A network on disk: a directory with network.json and tensors.npz, described in params/README.md.

No pickle is read or written. Every array is checked against the size of its zip member before it
is loaded, every field of the JSON against its type, and the network against itself (qnn.network).
"""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from qnn.dense import BinaryDense, FloatDense
from qnn.errors import FormatError
from qnn.first import ConvFirst, First, LookupFirst
from qnn.float_conv import Quantizer, Thresholds, Uniform
from qnn.last import DenseChain, DenseLayer, Last, Region, Scores
from qnn.network import Conv, MaxPool, Network

FORMAT, VERSION = "qnn-network", 1
DESCRIPTION, TENSORS = "network.json", "tensors.npz"
MAX_JSON_BYTES = 4 << 20
MAX_TENSOR_BYTES = 1 << 30

Tensors = dict[str, NDArray[Any]]
Value = TypeVar("Value")


def save(network: Network, directory: Path) -> None:
    """Writes `network` into an existing directory.

    Raises:
        OSError: the disk is full, or the directory cannot be written.
    """
    tensors: Tensors = {}
    document = {
        "format": FORMAT,
        "version": VERSION,
        "name": network.name,
        "title": network.title,
        "task": network.task,
        "source": network.source,
        "licence": network.licence,
        "missing": list(network.missing),
        "first": _first_to_json(network.first, tensors),
        "layers": [_layer_to_json(layer, tensors) for layer in network.layers],
        "last": _last_to_json(network.last, tensors),
        "classes": list(network.classes),
    }
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    (directory / DESCRIPTION).write_text(text, encoding="utf-8")
    np.savez_compressed(directory / TENSORS, **tensors)  # type: ignore[arg-type]


def load(directory: Path) -> Network:
    """Reads the network in `directory`.

    Raises:
        FormatError: a file is missing, truncated, or not of this format.
        NetworkError: the network contradicts itself.
    """
    document = _Entry(directory / DESCRIPTION, "", _read_json(directory / DESCRIPTION))
    if document.get("format", str) != FORMAT or document.get("version", int) != VERSION:
        raise FormatError(
            f"{directory / DESCRIPTION}: not a {FORMAT} of version {VERSION}; import it again"
        )
    with _TensorFile(directory / TENSORS) as tensors:
        first, last = document.optional("first", dict), document.optional("last", dict)
        return Network(
            name=document.get("name", str),
            title=document.get("title", str),
            task=document.get("task", str),
            classes=document.strings("classes"),
            layers=tuple(_layer_of_json(e, tensors) for e in document.entries("layers")),
            first=None if first is None else _first_of_json(document.entry("first"), tensors),
            last=None if last is None else _last_of_json(document.entry("last"), tensors),
            source=document.get("source", str),
            licence=document.get("licence", str),
            missing=document.strings("missing"),
        )


def _layer_to_json(layer: Conv, tensors: Tensors) -> dict[str, Any]:
    planes, outputs = layer.weight.shape[:2]
    tensors[f"{layer.name}.weight"] = np.packbits(
        layer.weight.reshape(planes, outputs, -1), axis=2, bitorder="little"
    )
    if layer.thresholds is not None:
        tensors[f"{layer.name}.thresholds"] = layer.thresholds
    pool = layer.pool
    return {
        "name": layer.name,
        "input": list(layer.in_shape),
        "input_bits": layer.in_bits,
        "kernel": list(layer.kernel),
        "stride": layer.stride,
        "padding": list(layer.padding),
        "groups": layer.groups,
        "weight_planes": list(layer.coefficients),
        "outputs": outputs,
        "thresholds": 0 if layer.thresholds is None else layer.thresholds.shape[1],
        "pool": None
        if pool is None
        else {"size": pool.size, "stride": pool.stride, "padding": list(pool.padding)},
        "parts": list(layer.parts),
    }


def _layer_of_json(entry: _Entry, tensors: _TensorFile) -> Conv:
    name = entry.get("name", str)
    in_shape, kernel = entry.integers("input", 3), entry.integers("kernel", 2)
    groups, outputs = entry.positive("groups"), entry.positive("outputs")
    coefficients = entry.integers("weight_planes")
    per_group = in_shape[2] // groups
    fan_in = kernel[0] * kernel[1] * per_group
    packed = tensors.get(f"{name}.weight", np.uint8, (len(coefficients), outputs, -(-fan_in // 8)))
    bits = np.unpackbits(packed, axis=2, bitorder="little")[:, :, :fan_in]
    count = entry.get("thresholds", int)
    pool = None
    if entry.optional("pool", dict) is not None:
        stated = entry.entry("pool")
        top, left, bottom, right = stated.integers("padding", 4)
        pool = MaxPool(
            stated.positive("size"), stated.positive("stride"), (top, left, bottom, right)
        )
    top, left, bottom, right = entry.integers("padding", 4)
    return Conv(
        name=name,
        in_shape=(in_shape[0], in_shape[1], in_shape[2]),
        in_bits=entry.get("input_bits", int),
        weight=bits.reshape(len(coefficients), outputs, kernel[0], kernel[1], per_group),
        thresholds=tensors.get(f"{name}.thresholds", np.int32, (outputs, count)) if count else None,
        coefficients=coefficients,
        stride=entry.positive("stride"),
        padding=(top, left, bottom, right),
        groups=groups,
        pool=pool,
        parts=entry.strings("parts"),
    )


def _first_to_json(first: First | None, tensors: Tensors) -> dict[str, Any] | None:
    if first is None:
        return None
    if isinstance(first, LookupFirst):
        tensors["first.table"] = first.table
        return {
            "kind": "lookup",
            "geometry": first.geometry,
            "size": first.size,
            "output": list(first.out_shape),
        }
    tensors["first.weight"] = first.weight
    for name, optional in (("mean", first.mean), ("bias", first.bias)):
        if optional is not None:
            tensors[f"first.{name}"] = optional
    return {
        "kind": "convolution",
        "geometry": first.geometry,
        "size": first.size,
        "kernel": list(first.weight.shape[1:3]),
        "outputs": len(first.weight),
        "stride": first.stride,
        "padding": first.padding,
        "mean": first.mean is not None,
        "bias": first.bias is not None,
        "quantizer": _quantizer_to_json(first.quantizer),
        "arithmetic": first.arithmetic,
        "transposed": first.transposed,
    }


def _quantizer_to_json(quantizer: Quantizer) -> dict[str, Any]:
    if isinstance(quantizer, Thresholds):
        return {"kind": "thresholds", "values": list(quantizer.values)}
    return {"kind": "uniform", "top": quantizer.top, "levels": quantizer.levels}


def _first_of_json(entry: _Entry, tensors: _TensorFile) -> First:
    size = entry.positive("size")
    if entry.choice("kind", ("lookup", "convolution")) == "lookup":
        rows, columns, channels = entry.integers("output", 3)
        table = tensors.get("first.table", np.uint8, (256,))
        return LookupFirst(entry.get("geometry", str), size, table, (rows, columns, channels))
    outputs, kernel = entry.positive("outputs"), entry.integers("kernel", 2)
    stated = entry.entry("quantizer")
    quantizer: Quantizer
    if stated.choice("kind", ("thresholds", "uniform")) == "thresholds":
        quantizer = Thresholds(stated.numbers("values"))
    else:
        quantizer = Uniform(stated.number("top"), stated.positive("levels"))
    float32 = np.float32
    mean, bias = entry.get("mean", bool), entry.get("bias", bool)
    return ConvFirst(
        geometry=entry.get("geometry", str),
        size=size,
        mean=tensors.get("first.mean", float32, (size, size, 3)) if mean else None,
        weight=tensors.get("first.weight", float32, (outputs, kernel[0], kernel[1], 3)),
        bias=tensors.get("first.bias", float32, (outputs,)) if bias else None,
        stride=entry.positive("stride"),
        padding=entry.get("padding", int),
        quantizer=quantizer,
        arithmetic=entry.choice("arithmetic", ("float64", "float32-sequential")),
        transposed=entry.get("transposed", bool),
    )


def _last_to_json(last: Last | None, tensors: Tensors) -> dict[str, Any] | None:
    if last is None:
        return None
    if isinstance(last, Scores):
        tensors["last.offset"] = last.offset
        return {"kind": "scores", "divisor": last.divisor, "scale": last.scale}
    if isinstance(last, DenseChain):
        return {
            "kind": "fully-connected",
            "layers": [_dense_to_json(layer, tensors) for layer in last.layers],
        }
    tensors["last.weight"], tensors["last.bias"] = last.matrix.weight, last.matrix.bias
    tensors["last.anchors"] = last.anchors
    return {
        "kind": "region",
        "channels": len(last.matrix.weight),
        "anchors": len(last.anchors),
        "input_size": last.input_size,
        "transposed": last.transposed,
    }


def _dense_to_json(layer: DenseLayer, tensors: Tensors) -> dict[str, Any]:
    matrix, name = layer.matrix, f"last.{layer.name}"
    tensors[f"{name}.bias"] = matrix.bias
    if isinstance(matrix, BinaryDense):
        tensors |= {f"{name}.bits": matrix.bits, f"{name}.lo": matrix.lo, f"{name}.hi": matrix.hi}
    else:
        tensors[f"{name}.weight"] = matrix.weight
    return {
        "name": layer.name,
        "inputs": layer.shape[0],
        "outputs": layer.shape[1],
        "weights": "bits" if isinstance(matrix, BinaryDense) else "floats",
        "levels": layer.levels,
    }


def _last_of_json(entry: _Entry, tensors: _TensorFile) -> Last:
    kind = entry.choice("kind", ("scores", "fully-connected", "region"))
    if kind == "scores":
        offset = tensors.get("last.offset", np.int64, None)
        return Scores(offset, entry.positive("divisor"), entry.number("scale"))
    if kind == "fully-connected":
        return DenseChain(tuple(_dense_of_json(e, tensors) for e in entry.entries("layers")))
    matrix = FloatDense(
        tensors.get("last.weight", np.float32, None), tensors.get("last.bias", np.float32, None)
    )
    anchors = tensors.get("last.anchors", np.float64, (entry.positive("anchors"), 2))
    return Region(matrix, anchors, entry.positive("input_size"), entry.get("transposed", bool))


def _dense_of_json(entry: _Entry, tensors: _TensorFile) -> DenseLayer:
    name, inputs, outputs = (
        entry.get("name", str),
        entry.positive("inputs"),
        entry.positive("outputs"),
    )
    bias = tensors.get(f"last.{name}.bias", np.float32, (outputs,))
    matrix: BinaryDense | FloatDense
    if entry.choice("weights", ("bits", "floats")) == "bits":
        words = tensors.get(f"last.{name}.bits", np.uint64, (outputs, -(-inputs // 64)))
        lo, hi = (tensors.get(f"last.{name}.{key}", np.float32, (outputs,)) for key in ("lo", "hi"))
        matrix = BinaryDense(words, lo, hi, bias, inputs)
    else:
        weight = tensors.get(f"last.{name}.weight", np.float32, (inputs, outputs))
        matrix = FloatDense(weight, bias)
    return DenseLayer(name, matrix, entry.get("levels", int))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_JSON_BYTES + 1)
        document = json.loads(text) if len(text) <= MAX_JSON_BYTES else None
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: not valid JSON ({error})") from None
    if not isinstance(document, dict):
        raise FormatError(f"{path}: not a network description")
    return document


class _Entry:
    """One object of the JSON; every field is asked for with its type."""

    def __init__(self, path: Path, where: str, values: dict[str, Any]) -> None:
        self._path, self._where, self._values = path, where, values

    def _fail(self, key: str, wanted: str) -> FormatError:
        found = repr(self._values.get(key))
        return FormatError(
            f"{self._path}: {self._where}{key} should be {wanted}, not "
            f"{found if len(found) < 60 else found[:57] + '...'}"
        )

    def get(self, key: str, kind: type[Value]) -> Value:
        value = self._values.get(key)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self._fail(key, f"of type {kind.__name__}")
        return value

    def optional(self, key: str, kind: type[Value]) -> Value | None:
        return None if self._values.get(key) is None else self.get(key, kind)

    def choice(self, key: str, choices: tuple[str, ...]) -> Any:
        if self._values.get(key) not in choices:
            raise self._fail(key, f"one of {', '.join(choices)}")
        return self._values[key]

    def positive(self, key: str) -> int:
        value = self.get(key, int)
        if not 1 <= value <= 1 << 24:
            raise self._fail(key, "a positive whole number")
        return value

    def number(self, key: str) -> float:
        value = self._values.get(key)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise self._fail(key, "a number")
        return float(value)

    def _list(self, key: str, kind: type | tuple[type, ...], wanted: str) -> list[Any]:
        values = self._values.get(key)
        if not isinstance(values, list) or not all(
            isinstance(v, kind) and not isinstance(v, bool) for v in values
        ):
            raise self._fail(key, wanted)
        return values

    def integers(self, key: str, count: int | None = None) -> tuple[int, ...]:
        values = self._list(key, int, "a list of whole numbers")
        if (count is not None and len(values) != count) or not all(
            0 <= v <= 1 << 24 for v in values
        ):
            raise self._fail(key, f"a list of {count or 'non-negative'} whole numbers")
        return tuple(values)

    def numbers(self, key: str) -> tuple[float, ...]:
        return tuple(map(float, self._list(key, (int, float), "a list of numbers")))

    def strings(self, key: str) -> tuple[str, ...]:
        return tuple(self._list(key, str, "a list of strings"))

    def entry(self, key: str) -> _Entry:
        return _Entry(self._path, f"{self._where}{key}.", self.get(key, dict))

    def entries(self, key: str) -> list[_Entry]:
        values = self._list(key, dict, "a list of objects")
        return [
            _Entry(self._path, f"{self._where}{key}[{i}].", value) for i, value in enumerate(values)
        ]


class _TensorFile:
    """The arrays of an .npz file, each loaded once its header was found to be plausible."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip = self._guard(lambda: zipfile.ZipFile(path))

    def __enter__(self) -> _TensorFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def _guard(self, action: Callable[[], Value]) -> Value:
        try:
            return action()
        except OSError as error:
            raise FormatError(f"{self._path}: cannot be read ({error.strerror or error})") from None
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
            raise FormatError(
                f"{self._path}: truncated or altered ({error}); fetch or import the network again"
            ) from None

    def get(
        self, name: str, dtype: type[np.generic], shape: tuple[int, ...] | None
    ) -> NDArray[Any]:
        """The array `name`; FormatError unless it has that dtype and (if given) that shape."""
        try:
            member = self._zip.getinfo(f"{name}.npy")
        except KeyError:
            raise FormatError(
                f"{self._path}: it has no tensor {name}; fetch or import the network again"
            ) from None
        if member.file_size > MAX_TENSOR_BYTES:
            raise FormatError(f"{self._path}: tensor {name} is larger than any network here")
        raw = self._guard(lambda: self._zip.read(member))
        stream = io.BytesIO(raw)
        header = self._guard(lambda: _read_header(stream))
        wanted = f"{np.dtype(dtype)} {shape if shape is not None else ''}".strip()
        if header[2] != np.dtype(dtype).newbyteorder("<") or shape not in (None, header[0]):
            raise FormatError(
                f"{self._path}: tensor {name} is {header[2]} {header[0]}, but {wanted} is expected"
            )
        if len(raw) - stream.tell() != math.prod(header[0]) * header[2].itemsize:
            raise FormatError(f"{self._path}: tensor {name} is truncated")
        stream.seek(0)
        array = self._guard(lambda: np.lib.format.read_array(stream, allow_pickle=False))
        return array


def _read_header(stream: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream)
    raise ValueError(f"npy version {version}")
