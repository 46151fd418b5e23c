# SPDX-License-Identifier: BSD-3-Clause
"""What sessions have in common whose layers the host itself computes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from qnn.backends.protocol import Codes, Maps, check_codes
from qnn.errors import BackendError
from qnn.network import Network
from qnn.network.offload import Offload


class HostSession:
    """See qnn.backends.protocol.Session; `run` and `trace` are the subclass's, and begin with
    `_check`."""

    batch = 1
    clock_mhz: float | None = None
    simulated = False

    def __init__(self, network: Network) -> None:
        self._network = network
        self._open = True

    def run(self, codes: Codes) -> Maps:
        raise NotImplementedError

    def stream(self, batches: Iterable[Codes]) -> Iterator[Offload]:
        for codes in batches:
            began = time.perf_counter_ns()
            maps = self.run(codes)
            yield Offload(maps, (time.perf_counter_ns() - began) // 1000)

    def close(self) -> None:
        self._open = False

    def _check(self, codes: Codes) -> None:
        """BackendError if the session is closed, or the codes do not fit."""
        if not self._open:
            raise BackendError(f"the session of network {self._network.name} is closed")
        check_codes(self._network, codes)
