# SPDX-License-Identifier: BSD-3-Clause
"""Runs tests over and over in one process, each time with a fresh seed, and watches its memory:
options of pytest, which scripts/soak.py gives.

A test is one that takes the fixture `seed`, directly or not. They take turns. The log has a line
for each run as qnn_sim.regress.seed_log has it, and with `values`, how many were compared;
`resident`, bytes of memory of this process behind the run; `risen`, bytes above what it had when
each test had run WARM times; and `tree`, what was tested. Memory that has risen above MOST_RISEN is
a failure, and ends the process.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from unittest import mock

import pytest

from qnn_sim import agreement
from qnn_sim.regress.collect import fresh_seed

WARM = 3
MOST_RISEN = 64 << 20
SETTINGS = {"SHORT": "1"}


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("soak")
    group.addoption("--soak-seconds", type=float, help="run seeded tests again and again")
    group.addoption("--soak-base", type=int, default=0, help="all seeds follow from it")
    group.addoption("--soak-log", type=Path, help="a line of JSON for each run")
    group.addoption("--soak-running", type=Path, help="file that says what runs now")
    group.addoption("--soak-tree", default="", help="goes into each line")


def resident_bytes() -> int:
    """Of this process, without what is free already."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


class Memory:
    """How the memory of a process rises once every test has run WARM times."""

    def __init__(self, tests: int) -> None:
        self._warm_runs, self._runs = WARM * tests, 0
        self._base = self._last = 0
        self.by_test: Counter[str] = Counter()

    def rises(self, name: str, size: int) -> int | None:
        """Notes what the process has behind a run: bytes above the base, once there is one."""
        self._runs += 1
        if self._runs <= self._warm_runs:
            self._base = self._last = size
            return None
        self.by_test[name] += size - self._last
        self._last = size
        return size - self._base


class Soak:
    """Has the tests take turns until the time is over."""

    def __init__(self, config: pytest.Config) -> None:
        option = config.option
        self._seconds, self._base, self._tree = (
            option.soak_seconds, option.soak_base, option.soak_tree,
        )  # fmt: skip
        self._log, self._running = option.soak_log, option.soak_running
        self._why: list[str] = []
        self._skipped = False

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        seeded = [item for item in items if "seed" in item.fixturenames]
        config.hook.pytest_deselected(items=[item for item in items if item not in seeded])
        items[:] = seeded

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        if session.testsfailed or session.config.option.collectonly or not session.items:
            return None
        # It would keep every report for its summary.
        plugins = session.config.pluginmanager
        plugins.unregister(plugins.get_plugin("terminalreporter"))
        memory, turn = Memory(len(session.items)), 0
        after = session.items[1:] + session.items[:1]
        end = begun = time.monotonic()
        end += self._seconds
        with tempfile.TemporaryDirectory() as counts, mock.patch.dict(os.environ, AGREEMENT=counts):
            while True:  # at least one test: what is left may be less than the clock tells apart
                for item, then in zip(session.items, after, strict=True):
                    entry = self._run(item, then, turn)
                    entry["values"] = sum(count.values for count in agreement.read(Path(counts)))
                    (Path(counts) / agreement.NAME).unlink(missing_ok=True)
                    entry["resident"] = resident_bytes()
                    entry["risen"] = memory.rises(item.nodeid, entry["resident"])
                    now = time.monotonic()
                    entry["seconds"], begun = round(now - begun, 2), now
                    leaks = (entry["risen"] or 0) > MOST_RISEN
                    if leaks and entry["outcome"] == "passed":
                        entry |= {"outcome": "failed", "why": self._leak(memory, entry["risen"])}
                        entry["test"], _ = memory.by_test.most_common(1)[0]
                    self._note(entry)
                    if leaks or begun >= end:
                        item.session._setupstate.teardown_exact(None)
                        return True
                turn += 1
        return True

    def _leak(self, memory: Memory, risen: int) -> str:
        parts = ", ".join(
            f"{name} {mebibytes(size)}" for name, size in memory.by_test.most_common(3)
        )
        return (
            f"the memory of the process has risen by {mebibytes(risen)} since each test had run"
            f" {WARM} times, more than {mebibytes(MOST_RISEN)}: {parts}"
        )

    def _run(self, item, then, turn) -> dict:
        """One run of a test, with a seed of its own."""
        seed = fresh_seed(self._base, turn, item.nodeid)
        entry = {"test": item.nodeid, "seed": seed, "settings": SETTINGS, "tree": self._tree}
        self._running.write_text(json.dumps(entry))
        self._why, self._skipped = [], False
        with mock.patch.dict(os.environ, SETTINGS | {"SEED": str(seed)}):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=then)
        item.user_properties.clear()  # of this run; the next one is of the same item
        item._report_sections.clear()
        outcome = "failed" if self._why else "skipped" if self._skipped else "passed"
        return entry | {"outcome": outcome} | ({"why": self._why[0]} if self._why else {})

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self._why.append(str(report.longreprtext)[-4000:])
        self._skipped |= report.skipped

    def _note(self, entry: dict) -> None:
        with self._log.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        self._running.unlink(missing_ok=True)
