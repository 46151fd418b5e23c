# SPDX-License-Identifier: BSD-3-Clause
"""The golden model as a backend: slow, and right by definition. Only in a checkout."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.backends.on_host import HostSession
from qnn.backends.protocol import DEFAULTS, Settings
from qnn.network import Network


class GoldenBackend:
    """Runs the golden model of package qnn_sim; "auto" never takes it before the CPU."""

    name = "golden"

    def unavailable(self) -> str | None:
        if importlib.util.find_spec("qnn_sim") is None:
            return "package qnn_sim is not installed; use a checkout of the project"
        return None

    def open(self, network: Network, settings: Settings = DEFAULTS) -> GoldenSession:
        return GoldenSession(network)


class GoldenSession(HostSession):
    """See qnn.backends.protocol.Session."""

    def run(self, codes: NDArray[np.uint8]) -> NDArray[np.integer[Any]]:
        *_, last = self.trace(codes)
        return last

    def trace(self, codes: NDArray[np.uint8]) -> Iterator[NDArray[np.integer[Any]]]:
        from qnn_sim import golden_network

        self._check(codes)
        maps: NDArray[np.integer[Any]] = codes
        for layer in self._network.layers:
            dtype = np.int32 if layer.thresholds is None else np.uint8
            out = np.empty((len(codes), *layer.out_shape), dtype)
            for one, into in zip(maps, out, strict=True):
                into[:] = golden_network.run_layer(layer, one)
            maps = out
            yield maps
