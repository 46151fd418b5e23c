# SPDX-License-Identifier: BSD-3-Clause
"""The session of every backend that has an accelerator: a network on the driver."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing

import numpy as np

from qnn.backends.protocol import Codes, Maps, Settings, check_codes, empty_output
from qnn.engine.driver import Driver
from qnn.network import Network
from qnn.network.offload import Offload
from qnn.platforms.protocol import Platform


class AcceleratorSession:
    """See qnn.backends.protocol.Session. Takes the platform over, also where it fails to open."""

    batch = 1

    def __init__(
        self, platform: Platform, network: Network, settings: Settings, simulated: bool = False
    ) -> None:
        self._network = network
        # On a board a run takes milliseconds: looking at its progress would take longer.
        self._driver = Driver(platform, settings.progress if simulated else None)
        try:
            self._driver.load(network.layers)
        except BaseException:
            self._driver.close()
            raise
        self.clock_mhz: float | None = platform.clock_mhz
        self.simulated = simulated

    def run(self, codes: Codes) -> Maps:
        check_codes(self._network, codes)
        maps = [one.maps for one in self._driver.stream(codes)]
        return np.stack(maps) if maps else empty_output(self._network)

    def stream(self, batches: Iterable[Codes]) -> Iterator[Offload]:
        sizes: deque[int] = deque()

        def pictures() -> Iterator[Codes]:
            for codes in batches:
                check_codes(self._network, codes)
                sizes.append(len(codes))
                yield from codes

        done: list[Offload] = []
        with closing(self._driver.stream(pictures())) as offloads:
            for one in offloads:
                done.append(one)
                if len(done) == sizes[0]:
                    sizes.popleft()
                    yield _batch(done)
                    done = []

    def trace(self, codes: Codes) -> Iterator[Maps]:
        check_codes(self._network, codes)
        maps = [self._driver.trace(one) for one in codes]
        return (np.stack(of_layer) for of_layer in zip(*maps, strict=True))

    def close(self) -> None:
        self._driver.close()


def _batch(offloads: list[Offload]) -> Offload:
    return Offload(
        np.stack([one.maps for one in offloads]),
        sum(one.offload_us for one in offloads),
        sum(one.packing_us or 0 for one in offloads),
        sum(one.cycles or 0 for one in offloads),
    )
