# SPDX-License-Identifier: BSD-3-Clause
"""A fault is killed by a test that fails or hangs."""

import os
import sys
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("pyosys", reason="the extra `dev` is not installed")

import mutate
import synth
from mutation.equivalence import Registers
from mutation.forked import run_passes, status_of, yosys


def forever(*_):
    while True:
        pass


def breaks(*_):
    raise ValueError("a test that ends badly")


@pytest.mark.parametrize(
    ("battery", "expected"), [(lambda *_: 1, "killed"), (breaks, "killed"), (forever, "hangs")]
)
def test_what_a_test_notices_is_killed(tmp_path, monkeypatch, battery, expected):
    monkeypatch.setattr(mutate, "battery", battery)
    assert mutate.Judge(["no fault"], tmp_path, Path(), Registers(), 1, 1).verdict(1) == expected


@pytest.mark.parametrize(
    ("bench", "without", "with_it", "expected"),
    [("qnn_fifo", 0, 1, True), ("qnn_fifo", 0, 0, False), ("qnn_fifo", 1, 1, False),
     (None, 0, 1, False)],
)  # fmt: skip
def test_only_a_bench_that_passes_without_a_fault_kills(
    tmp_path, bench, without, with_it, expected
):
    class Benches:
        def bench_of(self, number):
            return bench

        def battery(self, number, module, seed):
            return with_it if number else without

    judge = mutate.BenchJudge(tmp_path, Benches(), 1)
    assert [judge.kills(1), judge.kills(2)] == [expected] * 2
    assert (tmp_path / "bench-qnn_fifo.failed").exists() == bool(without)


@pytest.mark.parametrize("before", [0, 1])
def test_a_bench_that_has_changed_is_tried_again(tmp_path, before):
    class Benches:
        def __init__(self, without):
            self.without = without

        def bench_of(self, number):
            return "qnn_fifo"

        def battery(self, number, module, seed):
            return 1 if number else self.without

    for without in (before, 1 - before):
        mutate.forget_benches(tmp_path)
        assert mutate.BenchJudge(tmp_path, Benches(without), 1).kills(1) == (without == 0)


def test_output_of_a_process_is_kept(tmp_path):
    assert status_of(partial(os.system, "echo here"), tmp_path / "log") == 0
    assert (tmp_path / "log").read_text() == "here\n"


def test_a_script_that_fails_names_its_log(tmp_path):
    with pytest.raises(SystemExit, match=r"Yosys fails: see \S+/bad.log"):
        yosys(tmp_path, "bad.log", partial(run_passes, "no_such_command"))
    assert "no_such_command" in (tmp_path / "bad.log").read_text()


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [("--count", "0", "--count 0 is not in 1..65535"), ("--only", "101", "--only 101 is not in"),
     ("--jobs", "0", "--jobs 0 is less than 1")],
)  # fmt: skip
def test_bad_arguments(tmp_path, monkeypatch, capsys, option, value, text):
    arguments = ["mutate.py", option, value, "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit, match="2"):
        mutate.main()
    assert text in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_output_folder_may_be_relative(tmp_path, monkeypatch):
    """Verilator's makefiles are run in another folder."""

    def seen(out, count, seed):
        raise SystemExit(str(out))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mutate, "folder_of", seen)
    monkeypatch.setattr(sys, "argv", ["mutate.py", "--out", "found"])
    with pytest.raises(SystemExit, match=f"^{tmp_path}/found$"):
        mutate.main()


def test_faults_are_planted_into_the_portable_units():
    """A simulator has no model of the blocks of a device."""
    assert "rtl/xilinx" not in synth.elaborate("qnn_engine", {})
