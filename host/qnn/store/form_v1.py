# SPDX-License-Identifier: BSD-3-Clause
"""Version 1 of a network on disk, which is read and no more written.

There the integer layers lay between two stages of the host, `first` and `last`, whose layers had
no names or names of their own. Here they are called "first" and "last", or as they were; a name
that an integer layer has already gets "last." before it, which version 1 kept for this.
"""

from __future__ import annotations

import numpy as np

from qnn.compute.dense import FloatDense
from qnn.network import Dense, FloatConv, Layer, Lookup, PictureInput
from qnn.network.arithmetic import Arithmetic
from qnn.network.result import Boxes, FloatScores, Probabilities, Result, Scores
from qnn.store.fields import Fields
from qnn.store.parts import conv_of_json, matrix_of_tensors, quantizer_of_json
from qnn.store.tensor_file import TensorFile

VERSION = 1


def chain(
    document: Fields, tensors: TensorFile
) -> tuple[PictureInput | None, tuple[Layer, ...], Result | None]:
    """What a picture goes through."""
    picture: PictureInput | None = None
    layers: list[Layer] = [conv_of_json(entry, tensors) for entry in document.entries("layers")]
    if document.optional("first", dict) is not None:
        picture, first = _first(document.entry("first"), tensors)
        layers.insert(0, first)
    if not layers or document.optional("last", dict) is None:
        return picture, tuple(layers), None
    after, result = _last(document.entry("last"), tensors, layers)
    return picture, (*layers, *after), result


def _first(entry: Fields, tensors: TensorFile) -> tuple[PictureInput, Layer]:
    size, geometry = entry.positive("size"), entry.get("geometry", str)
    if entry.choice("kind", ("lookup", "convolution")) == "lookup":
        picture = PictureInput(geometry, size)
        rows, columns, channels = entry.integers("output", 3)
        table = tensors.get("first.table", np.uint8, (256,))
        return picture, Lookup("first", picture.out_shape, table, (rows, columns, channels))
    float32 = np.float32
    outputs, kernel = entry.positive("outputs"), entry.integers("kernel", 2)
    mean, bias = entry.get("mean", bool), entry.get("bias", bool)
    picture = PictureInput(
        geometry,
        size,
        tensors.get("first.mean", float32, (size, size, 3)) if mean else None,
        entry.get("transposed", bool),
    )
    return picture, FloatConv(
        name="first",
        in_shape=picture.out_shape,
        weight=tensors.get("first.weight", float32, (outputs, *kernel, 3)),
        bias=tensors.get("first.bias", float32, (outputs,)) if bias else None,
        stride=entry.positive("stride"),
        padding=entry.get("padding", int),
        quantizer=quantizer_of_json(entry.entry("quantizer")),
        arithmetic=entry.choice("arithmetic", ("float64", "float32-sequential")),
    )


def _last(entry: Fields, tensors: TensorFile, layers: list[Layer]) -> tuple[list[Layer], Result]:
    kind = entry.choice("kind", ("scores", "float-scores", "fully-connected", "region"))
    if kind == "scores":
        offset = tensors.get("last.offset", np.int64, None)
        return [], Scores(offset, entry.positive("divisor"), entry.number("scale"))
    if kind == "float-scores":
        steps = entry.strings("steps")
        values = (tensors.get(f"last.step{i}", np.float32, None) for i in range(len(steps)))
        return [], FloatScores(tuple(map(Arithmetic, steps, values)))
    before = layers[-1]
    shape, bits = before.out_shape, before.out_bits
    if kind == "region":
        weight, bias = (tensors.get(f"last.{key}", np.float32, None) for key in ("weight", "bias"))
        anchors = tensors.get("last.anchors", np.float64, (entry.positive("anchors"), 2))
        layer = Dense("last", shape, bits, FloatDense(weight, bias), levels=0)
        boxes = Boxes(anchors, entry.positive("input_size"), entry.get("transposed", bool))
        return [layer], boxes
    taken = {layer.name for layer in layers}
    after: list[Layer] = []
    unit: float | None = None  # the first divides by the largest code of the map
    for one in entry.entries("layers"):
        name, levels = one.get("name", str), one.get("levels", int)
        matrix = matrix_of_tensors(one, f"last.{name}", tensors)
        dense = Dense(f"last.{name}" if name in taken else name, shape, bits, matrix, levels, unit)
        after.append(dense)
        shape, bits = dense.out_shape, dense.out_bits
        unit = 1 / levels if levels > 1 else 1.0
    return after, Probabilities(1.0 if unit is None else unit)
