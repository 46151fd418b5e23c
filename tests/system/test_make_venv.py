# SPDX-License-Identifier: BSD-3-Clause
"""What makes the environments, on a Python that has what it takes and on one that has not."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_venv.py"


def make(directory: Path, change: str) -> subprocess.CompletedProcess[str]:
    """The script, run by a Python that `change` makes a different one."""
    code = f"import runpy, sys; {change}; runpy.run_path(sys.argv[0], run_name='__main__')"
    start = f"import sys; sys.argv = {[str(SCRIPT), str(directory)]}; {code}"
    return subprocess.run([sys.executable, "-c", start], capture_output=True, text=True)


@pytest.mark.nightly
def test_an_environment_with_pip(tmp_path):
    pytest.importorskip("ensurepip", reason="apt install python3-venv")
    done = make(tmp_path / "venv", "pass")
    assert (done.returncode, done.stderr) == (0, "")
    pip = [tmp_path / "venv/bin/python", "-m", "pip", "--version"]
    assert subprocess.run(pip, capture_output=True, text=True).stdout.startswith("pip 25.3 ")


def test_what_cannot_be_had_leaves_nothing(tmp_path, monkeypatch):
    pytest.importorskip("ensurepip", reason="apt install python3-venv")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    done = make(tmp_path / "venv", "pass")
    assert done.returncode == 1 and "pip==25.3" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize(
    ("change", "way_out"),
    [
        ("sys.modules['ensurepip'] = None", "apt install python3-venv"),
        ("sys.version_info = (3, 9, 2)", "make PYTHON="),
    ],
)
def test_a_python_that_makes_none(tmp_path, change, way_out):
    done = make(tmp_path / "venv", change)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and way_out in done.stderr
    assert not (tmp_path / "venv").exists()
