#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make a virtual environment with pip, also where Debian's python3-venv is not installed.

Without that package `python3 -m venv` has no pip to put in. Then the pip wheel, pinned by digest,
is taken from the package index and installs itself.
"""

import argparse
import hashlib
import html
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import venv
from pathlib import Path

PIP = "pip-25.3-py3-none-any.whl"
PIP_SHA256 = "9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd"
INDEX = "https://pypi.org/simple"
OLDEST = (3, 10)


def fetch_pip(folder: Path) -> Path:
    """Downloads the pip wheel from the package index; SystemExit if it is not the pinned one."""
    page = os.environ.get("PIP_INDEX_URL", INDEX).rstrip("/") + "/pip/"
    request = urllib.request.Request(page, headers={"Accept": "text/html"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        found = re.search(rf'href="([^"]*{re.escape(PIP)})[#"]', answer.read().decode())
    if found is None:
        raise SystemExit(f"{page} does not list {PIP}; install python3-venv instead")
    url = urllib.parse.urljoin(page, html.unescape(found[1]))
    with urllib.request.urlopen(url, timeout=60) as answer:
        content = answer.read()
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        raise SystemExit(f"{url} is not the pinned {PIP}")
    wheel = folder / PIP
    wheel.write_bytes(content)
    return wheel


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="example: python scripts/make_venv.py .venv"
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
        venv.create(directory, with_pip=False, symlinks=True)
        with tempfile.TemporaryDirectory() as folder:
            wheel = fetch_pip(Path(folder))
            python = directory / "bin" / "python"
            subprocess.run([python, f"{wheel}/pip", "install", "--quiet", wheel], check=True)
    else:
        venv.create(directory, with_pip=True, symlinks=True)


if __name__ == "__main__":
    main()
