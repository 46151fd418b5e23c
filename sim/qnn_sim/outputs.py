# SPDX-License-Identifier: BSD-3-Clause
"""Folders that the scripts write into: known to be there before any work is done."""

from __future__ import annotations

import tempfile
from pathlib import Path

from qnn.errors import QnnError


def make_folder(path: Path) -> Path:
    """Makes `path` and what is above it, where it is not there; `path`.

    Raises:
        QnnError: it cannot be made, or nothing can be written into it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise QnnError(f"cannot write into {path}: {error.strerror or error}") from None
    return path
