# SPDX-License-Identifier: BSD-3-Clause
"""Which commit a folder is at, and who this process is."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class State:
    """
    Attributes:
        commit: empty where it is no clone.
        changed: files differ from it, or are new.
    """

    commit: str
    changed: bool


def _git(root: Path, *arguments: str) -> str:
    # Hooks set GIT_DIR and its like, which would lead elsewhere.
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, env=clean,
            check=False,
        )  # fmt: skip
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def state(root: Path) -> State:
    """Of the clone at `root`."""
    return State(_git(root, "rev-parse", "HEAD"), bool(_git(root, "status", "--porcelain")))


def process_name() -> str:
    """This process, as `host/process`."""
    return f"{socket.gethostname()}/{os.getpid()}"
