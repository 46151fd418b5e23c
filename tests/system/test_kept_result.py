# SPDX-License-Identifier: BSD-3-Clause
"""What is kept of a run of the tests: its outcomes, its seed, and of which state of the files."""

import json
from types import SimpleNamespace

import pytest
from kept_result import KeptResult

REPORTS = (  # test, phase, outcome, what came with it
    ("a::good", "call", "passed", None),
    ("a::bad", "call", "failed", "AssertionError"),
    ("a::bad", "teardown", "failed", "AssertionError"),
    ("a::ends_badly", "call", "passed", None),
    ("a::ends_badly", "teardown", "failed", "AssertionError"),
    ("a::left_out", "setup", "skipped", ("a.py", 3, "Skipped: no board")),
    ("b::left_out", "setup", "skipped", ("b.py", 3, "Skipped: no board")),
    ("b::wrong_as_expected", "call", "skipped", "AssertionError"),
)


def result(path, exitstatus, reports=REPORTS):
    kept = KeptResult(path)
    for nodeid, when, outcome, longrepr in reports:
        outcomes = {name: name == outcome for name in ("passed", "failed", "skipped")}
        kept.pytest_runtest_logreport(
            SimpleNamespace(nodeid=nodeid, when=when, longrepr=longrepr, **outcomes)
        )
    kept.pytest_sessionfinish(exitstatus)


def test_each_test_counts_once(tmp_path, monkeypatch):
    monkeypatch.setenv("SEED", "7")
    path = tmp_path / "tests.json"
    result(path, 1)
    found = json.loads(path.read_text())
    assert found.pop("origin").keys() >= {"commit", "tree", "began", "command"}
    assert found == {
        "good": False, "tests": 6, "failed": ["a::bad", "a::ends_badly"],
        "skipped": {"no board": 2, "expected": 1}, "seed": 7,
    }  # fmt: skip
    result(path, 0, REPORTS[:1])
    assert json.loads(path.read_text())["good"] is True


@pytest.mark.parametrize("exitstatus", [2, 3])
def test_a_run_that_was_stopped_is_no_result(tmp_path, exitstatus):
    result(tmp_path / "tests.json", exitstatus, REPORTS[:1])
    assert [path.name for path in tmp_path.iterdir()] == ["tests.partial.json"]
