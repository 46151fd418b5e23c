# SPDX-License-Identifier: BSD-3-Clause
"""The session of every backend whose layers the host itself computes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from qnn.backends.host_layers import Step, host_step, trace
from qnn.backends.protocol import Maps, check_maps, empty_output
from qnn.engine import placement
from qnn.errors import BackendError
from qnn.network import Layer, Network
from qnn.network.offload import Offload, since_us


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

    def __init__(
        self,
        network: Network,
        step_of: Callable[[Layer], Step] = host_step,
        at_once: int = 1,
    ) -> None:
        self._network, self._step_of, self._at_once = network, step_of, at_once
        self.places = placement.on_host(network.layers)
        run = placement.integer_run(network.layers)
        steps = [step_of(layer) for layer in network.layers]
        self._parts = steps[: run.start], steps[run], steps[run.stop :]
        self._open = True

    def run(self, maps: Maps) -> Maps:
        (only,) = self.stream([maps])
        return only.maps

    def stream(self, batches: Iterable[Maps], last: Layer | None = None) -> Iterator[Offload]:
        before, integers, after = self._parts
        if last is not None:
            after = [*after[:-1], self._step_of(last)]
        for batch in batches:
            self._check(batch)
            took_us = [0, 0, 0]
            outputs = []
            for start in range(0, len(batch), self._at_once):
                maps = batch[start : start + self._at_once]
                for part, steps in enumerate((before, integers, after)):
                    began = time.perf_counter_ns()
                    for step in steps:
                        maps = step(maps)
                    took_us[part] += since_us(began)
                outputs.append(maps)
            whole = np.concatenate(outputs) if len(outputs) > 1 else outputs[0] if outputs else None
            yield Offload(
                empty_output(self._network) if whole is None else whole,
                took_us[1],
                before_us=took_us[0],
                after_us=took_us[2],
            )

    def layer_cycles(self) -> tuple[int, ...]:
        return ()

    def trace(self, maps: Maps, skip: int = 0) -> Iterator[Maps]:
        self._check(maps, skip)
        steps = [step for part in self._parts for step in part]
        return trace(steps[skip:], maps)

    def close(self) -> None:
        self._open, self._parts = False, ([], [], [])

    def _check(self, maps: Maps, skip: int = 0) -> None:
        """BackendError if the session is closed, or the maps do not fit."""
        if not self._open:
            raise BackendError(f"the session of network {self._network.name} is closed")
        check_maps(self._network, maps, skip)
