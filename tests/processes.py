# SPDX-License-Identifier: BSD-3-Clause
"""Processes that a test has started, or caused to be started."""

import time
from pathlib import Path

END_S = 300


def assert_gone(process: int) -> None:
    """The process of this number has ended, or does within END_S."""
    state = Path(f"/proc/{process}/stat")
    for _ in range(20 * END_S):
        if not state.exists() or ") Z " in state.read_text():
            return
        time.sleep(0.05)
    raise AssertionError(f"process {process} is still running")
