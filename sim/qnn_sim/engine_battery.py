# SPDX-License-Identifier: BSD-3-Clause
"""The tests of the whole engine, on a library that was made in another way than from the RTL."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qnn_sim import clean_environment, rtl_engine

FILES = ("tests/rtl/test_engine.py", "tests/rtl/test_random_layers.py")


def run(library: Path, seed: int, *options: str) -> int:
    """Exit status of pytest, in this process; every engine in it is of this library from now on.

    Args:
        seed: of all that is random in the tests.
        options: of pytest, to choose among the tests of FILES for example.
    """
    for name in (*clean_environment.SELECTION, "WAVES", "RTL_COVERAGE"):
        os.environ.pop(name, None)
    os.environ["SEED"] = str(seed)
    rtl_engine.use(library)
    return int(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *options, *FILES]))
