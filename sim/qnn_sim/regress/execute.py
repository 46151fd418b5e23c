# SPDX-License-Identifier: BSD-3-Clause
"""Runs one case in processes of its own and reads what it left."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from qnn.errors import FormatError
from qnn_sim import agreement, clean_environment
from qnn_sim.regress import case as outcomes
from qnn_sim.regress import code_coverage, pytest_report
from qnn_sim.regress.case import Case, Result
from qnn_sim.regress.checkout import process_name
from qnn_sim.regress.collect import BREADTH

GRACE_S = 10  # between asking the processes of a case to end and killing them
LOG_BYTES = 40_000
KILLED = (124, 137, -signal.SIGKILL)  # exit status of `timeout` that has ended a command


class Processes:
    """The running cases of this process: all of them can be ended at once."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self.stopped = False

    def run(self, command: list[str], log: Path, limit_s: float, root: Path,
            env: dict[str, str]) -> int:  # fmt: skip
        """Run `command`; its exit status, 124 or 137 where it took longer than `limit_s`.

        `timeout` of coreutils holds the limit even when this process is killed.
        """
        bound = ["timeout", f"--kill-after={GRACE_S}", f"{limit_s:g}"]
        with open(log, "wb") as output:
            process = subprocess.Popen(
                [*bound, *command], cwd=root, env=env, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self._running.add(process)
        try:
            if self.stopped:
                self.stop()
            return process.wait(limit_s + 3 * GRACE_S)
        except subprocess.TimeoutExpired:
            self._kill(process)
            return 137
        finally:
            self._kill(process)  # what it has left behind
            self._running.discard(process)

    def stop(self) -> None:
        """End all cases, and those that are still to begin."""
        self.stopped = True
        for process in list(self._running):
            self._kill(process)

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.poll()


def run_case(
    case: Case, root: Path, folder: Path, processes: Processes | None = None, waves: bool = False
) -> Result:
    """Run a case; its log, waves and the like go into `folder`, which is made new.

    Args:
        root: of the repository that it is run in.
        waves: record them.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    env = clean_environment.for_pytest(
        {
            **dict.fromkeys(("KERNEL", *BREADTH), ""),
            **dict(case.settings),
            "SEED": str(case.seed),
            "RUN_FOLDER": str(folder),
            "AGREEMENT": str(folder),
            "WAVES": "1" if waves else "",
            "RTL_COVERAGE": "1" if case.coverage and not waves else "",
        }
    )
    junit, log = folder / "junit.xml", folder / "log.txt"
    command = [
        sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist",
        f"--junitxml={junit}", case.name,
    ]  # fmt: skip
    begin = time.monotonic()
    status = (processes or Processes()).run(command, log, case.limit_s, root, env)
    seconds = round(time.monotonic() - begin, 2)
    if status in KILLED and seconds >= case.limit_s:
        outcome, message = outcomes.TIMED_OUT, f"killed after {case.limit_s:g} s"
    else:
        outcome, message = _outcome(status, junit)
    points: Counter[str] = Counter()
    bins: Counter[str] = Counter()
    for path in sorted(folder.glob("*.dat")):
        if outcome == outcomes.PASSED:
            code_coverage.merge(points, code_coverage.read(path, root))
        path.unlink()
    for path in sorted(folder.glob("bins-*.json")):
        if outcome == outcomes.PASSED:
            bins += Counter(json.loads(path.read_text()))
        path.unlink()
    return Result(
        case, outcome, seconds, message, _tail(log), process_name(),
        dict(points), dict(bins), [dataclasses.asdict(count) for count in agreement.read(folder)],
    )  # fmt: skip


def _tail(log: Path) -> str:
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_BYTES))
        return file.read().decode(errors="replace")


def _outcome(status: int, junit: Path) -> tuple[str, str]:
    """Outcome and message, of the exit status and the file that pytest has written."""
    try:
        tests = pytest_report.read(junit)
    except FormatError:
        return outcomes.FAILED, f"ended with status {status} before its tests did; see the log"
    failed = [test for test in tests if test.outcome == outcomes.FAILED]
    skipped = [test for test in tests if test.outcome == outcomes.SKIPPED]
    if failed or status not in (0, 5):
        lines = [line for test in failed for line in (f"{test.node}:", *test.message.splitlines())]
        found = lines[: pytest_report.MESSAGE_LINES]
        return outcomes.FAILED, "\n".join(
            found or [f"pytest ended with status {status}; see the log"]
        )
    if len(skipped) == len(tests):
        return outcomes.SKIPPED, skipped[0].message if skipped else "no test of this name"
    return outcomes.PASSED, ""
