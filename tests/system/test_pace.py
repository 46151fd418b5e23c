# SPDX-License-Identifier: BSD-3-Clause
"""A run of the tests: which it has, in which order, from which seed, and what it says."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pace
import pytest

from qnn_sim import clean_environment

ROOT = Path(__file__).parents[2]


def pytest_of(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT, env=clean_environment.for_pytest({}) | {"SEED": ""} | environment,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_the_longest_come_first_and_the_others_as_they_were():
    assert pace.longest_first(["b", "x", "a", "y"], {"x": 2, "y": 9}) == ["y", "x", "b", "a"]


@pytest.mark.parametrize(
    ("name", "fixtures", "expected"),
    [
        ("tests/host/test_cli.py::test_a", [], True),
        ("tests/host/test_cli.py::test_a", ["tmp_path", "sim"], False),
        ("tests/rtl/test_qnn_fifo.py::test_qnn_fifo[5-2]", [], False),
        ("tests/golden/test_golden.py::test_long", [], False),
    ],
)
def test_what_is_fast(name, fixtures, expected):
    assert pace.is_fast(name, fixtures, {"tests/golden/test_golden.py::test_long": 1.5}) is expected


def test_places_that_run_hardware_are_there():
    for place in pace.RUNS_HARDWARE:
        assert (ROOT / place).exists(), place


def test_what_is_left_goes_by_the_record_first_and_by_this_machine_later():
    assert pace.left_s(0, 0, 100, 2) == 50
    assert pace.left_s(50, 50, 100, 1) == 50  # as recorded
    assert pace.left_s(100, 50, 100, 1) == 75  # half as fast: between 50 and 100
    assert pace.left_s(199, 99, 100, 1) == pytest.approx(2, abs=0.1)
    assert pace.left_s(200, 100, 100, 1) == 0
    assert [pace.duration(s) for s in (0, 29, 31, 250)] == [
        *["less than a minute"] * 2,
        "1 min",
        "4 min",
    ]


def test_the_record_has_what_took_long(tmp_path):
    path = tmp_path / "seconds.json"
    pace.write({"a": 1.04, "b": 0.1, "c": 22.26, "d": 0.2}, path)
    found = json.loads(path.read_text())
    assert list(found["tests"].items()) == [("c", 22.3), ("a", 1.0)] and found["others"] == 0.15


def test_the_record_speaks_of_tests_that_are_there():
    seconds, others = pace.recorded()
    assert 0 < others < pace.LONG_S
    for name in seconds:
        path, _, test = name.partition("::")
        function = test.partition("[")[0].rpartition("::")[2]
        assert f"def {function}(" in (ROOT / path).read_text(), name


BENCH = """
import time
from hypothesis import given, strategies as st
drawn = []
@given(st.integers())
def test_draws(x):
    drawn.append(x)
def test_slow(seed):
    print("drawn", drawn, seed)
    sum(range(10**6))
"""


@pytest.fixture
def bench(tmp_path):
    """A file of tests with the conftest.py of all."""
    (tmp_path / "conftest.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT / 'tests')!r})\n"
        + (ROOT / "tests/conftest.py").read_text()
    )
    (tmp_path / "test_it.py").write_text(BENCH)
    return str(tmp_path)


def test_a_plain_run_repeats_itself_and_says_its_seed(bench):
    first, again, other, fresh = (
        pytest_of("-s", "--rootdir", bench, bench, SEED=seed) for seed in ("", "1", "2", "random")
    )
    drawn = [
        re.search(r"repeat with SEED=(\d+)\n(?:.*\n)?\.?drawn (.*) \1", done.stdout)
        for done in (first, again, other, fresh)
    ]
    assert [done.returncode for done in (first, again, other, fresh)] == [0] * 4, first.stdout
    assert all(drawn), first.stdout
    assert drawn[0].groups() == drawn[1].groups() and drawn[0][1] == "1"
    assert drawn[2][1] == "2" and drawn[2][2] != drawn[0][2]
    assert int(drawn[3][1]) > 2 and drawn[3][2] != drawn[0][2]
    assert "SEED=1\n" in first.stdout and "SEED=random\n" in fresh.stdout


def test_it_says_what_it_does_and_how_long_it_takes(bench, tmp_path):
    line = (
        "import pace; pace.EVERY_S, pace.LONG_S = 0.0, 60.0\n"
        "pace.CPU_SECONDS = pace.Path(__file__).parent / 's'\n"
    )
    conftest = Path(bench) / "conftest.py"
    conftest.write_text(conftest.read_text().replace("import pace\n", line))
    (tmp_path / "s").write_text(json.dumps({"tests": {}, "others": 60.0}))
    kept = ("--result", str(tmp_path / "kept.json"))
    done = pytest_of("--rootdir", bench, bench, "-n", "1", *kept, TIMES="1")
    assert done.returncode == 0, done.stdout
    assert "2 tests, about 2 min\n" in done.stdout
    assert re.search(r"\n1 of 2 tests, about .* left; now test_it.py\n", done.stdout), done.stdout
    found = json.loads((tmp_path / "s").read_text())
    assert found["tests"] == {} and 0 < found["others"] < pace.LONG_S
    kept = json.loads((tmp_path / "kept.json").read_text())
    assert (kept["good"], kept["tests"], kept["failed"], kept["seed"]) == (True, 2, [], 1)


def test_it_runs_where_all_is_one_process(bench):
    done = pytest_of("--rootdir", bench, bench, "-p", "no:xdist")
    assert done.returncode == 0, done.stdout


ONCE = """
import os, pathlib, pytest
@pytest.mark.parametrize("number", range(4))
def test_reads(made_once, number):
    def make(folder):
        with open(pathlib.Path(__file__).with_name("makers"), "a") as file:
            file.write(f"{os.getpid()}\\n")
        (folder / "made").touch()
    assert (made_once("it", make) / "made").exists()
"""


@pytest.mark.nightly
def test_what_is_made_once_is_made_by_one_process_of_each_run(bench):
    (Path(bench) / "test_it.py").write_text(ONCE)
    for runs in (1, 2):
        done = pytest_of("--rootdir", bench, bench, "-n", "2", PYTEST_XDIST_WORKER="gw0")
        assert done.returncode == 0, done.stdout
        assert (Path(bench) / "makers").read_text().count("\n") == runs


def test_fast_leaves_out_what_compiles():
    done = pytest_of("--collect-only", "tests/sim", FAST="1")
    assert "test_run_options.py::test_switches" in done.stdout
    assert "test_platform.py" not in done.stdout and "deselected" in done.stdout


@pytest.mark.parametrize(
    ("fast", "expected"), [("", True), ("off", True), ("No", True), ("1", False)]
)
def test_make(fast, expected):
    def shown(*arguments):
        command = ["make", "--dry-run", *arguments, f"FAST={fast}"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    run = shown("--old-file=environments", "test")
    assert ("tests/on_pynq" in run) is expected
    kept = re.findall(r"--result build/(\S+)\.json\b", run)
    assert kept == (["tests", "tests-pynq"] if expected else [])
    assert (".venv-pynq/.dev" in shown("environments")) is expected
