# SPDX-License-Identifier: BSD-3-Clause
"""The boards of params/boards: what an accelerator is built for, and the model of their memory."""

from __future__ import annotations

import json
from math import ceil
from typing import Any

from qnn.errors import QnnError
from qnn_sim.rtl_build import ROOT
from qnn_sim.rtl_engine import MemoryModel

FOLDER = ROOT / "params/boards"


def names() -> list[str]:
    """All that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load(name: str) -> dict[str, Any]:
    """A board file, on top of the one that it is `like`; see params/README.md.

    Raises:
        QnnError: there is no such board.
    """
    path = FOLDER / f"{name}.json"
    if not path.exists():
        raise QnnError(f"there is no board {name!r}; params/boards/ has {', '.join(names())}")
    board = json.loads(path.read_text())
    return {**load(board["like"]), **board} if "like" in board else board


def memory_model(board: dict[str, Any]) -> MemoryModel:
    """Its memory at the clock of its accelerator.

    The time to the first data is that of the board, what a port moves in a cycle that of every one.
    """
    return MemoryModel(latency=ceil(round(board["memory_latency_ns"] * board["clock_mhz"]) / 1000))
