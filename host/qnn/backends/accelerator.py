# SPDX-License-Identifier: BSD-3-Clause
"""The session of every backend that has an accelerator: a run of layers on the driver, the others
on the host, which computes them for the next picture while the accelerator works on one. Layers of
the host between those of the run go to the driver, too."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from qnn.backends.host_layers import HostLayers, host_step
from qnn.backends.protocol import Maps, Settings, check_maps, empty_outputs
from qnn.engine import placement
from qnn.engine.capabilities import Capabilities
from qnn.engine.driver import Driver
from qnn.engine.lowering import Limits, Lowered, lower, lower_layer
from qnn.engine.stages import Codes
from qnn.errors import BackendError
from qnn.network import Layer, Network
from qnn.network.offload import Offload, since_us
from qnn.network.wiring import OUTSIDE, part
from qnn.platforms.protocol import Platform


class _Batch(NamedTuple):
    """A batch that the accelerator has taken, or is about to; maps that are still to be read."""

    pictures: int
    before_us: int
    live: dict[int, Maps]


class AcceleratorSession:
    """See qnn.backends.protocol.Session. Takes the platform over, also where it fails to open."""

    def __init__(
        self, platform: Platform, network: Network, settings: Settings, simulated: bool = False
    ) -> None:
        self._network = network
        # On a board a run takes milliseconds: looking at its progress would take longer.
        self._driver = Driver(platform, settings.progress if simulated else None)
        try:
            self.capabilities: Capabilities | None = self._driver.capabilities
            self.places = placement.place_network(network, self._driver.capabilities, settings.wish)
            self._run = placement.accelerated(self.places)
            taken = network.layers[self._run]
            if not taken:
                name, why = network.layers[0].name, self.places[0].why
                raise BackendError(
                    f"no layer of network {network.name} can run on the accelerator ({name}: "
                    f"{why}); use backend cpu"
                )
            self._reads = np.dtype(np.float32 if taken[0].in_bits is None else np.uint8)
            self._before = self._on_host(network.layers[: self._run.start])
            self._after = self._on_host(network.layers[self._run.stop :], self._run.stop)
            outside = self._after.reads.union(network.outputs)
            self._kept = [n for n in range(self._run.start, self._run.stop) if n in outside]
            self._load()
        except BaseException:
            self._driver.close()
            raise
        self.batch = self._driver.together
        self.clock_mhz: float | None = platform.clock_mhz
        self.simulated = simulated

    def _on_host(self, layers: Sequence[Layer], begin: int = 0) -> HostLayers:
        """Layers of the network, from one number on."""
        wiring = self._network.wiring[begin : begin + len(layers)]
        return HostLayers(layers, wiring=wiring, begin=begin)

    def _load(self) -> None:
        """Loads the layers that the accelerator has."""
        kept = [number - self._run.start for number in self._kept]
        lowered = self._lowered(self._run, placement.limits_of(self._network))
        self._driver.load(lowered, part(self._network.wiring, self._run), kept, together=True)

    def _lowered(self, run: slice, limits: Limits = None) -> list[Lowered]:
        """Layers of the run, for the driver."""
        own = placement.hosted(self.places, run)
        return lower(self._network.layers[run], limits, own, host_step)

    def run(self, maps: Maps) -> Maps:
        check_maps(self._network, maps)
        some = (maps[n : n + self.batch] for n in range(0, len(maps), self.batch))
        outputs = [offload.maps for offload in self.stream(some)]
        return np.concatenate(outputs) if outputs else empty_outputs(self._network)[0]

    def stream(self, batches: Iterable[Maps], last: Layer | None = None) -> Iterator[Offload]:
        network, run, after = self._network, self._run, self._after
        on_accelerator: AbstractContextManager[None] = nullcontext()
        if last is not None and run.stop == len(network.layers):
            on_accelerator = self._driver.last_as(lower_layer(last))
        elif last is not None:
            after = self._on_host([*network.layers[run.stop : -1], last], run.stop)
        (read,) = network.wiring[run.start]
        needed = {read}.union(after.reads, network.outputs)
        under_way: deque[_Batch] = deque()
        given = iter(batches)
        first = next(given, None)
        if first is None:
            return

        def pictures() -> Iterator[Codes]:
            for maps in chain([first], given):
                check_maps(network, maps)
                began = time.perf_counter_ns()
                live = {OUTSIDE: maps}
                deque(self._before.through(live, needed), maxlen=0)
                codes = live[read].astype(self._reads, copy=False)
                under_way.append(_Batch(len(codes), since_us(began), live))
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
                    batch = under_way.popleft()
                    each = [(one.maps, *one.heads) for one in done]
                    for number, maps in zip(self._kept, zip(*each, strict=True), strict=True):
                        batch.live[number] = np.stack(maps)
                    deque(after.through(batch.live, network.outputs), maxlen=0)
                    out, *heads = (batch.live[number] for number in network.outputs)
                    yield Offload(
                        out,
                        sum(one.offload_us for one in done),
                        sum(one.packing_us or 0 for one in done),
                        sum(one.cycles or 0 for one in done),
                        batch.before_us,
                        since_us(began),
                        sum(one.between_us for one in done),
                        tuple(heads),
                    )
                    done = []

    def layer_cycles(self) -> tuple[int, ...]:
        return self._driver.layer_cycles()

    def around(self, maps: Maps) -> dict[str, Callable[[], object]]:
        check_maps(self._network, maps)
        live, (read,) = {OUTSIDE: maps}, self._network.wiring[self._run.start]
        deque(self._before.through(live, {read}), maxlen=0)
        return self._driver.around(live[read][0].astype(self._reads, copy=False))

    def trace(self, maps: Maps, skip: int = 0) -> Iterator[Maps]:
        check_maps(self._network, maps, skip)
        return self._trace(maps, skip)

    def _trace(self, given: Maps, skip: int) -> Iterator[Maps]:
        network, run = self._network, self._run
        live = {skip - 1: given}
        everything = range(OUTSIDE, len(network.layers))
        begin = self._first_from(skip)
        yield from self._on_host(network.layers[skip:begin], skip).through(live, everything)
        if begin < run.stop:
            maps = live[network.wiring[begin][0]]
            with self._beginning_with(begin) as reads:
                traced = [self._driver.trace(one) for one in maps.astype(reads, copy=False)]
            for number, of_layer in enumerate(zip(*traced, strict=True), start=begin):
                live[number] = np.stack(of_layer)
                yield live[number]
        begin = max(begin, run.stop)
        yield from self._on_host(network.layers[begin:], begin).through(live)

    def _first_from(self, number: int) -> int:
        """The first layer from that one on with which the run of the accelerator can begin; where
        there is none, the end of the run, or that number behind it."""
        run, wiring = self._run, self._network.wiring
        for begin in range(max(number, run.start), run.stop):
            behind = wiring[begin + 1 : run.stop]
            if self.places[begin].where == "accelerator" and all(min(r) >= begin for r in behind):
                return begin
        return max(number, run.stop)

    @contextmanager
    def _beginning_with(self, number: int) -> Iterator[np.dtype[Any]]:
        """The accelerator has the layers of its run from this one on; what that one reads."""
        if number == self._run.start:
            yield self._reads
            return
        shorter = slice(number, self._run.stop)
        self._driver.load(self._lowered(shorter), part(self._network.wiring, shorter))
        try:
            yield np.dtype(np.uint8)
        finally:
            self._load()

    def close(self) -> None:
        self._driver.close()
