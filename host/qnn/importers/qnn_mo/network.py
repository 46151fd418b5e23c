# SPDX-License-Identifier: BSD-3-Clause
"""A whole network of QNN-MO-PYNQ: offloaded layers, and the float layers its files lie beside.

The layers around them are not in the layer JSON; its "network" field says which there are. Files
that are absent are left out, and the network says so: what can run without them still runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qnn.compute.dense import BinaryDense, FloatDense, pack_columns
from qnn.compute.float_conv import Thresholds, Uniform
from qnn.errors import FormatError
from qnn.importers.qnn_mo.layers import read_json, read_layers
from qnn.importers.qnn_mo.numpy_pickle import load_npy, load_pickle
from qnn.network import Conv, Dense, FloatConv, Layer, Network, PictureInput, describe
from qnn.network.result import Boxes, Probabilities, Result

VOC_CLASSES = tuple(
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike "
    "person pottedplant sheep sofa train tvmonitor".split()
)
VOC_ANCHORS = ((1.08, 1.19), (3.42, 4.41), (6.63, 11.38), (9.42, 5.11), (16.62, 10.52))
MAX_FC_BYTES = 512 << 20


def import_network(path: Path, name: str) -> Network:
    """See qnn.importers.import_network."""
    path = _find_json(path)
    description = read_json(path)
    layers = read_layers(path, description)
    kind = description.get("network")
    around = AROUND.get(kind, _nothing)(path.parent, layers) if isinstance(kind, str) else _Around()
    return Network(
        name=name,
        title=around.title or f"{kind} of QNN-MO-PYNQ",
        task=around.task,
        classes=around.classes,
        layers=(*around.before, *layers, *around.after),
        picture=around.picture,
        result=around.result,
        source="imported from the QNN-MO-PYNQ format",
        missing=around.missing,
    )


def _find_json(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = sorted(path.glob("*-layers.json"))
    if len(found) != 1:
        raise FormatError(
            f"{path}: {len(found)} files are called *-layers.json there; name the one you mean"
        )
    return found[0]


@dataclass
class _Around:
    """What surrounds the offloaded layers."""

    title: str = ""
    task: str = "classify"
    classes: tuple[str, ...] = ()
    picture: PictureInput | None = None
    before: tuple[Layer, ...] = ()
    after: tuple[Layer, ...] = ()
    result: Result | None = None
    missing: tuple[str, ...] = ()


def _nothing(folder: Path, layers: Sequence[Conv]) -> _Around:
    return _Around(
        missing=(
            "the layers around these are not known, so only activation codes can go in and out",
        )
    )


def _dorefanet(folder: Path, layers: Sequence[Conv]) -> _Around:
    around = _Around(title="DoReFa-Net W1A2: 1000 ImageNet classes")
    missing = []
    conv0, mean = folder / "dorefanet-conv0.npy", folder / "ilsvrc_pp_mean.npy"
    if conv0.exists() and mean.exists():
        around.picture, first = _dorefanet_first(conv0, mean)
        around.before = (first,)
    else:
        missing.append(f"{conv0.name} or {mean.name} is missing, so no picture can go in")
    labels = folder / "imagenet-classes.pkl"
    if not labels.exists():
        labels = folder.parent.parent / "notebooks" / labels.name
    dense = folder / "dorefanet-fc-normalized.npy"
    if not dense.exists():
        dense = dense.with_name(dense.name + ".bz2")
    if dense.exists():
        around.after, around.result = _dorefanet_last(dense, layers[-1]), Probabilities()
        around.classes = _imagenet_classes(labels, around.after[-1].out_shape[2])
    else:
        missing.append(
            f"{dense.name} (its fully connected layers) is missing, so no classes come out; "
            "`qnn params fetch dorefanet` downloads it, or put it beside the layer JSON and import "
            "that again"
        )
    around.missing = tuple(missing)
    return around


def _dorefanet_first(conv0: Path, mean: Path) -> tuple[PictureInput, FloatConv]:
    tensors = load_npy(conv0)
    if not isinstance(tensors, dict):
        raise FormatError(f"{conv0}: no dictionary of conv0/W and conv0/T")
    weight = _tensor(conv0, tensors, "conv0/W", 4)
    thresholds = _tensor(conv0, tensors, "conv0/T", 1)
    picture_mean = load_npy(mean)
    if isinstance(picture_mean, dict) or picture_mean.shape != (256, 256, 3):
        raise FormatError(f"{mean}: not an array of 256x256x3")
    picture = PictureInput(
        geometry="shrink-and-crop",
        size=224,
        mean=np.ascontiguousarray(picture_mean[16:-16, 16:-16], dtype=np.float32),
    )
    return picture, FloatConv(
        name="conv0",
        in_shape=picture.out_shape,
        weight=np.ascontiguousarray(weight.transpose(0, 2, 3, 1)),
        bias=None,
        stride=4,
        padding=0,
        quantizer=Thresholds(tuple(float(t) for t in thresholds)),
        arithmetic="float64",
    )


def _dorefanet_last(path: Path, before: Conv) -> tuple[Dense, ...]:
    tensors = load_npy(path, max_bytes=MAX_FC_BYTES)
    if not isinstance(tensors, dict):
        raise FormatError(f"{path}: no dictionary of fc0/Wn, fc0/bn, fc1/Wn, fc1/bn and fct/W")
    layers: list[Dense] = []
    shape, bits, unit = before.out_shape, before.out_bits, None
    for name, weight_key, bias_key, levels in (
        ("fc0", "fc0/Wn", "fc0/bn", 3),
        ("fc1", "fc1/Wn", "fc1/bn", 1),
        ("fct", "fct/W", None, 0),
    ):
        weight = _tensor(path, tensors, weight_key, 2)
        bias: NDArray[np.float32] = np.zeros(weight.shape[1], np.float32)
        if bias_key is not None:
            bias = _tensor(path, tensors, bias_key, 1)
        # Only fc0 and fc1 read rounded values, so only they can do with bits.
        packed = pack_columns(weight) if name != "fct" else None
        matrix = (
            FloatDense(weight, bias)
            if packed is None
            else BinaryDense(packed.bits, packed.lo, packed.hi, bias, len(weight))
        )
        layer = Dense(name, shape, bits, matrix, levels, unit)
        layers.append(layer)
        shape, bits, unit = layer.out_shape, layer.out_bits, 1 / levels if levels > 1 else 1.0
    return tuple(layers)


def _imagenet_classes(path: Path, count: int) -> tuple[str, ...]:
    if not path.exists():
        return tuple(f"class {i}" for i in range(count))
    labels = load_pickle(path)
    try:
        return tuple(str(labels[i][1]).split(",")[0] for i in range(count))
    except (KeyError, IndexError, TypeError):
        raise FormatError(f"{path}: no dictionary of 0..{count - 1} to (synset, names)") from None


def _tinier_yolo(folder: Path, layers: Sequence[Conv]) -> _Around:
    around = _Around(
        title="Tinier-YOLO W1A3: objects of 20 VOC classes",
        task="detect",
        classes=VOC_CLASSES,
    )
    missing = []
    files = [folder / f"tinier-yolo-{name}.npy" for name in ("conv0-W", "conv0-bias")]
    if all(file.exists() for file in files):
        weight, bias = _array(files[0], 4), _array(files[1], 1)
        around.picture = PictureInput("letterbox", 416, transposed=True)
        first = FloatConv(
            name="conv0",
            in_shape=around.picture.out_shape,
            # [ky][kx][in][out]; the picture is transposed, so image x is the slow axis.
            weight=np.ascontiguousarray(weight.transpose(3, 1, 0, 2)),
            bias=bias,
            stride=2,
            padding=1,
            quantizer=Uniform(top=4.0, levels=7),
            arithmetic="float32-sequential",
        )
        around.before = (first,)
    else:
        missing.append(f"{files[0].name} or {files[1].name} is missing, so no picture can go in")
    files = [folder / f"tinier-yolo-{name}.npy" for name in ("conv8-W", "conv8-bias")]
    if all(file.exists() for file in files):
        weight, bias = _array(files[0], 4), _array(files[1], 1)
        if weight.shape[:2] != (1, 1):
            raise FormatError(f"{files[0]}: a kernel of {describe(weight.shape[:2])}, not 1x1")
        matrix = FloatDense(np.ascontiguousarray(weight[0, 0]), bias)
        around.after = (
            Dense("conv8", layers[-1].out_shape, layers[-1].out_bits, matrix, levels=0),
        )
        around.result = Boxes(
            anchors=np.array(VOC_ANCHORS, np.float64),
            input_size=416,
            transposed=True,
        )
    else:
        missing.append(f"{files[0].name} or {files[1].name} is missing, so no boxes come out")
    around.missing = tuple(missing)
    return around


def _array(path: Path, ndim: int) -> NDArray[np.float32]:
    array = load_npy(path)
    return _tensor(path, {"": array} if not isinstance(array, dict) else {}, "", ndim)


def _tensor(
    path: Path, tensors: dict[str, NDArray[np.generic]], key: str, ndim: int
) -> NDArray[np.float32]:
    array = tensors.get(key)
    name = f"{path}: {key}" if key else f"{path}"
    if array is None or array.ndim != ndim or not np.issubdtype(array.dtype, np.floating):
        raise FormatError(f"{name} is not an array of floats with {ndim} dimensions")
    if not np.isfinite(array).all():
        raise FormatError(f"{name} holds values that are not finite")
    return np.ascontiguousarray(array, dtype=np.float32)


# By the "network" field of the layer JSON.
AROUND: dict[str, Callable[[Path, Sequence[Conv]], _Around]] = {
    "dorefanet": _dorefanet,
    "tinier-yolo": _tinier_yolo,
}
