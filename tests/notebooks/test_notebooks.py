# SPDX-License-Identifier: BSD-3-Clause
"""Every notebook runs to its end, on a machine with nothing installed and with the parameters."""

import base64
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qnn.cli import main

nbformat = pytest.importorskip("nbformat", reason="the extra notebooks is not installed")
nbclient = pytest.importorskip("nbclient", reason="the extra notebooks is not installed")

FOLDER = Path(__file__).parents[2] / "notebooks"
PLOTS = {
    "1-imagenet-dorefanet": 4,
    "2-shipped-model": 3,
    "3-cifar10-cnv": 2,
    "4-object-detection": 3,
    "5-live": 1,
}
NEEDS = {
    "1-imagenet-dorefanet": ("dorefanet",),
    "3-cifar10-cnv": ("cnv-w1a1", "cnv-w2a2"),
    "4-object-detection": ("tinier-yolo",),
    "5-live": ("tinier-yolo",),
}


@pytest.fixture(scope="session")
def matplotlib(made_once) -> Path:
    """A folder in which it has listed the fonts of this machine, which takes it seconds."""

    def make(folder):
        command = [sys.executable, "-c", "import matplotlib.font_manager"]
        subprocess.run(command, env={**os.environ, "MPLCONFIGDIR": str(folder)}, check=True)

    return made_once("matplotlib", make)


@pytest.fixture
def run(tmp_path, monkeypatch, matplotlib):
    """run(name) is all that a notebook prints; its plots are looked at on the way."""
    monkeypatch.setenv("QNN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLCONFIGDIR", str(matplotlib))

    def execute(name: str) -> str:
        notebook = nbformat.read(FOLDER / f"{name}.ipynb", 4)
        for cell in notebook.cells:  # the camera of a laptop is not looked through
            cell.source = cell.source.replace('SOURCE, FRAMES = "0"', 'SOURCE, FRAMES = "999"')
        client = nbclient.NotebookClient(
            notebook,
            timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": str(tmp_path)}},
        )
        client.execute()
        outputs = [o for cell in notebook.cells for o in cell.get("outputs", ())]
        errors = [o.text for o in outputs if o.get("name") == "stderr"]
        assert errors == []
        plots = [o.data["image/png"] for o in outputs if "image/png" in o.get("data", ())]
        assert len(plots) == PLOTS[name]
        for plot in plots:
            assert_is_a_picture(base64.b64decode(plot))
        return "".join(o.text for o in outputs if o.output_type == "stream")

    return execute


def assert_is_a_picture(raw: bytes) -> None:
    """Neither empty nor of one colour, and of a size that fits a page."""
    image = Image.open(io.BytesIO(raw))
    assert 150 <= image.width <= 1400 and 100 <= image.height <= 1400
    assert np.asarray(image.convert("L")).std() > 5


def test_notebooks_are_those_tested():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(PLOTS)
    page = (FOLDER / "README.md").read_text()
    assert set(re.findall(r"\(([\w-]+)\.ipynb\)", page)) == set(PLOTS)


@pytest.mark.parametrize("name", PLOTS)
def test_kept_without_outputs(name):
    notebook = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert notebook["cells"][0]["cell_type"] == "markdown"
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None


@pytest.mark.parametrize("name", PLOTS)
def test_on_a_fresh_machine(name, run):
    printed = run(name)
    for model in NEEDS.get(name, ())[:1]:
        assert f"run `qnn params fetch {model}`.\nUntil then" in printed
    if name == "2-shipped-model":
        assert printed.count(" 0 values differ") == 11 and "Fashion-MNIST" in printed
    if name == "4-object-detection":
        assert len(re.findall(r"^\w.*% +\(\d+, \d+, \d+, \d+\)$", printed, re.M)) == 10
    if name == "5-live":
        assert "Until then frames are made." in printed
        found = re.search(r"^20 frames looked at, (\d+) came; the last one:\n *\d", printed, re.M)
        assert int(found[1]) >= 20 and re.search(r"^decode +\d+\.\d ms$", printed, re.M)


@pytest.mark.parametrize(
    "name",
    [n if n != "5-live" else pytest.param(n, marks=pytest.mark.nightly) for n in NEEDS],
)
def test_with_the_parameters(name, run, reference, tmp_path):
    for model in NEEDS[name]:
        assert main(["params", "fetch", model, "--mirror", str(reference)]) == 0
    folder = tmp_path / "pictures"
    folder.mkdir()
    if name == "5-live":
        assert "Until then frames are made." in (printed := run(name))
        assert printed.count("Until then") == 1 and "a second, " in printed
        return
    path = {
        "1-imagenet-dorefanet": "qnn-mo-pynq/notebooks/imagenet-samples/n07920052_4.jpg",
        "3-cifar10-cnv": "bnn-pynq/tests/Test_image/deer.jpg",
        "4-object-detection": "qnn-mo-pynq/tests/Test_image/dog.jpg",
    }[name]
    (folder / Path(path).name).symlink_to(reference / path)
    printed = run(name)
    assert "Until then" not in printed
    if name == "1-imagenet-dorefanet":
        assert "codes (54, 54, 68), from 0 to 3" in printed
        assert "1032 million products gave (6, 6, 256), uint8" in printed
        assert re.search(r"demonstration, published +655.00 ms +80.00 ms +569.00 ms", printed)
    if name == "3-cifar10-cnv":
        assert re.search(r"^cnv-w1a1 +Deer ", printed, re.M)
        assert "run `qnn params fetch cnv-w1a2`" in printed  # the one that is not installed
    if name == "4-object-detection":
        assert {"dog", "bicycle", "car"} <= set(re.findall(r"^(\w+) +\d", printed, re.M))
