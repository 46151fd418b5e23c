# SPDX-License-Identifier: BSD-3-Clause
"""The environment that simulators, compilers and benches get: only what they need to run.

A variable that a tool would obey (COCOTB_TEST_FILTER, VERILATOR_BIN, MAKEFLAGS, PYTHONOPTIMIZE)
does not get there from the shell by accident.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

SYSTEM = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TZ|TMPDIR|TEMP|TMP|LANG|LC_\w+|LD_LIBRARY_PATH|XDG_\w+"
    # what a compiler that is not in the usual place, and its cache, need
    r"|CPATH|C_INCLUDE_PATH|CPLUS_INCLUDE_PATH|LIBRARY_PATH|COMPILER_PATH|NIX_\w+"
    r"|OBJCACHE|CCACHE_\w+"
)
# What the benches read themselves.
BENCHES = (
    "AGREEMENT", "CONFIGURATIONS", "KERNEL", "NETWORKS", "QNN_HOME", "QNN_REFERENCE",
    "RTL_COVERAGE", "RUN_FOLDER", "SANITIZE", "SHORT", "LD_PRELOAD", "ASAN_OPTIONS", "XILINX_HLS",
)  # fmt: skip
# What changes which tests a run of pytest has, or what they run.
SELECTION = (
    "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD",
    "PYTHONOPTIMIZE", "FAST", "TIMES", "LAYERS", "SHORT", "TURNS",
)  # fmt: skip


def for_tools() -> dict[str, str]:
    """Of this process, what a program of the system needs."""
    return {name: value for name, value in os.environ.items() if SYSTEM.fullmatch(name)}


def for_benches() -> dict[str, str]:
    """The same, and what a bench of this project reads."""
    return for_tools() | {name: os.environ[name] for name in BENCHES if name in os.environ}


def for_pytest(chosen: Mapping[str, str]) -> dict[str, str]:
    """All of this process and `chosen`, but for what would make pytest run fewer tests.

    What `chosen` has empty is not there.
    """
    kept = {name: value for name, value in os.environ.items() if name not in SELECTION}
    return {name: value for name, value in (kept | dict(chosen)).items() if value}
