# SPDX-License-Identifier: BSD-3-Clause
"""What came of the tests that ran with many seeds: a line of JSON for each run.

A run is {"test": its node, "seed": SEED, "settings": the rest of its environment, "outcome",
"seconds", "why" where it did not pass, and "tree", what was tested, as in
qnn_sim.regress.inputs}.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def entries(log: Path | None) -> list[dict[str, Any]]:
    """The runs in a log, in order; a last line that is cut off is none."""
    if log is None or not log.exists():
        return []
    return [json.loads(line) for line in log.read_text().split("\n")[:-1]]


def fresh_seeds(entry: dict[str, Any]) -> int:
    """How many each function of the test had: TURNS, where it is a bench."""
    return int(entry.get("settings", {}).get("TURNS", 1))


def function(name: str) -> str:
    """A node of pytest without its parameters."""
    return name.partition("[")[0]
