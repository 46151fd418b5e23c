# SPDX-License-Identifier: BSD-3-Clause
"""A network on disk: a directory with network.json and tensors.npz, described in params/README.md.

No pickle is read or written. Every array is checked against the size of its zip member before it
is loaded, every field of the JSON against its type, and the network against itself (qnn.network).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.compute.dense import BinaryDense, FloatDense
from qnn.compute.float_conv import Quantizer, Thresholds, Uniform
from qnn.errors import FormatError
from qnn.network import Conv, MaxPool, Network
from qnn.network.first import ConvFirst, First, LookupFirst
from qnn.network.last import (
    Arithmetic,
    DenseChain,
    DenseLayer,
    FloatScores,
    Last,
    Region,
    Scores,
)
from qnn.store.fields import Fields, read_object
from qnn.store.tensor_file import TensorFile

FORMAT, VERSION = "qnn-network", 1
DESCRIPTION, TENSORS = "network.json", "tensors.npz"

Tensors = dict[str, NDArray[Any]]


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
        "notes": list(network.notes),
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
    document = Fields(directory / DESCRIPTION, "", read_object(directory / DESCRIPTION))
    if document.get("format", str) != FORMAT or document.get("version", int) != VERSION:
        raise FormatError(
            f"{directory / DESCRIPTION}: not a {FORMAT} of version {VERSION}; import it again"
        )
    with TensorFile(directory / TENSORS) as tensors:
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
            notes=document.strings("notes") if document.optional("notes", list) else (),
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


def _layer_of_json(entry: Fields, tensors: TensorFile) -> Conv:
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


def _first_of_json(entry: Fields, tensors: TensorFile) -> First:
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
    if isinstance(last, FloatScores):
        tensors |= {f"last.step{i}": step.values for i, step in enumerate(last.steps)}
        return {"kind": "float-scores", "steps": [step.op for step in last.steps]}
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


def _last_of_json(entry: Fields, tensors: TensorFile) -> Last:
    kind = entry.choice("kind", ("scores", "float-scores", "fully-connected", "region"))
    if kind == "scores":
        offset = tensors.get("last.offset", np.int64, None)
        return Scores(offset, entry.positive("divisor"), entry.number("scale"))
    if kind == "float-scores":
        return FloatScores(
            tuple(
                Arithmetic(op, tensors.get(f"last.step{i}", np.float32, None))
                for i, op in enumerate(entry.strings("steps"))
            )
        )
    if kind == "fully-connected":
        return DenseChain(tuple(_dense_of_json(e, tensors) for e in entry.entries("layers")))
    matrix = FloatDense(
        tensors.get("last.weight", np.float32, None), tensors.get("last.bias", np.float32, None)
    )
    anchors = tensors.get("last.anchors", np.float64, (entry.positive("anchors"), 2))
    return Region(matrix, anchors, entry.positive("input_size"), entry.get("transposed", bool))


def _dense_of_json(entry: Fields, tensors: TensorFile) -> DenseLayer:
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
