# SPDX-License-Identifier: BSD-3-Clause
"""The walk-through of CONTRIBUTING.md, followed in a copy of the tree: its patches apply, the new
kind of layer equals the golden model on the CPU, in the RTL and in HLS, and the tests would notice
a step left out."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATCHES = re.findall(r"^```diff\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text(), re.M | re.S)

GOLDEN = "tests/golden/test_golden_network.py"
ON_CPU = "tests/host/backends/test_cpu.py::TestEqualsGolden"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of what is under version control."""
    tree = tmp_path_factory.mktemp("walk-through")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    (tree / "build").mkdir()
    if (ROOT / "build/hls-headers").is_dir():  # what HLS kernels include, fetched once
        shutil.copytree(ROOT / "build/hls-headers", tree / "build/hls-headers", symlinks=True)
    (tree / "build/paths").mkdir()
    (tree / "build/paths/qnn_params").symlink_to(tree / "params")
    return tree


def call(tree: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    paths = [tree / "host", tree / "sim", tree / "build/paths"]
    return subprocess.run(
        [sys.executable, *command],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": ":".join(map(str, paths)), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
    )


def apply(tree: Path, patches: list[str]) -> None:
    for patch in patches:
        subprocess.run(["git", "apply", "-"], cwd=tree, input=patch, text=True, check=True)


@pytest.fixture(scope="module")
def followed(tree):
    """The tree with all patches; that of the CPU is the last, and the tests asked for it."""
    cpu = next(patch for patch in PATCHES if "backends/integer_conv.py" in patch)
    apply(tree, [patch for patch in PATCHES if patch != cpu])
    regs = call(tree, "scripts/gen_regs.py")
    assert regs.returncode == 0, regs.stderr
    without = call(tree, "-m", "pytest", "-x", ON_CPU)
    assert without.returncode == 1, "a CPU that knows no smallest codes passes its tests"
    apply(tree, [cpu])
    return tree


def test_patches_apply_and_the_cpu_equals_the_golden_model(followed):
    found = call(followed, "-m", "pytest", GOLDEN, ON_CPU)
    assert found.returncode == 0, found.stdout[-3000:]
    lint = call(followed, "scripts/lint_rtl.py", "small", "rtl_max_pool")
    assert lint.returncode == 0, lint.stdout + lint.stderr


@pytest.mark.nightly
def test_rtl_and_hls_equal_the_golden_model(followed):
    for tests in (
        "tests/rtl/test_engine.py::test_random_networks_equal_golden",
        "tests/hls/test_csim_engine.py::test_random_layers_equal_golden",
    ):
        found = call(followed, "-m", "pytest", tests, LAYERS="100")
        assert found.returncode == 0, found.stdout[-3000:]
