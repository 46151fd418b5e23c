# SPDX-License-Identifier: BSD-3-Clause
"""What the environment says about a run: switches, numbers, simulators."""

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qnn.errors import QnnError
from qnn_sim import run_options
from qnn_sim.rtl_build import ROOT

SWITCHES = {
    "WAVES": run_options.waves,
    "RTL_COVERAGE": run_options.coverage,
    "SANITIZE": run_options.sanitize,
    "SHORT": run_options.short,
}


@pytest.mark.parametrize("name", SWITCHES)
def test_switches(monkeypatch, name):
    monkeypatch.delenv(name, raising=False)
    assert not SWITCHES[name]()
    for text in ("", " ", "0", "no", "No", "false", "FALSE", "off"):
        monkeypatch.setenv(name, text)
        assert not SWITCHES[name]()
    for text in ("1", "yes", "true", "on", "2"):
        monkeypatch.setenv(name, text)
        assert SWITCHES[name]()


def test_numbers(monkeypatch):
    monkeypatch.setenv("SEED", "")
    assert run_options.seed() == run_options.DEFAULT_SEED
    assert run_options.seed(default=None) is None
    for text in ("random", " Random"):
        monkeypatch.setenv("SEED", text)
        assert run_options.seed() is None
    for text, value in (("0", 0), ("7", 7), (str(2**31 - 1), 2**31 - 1)):
        monkeypatch.setenv("SEED", text)
        assert run_options.seed() == value
    for text in ("abc", "-1", "1.5", "0x10", str(2**31), "9" * 5000, "²"):
        monkeypatch.setenv("SEED", text)
        with pytest.raises(QnnError, match=r"SEED=.* is not a whole number from 0 to 2147483647,"):
            run_options.seed()


def test_seeds_of_a_command_line_are_those_of_the_environment():
    assert run_options.seed_argument("7") == 7
    drawn = {run_options.seed_argument(text) for text in ("random", "Random", " RANDOM ") * 4}
    assert len(drawn) > 6 and all(0 <= seed <= run_options.MOST_SEED for seed in drawn)
    with pytest.raises(argparse.ArgumentTypeError, match=r"^-1 is not a whole .* and not random$"):
        run_options.seed_argument("-1")


@pytest.mark.parametrize("seed", ["Random", " random", "RANDOM", "5", "", " "])
@pytest.mark.parametrize("target", ["regress", "regress-smoke", "mutate", "gates"])
def test_make_hands_every_seed_on(target, seed):
    make = ["make", "--dry-run", "--old-file=.venv/.dev", target, f"SEED={seed}"]
    shown = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    words = shlex.split(shown.replace("\\\n", " "))
    given = words[words.index("--seed") + 1] if "--seed" in words else None
    assert given == (seed.strip() or None)


@pytest.mark.parametrize("script", ["mutate", "gates"])
def test_without_a_seed_they_repeat_themselves(script):
    command = [sys.executable, ROOT / "scripts" / f"{script}.py", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.search(r"--seed SEED +of [a-z ]+ \(1\); random: a\s+fresh one", shown), shown


def test_reference(monkeypatch):
    monkeypatch.delenv("QNN_REFERENCE", raising=False)
    assert run_options.reference() is None
    for text in ("", " "):
        monkeypatch.setenv("QNN_REFERENCE", text)
        assert run_options.reference() is None
    monkeypatch.setenv("QNN_REFERENCE", "/there")
    assert run_options.reference() == Path("/there")


def test_nothing_but_run_options_reads_where_the_reference_is():
    reads = re.compile(r"""environ[^\n]*["']QNN_REFERENCE""")
    folders = ("host", "sim", "scripts", "tests", "examples")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert len(paths) > 300
    assert [path for path in paths if reads.search(path.read_text())] == []


def test_short_runs_draw_few_cases(monkeypatch):
    monkeypatch.delenv("SHORT", raising=False)
    rng = np.random.default_rng(1)
    assert run_options.draws(60, 20) == 60
    assert run_options.some(rng, range(9), 3) == list(range(9))
    monkeypatch.setenv("SHORT", "1")
    assert run_options.draws(60, 20) == 20
    drawn = [run_options.some(rng, range(9), 3) for _ in range(50)]
    assert {len(set(few)) for few in drawn} == {3}
    assert set().union(*drawn) == set(range(9))


def test_simulators(monkeypatch):
    monkeypatch.setenv("SIM", "")
    assert run_options.simulator() == "verilator"
    monkeypatch.setenv("SIM", "questa")
    with pytest.raises(QnnError, match="SIM=questa is not one of verilator, icarus"):
        run_options.simulator()


@pytest.mark.parametrize(
    ("script", "name", "text"),
    [
        *(("pytest", name, "foo") for name in ("SEED", "KERNEL")),
        *(
            pytest.param("pytest", name, "foo", marks=pytest.mark.nightly)
            for name in ("SIM", "LAYERS", "TURNS", "CONFIGURATIONS", "NETWORKS")
        ),
        ("verify", "SEED", "abc"),
        ("verify", "SIM", "questa"),
    ],
)
def test_one_sentence(script, name, text):
    command = {
        "pytest": ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/rtl/test_qnn_fifo.py"],
        "verify": ["scripts/verify.py"],
    }[script]
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env={**os.environ, name: text},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode in (2, 4) and "Traceback" not in done.stderr + done.stdout
    assert f"{name}={text} is not" in done.stderr
