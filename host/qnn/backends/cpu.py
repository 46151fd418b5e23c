# SPDX-License-Identifier: BSD-3-Clause
"""The CPU backend: every layer by the fastest way that numpy has to its exact codes."""

from __future__ import annotations

import numpy as np

from qnn.backends.integer_conv import IntegerConv
from qnn.backends.on_host import HostSession
from qnn.backends.protocol import DEFAULTS, Settings
from qnn.network import Conv, Network

BATCH_BYTES = 32 << 20  # im2col rows of one step; larger batches go in several steps


class CpuBackend:
    """Runs anywhere numpy does."""

    name = "cpu"

    def unavailable(self) -> str | None:
        return None

    def open(self, network: Network, settings: Settings = DEFAULTS) -> CpuSession:
        return CpuSession(network)


class CpuSession(HostSession):
    """A network whose weights lie in memory as the matrices that BLAS multiplies with."""

    batch = 100

    def __init__(self, network: Network) -> None:
        rows = [IntegerConv.row_bytes(one) for one in network.layers if isinstance(one, Conv)]
        super().__init__(network, at_once=max(1, BATCH_BYTES // max(rows, default=1)))
        picture = 4 * int(np.prod(network.in_shape))  # bytes, if it is floats
        self.batch = max(1, min(self.batch, BATCH_BYTES // picture))
