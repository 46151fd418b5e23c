# SPDX-License-Identifier: BSD-3-Clause
"""What the rest of the package knows of a backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qnn.engine.capabilities import Capabilities
from qnn.engine.placement import Place, Wish
from qnn.errors import BackendError
from qnn.network import Layer, Network, describe
from qnn.network.offload import Offload
from qnn.network.wiring import OUTSIDE

Maps: TypeAlias = "NDArray[np.number[Any]]"  # (N, H, W, C): codes, accumulators or floats


@dataclass(frozen=True)
class Settings:
    """How a backend should work; one without a clock or without a wait has no use for them.

    Attributes:
        clock_mhz: of the accelerator, or that times are modelled with; None: what is usual.
        progress: called with cycles done and expected, while a simulated accelerator works.
        wish: where layers should run, by name, on a backend that has an accelerator.
    """

    clock_mhz: float | None = None
    progress: Callable[[int, int], None] | None = None
    wish: Wish = field(default_factory=dict)


DEFAULTS = Settings()


class Session(Protocol):
    """A network that is loaded and ready; its parameters stay where they are between calls.

    Attributes:
        batch: pictures that are best run together.
        clock_mhz: that Offload.cycles count with; None where there is no accelerator.
        simulated: the accelerator is a simulation: its time is modelled, cycles / clock.
        places: where each layer runs, and why.
        capabilities: of the accelerator; None where there is none.
    """

    batch: int
    clock_mhz: float | None
    simulated: bool
    places: tuple[Place, ...]
    capabilities: Capabilities | None

    def run(self, maps: Maps) -> Maps:
        """Output of the last layer, shape (N, H, W, C), for what the first layer reads: codes,
        uint8, or floats, float32, of shape (N, H, W, C)."""

    def stream(self, batches: Iterable[Maps], last: Layer | None = None) -> Iterator[Offload]:
        """As `run` for each of some batches, of one picture or more.

        The next batch may be taken before a result is handed out, so that whoever makes it works
        while an accelerator does.

        Args:
            batches: what the first layer reads; one stays as it is until its result has come.
            last: computed in place of the last layer, where that is a fully connected one; of the
                same weights.
        """

    def layer_cycles(self) -> tuple[int, ...]:
        """Of an accelerator, for the last picture, of each layer that it took; else none."""

    def around(self, maps: Maps) -> dict[str, Callable[[], object]]:
        """What the host does around an accelerator for one picture, to be timed; see
        qnn.engine.driver. Without one nothing.

        Args:
            maps: what the first layer reads, of one picture.
        """

    def trace(self, maps: Maps, skip: int = 0) -> Iterator[Maps]:
        """Output of each layer in turn, each of shape (N, H, W, C).

        Args:
            maps: what the first layer reads, or the first that is not left out.
            skip: so many of the first layers are left out.
        """

    def close(self) -> None:
        """Gives back what the session holds; it cannot run afterwards. Idempotent."""


class Backend(Protocol):
    """Opens sessions."""

    name: str

    def unavailable(self) -> str | None:
        """Why it cannot run here, in a few words; None if it can. Quick, and touches nothing."""

    def open(self, network: Network, settings: Settings = DEFAULTS) -> Session:
        """Loads a network. BackendError if this backend cannot run it."""


def check_maps(network: Network, maps: Maps, skip: int = 0) -> None:
    """Refuses maps that are not what a layer of the network, the first one, reads."""
    if any(OUTSIDE < read < skip - 1 for reads in network.wiring[skip:] for read in reads) or (
        skip and any(OUTSIDE in reads for reads in network.wiring[skip:])
    ):
        raise BackendError(
            f"network {network.name} cannot begin with layer {network.layers[skip].name}: layers "
            "behind it read others before it"
        )
    layer = network.layers[skip]
    shape, bits = describe(layer.in_shape), layer.in_bits
    dtype = np.dtype(np.float32 if bits is None else np.uint8)
    if maps.dtype != dtype or maps.ndim != 4 or maps.shape[1:] != layer.in_shape:
        raise BackendError(
            f"network {network.name} reads {dtype} {'floats' if bits is None else 'codes'} of "
            f"shape Nx{shape}, not {maps.dtype} {describe(maps.shape)}"
        )
    if bits is not None and maps.size and int(maps.max()) >> bits:
        raise BackendError(f"network {network.name} reads {bits}-bit codes, not {maps.max()}")


def empty_outputs(network: Network) -> list[Maps]:
    """What no pictures give: shape (0, H, W, C), of each output."""
    layers = [network.layers[number] for number in network.outputs]
    return [np.empty((0, *layer.out_shape), layer.out_dtype) for layer in layers]
