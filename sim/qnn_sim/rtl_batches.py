# SPDX-License-Identifier: BSD-3-Clause
"""Batches of pictures through published networks on the RTL: fully connected layers run for some at
once where that takes fewer cycles (qnn.engine.together)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from qnn.engine.driver import Driver
from qnn.engine.placement import integer_layers
from qnn.importers.bnn_pynq.network import import_network
from qnn.network import Conv
from qnn.store import library
from qnn_sim.golden_network import trace
from qnn_sim.platform import SimulatedBoard
from qnn_sim.rtl_engine import MemoryModel

FOLDERS = {
    "cnv-w1a1": "cifar10/cnvW1A1",
    "cnv-w1a2": "cifar10/cnvW1A2",
    "cnv-w2a2": "cifar10/cnvW2A2",
    "lfc-w1a1": "mnist/lfcW1A1",
    "lfc-w1a2": "mnist/lfcW1A2",
}
NAMES = (library.DEFAULT, *FOLDERS)
SEED = 1  # of the pictures
DISTINCT = 5  # of them, so that each row of a power of two has others; golden ones take seconds


def layers_of(name: str, reference: Path | None) -> tuple[Conv, ...]:
    """The integer layers of one of NAMES; all but the shipped one need the reference data."""
    if name == library.DEFAULT:
        return integer_layers(library.find(name).layers)
    if reference is None:
        raise FileNotFoundError(f"{name}: QNN_REFERENCE does not name the reference data")
    folder = reference / "bnn-pynq/bnn/params" / FOLDERS[name]
    return integer_layers(import_network(folder, name).layers)


def measure(config: str, name: str, reference: Path | None, memory: MemoryModel) -> dict[str, Any]:
    """Random pictures, behind others of the same network.

    Returns:
        batch: pictures that wait for each other; 1: those of a batch go through one by one.
        cycles: that one of a batch takes.
        cycles_alone: that one takes where they go one by one.
        mismatches: values that differ from golden ones in what the network gives for each of them.
    """
    layers = layers_of(name, reference)
    random = np.random.default_rng(SEED)
    with Driver(SimulatedBoard(config, model=memory)) as driver:
        driver.load(layers, together=True)
        batch = driver.together
        shape = (DISTINCT, *layers[0].in_shape)
        codes = random.integers(0, 2 ** layers[0].in_bits, shape).astype(np.uint8)
        pictures = [codes[n % DISTINCT] for n in range(2 * max(batch, driver.capabilities.pixels))]
        offloads = list(driver.stream(pictures, together=batch))
        behind = offloads[len(offloads) // 2 :]
        expected = [[*trace(layers, one)][-1] for one in codes]
        wrong = sum(
            int((offload.maps != expected[n % DISTINCT]).sum())
            for n, offload in enumerate(offloads)
        )
        driver.load(layers)
        for one in pictures[:2]:
            alone = driver.run(one).cycles
    cycles = sum(offload.cycles or 0 for offload in behind) // len(behind)
    return {"batch": batch, "cycles": cycles, "cycles_alone": alone, "mismatches": wrong}
