# SPDX-License-Identifier: BSD-3-Clause
"""scripts/seeds.py from end to end, on a few tests in place of those of this repository."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import script_elsewhere

ROOT = Path(__file__).parents[2]
SHARED = (
    "conftest.py", "pace.py", "cpu_seconds.json", "chosen_kernels.py", "fresh_seeds.py",
    "kept_result.py", "soaking.py",
)  # fmt: skip

TESTS = """
import time, pytest
@pytest.mark.parametrize("what", ["a", "b"])
def test_odd(seed, what):
    assert seed % 2, "an even one"
def test_skipped(seed):
    pytest.skip("nothing to do it with")
@pytest.mark.parametrize("seed", [1, 2])
def test_chosen(seed):
    pass
def test_plain():
    pass
"""
BENCH = """
import os, cocotb
@cocotb.test()
async def holds(dut):
    pass
def test_bench():
    assert False, f"found {os.getenv('TURNS')} {os.getenv('SHORT')}"
"""
SLOW = """
import time
def test_slow(seed):
    time.sleep(0.01)
"""


@pytest.fixture
def root(tmp_path) -> Path:
    folder = tmp_path / "root" / "tests"
    folder.mkdir(parents=True)
    for name in SHARED:
        shutil.copy(ROOT / "tests" / name, folder)
    (folder / "test_fake.py").write_text(TESTS)
    (folder.parent / "pytest.ini").write_text("[pytest]\n")
    return folder.parent


def command(root, *arguments) -> list[str]:
    out = ["--out", str(root / "out"), "--jobs", "1"]
    return script_elsewhere.command("seeds", root, *out, *arguments)


def run(root, *arguments) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(root, *arguments), capture_output=True, text=True, timeout=300, check=False
    )


def test_each_function_has_so_many_fresh_seeds_and_failures_can_be_repeated(root):
    done = run(root, "--count", "21", "--json")
    assert done.returncode == 1, done.stderr
    rows = {row["test"].partition("::")[2]: row for row in json.loads(done.stdout)["tests"]}
    assert set(rows) == {"test_odd", "test_skipped"}
    assert (rows["test_odd"]["runs"], rows["test_odd"]["left"]) == (21, 0)
    assert (rows["test_skipped"]["runs"], rows["test_skipped"]["left"]) == (0, 0)
    assert "nothing to do it with" in rows["test_skipped"]["skipped"]

    log = [json.loads(line) for line in (root / "out/seeds.jsonl").read_text().splitlines()]
    ran = {e["seed"]: e for e in log if "test_odd" in e["test"]}
    assert len(ran) == 21
    assert {e["test"].partition("::")[2] for e in ran.values()} == {"test_odd[a]", "test_odd[b]"}
    failures = rows["test_odd"]["failures"]
    assert {f["seed"] for f in failures} == {s for s in ran if s % 2 == 0} != set()
    for failure in failures:
        node = ran[failure["seed"]]["test"]
        repeat = f"SHORT=1 SEED={failure['seed']} WAVES=1 .venv/bin/pytest '{node}'"
        assert failure["repeat"] == repeat and "an even one" in failure["why"]

    # called again it goes on: the seeds of before stay, and others come
    more = run(root, "--count", "23")
    assert more.returncode == 1
    assert f"FAILED  {failures[0]['repeat']}" in more.stdout
    assert more.stdout.splitlines()[-1].startswith("2 functions, 23 runs, ")
    entries = (root / "out/seeds.jsonl").read_text().splitlines()
    assert len({json.loads(e)["seed"] for e in entries if "test_odd" in e}) == 23
    fresh = run(root, "--count", "1", "--new", "--json")
    assert sum(row["runs"] for row in json.loads(fresh.stdout)["tests"]) == 1


@pytest.mark.nightly
def test_a_run_of_a_bench_has_ten_seeds(root):
    pytest.importorskip("cocotb", reason="the extra `dev` is not installed")
    (root / "tests/test_fake.py").write_text(BENCH)
    done = run(root, "--count", "23", "--json")
    (row,) = json.loads(done.stdout)["tests"]
    assert (row["runs"], row["left"]) == (30, 0)
    log = [json.loads(line) for line in (root / "out/seeds.jsonl").read_text().splitlines()]
    assert len({entry["seed"] for entry in log}) == len(log) == 3
    assert {failure["seed"] for failure in row["failures"]} == {entry["seed"] for entry in log}
    for failure in row["failures"]:
        assert failure["repeat"].startswith(f"SHORT=1 TURNS=10 SEED={failure['seed']} WAVES=1 ")
        assert "found 10 1" in failure["why"]
    few = run(root, "--count", "34", "--json")
    assert json.loads(few.stdout)["tests"][0]["runs"] == 34


@pytest.mark.nightly
def test_ctrl_c_keeps_and_tells_what_has_run(root, interruptible):
    (root / "tests/test_fake.py").write_text(SLOW)
    process = subprocess.Popen(
        command(root, "--count", "100000"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = root / "out/seeds.jsonl"
    while process.poll() is None and not (log.exists() and log.read_text().count("\n") > 2):
        pass
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 130 and "Traceback" not in err and "seeds: stopped" in err
    assert "test_slow" in out and " 1 have fewer than 100000 runs" in out


@pytest.mark.nightly
def test_a_limit_of_time_is_no_success(root):
    (root / "tests/test_fake.py").write_text(SLOW.replace("0.01", "60"))
    done = run(root, "--count", "1", "--seconds", "5")
    assert done.returncode == 1 and "seeds: ended after 5 s" in done.stderr
    assert "1 have fewer than 1 runs" in done.stdout


def test_what_cannot_begin_is_one_sentence(root):
    (root / "tests/test_fake.py").write_text("def test_plain():\n    pass\n")
    done = run(root)
    assert done.returncode == 2 and "no seeded test in tests" in done.stderr
    missing = run(root, "tests/nothing.py")
    assert missing.returncode == 2 and "nothing.py" in missing.stderr
    assert not (root / "out/seeds.jsonl").exists()
