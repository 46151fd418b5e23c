# SPDX-License-Identifier: BSD-3-Clause
"""Parts of a network on disk that are alike in both versions of the form."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.compute.dense import BinaryDense, FloatDense
from qnn.compute.float_conv import Quantizer, Thresholds, Uniform
from qnn.network import Conv, Floats, MaxPool, Shape
from qnn.network.arithmetic import Arithmetic
from qnn.store.fields import Fields
from qnn.store.tensor_file import TensorFile

Tensors = dict[str, NDArray[Any]]


def conv_to_json(layer: Conv, tensors: Tensors) -> dict[str, Any]:
    """The fields of an integer layer behind its name."""
    planes, outputs = layer.weight.shape[:2]
    tensors[f"{layer.name}.weight"] = np.packbits(
        layer.weight.reshape(planes, outputs, -1), axis=2, bitorder="little"
    )
    if layer.thresholds is not None:
        tensors[f"{layer.name}.thresholds"] = layer.thresholds
    pool = layer.pool
    return {
        "input": list(layer.in_shape),
        "input_bits": layer.in_bits,
        "kernel": list(layer.kernel),
        "stride": layer.stride,
        **({} if layer.across is None else {"across": layer.across}),
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


def conv_of_json(entry: Fields, tensors: TensorFile) -> Conv:
    """An integer layer, as version 1 has it, too."""
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
        across=None if entry.optional("across", int) is None else entry.positive("across"),
    )


def floats_to_json(layer: Floats, tensors: Tensors) -> dict[str, Any]:
    """The fields of a layer of floats behind its name and its input."""
    tensors |= {f"{layer.name}.step{i}": step.values for i, step in enumerate(layer.steps)}
    if layer.weight is not None:
        tensors[f"{layer.name}.weight"] = layer.weight
    if layer.thresholds is not None:
        tensors[f"{layer.name}.thresholds"] = layer.thresholds
    return {
        "input_bits": layer.in_bits or 0,
        "steps": [step.op for step in layer.steps],
        "outputs": 0 if layer.weight is None else len(layer.weight),
        "pool": layer.pool is not None,
        "kernel": list(layer.kernel),
        "strides": list(layer.strides),
        "padding": list(layer.padding),
        "groups": layer.groups,
        "thresholds": [] if layer.thresholds is None else list(layer.thresholds.shape),
    }


def floats_of_json(entry: Fields, name: str, shape: Shape, tensors: TensorFile) -> Floats:
    """A layer of floats."""
    rows, columns = entry.integers("kernel", 2)
    down, across = entry.integers("strides", 2)
    top, left, bottom, right = entry.integers("padding", 4)
    outputs, groups = entry.get("outputs", int), entry.positive("groups")
    weight, thresholds, size = None, None, entry.integers("thresholds")
    if outputs:
        sides = (outputs, rows, columns, shape[2] // groups)
        weight = tensors.get(f"{name}.weight", np.float32, sides)
    if size:
        thresholds = tensors.get(f"{name}.thresholds", np.float32, size)
    return Floats(
        name=name,
        in_shape=shape,
        in_bits=entry.get("input_bits", int) or None,
        steps=tuple(
            Arithmetic(op, tensors.get(f"{name}.step{i}", np.float32, (shape[2],)))
            for i, op in enumerate(entry.strings("steps"))
        ),
        weight=weight,
        pool=(rows, columns) if entry.get("pool", bool) else None,
        strides=(down, across),
        padding=(top, left, bottom, right),
        groups=groups,
        thresholds=thresholds,
    )


def quantizer_to_json(quantizer: Quantizer) -> dict[str, Any]:
    """What a float convolution is quantised by."""
    if isinstance(quantizer, Thresholds):
        return {"kind": "thresholds", "values": list(quantizer.values)}
    return {"kind": "uniform", "top": quantizer.top, "levels": quantizer.levels}


def quantizer_of_json(entry: Fields) -> Quantizer:
    """What a float convolution is quantised by."""
    if entry.choice("kind", ("thresholds", "uniform")) == "thresholds":
        return Thresholds(entry.numbers("values"))
    return Uniform(entry.number("top"), entry.positive("levels"))


def matrix_of_tensors(entry: Fields, name: str, tensors: TensorFile) -> BinaryDense | FloatDense:
    """A matrix of `inputs` and `outputs`, of `weights` "bits" or "floats", whose arrays begin with
    `name`."""
    inputs, outputs = entry.positive("inputs"), entry.positive("outputs")
    bias = tensors.get(f"{name}.bias", np.float32, (outputs,))
    if entry.choice("weights", ("bits", "floats")) == "floats":
        return FloatDense(tensors.get(f"{name}.weight", np.float32, (inputs, outputs)), bias)
    words = tensors.get(f"{name}.bits", np.uint64, (outputs, -(-inputs // 64)))
    lo, hi = (tensors.get(f"{name}.{key}", np.float32, (outputs,)) for key in ("lo", "hi"))
    return BinaryDense(words, lo, hi, bias, inputs)
