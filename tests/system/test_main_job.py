# SPDX-License-Identifier: BSD-3-Clause
"""A picture goes in, classes or boxes come out: the installed script on real weights."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import qnn
from qnn.commands.params import fetch
from qnn.store import library
from qnn.store.sources import SOURCES

QNN = Path(sys.executable).with_name("qnn")
BOXES = [(381, 116, 761, 154), (109, 236, 347, 545), (78, 72, 564, 496)]  # car, dog, bicycle


def run(*arguments, status: int = 0) -> str:
    """Standard output of the script; nothing may be on standard error."""
    result = subprocess.run(
        [QNN, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )
    assert (result.returncode, result.stderr) == (status, ""), result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def fetched(reference, tmp_path_factory):
    """A home with all networks that can be fetched; QNN_HOME names it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QNN_HOME", str(tmp_path_factory.mktemp("home")))
        for source in SOURCES.values():
            fetch(source, reference)
        yield


def test_the_shipped_model_knows_the_shipped_pictures(tmp_path):
    folder = library.shipped_directory().parent / "samples"
    pictures = sorted(folder.glob("*.png"))
    document = json.loads(run("classify", *pictures, "--model", "fashion-cnv", "--json"))
    best = [one["classes"][0]["name"].lower().replace(" ", "-") for one in document["results"]]
    assert sum(name == path.stem for name, path in zip(best, pictures, strict=True)) >= 8, best


def test_the_shipped_model_agrees_with_the_golden_model():
    folder = library.shipped_directory().parent / "samples"
    document = json.loads(run("verify", "--input", folder / "bag.png", "--json"))
    assert document["mismatches"] == 0
    assert [row["mismatches"] for row in document["layers"]] == [0] * len(document["layers"])


def test_sizes_in_the_repository():
    """The shipped network and pictures stay below 1 MiB."""
    files = [path for path in library.shipped_directory().parent.rglob("*") if path.is_file()]
    sizes = [path.stat().st_size for path in files if "__pycache__" not in path.parts]
    assert sum(sizes) < 1 << 20


@pytest.mark.parametrize(
    ("model", "file", "recorded"),
    [
        ("dorefanet", "tests/Test_image/dorefanet/input.bin", "test-vector"),
        ("dorefanet", "notebooks/imagenet-samples/n07920052_4.jpg", "n07920052_4"),
        ("tinier-yolo", "dog.png", "dog"),
    ],
)
def test_layer_by_layer(fetched, reference, tmp_path, model, file, recorded):
    """Every digest is the recorded one, on both paths: no value differs from the golden model.

    Recorded are the codes that the integer layers read (input), and what they give.
    """
    if file == "dog.png":
        rgb = np.load(reference / "derived" / "dog_rgb_darknet_decoder.npz")["rgb"]
        Image.fromarray(rgb).save(tmp_path / file)
        path = tmp_path / file
    else:
        path = reference / "qnn-mo-pynq" / file
    document = json.loads(run("verify", "--model", model, "--input", path, "--json"))
    assert (document["model"], document["backend"], document["mismatches"]) == (model, "cpu", 0)
    rows = {row.pop("layer"): row for row in document["layers"]}
    digests = json.loads((reference / "derived" / "layer_sha256.json").read_text())
    expected = {
        name: {"shape": shape, "sha256": digest, "mismatches": 0}
        for name, shape, digest in digests[f"{model}/{recorded}"]
    }
    assert all(row["mismatches"] == 0 for row in rows.values())
    if "conv0" in rows:
        rows["input"] = rows.pop("conv0")
    if "conv8" in rows:
        assert rows.pop("conv8") == rows["output"]
        rows["output"] = rows["conv7/9+10"]
    assert rows == expected


def test_dorefanet_without_its_last_layers_says_how_to_get_them(fetched, reference):
    picture = reference / "qnn-mo-pynq" / "notebooks" / "imagenet-samples" / "n07920052_4.jpg"
    result = subprocess.run(
        [QNN, "classify", picture, "--model", "dorefanet"], capture_output=True, text=True
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("qnn: ") and result.stderr.count("\n") == 1
    for part in ("dorefanet-fc-normalized.npy.bz2", "qnn params fetch dorefanet"):
        assert part in result.stderr


def test_tinier_yolo_from_the_original_pixels(fetched, reference):
    rgb = np.load(reference / "derived" / "dog_rgb_darknet_decoder.npz")["rgb"]
    with qnn.load("tinier-yolo") as model:
        objects = model.detect(rgb).objects
        fitting = model.detect(rgb, feature_scale="dequantized", threshold=0.2).objects
    assert [(o.name, f"{o.probability:.0%}") for o in objects] == [
        ("car", "86%"),
        ("dog", "86%"),
        ("bicycle", "78%"),
    ]
    assert [o.box for o in objects] == BOXES
    golden = reference / "qnn-mo-pynq" / "tests" / "Test_image" / "tinier-yolo"
    printed = "".join(f"{o.name}: {100 * o.probability:.0f}%\n" for o in objects)
    assert printed == (golden / "golden_probs_dog.txt").read_text()
    # On the values it was trained on, boxes differ and probabilities are lower.
    assert {o.name for o in fitting} <= {"car", "dog", "bicycle", "truck"} and fitting
    best = {o.name: o.probability for o in reversed(fitting)}
    assert all(best[o.name] < o.probability for o in objects if o.name in best)


def test_tinier_yolo_from_the_jpeg(fetched, reference, tmp_path):
    dog = reference / "qnn-mo-pynq" / "tests" / "Test_image" / "dog.jpg"
    result = subprocess.run(
        [QNN, "detect", dog, "--json", "--save", tmp_path / "boxes.png"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    (one,) = json.loads(result.stdout)["results"]
    assert [found["class"] for found in one["objects"]] == ["car", "dog", "bicycle"]
    for found, box in zip(one["objects"], BOXES, strict=True):
        assert found["probability"] > 0.7
        assert np.abs(np.array(found["box"]) - box).max() < 25
    with Image.open(tmp_path / "boxes.png") as drawn, Image.open(dog) as plain:
        assert drawn.size == plain.size
        changed = (np.asarray(drawn.convert("RGB")) != np.asarray(plain.convert("RGB"))).any(axis=2)
        assert 0.005 < changed.mean() < 0.2


def test_cnv_on_cifar_10(fetched, reference):
    dataset = reference / "derived" / "cifar10_test_500.npz"
    document = json.loads(run("eval", "--model", "cnv-w1a1", dataset, "--json"))
    assert {key: document[key] for key in ("model", "correct", "total")} == {
        "model": "cnv-w1a1",
        "correct": 398,
        "total": 500,
    }


def test_cnv_on_pictures(fetched, reference):
    folder = reference / "bnn-pynq"
    pictures = [folder / "tests" / "Test_image" / name for name in ("deer.jpg", "deer.bin")]
    pictures += sorted((folder / "notebooks" / "pictures").iterdir())
    document = json.loads(run("classify", *pictures, "--model", "cnv-w1a2", "--json"))
    best = [one["classes"][0]["name"] for one in document["results"]]
    assert best == ["Deer", "Deer", "Airplane", "Bird", "Automobile"]


@pytest.mark.parametrize("model", ["lfc-w1a1", "lfc-w1a2"])
def test_lfc_on_a_digit(fetched, reference, model):
    digit = reference / "bnn-pynq" / "tests" / "Test_image" / "3.image-idx3-ubyte"
    (one,) = json.loads(run("classify", digit, "--model", model, "--json"))["results"]
    assert one["classes"][0]["name"] == "3"


@pytest.mark.parametrize("model", ["cnv-w2a2", "lfc-w1a2"])
def test_fetched_networks_agree_with_the_golden_model(fetched, model):
    assert json.loads(run("verify", "--model", model, "--json"))["mismatches"] == 0
