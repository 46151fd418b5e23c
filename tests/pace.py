# SPDX-License-Identifier: BSD-3-Clause
"""A run of the tests: the longest first, and what it does and how long it still takes, on the way.

CPU_SECONDS has what each test took that took long, itself and all that it started; a run with
TIMES=1 writes it again. FAST=1 leaves out what took long, and what compiles or simulates anything.
"""

import json
import os
import resource
import time
from collections import Counter
from pathlib import Path

import pytest

from qnn_sim import run_options

CPU_SECONDS = Path(__file__).with_name("cpu_seconds.json")
LONG_S = 0.3  # is recorded, and left out with FAST=1
EVERY_S = 15.0  # a line
RUNS_HARDWARE = (
    "tests/rtl/", "tests/kernels/", "tests/hls/", "tests/notebooks/", "tests/examples/",
    "tests/formal/", "tests/host/engine/test_stages.py", "tests/host/backends/test_sim.py",
    "tests/host/backends/test_accelerator.py", "tests/sim/test_platform.py",
    "tests/sim/test_bench_runner.py", "tests/sim/test_bench_unknowns.py",
    "tests/regress/test_code_coverage.py",
    "tests/system/test_simulated_board.py", "tests/system/test_linux_board.py",
)  # fmt: skip


def recorded() -> tuple[dict[str, float], float]:
    """CPU seconds of the tests that took long, by their names, and of each of the others."""
    found = json.loads(CPU_SECONDS.read_text())
    return found["tests"], found["others"]


def cpu_seconds() -> float:
    """Of this process and of those it has waited for, and so on."""
    whole = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        whole += used.ru_utime + used.ru_stime
    return whole


def longest_first(names: list[str], seconds: dict[str, float]) -> list[str]:
    """Those that took long, the longest first; then the others, as they came."""
    return sorted(names, key=lambda name: -seconds.get(name, 0.0))


def is_fast(name: str, fixtures: list[str], seconds: dict[str, float]) -> bool:
    """Whether a test is one of FAST=1."""
    return not (name.startswith(RUNS_HARDWARE) or "sim" in fixtures or name in seconds)


def left_s(elapsed_s: float, done: float, whole: float, workers: int) -> float:
    """How long a run still takes.

    Args:
        elapsed_s: since it began.
        done, whole: what was recorded of the tests that have ended, and of all.
        workers: tests at a time. The record is of another machine: what this one has done so far
            tells how fast it is, the more the further the run is.
    """
    share = done / whole
    as_recorded = elapsed_s + (whole - done) / workers
    as_seen = elapsed_s / share if share else as_recorded
    return share * as_seen + (1 - share) * as_recorded - elapsed_s


def duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes else "less than a minute"


class Order:
    """Chooses and sorts the tests, in every process alike; notes what each takes."""

    def __init__(self, fast: bool) -> None:
        self._fast = fast
        self._seconds = recorded()[0]
        self._begin = 0.0  # of the test that runs, in cpu_seconds()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        by_name = {item.nodeid: item for item in items}
        if self._fast:
            fast = {n for n, i in by_name.items() if is_fast(n, i.fixturenames, self._seconds)}
            config.hook.pytest_deselected(items=[i for i in items if i.nodeid not in fast])
            by_name = {name: item for name, item in by_name.items() if name in fast}
        items[:] = [by_name[name] for name in longest_first(list(by_name), self._seconds)]

    # Wrappers of the older kind: the pytest of `make test-armhf` knows no other.
    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item):
        self._begin = cpu_seconds()
        yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item):
        yield
        item.user_properties.append(("cpu_s", round(cpu_seconds() - self._begin, 3)))


class Progress:
    """Lines between the dots: of the process that prints, so only one of a run has it."""

    def __init__(self, config: pytest.Config) -> None:
        self._plugins = config.pluginmanager
        self._workers = max(1, int(config.getoption("numprocesses", None) or 0))
        within_a_test = "PYTEST_CURRENT_TEST" in os.environ
        self._times = run_options.switched_on("TIMES") and not within_a_test
        self._seconds, self._others = recorded()
        self._names: list[str] = []
        self._running: dict[str, float] = {}
        self.taken: Counter[str] = Counter()
        self._begin = self._said = time.monotonic()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids):
        self._start(ids)

    def pytest_collection_finish(self, session):
        self._start([item.nodeid for item in session.items])

    def _start(self, names: list[str]) -> None:
        if names and not self._names:
            self._names = list(names)
            self._begin = self._said = time.monotonic()
            if self._weight(names) > EVERY_S:
                about = self._about(self._weight(names) / self._workers)
                self._say(f"{len(names):,} tests, {about}")

    def _weight(self, names) -> float:
        return sum(self._seconds.get(name, self._others) for name in names)

    def _about(self, seconds: float) -> str:
        return f"about {duration(seconds)}" + " left" * bool(self.taken)

    def _say(self, text: str) -> None:
        if terminal := self._plugins.get_plugin("terminalreporter"):
            terminal.write(f"\n{text}\n")

    def pytest_runtest_logstart(self, nodeid):
        self._running[nodeid] = time.monotonic()

    def pytest_runtest_logreport(self, report):
        if report.when != "teardown":
            return
        self._running.pop(report.nodeid, None)
        self.taken[report.nodeid] += dict(report.user_properties).get("cpu_s", 0.0)
        now = time.monotonic()
        if now - self._said >= EVERY_S and len(self.taken) < len(self._names):
            self._said = now
            done, whole = self._weight(self.taken), self._weight(self._names)
            left = left_s(now - self._begin, done, whole, self._workers)
            oldest = min(self._running, key=self._running.__getitem__, default=report.nodeid)
            self._say(
                f"{len(self.taken):,} of {len(self._names):,} tests, {self._about(left)};"
                f" now {oldest.partition('::')[0]}"
            )

    def pytest_sessionfinish(self, exitstatus):
        if self._times and exitstatus in (0, 1) and self.taken:
            write(self.taken, CPU_SECONDS)


def write(taken: dict[str, float], path: Path) -> None:
    """The record of a run."""
    long = {name: round(s, 1) for name, s in taken.items() if s >= LONG_S}
    short = [s for s in taken.values() if s < LONG_S]
    document = {
        "tests": {name: long[name] for name in longest_first(sorted(long), long)},
        "others": round(sum(short) / max(1, len(short)), 3),
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
