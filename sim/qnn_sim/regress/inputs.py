# SPDX-License-Identifier: BSD-3-Clause
"""What a result is a result of: the files of a checkout, their digests, and one digest of all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from qnn.errors import QnnError
from qnn_sim.regress import checkout

SHORT = 16  # digits of the digest of a tree


def digests(root: Path) -> dict[str, str]:
    """SHA-256 of each file that git keeps or would keep, by its path; links by where they lead.

    Raises:
        QnnError: git cannot tell, or a file cannot be read.
    """
    found = {}
    try:
        for name in sorted(checkout.files(root)):
            path = root / name
            if path.is_symlink():
                content = str(path.readlink()).encode()
            elif path.is_file():
                content = path.read_bytes()
            else:  # it was removed, and git was not told
                continue
            found[name] = hashlib.sha256(content).hexdigest()
    except OSError as problem:
        raise QnnError(f"no digests of the files of {root}: {problem}") from None
    return found


def tree_of(files: dict[str, str]) -> str:
    """One digest of all digests."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:SHORT]


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
