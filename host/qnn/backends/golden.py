# SPDX-License-Identifier: BSD-3-Clause
"""The golden model as a backend: slow, and right by definition. Only in a checkout."""

from __future__ import annotations

import importlib.util

import numpy as np

from qnn.backends.host_layers import Step
from qnn.backends.on_host import HostSession
from qnn.backends.protocol import DEFAULTS, Maps, Settings
from qnn.network import Layer, Network


class GoldenBackend:
    """Runs the golden model of package qnn_sim; "auto" never takes it before the CPU."""

    name = "golden"

    def unavailable(self) -> str | None:
        if importlib.util.find_spec("qnn_sim") is None:
            return "package qnn_sim is not installed; use a checkout of the project"
        return None

    def open(self, network: Network, settings: Settings = DEFAULTS) -> HostSession:
        return HostSession(network, _step)


def _step(layer: Layer) -> Step:
    from qnn_sim import golden_network

    def step(maps: Maps) -> Maps:
        out = np.empty((len(maps), *layer.out_shape), layer.out_dtype)
        for one, into in zip(maps, out, strict=True):
            into[...] = golden_network.run_layer(layer, one)
        return out

    return step
