# SPDX-License-Identifier: BSD-3-Clause
"""A run of pytest in a session of its own, followed test by test."""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from qnn.commands.progress import Bar
from qnn_sim import process_session

LINE = re.compile(r"\[ *(\d+)%\] (PASSED|FAILED|ERROR|SKIPPED) (?:\S*/)?(\S+)")
KEPT = 60  # lines of what it says last


def follow(
    root: Path,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    limit_s: float | None,
    bar: Bar,
    show: Callable[[int, str, str], None] = lambda percent, outcome, name: None,
) -> tuple[int | None, list[str]]:
    """Runs pytest to its end, to Ctrl-C or for `limit_s`.

    Args:
        root: the checkout that it runs in.
        arguments: of pytest, for which the settings of pyproject.toml do not count.
        environment: all of it.
        bar: in percent.
        show: called with each test that ends: percent of the run, outcome, name.

    Returns:
        Exit status, negative where it was killed, None after Ctrl-C; and what it said last.
    """
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-v", *arguments]
    output: deque[str] = deque(maxlen=KEPT)
    try:
        with process_session.started(command, root, environment, limit_s) as process, bar:
            assert process.stdout is not None
            for line in process.stdout:
                output.append(line.rstrip())
                if found := LINE.search(line):
                    percent, outcome, name = found.groups()
                    show(int(percent), outcome, name)
                    bar.update(int(percent), 100)
            return process.wait(60), list(output)
    except KeyboardInterrupt:
        return None, list(output)
