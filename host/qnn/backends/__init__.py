# SPDX-License-Identifier: BSD-3-Clause
"""What runs the layers of a network: a backend is entered here and named nowhere else."""

from __future__ import annotations

import sys

from qnn.backends.cpu import CpuBackend
from qnn.backends.golden import GoldenBackend
from qnn.backends.linux import LinuxBackend
from qnn.backends.protocol import DEFAULTS, Backend, Session, Settings
from qnn.backends.pynq import PynqBackend
from qnn.backends.sim import SimBackend
from qnn.errors import BackendError
from qnn.network import Conv, Network

__all__ = [
    "BACKENDS",
    "BOARDS",
    "DEFAULTS",
    "LINUX",
    "Backend",
    "Session",
    "Settings",
    "open_session",
]

LINUX = LinuxBackend()
BOARDS = (PynqBackend(), LINUX)  # those that need a board
# In the order in which "auto" tries them; the CPU can always run.
BACKENDS: dict[str, Backend] = {
    backend.name: backend for backend in (*BOARDS, CpuBackend(), GoldenBackend(), SimBackend())
}


def open_session(name: str, network: Network, settings: Settings = DEFAULTS) -> tuple[str, Session]:
    """Opens `network` on the backend called `name`, or on the first that can run for "auto".

    Where "auto" leaves the FPGA of a board alone, or an accelerator an integer layer to the host, a
    line on standard error says why.

    Returns:
        The backend's name and the session.

    Raises:
        BackendError: unknown, or not available here; or it has no accelerator, and one is wished.
    """
    if name == "auto":
        name = next(n for n, backend in BACKENDS.items() if backend.unavailable() is None)
        board = next((one for one in BOARDS if one.on_board()), None)
        if board is not None and name not in {one.name for one in BOARDS}:
            print(f"layers run on backend {name}: {board.unavailable()}", file=sys.stderr)
    if name not in BACKENDS:
        raise BackendError(f"unknown backend {name!r}; known are auto, {', '.join(BACKENDS)}")
    if reason := BACKENDS[name].unavailable():
        raise BackendError(f"backend {name} cannot run here: {reason}")
    session = BACKENDS[name].open(network, settings)
    for layer, place in zip(network.layers, session.places, strict=True):
        if settings.wish.get(layer.name) == "accelerator" and place.where == "host":
            session.close()
            raise BackendError(
                f"layer {layer.name} cannot run on an accelerator: backend {name} has none; take "
                "another one, or leave that layer to the host"
            )
    for sentence in _left_behind(network, session, settings):
        print(sentence, file=sys.stderr)
    return name, session


def _left_behind(network: Network, session: Session, settings: Settings) -> list[str]:
    """A sentence for each integer layer that an accelerator would be there for, but cannot take."""
    pairs = list(zip(network.layers, session.places, strict=True))
    if all(place.where == "host" for _, place in pairs):
        return []
    return [
        f"layer {layer.name} runs on the host: {place.why}"
        for layer, place in pairs
        if isinstance(layer, Conv) and place.where == "host" and layer.name not in settings.wish
    ]
