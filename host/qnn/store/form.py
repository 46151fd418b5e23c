# SPDX-License-Identifier: BSD-3-Clause
"""A network on disk: a directory with network.json and tensors.npz, described in params/README.md.

No pickle is read or written. Every array is checked against the size of its zip member before it
is loaded, every field of the JSON against its type, and the network against itself (qnn.network).
What version 1 had, qnn.store.form_v1 reads. A chain is written as version 2, which earlier packages
read, too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qnn.compute.dense import BinaryDense
from qnn.errors import FormatError
from qnn.network import (
    ArrayInput,
    Conv,
    Dense,
    FloatConv,
    Floats,
    Grid,
    Head,
    Layer,
    Lookup,
    Network,
    PictureInput,
    Rearrange,
)
from qnn.network.arithmetic import Arithmetic
from qnn.network.layer import KINDS
from qnn.network.picture_input import PIXEL_GEOMETRIES
from qnn.network.result import (
    Boxes,
    FloatMap,
    FloatScores,
    Probabilities,
    Result,
    Scores,
)
from qnn.store import form_v1
from qnn.store.fields import Fields, read_object
from qnn.store.parts import (
    Tensors,
    conv_of_json,
    conv_to_json,
    floats_of_json,
    floats_to_json,
    matrix_of_tensors,
    quantizer_of_json,
    quantizer_to_json,
)
from qnn.store.tensor_file import TensorFile

FORMAT, VERSION = "qnn-network", 2
GRAPH_VERSION = 3  # more than a chain, more than one output, or a layer that moves values
DESCRIPTION, TENSORS = "network.json", "tensors.npz"


def save(network: Network, directory: Path) -> None:
    """Writes `network` into an existing directory.

    Raises:
        OSError: the disk is full, or the directory cannot be written.
    """
    document, tensors = parts(network)
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    (directory / DESCRIPTION).write_text(text, encoding="utf-8")
    np.savez_compressed(directory / TENSORS, **tensors)  # type: ignore[arg-type]


def parts(network: Network) -> tuple[dict[str, Any], Tensors]:
    """What `save` writes: the description, and the arrays that it names."""
    tensors: Tensors = {}
    document = {
        "format": FORMAT,
        "version": GRAPH_VERSION if _is_graph(network) else VERSION,
        "name": network.name,
        "title": network.title,
        "task": network.task,
        "source": network.source,
        "licence": network.licence,
        "missing": list(network.missing),
        "notes": list(network.notes),
        **({"reads": network.reads} if network.reads else {}),
        "picture": _picture_to_json(network.picture, tensors),
        **({"array": _array_to_json(network.array, tensors)} if network.array else {}),
        "layers": [
            _layer_to_json(layer, tensors)
            | ({"reads": list(network.inputs[layer.name])} if layer.name in network.inputs else {})
            for layer in network.layers
        ],
        "result": _result_to_json(network.result, tensors),
        **(
            {"output": network.output, "heads": _heads_to_json(network.heads, tensors)}
            if network.heads
            else {}
        ),
        "classes": list(network.classes),
    }
    return document, tensors


def _is_graph(network: Network) -> bool:
    """Whether earlier packages do not know it."""
    moved = any(isinstance(layer, Rearrange | Floats) for layer in network.layers)
    return bool(network.inputs or network.heads or moved)


def load(directory: Path) -> Network:
    """Reads the network in `directory`.

    Raises:
        FormatError: a file is missing, truncated, or not of this format.
        NetworkError: the network contradicts itself.
    """
    document = Fields(directory / DESCRIPTION, "", read_object(directory / DESCRIPTION))
    version = document.get("version", int)
    known = (form_v1.VERSION, VERSION, GRAPH_VERSION)
    if document.get("format", str) != FORMAT or version not in known:
        raise FormatError(
            f"{directory / DESCRIPTION}: not a {FORMAT} of version {form_v1.VERSION} to "
            f"{GRAPH_VERSION}; import it again"
        )
    with TensorFile(directory / TENSORS) as tensors:
        read = form_v1.chain if version == form_v1.VERSION else _chain
        picture, layers, result = read(document, tensors)
        stated = version >= VERSION and document.optional("array", dict) is not None
        graph = version == GRAPH_VERSION
        array = _array_of_json(document.entry("array"), tensors) if stated else None
        return Network(
            name=document.get("name", str),
            title=document.get("title", str),
            task=document.get("task", str),
            classes=document.strings("classes"),
            layers=layers,
            picture=picture,
            array=array,
            result=result,
            source=document.get("source", str),
            licence=document.get("licence", str),
            missing=document.strings("missing"),
            notes=document.strings("notes") if document.optional("notes", list) else (),
            reads=document.optional("reads", str) or "",
            inputs=_inputs_of_json(document) if graph else {},
            heads=_heads_of_json(document, tensors) if graph else (),
            output=(document.optional("output", str) or "") if graph else "",
        )


def _chain(
    document: Fields, tensors: TensorFile
) -> tuple[PictureInput | None, tuple[Layer, ...], Result | None]:
    """What a picture goes through."""
    picture, result = document.optional("picture", dict), document.optional("result", dict)
    return (
        None if picture is None else _picture_of_json(document.entry("picture"), tensors),
        tuple(_layer_of_json(entry, tensors) for entry in document.entries("layers")),
        None if result is None else _result_of_json(document.entry("result"), tensors),
    )


def _inputs_of_json(document: Fields) -> dict[str, tuple[str, ...]]:
    """What layers read, where it is stated."""
    return {
        entry.get("name", str): entry.strings("reads")
        for entry in document.entries("layers")
        if entry.optional("reads", list) is not None
    }


def _heads_to_json(heads: Sequence[Head], tensors: Tensors) -> list[dict[str, Any]]:
    """The arrays of a head begin with head<number>."""
    stated = []
    for number, head in enumerate(heads):
        own: Tensors = {}
        result = _result_to_json(head.result, own)
        tensors |= {f"head{number}{name}": array for name, array in own.items()}
        stated.append({"name": head.name, "layer": head.layer, "result": result})
    return stated


def _heads_of_json(document: Fields, tensors: TensorFile) -> tuple[Head, ...]:
    if document.optional("heads", list) is None:
        return ()
    found = []
    for number, entry in enumerate(document.entries("heads")):
        stated = entry.entry("result")
        stated.choice("kind", ("float-scores", "float-map"))
        result = _result_of_json(stated, tensors, f"head{number}")
        assert isinstance(result, FloatScores | FloatMap)
        found.append(Head(entry.get("name", str), entry.get("layer", str), result))
    return tuple(found)


# The arrays of a layer are called <layer>.<array>; those of no layer have no dot in their names.


def _picture_to_json(picture: PictureInput | None, tensors: Tensors) -> dict[str, Any] | None:
    if picture is None:
        return None
    if picture.mean is not None:
        tensors["mean"] = picture.mean
    if picture.table is not None:
        tensors["table"] = picture.table
    return {
        "geometry": picture.geometry,
        "size": picture.size,
        "mean": picture.mean is not None,
        "transposed": picture.transposed,
        **({} if picture.table is None else {"table": True}),
    }


def _picture_of_json(entry: Fields, tensors: TensorFile) -> PictureInput:
    size = entry.positive("size")
    mean = None
    if entry.get("mean", bool):
        mean = tensors.get("mean", np.float32, (size, size, 3))
    geometry, table = entry.get("geometry", str), None
    if entry.optional("table", bool):
        table = tensors.get("table", np.uint8, (PIXEL_GEOMETRIES.get(geometry, 0), 256))
    return PictureInput(geometry, size, mean, entry.get("transposed", bool), table)


def _array_to_json(array: ArrayInput, tensors: Tensors) -> dict[str, Any]:
    if array.thresholds is not None:
        tensors["array"] = array.thresholds
    grid = array.grid
    return {
        "shape": list(array.shape),
        "axes": list(array.axes),
        "map": list(array.map_shape),
        "channels": 1 if array.thresholds is None else len(array.thresholds),
        "thresholds": 0 if array.thresholds is None else array.thresholds.shape[1],
        "low": array.low,
        "step": array.step,
        "values": None
        if grid is None
        else {"kind": grid.kind, "low": grid.low, "step": grid.step, "count": grid.count},
        "constants": list(array.constants),
    }


def _array_of_json(entry: Fields, tensors: TensorFile) -> ArrayInput:
    size = entry.positive("channels"), entry.get("thresholds", int)
    grid = None
    if entry.optional("values", dict) is not None:
        stated = entry.entry("values")
        grid = Grid(
            stated.get("kind", str),
            stated.number("low"),
            stated.number("step"),
            stated.positive("count"),
        )
    rows, columns, channels = entry.integers("map", 3)
    return ArrayInput(
        shape=entry.integers("shape"),
        axes=entry.integers("axes"),
        map_shape=(rows, columns, channels),
        thresholds=tensors.get("array", np.float32, size) if size[1] else None,
        low=entry.number("low"),
        step=entry.number("step"),
        grid=grid,
        constants=entry.integers("constants"),
    )


def _layer_to_json(layer: Layer, tensors: Tensors) -> dict[str, Any]:
    kind = KINDS[type(layer)]
    if isinstance(layer, Conv):
        return {"name": layer.name, "kind": kind, **conv_to_json(layer, tensors)}
    stated: dict[str, Any] = {"name": layer.name, "kind": kind, "input": list(layer.in_shape)}
    if isinstance(layer, Lookup):
        tensors[f"{layer.name}.table"] = layer.table
        return {**stated, "output": list(layer.out_shape)}
    if isinstance(layer, Floats):
        return stated | floats_to_json(layer, tensors)
    if isinstance(layer, Rearrange):
        tensors[f"{layer.name}.places"] = layer.places
        return {
            **stated,
            "input_bits": layer.in_bits or 0,
            "output": list(layer.out_shape),
        }
    if isinstance(layer, FloatConv):
        tensors[f"{layer.name}.weight"] = layer.weight
        if layer.bias is not None:
            tensors[f"{layer.name}.bias"] = layer.bias
        return {
            **stated,
            "kernel": list(layer.weight.shape[1:3]),
            "outputs": len(layer.weight),
            "stride": layer.stride,
            "padding": layer.padding,
            "bias": layer.bias is not None,
            "quantizer": quantizer_to_json(layer.quantizer),
            "arithmetic": layer.arithmetic,
        }
    matrix, name = layer.matrix, layer.name
    tensors[f"{name}.bias"] = matrix.bias
    if isinstance(matrix, BinaryDense):
        tensors |= {f"{name}.bits": matrix.bits, f"{name}.lo": matrix.lo, f"{name}.hi": matrix.hi}
    else:
        tensors[f"{name}.weight"] = matrix.weight
    return {
        **stated,
        "input_bits": layer.in_bits or 0,
        "inputs": layer.inputs,
        "outputs": len(matrix.bias),
        "weights": "bits" if isinstance(matrix, BinaryDense) else "floats",
        "levels": layer.levels,
        "unit": layer.unit,
    }


def _layer_of_json(entry: Fields, tensors: TensorFile) -> Layer:
    kind = entry.choice("kind", tuple(KINDS.values()))
    if kind == "integer":
        return conv_of_json(entry, tensors)
    name = entry.get("name", str)
    rows, columns, channels = entry.integers("input", 3)
    shape = rows, columns, channels
    if kind == "table":
        table = tensors.get(f"{name}.table", np.uint8, (256,))
        rows, columns, channels = entry.integers("output", 3)
        return Lookup(name, shape, table, (rows, columns, channels))
    if kind == "floats":
        return floats_of_json(entry, name, shape, tensors)
    if kind == "places":
        bits, output = entry.get("input_bits", int) or None, entry.integers("output", 3)
        return Rearrange(name, shape, bits, tensors.get(f"{name}.places", np.int32, output))
    outputs = entry.positive("outputs")
    if kind == "float-convolution":
        kernel = entry.integers("kernel", 2)
        bias = entry.get("bias", bool)
        return FloatConv(
            name=name,
            in_shape=shape,
            weight=tensors.get(f"{name}.weight", np.float32, (outputs, *kernel, channels)),
            bias=tensors.get(f"{name}.bias", np.float32, (outputs,)) if bias else None,
            stride=entry.positive("stride"),
            padding=entry.get("padding", int),
            quantizer=quantizer_of_json(entry.entry("quantizer")),
            arithmetic=entry.choice("arithmetic", ("float64", "float32-sequential")),
        )
    matrix = matrix_of_tensors(entry, name, tensors)
    unit = entry.optional_number("unit")
    return Dense(
        name, shape, entry.get("input_bits", int) or None, matrix, entry.get("levels", int), unit
    )


def _result_to_json(result: Result | None, tensors: Tensors) -> dict[str, Any] | None:
    if result is None:
        return None
    if isinstance(result, Scores):
        tensors["offset"] = result.offset
        return {"kind": "scores", "divisor": result.divisor, "scale": result.scale}
    if isinstance(result, FloatScores | FloatMap):
        tensors |= {f"step{i}": step.values for i, step in enumerate(result.steps)}
        stated: dict[str, Any] = {"kind": "float-scores", "steps": [s.op for s in result.steps]}
        if result.levels is not None:
            tensors["levels"] = result.levels
            stated["levels"] = len(result.levels)
        if isinstance(result, FloatScores):
            return stated
        return stated | {
            "kind": "float-map",
            "axes": list(result.axes),
            "shape": list(result.shape),
        }
    if isinstance(result, Probabilities):
        return {"kind": "softmax", "unit": result.unit}
    tensors["anchors"] = result.anchors
    return {
        "kind": "boxes",
        "anchors": len(result.anchors),
        "input_size": result.input_size,
        "transposed": result.transposed,
    }


def _result_of_json(entry: Fields, tensors: TensorFile, head: str = "") -> Result:
    """Of the network, or of a head, with which its arrays begin."""
    kind = entry.choice("kind", ("scores", "float-scores", "float-map", "softmax", "boxes"))
    if kind == "scores":
        offset = tensors.get("offset", np.int64, None)
        return Scores(offset, entry.positive("divisor"), entry.number("scale"))
    if kind in ("float-scores", "float-map"):
        steps = tuple(
            Arithmetic(op, tensors.get(f"{head}step{i}", np.float32, None))
            for i, op in enumerate(entry.strings("steps"))
        )
        levels = None
        if entry.optional("levels", int) is not None:
            levels = tensors.get(f"{head}levels", np.float32, (entry.positive("levels"),))
        if kind == "float-scores":
            return FloatScores(steps, levels)
        return FloatMap(steps, levels, entry.integers("axes", 3), entry.integers("shape"))
    if kind == "softmax":
        return Probabilities(entry.number("unit"))
    anchors = tensors.get("anchors", np.float64, (entry.positive("anchors"), 2))
    return Boxes(anchors, entry.positive("input_size"), entry.get("transposed", bool))
