# SPDX-License-Identifier: BSD-3-Clause
"""What the scripts write: into folders that are known to be there before any work is done, and each
result whole or not at all.

The result of a run that was stopped lies beside the last whole one, as `<stem>.partial<suffix>`,
until there is a whole one again.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
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


def place(path: Path, whole: bool) -> Path:
    """Where the result that is wanted in `path` goes: there, or beside it where it is partial."""
    return path if whole else path.with_name(f"{path.stem}.partial{path.suffix}")


@contextlib.contextmanager
def writing(path: Path, whole: bool = True) -> Iterator[Path]:
    """A file to write the result into, which is in its place when the block has ended.

    Raises:
        QnnError: it cannot be written; what was in its place is there still.
    """
    target = place(path, whole)
    part = target.with_name(f".{target.name}.part")
    try:
        yield part
        part.replace(target)
        if whole:
            place(path, False).unlink(missing_ok=True)
    except OSError as error:
        raise QnnError(f"cannot write {target}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def write(path: Path, text: str, whole: bool = True) -> Path:
    """Writes a result in UTF-8; where it is now. QnnError as `writing`."""
    with writing(path, whole) as part:
        part.write_text(text, encoding="utf-8")
    return place(path, whole)
