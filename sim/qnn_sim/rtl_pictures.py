# SPDX-License-Identifier: BSD-3-Clause
"""Whole pictures through published networks: all layers on the RTL that it can take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qnn.engine.driver import Driver
from qnn.engine.lowering import lower
from qnn.engine.placement import accelerated, place, wish_for_first
from qnn.importers.qnn_mo.network import import_network
from qnn.measure.random_dorefanet import completed
from qnn.network import FloatConv, Layer, Network
from qnn.pictures.picture import Picture
from qnn_sim.golden_network import Map, rounding, run_layer
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
        together: pictures that can share the weights of the fully connected layers, and
            cycles_together what one of so many then takes.
        seconds: that the simulation of them took.
        host_macs: products of the layers on the host, and of outputs of the first layer in doubt.
        macs: products of all layers.
        doubts: outputs of the first layer that the host has computed again.
        mismatches: values of all layers on the accelerator that differ; of float64 sums those
            that another order of the same sums does not explain.
        layers: of each layer its name, where it runs, macs, and its cycles there.
    """
    network, picture = case(name, reference)
    first = network.layers[0]
    assert isinstance(first, FloatConv) and network.picture is not None
    x, limits = network.picture.tensor(picture), network.picture.limits
    wish = wish_for_first(network, "accelerator")
    with Driver(SimulatedBoard(config, model=memory)) as driver:
        run = accelerated(place(network.layers, driver.capabilities, wish, limits))
        taken = network.layers[run]
        driver.load(lower(taken, limits), together=True)
        begin = time.perf_counter()
        cycles = driver.run(x).cycles
        assert cycles is not None
        seconds = time.perf_counter() - begin
        wrong = _wrong(taken, x, driver)
        by_layer, doubts = driver.layer_cycles(), driver.stages.last.mended
        together = driver.together
        each = driver.stages.last.cycles  # cycles do not depend on how many share the rest
        cycles_together = each + (cycles - each) // together
    layers = [
        {"name": layer.name, "where": "accelerator", "macs": layer.macs, "cycles": each}
        for layer, each in zip(taken, by_layer, strict=True)
    ] + [
        {"name": layer.name, "where": "host", "macs": layer.macs, "cycles": None}
        for layer in network.layers[run.stop :]
    ]
    on_host = sum(layer.macs for layer in network.layers[run.stop :])
    return {
        "cycles": cycles,
        "together": together,
        "cycles_together": cycles_together,
        "seconds": round(seconds, 2),
        "host_macs": on_host + doubts * first.weight[0].size,
        "macs": sum(layer.macs for layer in network.layers),
        "doubts": doubts,
        "mismatches": wrong,
        "layers": layers,
    }


def _wrong(layers: Sequence[Layer], x: Map, driver: Driver) -> int:
    """Values of the last run, of what the first of some layers reads, that differ."""
    wrong, expected = 0, x
    leeway: Map = np.zeros(x.shape)
    for number, layer in enumerate(layers):
        leeway = rounding(layer, expected, leeway)
        expected = run_layer(layer, expected)
        wrong += int((~(abs(driver.map(number) - expected.astype(np.float64)) <= leeway)).sum())
    return wrong
