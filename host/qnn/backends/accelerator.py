# SPDX-License-Identifier: BSD-3-Clause
"""The session of every backend that has an accelerator: a run of layers on the driver, the others
on the host, which computes them for the next picture while the accelerator works on one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from qnn.backends.host_layers import HostLayers
from qnn.backends.protocol import Maps, Settings, check_maps, empty_output
from qnn.engine import placement
from qnn.engine.driver import Driver
from qnn.engine.lowering import lower, lower_layer
from qnn.engine.stages import Codes
from qnn.errors import BackendError
from qnn.network import Layer, Network
from qnn.network.offload import Offload, since_us
from qnn.platforms.protocol import Platform


class _Batch(NamedTuple):
    """A batch that the accelerator has taken, or is about to."""

    pictures: int
    before_us: int


class AcceleratorSession:
    """See qnn.backends.protocol.Session. Takes the platform over, also where it fails to open."""

    def __init__(
        self, platform: Platform, network: Network, settings: Settings, simulated: bool = False
    ) -> None:
        self._network = network
        # On a board a run takes milliseconds: looking at its progress would take longer.
        self._driver = Driver(platform, settings.progress if simulated else None)
        try:
            capabilities = self._driver.capabilities
            self.places = placement.place_network(network, capabilities, settings.wish)
            self._run = placement.accelerated(self.places)
            taken = network.layers[self._run]
            if not taken:
                name, why = network.layers[0].name, self.places[0].why
                raise BackendError(
                    f"no layer of network {network.name} can run on the accelerator ({name}: "
                    f"{why}); use backend cpu"
                )
            self._lowered = lower(taken, placement.limits_of(network))
            self._driver.load(self._lowered, together=True)
            self._reads = np.dtype(np.float32 if taken[0].in_bits is None else np.uint8)
            self._before = HostLayers(network.layers[: self._run.start])
            self._after = HostLayers(network.layers[self._run.stop :])
        except BaseException:
            self._driver.close()
            raise
        self.batch = self._driver.together
        self.clock_mhz: float | None = platform.clock_mhz
        self.simulated = simulated

    def run(self, maps: Maps) -> Maps:
        check_maps(self._network, maps)
        some = (maps[n : n + self.batch] for n in range(0, len(maps), self.batch))
        outputs = [offload.maps for offload in self.stream(some)]
        return np.concatenate(outputs) if outputs else empty_output(self._network)

    def stream(self, batches: Iterable[Maps], last: Layer | None = None) -> Iterator[Offload]:
        layers, after = self._network.layers, self._after
        on_accelerator: AbstractContextManager[None] = nullcontext()
        if last is not None and self._run.stop == len(layers):
            on_accelerator = self._driver.last_as(lower_layer(last))
        elif last is not None:
            after = HostLayers([*layers[self._run.stop : -1], last])
        under_way: deque[_Batch] = deque()
        given = iter(batches)
        first = next(given, None)
        if first is None:
            return

        def pictures() -> Iterator[Codes]:
            for maps in chain([first], given):
                check_maps(self._network, maps)
                began = time.perf_counter_ns()
                codes = self._before(maps).astype(self._reads, copy=False)
                under_way.append(_Batch(len(codes), since_us(began)))
                yield from codes

        done: list[Offload] = []
        with (
            on_accelerator,
            closing(self._driver.stream(pictures(), together=len(first))) as offloads,
        ):
            for one in offloads:
                done.append(one)
                if len(done) == under_way[0].pictures:
                    began = time.perf_counter_ns()
                    maps = after(np.stack([one.maps for one in done]))
                    yield Offload(
                        maps,
                        sum(one.offload_us for one in done),
                        sum(one.packing_us or 0 for one in done),
                        sum(one.cycles or 0 for one in done),
                        under_way.popleft().before_us,
                        since_us(began),
                        sum(one.between_us for one in done),
                    )
                    done = []

    def layer_cycles(self) -> tuple[int, ...]:
        return self._driver.layer_cycles()

    def trace(self, maps: Maps, skip: int = 0) -> Iterator[Maps]:
        check_maps(self._network, maps, skip)
        return self._trace(maps, skip)

    def _trace(self, given: Maps, skip: int) -> Iterator[Maps]:
        layers, maps = self._network.layers, given
        for before in HostLayers(layers[skip : self._run.start]).trace(given):
            maps = before
            yield maps
        begin = max(skip, self._run.start)
        if begin < self._run.stop:
            with self._beginning_with(begin) as reads:
                traced = [self._driver.trace(one) for one in maps.astype(reads, copy=False)]
            for of_layer in zip(*traced, strict=True):
                maps = np.stack(of_layer)
                yield maps
        yield from HostLayers(layers[max(begin, self._run.stop) :]).trace(maps)

    @contextmanager
    def _beginning_with(self, number: int) -> Iterator[np.dtype[Any]]:
        """The accelerator has the layers of its run from this one on; what that one reads."""
        if number == self._run.start:
            yield self._reads
            return
        self._driver.load(lower(self._network.layers[number : self._run.stop]))
        try:
            yield np.dtype(np.uint8)
        finally:
            self._driver.load(self._lowered, together=True)

    def close(self) -> None:
        self._driver.close()
