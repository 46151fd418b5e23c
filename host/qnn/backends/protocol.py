# SPDX-License-Identifier: BSD-3-Clause
"""What the rest of the package knows of a backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qnn.errors import BackendError
from qnn.network import Network, describe

Codes = NDArray[np.uint8]
Maps = NDArray[np.integer[Any]]  # uint8 codes, or int32 accumulators of a last layer


class Session(Protocol):
    """A network that is loaded and ready; its parameters stay where they are between calls."""

    def run(self, codes: Codes) -> Maps:
        """Output of the last layer, shape (N, H, W, C), for codes of shape (N, H, W, C)."""

    def trace(self, codes: Codes) -> Iterator[Maps]:
        """Output of each layer in turn, each of shape (N, H, W, C)."""

    def close(self) -> None:
        """Gives back what the session holds; it cannot run afterwards."""


class Backend(Protocol):
    """Opens sessions."""

    name: str

    def unavailable(self) -> str | None:
        """Why it cannot run here, in a few words; None if it can."""

    def open(self, network: Network) -> Session:
        """Loads a network. BackendError if this backend cannot run it."""


def check_codes(network: Network, codes: Codes) -> None:
    """Refuses codes that are not uint8 (N, H, W, C) of the network's input, or too large."""
    shape = describe(network.in_shape)
    if codes.dtype != np.uint8 or codes.ndim != 4 or codes.shape[1:] != network.in_shape:
        raise BackendError(
            f"network {network.name} reads uint8 codes of shape Nx{shape}, "
            f"not {codes.dtype} {describe(codes.shape)}"
        )
    if codes.size and codes.max() >> network.in_bits:
        raise BackendError(
            f"network {network.name} reads {network.in_bits}-bit codes, not {codes.max()}"
        )
