# SPDX-License-Identifier: BSD-3-Clause
"""The interface of three lines: a model, a picture in any form, results."""

import dataclasses
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from random_networks import KINDS

import qnn
from qnn import store
from qnn.errors import BackendError, PictureError, QnnError
from qnn.model import Class, Classification, Detections, Model, Object
from qnn.network import PictureInput
from qnn.store import library


@pytest.fixture
def pixels(samples) -> np.ndarray:
    return np.asarray(Image.open(samples[0]))


def test_three_lines(samples):
    model = qnn.load("fashion-cnv")
    result = model.classify(samples[0])
    best = result.classes[0]
    assert isinstance(result, qnn.Classification)
    assert best.name == model.network.classes[best.index] and 0 < best.probability <= 1


def test_the_lines_in_the_documentation_of_the_package_run(samples, tmp_path):
    lines = qnn.__doc__.splitlines()[2:]
    assert lines[0] == "import qnn" and len([line for line in lines if line]) == 3
    (tmp_path / "picture.png").write_bytes(samples[0].read_bytes())
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent("\n".join(lines))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.stderr == "" and "Class(index=" in result.stdout


def test_every_form_of_a_picture(samples, pixels, home):
    with qnn.load() as model:
        expected = model.classify(samples[0])
        forms = {
            str(samples[0]): str(samples[0]),
            "picture": Image.open(samples[0]),
            " picture": pixels,
            "  picture": pixels[..., None],
            "   picture": np.repeat(pixels[..., None], 3, axis=2),
        }
        for name, form in forms.items():
            result = model.classify(form)
            assert result.classes == expected.classes
            assert result.image == name.strip()
    assert expected.image == str(samples[0])


def test_top(pixels):
    with qnn.load() as model:
        every = model.classify(pixels, top=1000).classes
        assert len(model.classify(pixels).classes) == 5
        for top in (-1, 0, 1, 3, 10):
            assert model.classify(pixels, top).classes == every[: max(top, 0)]
    assert [c.index for c in every] == sorted(range(10), key=lambda i: order(every, i))
    assert sum(c.probability for c in every) == pytest.approx(1)


def order(classes, index):
    """By probability, the largest first; of equals the lower index first."""
    return next((-c.probability, c.index) for c in classes if c.index == index)


def test_of_equals_the_first_comes_first(pixels):
    with qnn.load() as model:
        result = dataclasses.replace(model.network.result, scale=1e-300)  # all equal
        model.network = dataclasses.replace(model.network, result=result)
        for top in (3, 10):
            assert [c.index for c in model.classify(pixels, top).classes] == list(range(top))


def test_times(pixels, detector):
    stages = ["decode", "first_layer", "offload", "last_layers"]
    for result in (
        qnn.load().classify(pixels),
        qnn.load(detector).detect(np.zeros((64, 64, 3), np.uint8)),
    ):
        assert list(result.times_us) == stages
        assert all(type(time) is int and time >= 0 for time in result.times_us.values())


def test_results_of_the_same_picture_are_equal(pixels):
    """Times are measured anew, and do not count."""
    with qnn.load() as model:
        assert model.classify(pixels) == model.classify(pixels)
    a = Classification("a", [Class(1, "x", 0.5)], {"decode": 1})
    assert a == Classification("a", [Class(1, "x", 0.5)], {"decode": 2})
    assert a != Classification("b", [Class(1, "x", 0.5)], {"decode": 1})
    d = Detections("a", [Object("x", 0.5, (0, 1, 2, 3))], {})
    assert d == Detections("a", [Object("x", 0.5, (0, 1, 2, 3))], {"decode": 1})


def test_detect(detector, tmp_path):
    scene = np.zeros((64, 64, 3), np.uint8)
    scene[16:32, 32:48] = (255, 0, 0)
    Image.fromarray(scene).save(tmp_path / "scene.png")
    with qnn.load(detector) as model:
        for form in (scene, Image.fromarray(scene), tmp_path / "scene.png"):
            (found,) = model.detect(form).objects
            assert (found.name, found.box) == ("red", (32, 16, 48, 32))
            assert found.probability == pytest.approx(1 / (1 + np.exp(-4)), rel=1e-3)
        assert model.detect(scene, threshold=0.99).objects == []
        assert model.detect(scene, feature_scale="dequantized").objects == []
        with pytest.raises(QnnError, match=r"'other'.*published, dequantized"):
            model.detect(scene, feature_scale="other")


def test_boxes_are_in_pixels_of_the_picture(detector):
    """The same scene at twice its size, and in a letterbox, gives the same places."""
    scene = np.zeros((32, 64, 3), np.uint8)
    scene[0:16, 0:16] = (0, 0, 255)
    with qnn.load(detector) as model:
        (found,) = (o for o in model.detect(scene).objects if o.box[3] > 0 and o.box[1] < 31)
        assert (found.name, found.box) == ("blue", (0, 0, 16, 16))
        twice = scene.repeat(2, axis=0).repeat(2, axis=1)
        (found,) = (o for o in model.detect(twice).objects if o.box[3] > 0 and o.box[1] < 63)
        assert (found.name, found.box) == ("blue", (0, 0, 32, 32))


def test_the_wrong_task(pixels, detector):
    with qnn.load() as model, pytest.raises(QnnError, match=r"fashion-cnv classifies .* classify"):
        model.detect(pixels)
    with qnn.load(detector) as model, pytest.raises(QnnError, match=r"blobs detects .* detect"):
        model.classify(pixels)


@pytest.mark.parametrize("stage", ["picture", "result"])
def test_a_model_without_its_picture_or_its_result(pixels, detector, stage):
    for name, run in (("fashion-cnv", "classify"), (detector, "detect")):
        network = dataclasses.replace(
            library.find(name), **{stage: None}, missing=("Its head is missing.",)
        )
        with Model(network) as model:
            with pytest.raises(QnnError, match=f"{name} is incomplete: Its head is missing"):
                getattr(model, run)(pixels)
            dtype = np.float32 if network.in_bits is None else np.uint8
            maps = np.zeros((1, *network.in_shape), dtype)
            assert model.run(maps).shape == (1, *network.out_shape)  # the layers still run
    network = dataclasses.replace(network, missing=())
    with pytest.raises(QnnError, match=r"blobs is incomplete: its picture or its result"):
        Model(network).detect(pixels)


def test_run_and_trace(pixels):
    with qnn.load() as model:
        tensor = model.tensor(pixels)
        batch = np.stack([tensor, 255 - tensor])
        maps = list(model.trace(batch))
        assert [one.shape[1:] for one in maps] == [
            layer.out_shape for layer in model.network.layers
        ]
        assert np.array_equal(maps[-1], model.run(batch))
        assert np.array_equal(maps[-1][:1], model.run(batch[:1]))
        behind = list(model.trace(maps[2], 3))
        assert len(behind) == len(maps) - 3
        assert all(np.array_equal(a, b) for a, b in zip(behind, maps[3:], strict=True))


def test_tensor(pixels, samples, detector):
    with qnn.load() as model:
        assert np.array_equal(model.tensor(pixels), pixels[..., None])
        assert np.array_equal(model.tensor(samples[0]), pixels[..., None])
    with qnn.load(detector) as model:
        assert model.tensor(pixels).dtype == np.float32
        assert model.tensor(pixels).shape == (64, 64, 3)


def test_places(detector):
    with qnn.load(detector) as model:
        assert [(one.where, one.why) for one in model.places] == [
            ("host", "this backend has no accelerator")
        ] * 3


def test_a_feature_scale_for_a_layer_without_a_unit(detector):
    """Only a last layer that reads codes can have their unit changed."""
    network = library.find(detector)
    layers = (*network.layers[:2], dataclasses.replace(network.layers[2], unit=None))
    with Model(dataclasses.replace(network, layers=layers), "cpu") as model:
        scene = np.zeros((64, 64, 3), np.uint8)
        model.detect(scene)
        with pytest.raises(QnnError, match="blobs knows only the feature scale published"):
            model.detect(scene, feature_scale="dequantized")


def test_refused_pictures(tmp_path):
    with qnn.load() as model:
        for wrong in (tmp_path / "none.png", tmp_path, None, 3, np.zeros((4, 4)), b"picture"):
            with pytest.raises(PictureError):
                model.classify(wrong)


@pytest.mark.parametrize("run", ["classify", "detect"])
def test_pictures_that_cannot_be_read_are_skipped(pixels, detector, tmp_path, run):
    bad = (tmp_path / "none.png", np.zeros((4, 4)))
    pictures, skipped = [bad[0], pixels, bad[1], 255 - pixels], []
    with qnn.load({"classify": "fashion-cnv", "detect": detector}[run]) as model:
        every, one = getattr(model, f"{run}_all"), getattr(model, run)
        results = list(every(pictures, skip=lambda *why: skipped.append(why)))
        assert results == [one(picture) for picture in pictures[1::2]]
        with pytest.raises(PictureError):
            list(every(pictures))
    assert [picture for picture, _ in skipped] == list(bad)
    assert all(isinstance(error, PictureError) for _, error in skipped)


def test_a_picture_that_no_memory_is_left_for(pixels, monkeypatch):
    """Of a list it is one picture, not its end."""
    tensor, skipped = PictureInput.tensor, []

    def full(seen_by, picture):
        if picture.size == (9, 9):
            raise MemoryError
        return tensor(seen_by, picture)

    monkeypatch.setattr(PictureInput, "tensor", full)
    with qnn.load() as model:
        pictures = [np.zeros((9, 9), np.uint8), pixels]
        (only,) = model.classify_all(pictures, skip=lambda _, error: skipped.append(error))
        assert only == model.classify(pixels)
    (error,) = skipped
    assert isinstance(error, PictureError) and "does not fit into memory" in str(error)


def test_a_refusal_for_the_shape_of_a_picture_names_it(detector, tmp_path):
    Image.new("L", (2000, 1)).save(tmp_path / "line.png")
    with qnn.load(detector) as model, pytest.raises(PictureError, match=r"line\.png: .*too long"):
        model.detect(tmp_path / "line.png")


def test_models_by_name_and_by_directory(pixels, home):
    shipped = library.shipped_directory() / "fashion-cnv"
    expected = qnn.load().classify(pixels)
    for form in ("fashion-cnv", shipped, str(shipped), f"{shipped}/"):
        assert qnn.load(form).classify(pixels) == expected
    for wrong in ("nothing", shipped / "none", "", Path(".")):
        with pytest.raises(QnnError):
            qnn.load(wrong)
    with pytest.raises(QnnError, match="qnn params fetch lfc-w1a1"):
        qnn.load("lfc-w1a1")


def test_a_relative_directory(pixels, home, tmp_path, monkeypatch):
    (tmp_path / "nets" / "mine").mkdir(parents=True)
    store.save(library.find("fashion-cnv"), tmp_path / "nets" / "mine")
    monkeypatch.chdir(tmp_path / "nets")
    assert qnn.load("./mine").classify(pixels) == qnn.load().classify(pixels)
    with pytest.raises(QnnError, match="'mine'"):  # a bare word is a name
        qnn.load("mine")


def test_backends(pixels):
    assert qnn.load().backend == "cpu"
    results = [qnn.load(backend=name).classify(pixels) for name in ("auto", "cpu", "golden")]
    assert results[0] == results[1] == results[2]
    with pytest.raises(BackendError, match=r"'nothing'.*auto, .*cpu"):
        qnn.load(backend="nothing")


def test_a_damaged_model(damaged_model):
    with pytest.raises(QnnError):
        qnn.load(damaged_model)


def test_a_first_layer_wished_where_there_is_no_accelerator():
    with pytest.raises(BackendError, match=r"layer pixels cannot run .* backend cpu has none"):
        qnn.load(backend="cpu", first="accelerator")
    with qnn.load(backend="cpu", first="host") as model:
        assert model.places[0].where == "host"


def test_what_is_decoded_before_is_looked_at_later(samples):
    with qnn.load("fashion-cnv", "cpu") as model:
        decoded = [model.decode(path) for path in samples]
        assert [one.name for one in decoded] == [str(path) for path in samples]
        assert decoded[0].size == (28, 28) and decoded[0].decode_us > 0
        assert (decoded[0].tensor == model.tensor(samples[0])).all()
        assert model.decode(decoded[0]) is decoded[0]
        results = list(model.classify_all(decoded))
        assert results == list(model.classify_all(samples))
        assert results[0].times_us["decode"] == decoded[0].decode_us


def test_pictures_are_opened_ahead_in_a_thread(samples, tmp_path, monkeypatch):
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"no picture")
    decode, threads, taken, skipped = Model.decode, set(), [], []

    def noting(self, picture):
        threads.add(threading.current_thread())
        return decode(self, picture)

    def given():
        for path in [samples[0], damaged, *samples[1:]]:
            taken.append(path)
            yield path

    monkeypatch.setattr(Model, "decode", noting)
    with qnn.load("fashion-cnv", "cpu") as model:
        expected = list(model.classify_all(samples))
        assert threads == {threading.current_thread()}
        threads.clear()
        found = []
        for one in model.classify_all(given(), skip=lambda *both: skipped.append(both), ahead=3):
            found.append(one)
            # four run together, and while they do the next three are opened
            behind = -(-len(found) // 4) * 4 + 3 + len(skipped)
            assert len(taken) == min(behind, 11)
        assert found == expected and [path for path, _ in skipped] == [damaged]
        assert len(threads) == 1 and threads != {threading.current_thread()}
        with pytest.raises(PictureError):
            list(model.classify_all(given(), ahead=1))


def test_small_pictures_share_weights_on_an_accelerator(sim, samples):
    network = KINDS["scoring"](np.random.default_rng(1))
    with Model(network, "sim") as model:
        assert model.together == model.batch == 4
        one_by_one = list(model.classify_all(samples))
        found = list(model.classify_all(samples, ahead=3))
        assert [one.classes for one in found] == [one.classes for one in one_by_one]
        cycles = [sum(one.cycles for one in some[:8]) for some in (found, one_by_one)]
        assert cycles[0] < 0.3 * cycles[1]


def test_small_pictures_run_together_on_a_processor(samples, tmp_path, monkeypatch):
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"no picture")
    with qnn.load("fashion-cnv", "cpu") as model:
        one_by_one, sizes = list(model.classify_all(samples)), []
        stream = model._session.stream

        def noting(batches, last):
            return stream((sizes.append(len(batch)) or batch for batch in batches), last)

        monkeypatch.setattr(model._session, "stream", noting)
        skipped, given = [], [samples[0], damaged, *samples[1:]]
        found = list(model.classify_all(given, skip=lambda *both: skipped.append(both), ahead=7))
        assert found == one_by_one and len(skipped) == 1
        assert model.together == 8 and sizes == [8, len(samples) - 8]
        assert all(result.times_us["offload"] > 0 for result in found)

        told = []
        with pytest.raises(PictureError, match="is not a picture"):
            told.extend(model.classify_all([*samples[:3], damaged, samples[3]], ahead=7))
        assert sizes[2:] == [3]  # those before it were seen
    with qnn.load("fashion-cnv", "golden") as model:
        assert model.together == 1
