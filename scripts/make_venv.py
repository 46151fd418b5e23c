#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make a virtual environment with pip, or say what this Python lacks for it."""

import argparse
import shutil
import subprocess
import sys
import venv
from pathlib import Path

OLDEST = (3, 10)
PIP = "pip==25.3"  # that of Python 3.11 takes twice as long to choose a hundred versions
QUIETLY = ("-qq", "--disable-pip-version-check", "--no-compile")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python scripts/make_venv.py .venv"
    )
    parser.add_argument("directory", type=Path, help="where to make it")
    directory = parser.parse_args().directory
    if sys.version_info < OLDEST:
        raise SystemExit(
            f"Python {sys.version.split()[0]} is too old; name one from "
            f"{'.'.join(map(str, OLDEST))} on: make PYTHON=python3.11"
        )
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        raise SystemExit(
            f"{sys.executable} came without ensurepip: apt install python3-venv"
        ) from None
    venv.create(directory, with_pip=True, symlinks=True)
    python = [directory / "bin" / "python", "-m", "pip"]
    if subprocess.run([*python, "install", *QUIETLY, PIP]).returncode:
        shutil.rmtree(directory)
        raise SystemExit(f"pip cannot get {PIP}; the reason stands above")


if __name__ == "__main__":
    main()
