# SPDX-License-Identifier: BSD-3-Clause
"""The local pool: all results come, a failure stops nothing, closing it ends what runs."""

import time

from qnn_sim.regress import local
from qnn_sim.regress.case import Case

FAKE = "tests/rtl/test_fake.py::"


def cases(*names, limit_s=600.0):
    return [Case(FAKE + name, seed, False, limit_s) for seed, name in enumerate(names)]


def test_all_results_come(repository):
    todo = cases("test_bad", "test_good", "test_many", "test_skipped")
    results = list(local.run(todo, repository, repository / "build", jobs=2))
    assert {result.case for result in results} == set(todo)
    assert sorted(r.outcome for r in results) == ["failed", "passed", "passed", "skipped"]


def test_closing_ends_what_runs(repository):
    todo = cases("test_good", "test_hangs", "test_hangs")
    results = local.run(todo, repository, repository / "build", jobs=2)
    assert next(results).good
    begin = time.monotonic()
    results.close()
    assert time.monotonic() - begin < 300


def test_a_case_that_cannot_be_run_has_failed(repository):
    (repository / "build").write_text("a file where the folder of a case should be")
    (result,) = local.run(cases("test_good"), repository, repository / "build", jobs=1)
    assert result.outcome == "failed" and "could not be run" in result.message
