# SPDX-License-Identifier: BSD-3-Clause
"""The tests of the whole engine, on a library that was made in another way than from the RTL."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qnn_sim import clean_environment, rtl_engine
from qnn_sim.rtl_build import CONFIGURATIONS

FILES = ("tests/rtl/test_engine.py", "tests/rtl/test_random_layers.py")


def run(library: Path, configuration: str, seed: int, chosen: str = "", *options: str) -> int:
    """Exit status of pytest, in this process; every engine in it is of this library from now on.

    Args:
        configuration: of the library; tests that are named after another one are left out.
        seed: of all that is random in the tests.
        chosen: an expression of pytest's -k, to choose among the tests of FILES; all of them.
        options: of pytest.
    """
    others = " and ".join(f"not {name}" for name in CONFIGURATIONS if name != configuration)
    chosen = f"({chosen}) and {others}" if chosen else others
    for name in (*clean_environment.SELECTION, "WAVES", "RTL_COVERAGE"):
        os.environ.pop(name, None)
    os.environ["SEED"] = str(seed)
    rtl_engine.use(library)
    always = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", chosen]
    return int(pytest.main([*always, *options, *FILES]))
