# SPDX-License-Identifier: BSD-3-Clause
"""qnn detect: what it prints and draws, by a small network whose answers are known."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qnn.model import load
from qnn.store import library

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture
def scene(tmp_path) -> Path:
    """128 x 128 pixels; the detector sees cells of 32: one red, one blue."""
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[0:32, 64:96] = RED
    pixels[96:128, 0:32] = BLUE
    path = tmp_path / "scene.png"
    Image.fromarray(pixels).save(path)
    return path


def detect(cli, detector, *arguments) -> list:
    return cli("detect", *arguments, "--model", detector, "--json").document["results"]


def test_json(cli, detector, scene):
    results = detect(cli, detector, scene, scene)
    assert len(results) == 2
    for one in results:
        assert set(one) == {"image", "objects", "times_us"}
        assert one["image"] == str(scene)
        assert set(one["times_us"]) == {"decode", "first_layer", "offload", "last_layers"}
        assert all(set(found) == {"class", "probability", "box"} for found in one["objects"])
        objects = [(found["class"], found["box"]) for found in one["objects"]]
        assert objects == [("red", [64, 0, 96, 32]), ("blue", [0, 96, 32, 127])]
        for found in one["objects"]:
            # Sigmoid of 4 times the share of the class.
            assert found["probability"] == pytest.approx(1 / (1 + np.exp(-4)), rel=1e-3)


def test_json_is_that_of_the_programming_interface(cli, detector, scene):
    (one,) = detect(cli, detector, scene)
    with load(detector) as model:
        expected = [
            {"class": o.name, "probability": o.probability, "box": list(o.box)}
            for o in model.detect(scene).objects
        ]
    assert one["objects"] == expected


def test_threshold(cli, detector, scene):
    assert len(detect(cli, detector, scene, "--threshold", "0.98")[0]["objects"]) == 2
    assert detect(cli, detector, scene, "--threshold", "0.99")[0]["objects"] == []


def test_feature_scale(cli, detector, scene):
    """Codes times 4/7 do not reach this detector's objectness: 8 * 3 * 4/7 - 20 < 0."""
    published = detect(cli, detector, scene, "--feature-scale", "published")
    assert len(published[0]["objects"]) == 2
    assert detect(cli, detector, scene, "--feature-scale", "dequantized")[0]["objects"] == []


def test_text(cli, detector, scene, tmp_path):
    Image.new("RGB", (50, 70)).save(tmp_path / "dark.png")
    result = cli("detect", scene, tmp_path / "dark.png", "--model", detector)
    assert (result.status, result.err) == (0, "")
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    assert lines[:5] == [
        str(scene),
        "98% red (64, 0) - (96, 32)",
        "98% blue (0, 96) - (32, 127)",
        str(tmp_path / "dark.png"),
        "nothing found",
    ]
    assert f"model {detector} on cpu" in result.out
    assert {"stage", "decode", "first_layer", "offload", "last_layers", "all"} <= {
        line.split()[0] for line in lines[6:] if line
    }


def test_save(cli, detector, scene, tmp_path):
    target = tmp_path / "boxes.png"
    result = cli("detect", scene, "--model", detector, "--save", target, "--json")
    assert len(result.document["results"][0]["objects"]) == 2
    assert str(target) in result.err
    before, after = (np.asarray(Image.open(path).convert("RGB")) for path in (scene, target))
    assert after.shape == before.shape
    assert (after != before).any(axis=2).mean() > 0.02  # boxes and labels
    assert {path.name for path in tmp_path.iterdir()} == {"scene.png", "boxes.png", "home"}


def test_what_the_detector_sees_in_the_margin_is_no_object(cli, detector, tmp_path):
    """The grey above and below a wide picture is as bright as an object."""
    Image.new("RGB", (128, 32)).save(tmp_path / "wide.png")
    (one,) = detect(cli, detector, tmp_path / "wide.png", "--save", tmp_path / "boxes.png")
    assert one["objects"] == []
    assert (tmp_path / "boxes.png").exists()


def test_save_of_several(cli, detector, scene, tmp_path):
    Image.new("RGB", (50, 70)).save(tmp_path / "dark.png")
    target = tmp_path / "boxes.png"
    images = [scene, tmp_path / "dark.png"]
    assert cli("detect", *images, "--model", detector, "--save", target).status == 0
    for image in images:
        drawn = target.with_name(f"boxes-{image.stem}.png")
        with Image.open(drawn) as one, Image.open(image) as other:
            assert one.size == other.size
    assert not target.exists()


def test_save_of_two_pictures_with_one_name(cli, detector, scene, tmp_path, nothing_runs):
    (tmp_path / "other").mkdir()
    again = tmp_path / "other" / "scene.png"
    again.write_bytes(scene.read_bytes())
    message = cli.refused(
        "detect", scene, again, "--model", detector, "--save", tmp_path / "boxes.png"
    )
    assert "same name" in message


@pytest.mark.parametrize("name", ["none/a.png", "folder", "scene.png/a.png", "", ".", "..", "/"])
def test_save_where_nothing_can_be_written(
    cli, detector, scene, tmp_path, name, monkeypatch, nothing_runs
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    cli.refused("detect", scene, "--model", detector, "--save", name)
    cli.refused("detect", scene, "other.png", "--model", detector, "--save", name)


@pytest.mark.parametrize("size", [(2000, 1), (1, 2000)])
def test_a_picture_that_a_letterbox_cannot_hold(cli, detector, tmp_path, size):
    Image.new("RGB", size).save(tmp_path / "line.png")
    message = cli.refused("detect", tmp_path / "line.png", "--model", detector)
    assert "too long and thin" in message


def test_a_missing_picture(cli, detector, scene, tmp_path):
    missing, target = tmp_path / "none.png", tmp_path / "boxes.png"
    result = cli("detect", missing, scene, "--model", detector, "--json", "--save", target)
    assert result.status == 1
    document = result.partial_document
    assert [one["image"] for one in document["results"]] == [str(scene)]
    assert len(document["results"][0]["objects"]) == 2
    assert [one["image"] for one in document["errors"]] == [str(missing)]
    assert str(missing) in document["errors"][0]["error"]
    assert result.err.endswith("qnn: searched 1 of 2 pictures\n")
    assert (tmp_path / "boxes-scene.png").exists()


def test_a_picture_that_only_the_model_refuses(cli, detector, scene, tmp_path):
    """It is named, although the reason is its shape."""
    Image.new("RGB", (2000, 1)).save(tmp_path / "line.png")
    result = cli("detect", tmp_path / "line.png", scene, "--model", detector)
    assert result.status == 1 and str(scene) in result.out
    assert result.err.startswith(f"qnn: {tmp_path / 'line.png'}: a picture of 2000 x 1 is too long")


def test_ctrl_c_in_a_long_list(cli, detector, scene, interrupt_at):
    interrupt_at(1)
    result = cli("detect", *[scene] * 9, "--model", detector, "--json")
    assert result.status == 130
    assert result.err == "qnn: interrupted: searched 8 of 9 pictures\n"
    results = result.partial_document["results"]
    assert [len(one["objects"]) for one in results] == [2] * 8


def test_a_disk_that_is_full_on_the_way(cli, detector, scene, tmp_path, monkeypatch):
    Image.new("RGB", (50, 70)).save(tmp_path / "dark.png")
    images, save = [scene, tmp_path / "dark.png"], Image.Image.save

    def full(image, path, **options):
        if image.size == (50, 70):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(image, path, **options)

    monkeypatch.setattr(Image.Image, "save", full)
    result = cli("detect", *images, "--model", detector, "--save", tmp_path / "boxes.png", "--json")
    assert result.status == 1
    document = result.partial_document
    assert [one["image"] for one in document["results"]] == [str(path) for path in images]
    (error,) = document["errors"]
    assert error["image"] == str(images[1]) and "No space left" in error["error"]
    drawn = {path.name for path in tmp_path.iterdir()} - {"home"}
    assert drawn == {"scene.png", "dark.png", "boxes-scene.png"}


def test_save_over_a_picture_that_is_read(cli, detector, scene, tmp_path, nothing_runs):
    other = tmp_path / "boxes-scene.png"
    other.write_bytes(scene.read_bytes())
    for images, target in (([scene], scene), ([scene, other], tmp_path / "boxes.png")):
        message = cli.refused("detect", *images, "--model", detector, "--save", target)
        assert "another name" in message


def test_a_fifo(cli, detector, scene, tmp_path, piped):
    fifo, target = piped(scene.read_bytes(), "fifo"), tmp_path / "boxes.png"
    (one,) = detect(cli, detector, fifo, "--save", target)
    (expected,) = detect(cli, detector, scene)
    assert one["objects"] == expected["objects"]
    with Image.open(target) as drawn:
        assert drawn.size == (128, 128)


def test_a_model_that_classifies(cli, scene, nothing_runs):
    message = cli.refused("detect", scene, "--model", "fashion-cnv")
    assert "fashion-cnv" in message and "classify" in message


def test_the_default_model_is_not_installed(cli, scene):
    assert "qnn params fetch tinier-yolo" in cli.refused("detect", scene)


def test_unknown_backend(cli, detector, scene):
    cli.refused("detect", scene, "--model", detector, "--backend", "nothing")


def test_a_damaged_model(cli, detector, scene):
    tensors = library.models_directory() / detector / "tensors.npz"
    tensors.write_bytes(tensors.read_bytes()[:100])
    assert "tensors.npz" in cli.refused("detect", scene, "--model", detector)


def test_on_the_simulated_accelerator(cli, detector, scene, sim):
    document = cli("detect", scene, "--model", detector, "--backend", "sim", "--json").document
    assert document["accelerator"] == {"clock_mhz": 100.0, "times": "modelled"}
    (one,) = document["results"]
    assert one["objects"] == detect(cli, detector, scene)[0]["objects"]
    assert one["accelerator_ms"] == pytest.approx(one["cycles"] / 100_000)
