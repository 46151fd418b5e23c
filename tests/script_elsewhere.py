# SPDX-License-Identifier: BSD-3-Clause
"""A script of the project that works on a folder of a test in place of this repository."""

import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "scripts"
RUN = """
import importlib, pathlib, sys
folder, name, root = sys.argv[1:4]
sys.path.insert(0, folder)
script = importlib.import_module(name)
script.ROOT = pathlib.Path(root)
del sys.argv[1:4]
script.script.end(name, script.main)
"""


def command(name: str, root: Path, *arguments: str) -> list[str]:
    """Runs scripts/<name>.py, whose ROOT is `root`."""
    return [sys.executable, "-c", RUN, str(SCRIPTS), name, str(root), *arguments]
