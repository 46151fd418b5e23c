# SPDX-License-Identifier: BSD-3-Clause
"""Whole networks with what their layers must give: what RTL and HLS are tested and measured with.

`fashion-cnv` ships with the project and is compared with the golden model. The others are
third-party data in the folder that QNN_REFERENCE names, with results of their authors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qnn.backends.host_layers import HostLayers
from qnn.engine.placement import integer_layers, integer_run
from qnn.importers.bnn_pynq.layers import read_directory
from qnn.importers.bnn_pynq.network import import_network
from qnn.importers.qnn_mo.layers import read_json, read_layers
from qnn.network import Conv, Network
from qnn.pictures.picture import Picture
from qnn.predecessor import activation_buffer
from qnn.store import library
from qnn_sim.golden_network import trace

Output: TypeAlias = "NDArray[np.integer[Any]]"
NAMES = ("fashion-cnv", "dorefanet", "tinier-yolo", "cnv-w1a1", "cnv-w1a2", "cnv-w2a2")

# Printed by the boards of the authors for deer.jpg.
DEER = {
    "cnv-w1a1": (237, 232, 246, 239, 423, 246, 239, 245, 229, 244),
    "cnv-w1a2": (-25, -43, -27, 1, 261, 5, -15, -31, -31, -37),
    "cnv-w2a2": (-23, -35, -21, -14, 243, -11, -6, -15, -19, -18),
}


@dataclass(frozen=True)
class Case:
    """A network, input codes, and the number of values that differ in what layer `i` has given."""

    layers: tuple[Conv, ...]
    codes: NDArray[np.uint8]
    differing: Callable[[int, Output], int]

    def mismatches(self, given: Callable[[int], Output]) -> int:
        """Values of all layers that differ, where layer i gave given(i); a wrong digest is one."""
        return sum(self.differing(i, given(i)) for i in range(len(self.layers)))


def _codes(network: Network, picture: Path) -> NDArray[np.uint8]:
    """What the integer layers read of a picture."""
    assert network.picture is not None
    maps = network.picture.tensor(Picture.open(picture))[None]
    before = network.layers[: integer_run(network.layers).start]
    return HostLayers(before)(maps)[0].astype(np.uint8, copy=False)


def shipped(picture: Path | None = None) -> Case:
    """The shipped model on one of the shipped pictures."""
    network = library.find(library.DEFAULT)
    samples = library.shipped_directory().parent / "samples"
    codes = _codes(network, picture or samples / "ankle-boot.png")
    layers = integer_layers(network.layers)
    expected = list(trace(layers, codes))
    return Case(layers, codes, lambda i, out: int((out != expected[i]).sum()))


def _digest_differs(layer: Conv, out: Output, digests: dict[str, str]) -> int:
    parts = np.split(out, layer.groups, axis=2)
    names = layer.parts or (layer.name,)
    if len(names) != len(parts):  # parts that are no groups are digested together
        parts, names = [out], (layer.name,)
    found = [hashlib.sha256(np.ascontiguousarray(p).tobytes()).hexdigest() for p in parts]
    return sum(digests[n] != d for n, d in zip(names, found, strict=True))


def _qnn_mo(reference: Path, name: str, image: str, tensors: str, key: str) -> Case:
    path = reference / f"qnn-mo-pynq/qnn/params/{name}-layers.json"
    layers = read_layers(path, read_json(path))
    codes = np.load(reference / f"derived/{tensors}")[key]
    table = json.loads((reference / "derived/layer_sha256.json").read_text())
    digests = {part: digest for part, _, digest in table[f"{name}/{image}"]}
    last = None
    if name == "dorefanet":
        verification = reference / "qnn-mo-pynq/tests/Test_image/dorefanet/verification.bin"
        last = activation_buffer.read(verification, layers[-1].out_shape, 2)

    def differing(i: int, out: Output) -> int:
        wrong = _digest_differs(layers[i], out, digests)
        if last is not None and i == len(layers) - 1:
            wrong += int((out != last).sum())
        return wrong

    return Case(layers, codes, differing)


def _cnv(reference: Path, name: str) -> Case:
    folder = reference / f"bnn-pynq/bnn/params/cifar10/cnv{name[4:].upper()}"
    found = read_directory(folder)
    network = import_network(folder, name)
    codes = _codes(network, reference / "bnn-pynq/tests/Test_image/deer.jpg")
    scores = np.array(DEER[name]) * found.divisor - found.offset

    def differing(i: int, out: Output) -> int:
        return int((out.ravel() != scores).sum()) if i == len(found.layers) - 1 else 0

    return Case(found.layers, codes, differing)


def case(name: str, reference: Path | None) -> Case:
    """One of NAMES; all but the shipped one need the reference data."""
    if name == "fashion-cnv":
        return shipped()
    if reference is None:
        raise FileNotFoundError(f"{name}: QNN_REFERENCE does not name the reference data")
    if name == "dorefanet":
        return _qnn_mo(reference, name, "n07920052_4", "dorefanet_n07920052_4_tensors.npz", "conv0")
    if name == "tinier-yolo":
        return _qnn_mo(reference, name, "dog", "tinier_yolo_dog_tensors.npz", "conv0_xyc")
    return _cnv(reference, name)
