# SPDX-License-Identifier: BSD-3-Clause
"""What a result is a result of: the files of a checkout, their digests, and one digest of all."""

from __future__ import annotations

import datetime
import hashlib
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qnn.errors import QnnError
from qnn_sim.regress import checkout

SHORT = 16  # digits of the digest of a tree


def digest(path: Path) -> str:
    """SHA-256 of a file, or of where a link leads."""
    content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
    return hashlib.sha256(content).hexdigest()


def digests(root: Path) -> dict[str, str]:
    """SHA-256 of each file that git keeps or would keep, by its path; links by where they lead.

    Raises:
        QnnError: git cannot tell, or a file cannot be read.
    """
    found = {}
    try:
        for name in sorted(checkout.files(root)):
            path = root / name
            if path.is_symlink() or path.is_file():  # else removed, and git was not told
                found[name] = digest(path)
    except OSError as problem:
        raise QnnError(f"no digests of the files of {root}: {problem}") from None
    return found


def tree_of(files: Mapping[str, str]) -> str:
    """One digest of all digests."""
    return hashlib.sha256(listing(files).encode()).hexdigest()[:SHORT]


def listing(files: Mapping[str, str]) -> str:
    """Digests as sha256sum writes and checks them."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))


def parse_listing(text: str) -> dict[str, str]:
    """Digests by path. ValueError where a line has no two parts."""
    pairs = (line.split("  ", 1) for line in text.splitlines())
    return {name: digest for digest, name in pairs}


def read_listing(path: Path) -> dict[str, str]:
    """
    Raises:
        QnnError: it cannot be read.
    """
    try:
        return parse_listing(path.read_text())
    except (OSError, ValueError):
        raise QnnError(f"{path} is no list of digests") from None


@dataclass(frozen=True)
class Origin:
    """What something was made of.

    Attributes:
        commit: that the checkout was at; empty where it is at none.
        changed: files differed from it.
        tree: digest of the files as they were.
    """

    commit: str
    changed: bool
    tree: str


def origin(root: Path) -> Origin:
    """Of what is made now. QnnError as of `digests`."""
    state = checkout.state(root)
    return Origin(state.commit, state.changed, tree_of(digests(root)))


def stamp(root: Path) -> dict[str, Any]:
    """For the JSON that a command leaves: what it was made of, when it began, and how it was
    called; the fields of Origin are empty where git cannot tell."""
    try:
        found = origin(root)
    except QnnError:
        found = Origin("", False, "")
    return {
        **asdict(found),
        "began": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }
