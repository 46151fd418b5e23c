# SPDX-License-Identifier: BSD-3-Clause
"""What the workflows of GitHub call is there."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def targets(text: str) -> set[str]:
    """Of make, in `run:` lines and in the matrix."""
    called = set(re.findall(r"^\s*- run: (?:sudo )?make (\S+)", text, re.MULTILINE))
    listed = set(re.findall(r"^\s*- target: (\S+)", text, re.MULTILINE))
    return {name for name in called if "$" not in name} | listed


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_is_called_exists(path):
    text = path.read_text()
    assert "\t" not in text
    for name in targets(text):
        result = subprocess.run(
            ["make", "--dry-run", "--old-file=.venv/.dev", name],
            cwd=ROOT, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
    for name in re.findall(r"(?:^|\s)((?:\.ci|tests|scripts)/\S+)", text):
        assert (ROOT / name).exists(), name


def test_the_gate_and_the_nightly_runs_are_there():
    texts = {path.stem: path.read_text() for path in WORKFLOWS}
    assert "- run: .ci/run" in texts["ci"] and targets(texts["ci"]) >= {"regress-smoke", "verify"}
    assert targets(texts["nightly"]) == {
        "regress", "formal", "gates", "mutate", "setup", "test-armhf", "test-brevitas", "test-pynq",
    }  # fmt: skip


def test_a_missing_target_would_be_seen():
    assert targets("  - run: make no-such-target") == {"no-such-target"}
    result = subprocess.run(
        ["make", "--dry-run", "no-such-target"], cwd=ROOT, capture_output=True, timeout=600
    )
    assert result.returncode == 2


@pytest.mark.parametrize("name", ["PYTHONOPTIMIZE", "PYTHONDONTWRITEBYTECODE"])
def test_make_takes_out_of_the_environment_what_hurts_tests(name):
    """Asserts in files that tests share, and most of the speed."""
    result = subprocess.run(
        ["make", "--eval=shown: ; @env", "shown"],
        cwd=ROOT, capture_output=True, text=True, timeout=600,
        env={**os.environ, name: "1", "OTHER": "1"},
    )  # fmt: skip
    found = {line.partition("=")[0] for line in result.stdout.splitlines()}
    assert "OTHER" in found and name not in found
