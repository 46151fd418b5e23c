# SPDX-License-Identifier: BSD-3-Clause
"""The worked example: what its page says can be done, and the same from the training on."""

import importlib.util
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest

from qnn.backends import BACKENDS
from qnn.cli import main
from qnn.model import load
from qnn.pictures.dataset import read_idx

onnx = pytest.importorskip("onnx", reason="the extra qonnx is not installed")

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "bring_your_own"
DATASET = Path(os.environ.get("DATASET", "/usr/share/datasets/fashion-mnist"))

needs_dataset = pytest.mark.skipif(
    not DATASET.is_dir(), reason=f"{DATASET} is missing: apt install dataset-fashion-mnist"
)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("QNN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(ROOT)
    return tmp_path / "home"


def commands() -> list[list[str]]:
    """The qnn commands on the page, without the name of the command."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (EXAMPLE / "README.md").read_text(), re.M | re.S)
    lines = [shlex.split(line, comments=True) for line in "".join(blocks).splitlines()]
    return [words[1:] for words in lines if words[:1] == ["qnn"]]


def test_every_command_of_the_page(home, capsys):
    done = set()
    for words in commands():
        backend = words[words.index("--backend") + 1] if "--backend" in words else "cpu"
        missing = BACKENDS[backend].unavailable()
        if missing or (words[0] == "eval" and not DATASET.is_dir()):
            continue
        if words[0] == "eval":
            words[-1] = str(DATASET)
        assert main(words) == 0, words
        out = capsys.readouterr().out
        done.add((words[0], backend))
        if words[0] == "verify":
            assert f"model mine on {backend}: equal to the golden model" in out
        if words[0] == "classify":
            assert re.search(r"^ *\d+\.\d+% +Bag\n", out, re.M)
            assert out.index("Bag") < out.index("Pullover")  # the most probable comes first
        if words[0] == "eval":
            assert "87.14%" in out
    assert {("params", "cpu"), ("verify", "cpu")} <= done


def test_scores_of_the_reference_executor(home):
    pytest.importorskip("qonnx", reason="the reference executor is not installed")
    from foreign_qonnx import execute

    assert main(["params", "import", "qonnx", str(EXAMPLE / "model.onnx"), "--name", "mine"]) == 0
    reference = onnx.load(EXAMPLE / "model.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 28, 28, 1), dtype=np.uint8)
    with load("mine", "cpu") as model:
        scores = model.network.result.scores(model.run(pixels))
    for picture, found in zip(pixels, scores, strict=True):
        x = (picture.astype(np.float32) / np.float32(255)).transpose(2, 0, 1)[None]
        (want,) = execute(reference, x).values()
        assert found.tolist() == want[0].tolist()


@needs_dataset
def test_from_the_training_on(tmp_path):
    """run.sh with a budget of seconds; PyTorch and the integers are right equally often."""
    for package in ("torch", "brevitas"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed; `make example` installs it")
    small = tmp_path / "dataset"
    small.mkdir()
    for path in DATASET.glob("*.gz"):
        whole = read_idx(path)
        count = 400 if path.name.startswith("t10k") else 1000
        header = bytes([0, 0, 8, whole.ndim])
        sides = np.array([count, *whole.shape[1:]], ">u4").tobytes()
        (small / path.stem).write_bytes(header + sides + whole[:count].tobytes())
        (small / path.stem).rename(small / path.name)
    output = tmp_path / "output"
    run = [EXAMPLE / "run.sh", small, output, "--epochs", "1"]
    result = subprocess.run(run, capture_output=True, text=True, timeout=900, check=False)
    assert result.returncode == 0, result.stderr
    pytorch = re.search(r"PyTorch: (\S+%) of 400", result.stdout)
    assert pytorch and re.search(rf"^all .* {re.escape(pytorch[1])}", result.stdout, re.M)
    for backend in ("cpu", "sim"):
        assert f"model mine on {backend}: equal to the golden model" in result.stdout
    network = json.loads((output / "home/models/mine/network.json").read_text())
    assert network["classes"][8] == "Bag"


def test_help():
    command = [EXAMPLE / "run.sh", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "example: run.sh" in result.stdout
    assert subprocess.run([EXAMPLE / "run.sh"], capture_output=True, check=False).returncode == 2
