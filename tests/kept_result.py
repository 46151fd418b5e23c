# SPDX-License-Identifier: BSD-3-Clause
"""What came of a run of the tests, for `make evidence`: pytest's option --result FILE writes it as
JSON, with the state of the files when the run began."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from qnn_sim import outputs, run_options
from qnn_sim.regress import inputs

ROOT = Path(__file__).parents[1]


def add_options(parser: pytest.Parser) -> None:
    parser.addoption(
        "--result", type=Path, metavar="FILE", help="what came of it goes here, as JSON"
    )


class KeptResult:
    """Of the process that prints; writes at the end. A run that was stopped writes the file of
    qnn_sim.outputs for what is not whole."""

    def __init__(self, path: Path) -> None:
        self._path, self._stamp = path, inputs.stamp(ROOT)
        self._ran: set[str] = set()
        self._failed: list[str] = []
        self._skipped: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report):
        self._ran.add(report.nodeid)
        if report.failed and report.nodeid not in self._failed:
            self._failed.append(report.nodeid)
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "expected"
            self._skipped[reason.removeprefix("Skipped: ")] += 1

    def pytest_sessionfinish(self, exitstatus):
        document = {
            "origin": self._stamp,
            "good": exitstatus == 0,
            "tests": len(self._ran),
            "failed": self._failed,
            "skipped": dict(self._skipped.most_common()),
            "seed": run_options.seed(),
        }
        text = json.dumps(document, indent=1) + "\n"
        outputs.write(self._path, text, whole=exitstatus in (0, 1))
