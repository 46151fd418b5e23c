# SPDX-License-Identifier: BSD-3-Clause
"""What a regression runs, and what came of it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import Any

PASSED, SKIPPED, FAILED = "passed", "skipped", "failed"
TIMED_OUT, LOST, REFUSED = "timed out", "lost", "refused"
GOOD = (PASSED, SKIPPED)


@dataclass(frozen=True)
class Case:
    """Some tests of pytest with one seed.

    Attributes:
        name: a node of pytest, as `tests/rtl/test_qnn_fifo.py::test_qnn_fifo[5-2]`, relative to the
            root of the repository; without brackets all parameters of the test.
        seed: SEED of its environment.
        coverage: whether the RTL is built to record what it reached.
        limit_s: it is killed after so many seconds.
        settings: more of its environment, names and values.
    """

    name: str
    seed: int
    coverage: bool
    limit_s: float
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """A name for a folder, different for all cases of a run."""
        return f"{re.sub(r'[^A-Za-z0-9]+', '-', self.name).strip('-')}-{self.seed}"

    @property
    def repeat(self) -> str:
        """The command that repeats it, in the root of the repository, with waves."""
        settings = "".join(f"{name}={value} " for name, value in self.settings)
        return f"{settings}SEED={self.seed} WAVES=1 .venv/bin/pytest {shlex.quote(self.name)}"


@dataclass(frozen=True)
class Result:
    """What came of a case.

    Attributes:
        outcome: PASSED, SKIPPED, FAILED, TIMED_OUT, LOST (with the workers that ran it) or REFUSED
            (by a worker that has another commit).
        seconds: it took.
        message: why it did not pass; the first lines of it.
        log: the last part of what it printed.
        worker: who ran it, as `host/process`.
        points: counters of code coverage, see qnn_sim.regress.code_coverage.
        bins: counters of functional coverage, see qnn_sim.regress.functional.
        counts: fields of each qnn_sim.agreement.Count.
    """

    case: Case
    outcome: str
    seconds: float = 0.0
    message: str = ""
    log: str = ""
    worker: str = ""
    points: dict[str, int] = field(default_factory=dict, repr=False)
    bins: dict[str, int] = field(default_factory=dict, repr=False)
    counts: list[dict[str, Any]] = field(default_factory=list, repr=False)

    @property
    def good(self) -> bool:
        return self.outcome in GOOD
