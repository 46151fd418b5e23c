# SPDX-License-Identifier: BSD-3-Clause
"""What the rest of the package knows of a backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qnn.errors import BackendError
from qnn.network import Network, describe
from qnn.network.offload import Offload

Codes = NDArray[np.uint8]
Maps: TypeAlias = "NDArray[np.integer[Any]]"  # uint8 codes, or int32 accumulators of a last layer


@dataclass(frozen=True)
class Settings:
    """How a backend should work; one without a clock or without a wait has no use for them.

    Attributes:
        clock_mhz: of the accelerator, or that times are modelled with; None: what is usual.
        progress: called with cycles done and expected, while a simulated accelerator works.
    """

    clock_mhz: float | None = None
    progress: Callable[[int, int], None] | None = None


DEFAULTS = Settings()


class Session(Protocol):
    """A network that is loaded and ready; its parameters stay where they are between calls.

    Attributes:
        batch: pictures that are best run together.
        clock_mhz: that Offload.cycles count with; None where there is no accelerator.
        simulated: the accelerator is a simulation: its time is modelled, cycles / clock.
    """

    batch: int
    clock_mhz: float | None
    simulated: bool

    def run(self, codes: Codes) -> Maps:
        """Output of the last layer, shape (N, H, W, C), for codes of shape (N, H, W, C)."""

    def stream(self, batches: Iterable[Codes]) -> Iterator[Offload]:
        """As `run` for each of some batches, of one picture or more.

        The next batch may be taken before a result is handed out, so that whoever makes it works
        while an accelerator does.
        """

    def trace(self, codes: Codes) -> Iterator[Maps]:
        """Output of each layer in turn, each of shape (N, H, W, C)."""

    def close(self) -> None:
        """Gives back what the session holds; it cannot run afterwards. Idempotent."""


class Backend(Protocol):
    """Opens sessions."""

    name: str

    def unavailable(self) -> str | None:
        """Why it cannot run here, in a few words; None if it can. Quick, and touches nothing."""

    def open(self, network: Network, settings: Settings = DEFAULTS) -> Session:
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


def empty_output(network: Network) -> Maps:
    """What no pictures give: shape (0, H, W, C)."""
    last = network.layers[-1]
    return np.empty((0, *last.out_shape), np.int32 if last.thresholds is None else np.uint8)
