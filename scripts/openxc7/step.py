# SPDX-License-Identifier: BSD-3-Clause
"""One program of a build."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from qnn.errors import QnnError
from qnn_sim import process_session


def run(command: Sequence[str], folder: Path, more: Mapping[str, str] | None = None) -> None:
    """A step; what it says is added to output.log.

    Raises:
        QnnError: it cannot be run or fails; with the first error that it says.
    """
    name = Path(command[0]).name
    said = ""
    try:
        with (
            process_session.started(command, folder, {**os.environ, **(more or {})}) as process,
            (folder / "output.log").open("a") as log,
        ):
            for line in process.stdout:
                log.write(line)
                if not said and re.match(r"ERROR: |\w*Error\b", line):
                    said = f": {line.removeprefix('ERROR: ').strip()}"
            status = process.wait()
    except OSError as error:
        raise QnnError(f"{name} cannot be run: {error.strerror or error}") from None
    if status:
        raise QnnError(f"{name} ended with status {status}{said}")
