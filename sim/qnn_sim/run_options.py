# SPDX-License-Identifier: BSD-3-Clause
"""What the environment says about a simulation.

WAVES=1 records waves; RTL_COVERAGE=1 records which lines, toggles and commands it reached;
RUN_FOLDER=<folder> is where log, waves and coverage of the run go, so that several runs of one
build do not meet.
"""

from __future__ import annotations

import os
from pathlib import Path


def waves() -> bool:
    return bool(os.getenv("WAVES"))


def coverage() -> bool:
    return bool(os.getenv("RTL_COVERAGE"))


def folder(default: Path) -> Path:
    """RUN_FOLDER, else `default`; there is a folder afterwards."""
    found = Path(os.getenv("RUN_FOLDER") or default).resolve()
    found.mkdir(parents=True, exist_ok=True)
    return found
