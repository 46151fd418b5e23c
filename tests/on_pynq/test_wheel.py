# SPDX-License-Identifier: BSD-3-Clause
"""The wheel that goes to a board, installed as there, and what pynq makes of its entry points."""

import json
import os
import subprocess
import sys
from importlib.metadata import Distribution
from pathlib import Path

import pytest

pytest.importorskip("pynq", reason="needs pynq: make test-pynq")

from overlay_files import write_overlay

import deploy

NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def pip(*arguments: object) -> None:
    quiet = ("--quiet", "--disable-pip-version-check")
    subprocess.run([sys.executable, "-m", "pip", *map(str, arguments), *quiet], check=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the wheel in it, made by scripts/deploy.py with one more notebook."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    deploy.stage(write_overlay(folder / "board", interrupt=False), source)
    (source / "python/qnn_notebooks" / "of_this_test.ipynb").write_text(json.dumps(NOTEBOOK))
    command = deploy.pip_wheel(source, folder / "out")
    subprocess.run([str(word) for word in command], check=True)
    (wheel,) = (folder / "out").glob("qnn-*-py3-none-any.whl")
    pip("install", "--no-index", "--no-deps", "--target", folder / "site", wheel)
    return folder / "site"


def run(installed: Path, folder: Path, *command: object) -> str:
    """What a command prints where the installed wheel comes before everything else."""
    path = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-W", "ignore", *map(str, command)],
        cwd=folder,
        env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_overlay_is_in_it(installed):
    for name in ("qnn.bit", "qnn.hwh"):
        assert (installed / "qnn/overlays/qnn" / name).stat().st_size > 0


def test_entry_points(installed):
    (info,) = installed.glob("qnn-*.dist-info")
    points = {(p.group, p.name): p.value for p in Distribution.at(info).entry_points}
    assert points == {
        ("console_scripts", "qnn"): "qnn.cli:main",
        ("pynq.overlays", "qnn"): "qnn.overlays",
        ("pynq.lib", "qnn"): "qnn.platforms.pynq_ip",
        ("pynq.notebooks", "qnn"): "qnn_notebooks",
    }


def test_the_package_finds_its_bitstream(installed, tmp_path):
    code = "from qnn.platforms.overlay import *; read_design(BITSTREAM); print(BITSTREAM)"
    assert run(installed, tmp_path, "-c", code) == f"{installed}/qnn/overlays/qnn/qnn.bit\n"


def test_pynq_delivers_the_notebooks(installed, tmp_path):
    get = ("-c", "from pynq._cli.get_notebooks import main; main()")
    assert "qnn (source: qnn_notebooks)" in run(installed, tmp_path, *get, "--list")
    options = ("--force", "--quiet", "--ignore-overlays", "--path", tmp_path / "jupyter")
    run(installed, tmp_path, *get, "qnn", *options)
    assert (tmp_path / "jupyter" / "qnn" / "of_this_test.ipynb").is_file()
