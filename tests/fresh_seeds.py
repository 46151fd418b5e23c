# SPDX-License-Identifier: BSD-3-Clause
"""Runs every seeded test with many fresh seeds: options of pytest, which scripts/seeds.py gives.

Seeded is a test that takes the fixture `seed`, and the bench of a module of cocotb tests. (Tests of
Hypothesis draw a hundred examples in each run already.) A function has so many runs in all, shared
by its parameters, each with a seed of its own. A bench is simulated with TURNS seeds at once, see
qnn_sim.bench_turns; what draws many random cases from its seed draws few, with SHORT of
qnn_sim.run_options. Functions take turns by the time that they need, so that a run that is ended
early leaves few of them behind.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median
from unittest import mock

import pace
import pytest

from qnn_sim.regress.collect import fresh_seed
from qnn_sim.regress.seed_log import entries, fresh_seeds, function

TURNS = 10
TURN = re.compile(r"(?:\[|(-))fresh(\d+)\]$")  # the end of the name of a run


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("fresh seeds")
    group.addoption("--fresh-seeds", type=int, metavar="N", help="runs of each seeded function")
    group.addoption("--fresh-base", type=int, default=0, help="all seeds follow from it")
    group.addoption("--fresh-log", type=Path, help="a line of JSON for each run; these count too")
    group.addoption("--fresh-tree", default="", help="goes into each line")


def plain(name: str) -> tuple[str, int]:
    """The name of a run without its turn, and that."""
    found = TURN.search(name)
    assert found is not None, name
    return name[: found.start()] + "]" * bool(found[1]), int(found[2])


def _is_bench(test: pytest.Function) -> bool:
    from qnn_sim.bench_turns import declared

    return "seed" not in test.fixturenames and bool(declared(test.module.__name__))


def _seeded(test: pytest.Function) -> bool:
    marks = test.iter_markers("parametrize")
    if any("seed" in str(mark.args[0]).split(",") for mark in marks):
        return False
    return "seed" in test.fixturenames or _is_bench(test)


class FreshSeeds:
    """Chooses what runs, gives each run its seed, and notes what came of it."""

    def __init__(self, config: pytest.Config) -> None:
        self._count, self._base = config.option.fresh_seeds, config.option.fresh_base
        self._log = None if hasattr(config, "workerinput") else config.option.fresh_log
        self._tree = config.option.fresh_tree
        self._done: Counter[str] = Counter()
        self._took: dict[str, list[float]] = defaultdict(list)
        for entry in entries(config.option.fresh_log):
            if entry["outcome"] != "skipped":
                self._done[function(entry["test"])] += fresh_seeds(entry)
                self._took[function(entry["test"])].append(entry["seconds"])
        self._found: dict[str, dict] = {}

    def _turns(self, test: pytest.Function) -> int:
        """How many seeds one run of it has."""
        left = self._count - self._done[function(test.nodeid)]
        return min(TURNS, max(1, left)) if _is_bench(test) else 1

    def _left(self, test: pytest.Function) -> int:
        """Runs of it that are left."""
        left = self._count - self._done[function(test.nodeid)]
        return max(0, math.ceil(left / self._turns(test)))

    @pytest.hookimpl(trylast=True)  # so that the turn ends the name
    def pytest_generate_tests(self, metafunc):
        if not _seeded(metafunc.definition):
            return
        marks = metafunc.definition.iter_markers("parametrize")
        variants = math.prod(max(1, len(mark.args[1])) for mark in marks)
        turns = range(math.ceil(self._left(metafunc.definition) / variants))
        metafunc.fixturenames.append("fresh_seed")
        metafunc.parametrize(
            "fresh_seed", turns, indirect=True, ids=[f"fresh{turn}" for turn in turns]
        )

    @pytest.fixture
    def fresh_seed(self, request):
        """The turn, which the name of the run ends with."""
        return request.param

    @pytest.hookimpl(hookwrapper=True)  # as the pytest of Debian 12 knows it
    def pytest_runtest_protocol(self, item):
        name, turn = plain(item.nodeid)
        bench = _is_bench(item)
        settings = {"SHORT": "1"} | ({"TURNS": str(self._turns(item))} if bench else {})
        item.user_properties.append(("settings", settings))
        seed = str(fresh_seed(self._base, turn, name))
        with mock.patch.dict(os.environ, settings | {"SEED": seed}):
            yield

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config, items):
        """Those that are left, in the order in which each would end if all ran side by side."""
        recorded, others = pace.recorded()
        runs = defaultdict(list)
        for item in items:
            if TURN.search(item.nodeid):
                runs[function(item.nodeid)].append(item)
        ends = {}
        for name, found in runs.items():
            found.sort(key=lambda item: plain(item.nodeid)[1])
            took = self._took[name] or [
                recorded.get(plain(item.nodeid)[0], others) for item in found
            ]
            seconds = median(took)  # the first has built something
            begun = self._done[name] / self._turns(found[0])
            for number, item in enumerate(found[: self._left(found[0])], 1):
                ends[item] = (begun + number) * seconds
        config.hook.pytest_deselected(items=[item for item in items if item not in ends])
        items[:] = sorted(ends, key=ends.__getitem__)

    def pytest_runtest_logreport(self, report):
        if self._log is None or not TURN.search(report.nodeid):
            return
        name, turn = plain(report.nodeid)
        run = self._found.setdefault(
            report.nodeid,
            {
                "test": name, "seed": fresh_seed(self._base, turn, name), "outcome": "passed",
                "seconds": 0.0, "tree": self._tree,
            },
        )  # fmt: skip
        run["settings"] = dict(report.user_properties)["settings"]
        run["seconds"] = round(run["seconds"] + report.duration, 2)
        if not report.passed:
            run["outcome"] = report.outcome
            run["why"] = str(report.longreprtext)[-4000:]
        if report.when == "teardown":
            with self._log.open("a") as file:
                file.write(json.dumps(self._found.pop(report.nodeid)) + "\n")
