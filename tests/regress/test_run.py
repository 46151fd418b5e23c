# SPDX-License-Identifier: BSD-3-Clause
"""A run as JSON: written, read, judged, and with the runs before it."""

import dataclasses
import json

import pytest

from qnn.errors import QnnError
from qnn_sim.regress import functional
from qnn_sim.regress.case import Case, Result
from qnn_sim.regress.exclusions import Verdict
from qnn_sim.regress.run import HISTORY, Collector, Run, finish


def good(run) -> Run:
    """The run, with all that was bad in it mended."""
    run.cases = [case for case in run.cases if case["outcome"] == "passed"]
    run.complaints = []
    run.bins = dict.fromkeys(functional.bins(), 1)
    return run


def test_written_and_read(run, tmp_path):
    run.write(tmp_path / "result.json")
    assert Run.read(tmp_path / "result.json") == run


@pytest.mark.parametrize("text", ["", "[]", '{"format": 0}', '{"format": 2, "x": 2}'])
def test_json_of_something_else(tmp_path, text):
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(QnnError, match="not the JSON of a regression"):
        Run.read(path)
    with pytest.raises(QnnError, match="is not there"):
        Run.read(tmp_path / "other.json")


def test_what_makes_a_run_bad(run):
    assert run.bad and len(run.failed) == 2 and len(run.skipped) == 1
    assert not good(run).bad
    for changes in (
        {"cases": [{**run.cases[0], "outcome": "lost"}]},
        {"complaints": ["x"]},
        {"bins": {"commands: rows=1 & columns=1": 1}},
        {"code": {}},
        {"code": {"rtl/a.sv": {**run.code["rtl/a.sv"], "lines": [89, 100]}}},
    ):
        assert dataclasses.replace(run, **changes).bad


def test_only_a_full_run_must_cover_enough(run):
    part = dataclasses.replace(good(run), kind="part", code={}, bins={})
    assert not part.bad and part.percent("lines") is None and part.percent("bins") is None


def test_percentages(run):
    assert run.percent("lines") == 90
    assert run.percent("toggles") == pytest.approx(100 * 6 / 7)
    assert run.percent("bins") == pytest.approx(100 / len(functional.bins()))


def test_history_goes_on(run):
    previous = dataclasses.replace(run, history=[run.row()] * HISTORY)
    finish(run, Verdict(["a"], {"b": "c"}), previous)
    assert (run.complaints, run.reasons) == (["a"], {"b": "c"})
    assert len(run.history) == HISTORY and run.history[-1] == run.row()
    assert json.dumps(run.history)
    finish(run, Verdict([], {}), None)
    assert len(run.history) == 1


def test_results_are_added_up():
    collector = Collector()
    count = {"kernel": "conv", "implementation": "rtl", "values": 5, "mismatches": 1}
    for configuration in ("small", "small", "8x4"):
        counts = [{**count, "configuration": configuration}]
        case = Case("x", 1, True, 1)
        collector.add(Result(case, "passed", points={"p": 0}, bins={"b": 2}, counts=counts))
    assert collector.points == {"p": 0} and "p" in collector.points
    assert collector.bins == {"b": 6}
    assert collector.agreement() == [
        {"kernel": "conv", "implementation": "rtl", "configurations": 2, "values": 15,
         "mismatches": 3},
    ]  # fmt: skip
