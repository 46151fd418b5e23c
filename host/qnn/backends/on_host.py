# SPDX-License-Identifier: BSD-3-Clause
"""What sessions have in common whose layers the host itself computes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from qnn.backends.protocol import Codes, Maps
from qnn.offload import Offload


class HostSession:
    """See qnn.backends.protocol.Session; `run` is the subclass's."""

    batch = 1
    clock_mhz: float | None = None
    simulated = False

    def run(self, codes: Codes) -> Maps:
        raise NotImplementedError

    def stream(self, batches: Iterable[Codes]) -> Iterator[Offload]:
        for codes in batches:
            began = time.perf_counter_ns()
            maps = self.run(codes)
            yield Offload(maps, (time.perf_counter_ns() - began) // 1000)
