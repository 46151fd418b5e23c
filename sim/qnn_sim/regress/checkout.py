# SPDX-License-Identifier: BSD-3-Clause
"""Which commit a folder is at, and who this process is."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class State:
    """
    Attributes:
        commit: empty where git does not tell it.
        changed: files differ from it, or are new.
        reason: why there is no commit, in the words of git.
    """

    commit: str
    changed: bool
    reason: str = field(default="", compare=False)


def _git(root: Path, *arguments: str) -> str:
    """
    Raises:
        OSError: with what git says, where it fails.
    """
    # Hooks set GIT_DIR and its like, which would lead elsewhere.
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, env=clean,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise OSError(" ".join(done.stderr.split()) or f"git ended with status {done.returncode}")
    return done.stdout.strip()


def state(root: Path, *paths: str) -> State:
    """Of the clone at `root`; with paths, `changed` is only about what lies there."""
    try:
        changed = bool(_git(root, "status", "--porcelain", "--", *paths))
        return State(_git(root, "rev-parse", "HEAD"), changed)
    except OSError as problem:
        return State("", False, str(problem))


def files(root: Path) -> list[str]:
    """Paths of all files of the clone at `root` that git keeps, or would keep.

    Raises:
        OSError: git cannot tell.
    """
    found = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return [name for name in found.split("\0") if name]


def process_name() -> str:
    """This process, as `host/process`."""
    return f"{socket.gethostname()}/{os.getpid()}"
