# SPDX-License-Identifier: BSD-3-Clause
"""The session of every backend whose layers the host itself computes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from qnn.backends.host_layers import HostLayers, Step, host_step
from qnn.backends.protocol import Maps, check_maps, empty_outputs
from qnn.engine import placement
from qnn.engine.capabilities import Capabilities
from qnn.errors import BackendError
from qnn.network import Layer, Network
from qnn.network.offload import Offload, since_us
from qnn.network.wiring import OUTSIDE


class HostSession:
    """See qnn.backends.protocol.Session.

    Args:
        network: what to run.
        step_of: what computes a layer.
        at_once: pictures that go through all layers together; larger batches go in several steps.
    """

    batch = 1
    clock_mhz: float | None = None
    simulated = False
    capabilities: Capabilities | None = None

    def __init__(
        self,
        network: Network,
        step_of: Callable[[Layer], Step] = host_step,
        at_once: int = 1,
    ) -> None:
        self._network, self._step_of, self._at_once = network, step_of, at_once
        self.places = placement.on_host(network.layers)
        run, count = placement.integer_run(network.layers), len(network.layers)
        self._steps = {layer.name: step_of(layer) for layer in network.layers}
        self._runs = slice(0, run.start), run, slice(run.stop, count)
        self._parts = [self._part(one) for one in self._runs]
        self._open = True

    def _part(self, run: slice) -> HostLayers:
        """A run of layers."""
        network = self._network
        return HostLayers(
            network.layers[run], lambda layer: self._steps[layer.name], network.wiring[run],
            run.start,
        )  # fmt: skip

    def run(self, maps: Maps) -> Maps:
        (only,) = self.stream([maps])
        return only.maps

    def stream(self, batches: Iterable[Maps], last: Layer | None = None) -> Iterator[Offload]:
        network, parts = self._network, self._parts
        if last is not None:
            (*layers, _), after = network.layers[self._runs[2]], self._runs[2]
            parts = [*parts[:2], HostLayers([*layers, last], self._step_of, network.wiring[after],
                                            after.start)]  # fmt: skip
        for batch in batches:
            self._check(batch)
            took_us = [0, 0, 0]
            outputs: list[list[Maps]] = [[] for _ in network.outputs]
            for start in range(0, len(batch), self._at_once):
                live = {OUTSIDE: batch[start : start + self._at_once]}
                for number, part in enumerate(parts):
                    began = time.perf_counter_ns()
                    keep = set(network.outputs).union(*(one.reads for one in parts[number + 1 :]))
                    deque(part.through(live, keep), maxlen=0)
                    took_us[number] += since_us(began)
                for into, number in zip(outputs, network.outputs, strict=True):
                    into.append(live[number])
            whole = [np.concatenate(one) if len(one) > 1 else one[0] for one in outputs if one]
            maps, *heads = whole or empty_outputs(network)
            yield Offload(
                maps, took_us[1], before_us=took_us[0], after_us=took_us[2], heads=tuple(heads)
            )

    def layer_cycles(self) -> tuple[int, ...]:
        return ()

    def around(self, maps: Maps) -> dict[str, Callable[[], object]]:
        return {}

    def trace(self, maps: Maps, skip: int = 0) -> Iterator[Maps]:
        self._check(maps, skip)
        return self._part(slice(skip, len(self._network.layers))).trace(maps)

    def close(self) -> None:
        self._open, self._parts, self._steps = False, [], {}

    def _check(self, maps: Maps, skip: int = 0) -> None:
        """BackendError if the session is closed, or the maps do not fit."""
        if not self._open:
            raise BackendError(f"the session of network {self._network.name} is closed")
        check_maps(self._network, maps, skip)
