# SPDX-License-Identifier: BSD-3-Clause
"""A run of pytest that is followed: its tests, its end, its limit."""

import os
import signal

import pytest

from qnn.commands.progress import Bar
from qnn_sim import clean_environment, pytest_run

TESTS = """
import time
def test_good():
    pass
def test_bad():
    assert False, "the reason"
def test_slow():
    time.sleep(600)
"""


@pytest.fixture
def follow(tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS)

    def run(*arguments, limit_s=600.0, show=lambda *_: None):
        chosen = ["-p", "no:cacheprovider", "-n", "1", "--rootdir", str(tmp_path)]
        environment = clean_environment.for_pytest({})
        bar = Bar("tests", "%")
        return pytest_run.follow(
            tmp_path, [*chosen, *arguments, "test_it.py"], environment, limit_s, bar, show
        )

    return run


def test_every_test_is_shown_and_the_status_is_that_of_pytest(follow):
    shown = []
    status, said = follow("-k", "not slow", show=lambda *one: shown.append(one))
    assert status == 1 and any("the reason" in line for line in said)
    assert shown == [
        (50, "PASSED", "test_it.py::test_good"),
        (100, "FAILED", "test_it.py::test_bad"),
    ]


def test_a_limit_kills_it(follow):
    status, _ = follow("-k", "slow", limit_s=2.0)
    assert status == -signal.SIGKILL


def test_ctrl_c_ends_it_and_keeps_what_was_said(follow, interruptible):
    def stop(percent, outcome, name):
        os.kill(os.getpid(), signal.SIGINT)

    status, said = follow("-k", "good or slow", show=stop)
    assert status is None and "test_good" in said[-1]
