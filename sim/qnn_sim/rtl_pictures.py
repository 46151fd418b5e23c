# SPDX-License-Identifier: BSD-3-Clause
"""Whole pictures through published networks: the first layer and the integer ones on the RTL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from qnn.engine.driver import Driver
from qnn.engine.float_first import lowered
from qnn.engine.placement import integer_layers, integer_run
from qnn.importers.qnn_mo.network import import_network
from qnn.measure.random_dorefanet import completed
from qnn.network import FloatConv, Network
from qnn.pictures.picture import Picture
from qnn_sim.golden_network import trace
from qnn_sim.platform import SimulatedBoard
from qnn_sim.rtl_engine import MemoryModel

NAMES = ("dorefanet", "tinier-yolo")


def case(name: str, reference: Path) -> tuple[Network, Picture]:
    """One of NAMES and a picture that its authors published results of. The fully connected layers
    of DoReFa-Net, which are not to be had, are random ones of their shapes."""
    network = import_network(reference / f"qnn-mo-pynq/qnn/params/{name}-layers.json", name)
    if name == "dorefanet":
        path = reference / "qnn-mo-pynq/notebooks/imagenet-samples/n07920052_4.jpg"
        return completed(network), Picture.open(path)
    with np.load(reference / "derived/dog_rgb_darknet_decoder.npz") as pixels:
        return network, Picture.open(pixels["rgb"])


def measure(config: str, name: str, reference: Path, memory: MemoryModel) -> dict[str, Any]:
    """One picture: its cycles, what is left to the host, and values that differ from golden ones.

    Returns:
        cycles: of the accelerator, all stages.
        host_macs: products of the layers on the host, and of outputs of the first layer in doubt.
        macs: products of all layers.
        doubts: outputs of the first layer that the host has computed again.
        mismatches: codes of all layers on the accelerator that differ.
        layers: of each layer its name, where it runs, macs, and its cycles there.
    """
    network, picture = case(name, reference)
    first, run = network.layers[0], integer_run(network.layers)
    assert isinstance(first, FloatConv) and network.picture is not None and run.start == 1
    x = network.picture.tensor(picture)
    words = lowered(first.name, first.convolution, first.in_shape, *network.picture.limits)
    accelerated = network.layers[: run.stop]
    with Driver(SimulatedBoard(config, model=memory)) as driver:
        driver.load(integer_layers(network.layers), words)
        cycles = driver.run(x).cycles
        golden = trace(accelerated, x)
        wrong = [int((driver.map(i) != codes).sum()) for i, codes in enumerate(golden)]
        account, parts = iter(driver.account()), driver.layout.program.parts
        by_layer = [sum(next(account).cycles for _ in range(part)) for part in parts]
        doubts = driver.mended
    layers = [
        {"name": layer.name, "where": "accelerator", "macs": layer.macs, "cycles": taken}
        for layer, taken in zip(accelerated, by_layer, strict=True)
    ] + [
        {"name": layer.name, "where": "host", "macs": layer.macs, "cycles": None}
        for layer in network.layers[run.stop :]
    ]
    on_host = sum(layer.macs for layer in network.layers[run.stop :])
    return {
        "cycles": cycles,
        "host_macs": on_host + doubts * first.weight[0].size,
        "macs": sum(layer.macs for layer in network.layers),
        "doubts": doubts,
        "mismatches": sum(wrong),
        "layers": layers,
    }
