# SPDX-License-Identifier: BSD-3-Clause
"""Outcomes of cases: whatever a test does, its case ends, and the result tells how."""

import json
import os
import time

import pytest
from processes import assert_gone

from qnn_sim.regress import case as outcomes
from qnn_sim.regress import execute
from qnn_sim.regress.case import Case

FAKE = "tests/rtl/test_fake.py::"


def run(repository, name, limit_s=600.0, coverage=True):
    case = Case(name, 3, coverage, limit_s)
    return execute.run_case(case, repository, repository / "build" / case.key)


@pytest.mark.parametrize(
    ("name", "outcome", "message"),
    [
        (FAKE + "test_good", outcomes.PASSED, ""),
        (FAKE + "test_bad", outcomes.FAILED, "a value differs <b>"),
        (FAKE + "test_skipped", outcomes.SKIPPED, "not here"),
        (FAKE + "test_none_such", outcomes.FAILED, "status 4"),
    ],
)
def test_outcomes(repository, name, outcome, message):
    result = run(repository, name)
    assert result.outcome == outcome
    assert message in result.message
    assert result.log and result.seconds > 0
    assert result.worker.endswith(f"/{os.getpid()}")


def test_a_case_that_hangs_is_killed(repository):
    begin = time.monotonic()
    result = run(repository, FAKE + "test_hangs", limit_s=3)
    assert time.monotonic() - begin < 300
    assert (result.outcome, result.message) == (outcomes.TIMED_OUT, "killed after 3 s")


@pytest.mark.parametrize(("death", "status"), [("os._exit(7)", 7), ("os.kill(os.getpid(), 9)", -9)])
def test_a_process_that_dies_is_a_failure(repository, death, status):
    """One without memory is killed, too, but not because of its limit."""
    path = repository / "tests" / "rtl" / "test_dies.py"
    path.write_text(f"import os\ndef test_dies():\n    {death}\n")
    result = run(repository, "tests/rtl/test_dies.py::test_dies")
    assert (result.outcome, f"status {status} " in result.message) == (outcomes.FAILED, True)


def test_a_report_cut_off_is_a_failure(repository):
    path = repository / "tests" / "rtl" / "test_cut.py"
    path.write_text(
        "import atexit, os, pathlib\n"
        "def test_cut():\n"
        "    report = pathlib.Path(os.environ['RUN_FOLDER'], 'junit.xml')\n"
        "    atexit.register(lambda: report.write_bytes(report.read_bytes()[:50]))\n"
    )
    result = run(repository, "tests/rtl/test_cut.py::test_cut")
    assert (result.outcome, "before its tests did" in result.message) == (outcomes.FAILED, True)


def test_nothing_is_left_running(repository):
    path = repository / "tests" / "rtl" / "test_leaves.py"
    path.write_text(
        "import os, pathlib, subprocess\n"
        "def test_leaves():\n"
        "    child = subprocess.Popen(['sleep', '600'])\n"
        "    pathlib.Path(os.environ['RUN_FOLDER'], 'child').write_text(str(child.pid))\n"
    )
    assert run(repository, "tests/rtl/test_leaves.py::test_leaves").good
    (note,) = (repository / "build").rglob("child")
    assert_gone(int(note.read_text()))


def test_environment_and_what_was_covered(repository):
    point = "C '\1f\2{root}/rtl/x.sv\1l\0023\1n\0024\1page\2v_line/x\1o\2block\1S\0023-4' {count}\n"
    (repository / "tests" / "rtl" / "test_covers.py").write_text(
        "import json, os, pathlib\n"
        "def test_covers():\n"
        "    folder = pathlib.Path(os.environ['RUN_FOLDER'])\n"
        "    assert os.environ['RTL_COVERAGE'] == '1' and 'WAVES' not in os.environ\n"
        f"    text = {point!r}\n"
        f"    root = {str(repository)!r}\n"
        "    (folder / 'a.dat').write_text(text.format(root=root, count=2))\n"
        "    (folder / 'b.dat').write_text(text.format(root=root, count=3))\n"
        "    (folder / 'bins-1.json').write_text(json.dumps({'x': 4}))\n"
        "    (folder / 'agreement.jsonl').write_text(json.dumps(dict(kernel='k', values=5,\n"
        "        implementation='rtl', configuration='small', mismatches=0)))\n"
    )
    result = run(repository, "tests/rtl/test_covers.py::test_covers")
    assert result.outcome == outcomes.PASSED, result.log
    assert result.points == {"line|rtl/x.sv|3|4|block|3-4": 5}
    assert result.bins == {"x": 4}
    assert [count["values"] for count in result.counts] == [5]
    assert json.dumps(result.counts)


def test_settings_are_in_the_environment(repository):
    path = repository / "tests" / "rtl" / "test_set.py"
    path.write_text("import os\ndef test_set():\n    assert os.environ['KERNEL'] == 'hls'\n")
    case = Case("tests/rtl/test_set.py::test_set", 1, False, 600.0, (("KERNEL", "hls"),))
    assert execute.run_case(case, repository, repository / "build").good


def test_without_coverage(repository, monkeypatch):
    monkeypatch.setenv("RTL_COVERAGE", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--deselect tests")
    path = repository / "tests" / "rtl" / "test_plain.py"
    path.write_text("import os\ndef test_plain():\n    assert 'RTL_COVERAGE' not in os.environ\n")
    assert run(repository, "tests/rtl/test_plain.py::test_plain", coverage=False).good
