# SPDX-License-Identifier: BSD-3-Clause
"""One program of a build."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from qnn.errors import QnnError
from qnn_sim import process_session

# Of nextpnr, or the last line of a traceback, which names the module of an exception, too.
SAYS_WHY = re.compile(r"ERROR: |[\w.]*Error\b")


def run(command: Sequence[str], folder: Path, more: Mapping[str, str] | None = None) -> None:
    """A step; what it says is added to output.log.

    Raises:
        QnnError: it cannot be run or fails; with the error that it says first, or its last line.
    """
    name = Path(command[0]).name
    said = last = ""
    try:
        with (
            process_session.started(command, folder, {**os.environ, **(more or {})}) as process,
            (folder / "output.log").open("a") as log,
        ):
            for line in process.stdout:
                log.write(line)
                last = line.strip() or last
                if not said and SAYS_WHY.match(line):
                    said = line.removeprefix("ERROR: ").strip()
            status = process.wait()
    except OSError as error:
        raise QnnError(f"{name} cannot be run: {error.strerror or error}") from None
    if status:
        why = said or (last if status > 0 else "")
        raise QnnError(f"{name} ended with status {status}{': ' * bool(why)}{why}")
