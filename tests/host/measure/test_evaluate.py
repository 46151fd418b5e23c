# SPDX-License-Identifier: BSD-3-Clause
"""Every decision is counted once, in the row of its label and the column of its class."""

import dataclasses
import threading

import numpy as np
import pytest
import random_networks
from PIL import Image
from random_networks import network_of, random_conv

from qnn.backends.cpu import CpuSession
from qnn.errors import PictureError, QnnError
from qnn.measure import evaluate
from qnn.measure.evaluate import confusion, tallies
from qnn.model import Model
from qnn.network import Conv, Lookup, PictureInput
from qnn.network.result import Scores
from qnn.pictures.dataset import Dataset
from qnn.pictures.folder import Labelled

BATCH = CpuSession.batch


@pytest.fixture
def brightest():
    """Decides for the brightest of four pixels, twice itself less all; of equals for the first."""
    weight = np.eye(4, dtype=np.uint8).reshape(1, 4, 1, 1, 4)
    network = network_of(
        Lookup("pixels", (2, 2, 1), np.arange(256, dtype=np.uint8), (1, 1, 4)),
        Conv("compare", (1, 1, 4), 8, weight, None),
        picture=PictureInput("fit-grey", 2),
        result=Scores(np.zeros(4, np.int64), 1, 1 / 64),
        classes=("a", "b", "c", "d"),
    )
    return Model(network, "cpu")


@pytest.mark.parametrize("count", [1, 7, BATCH, BATCH + 1, 2 * BATCH + 50])
def test_counts_every_decision(brightest, count):
    rng = np.random.default_rng(count)
    images = rng.integers(0, 9, (count, 2, 2), dtype=np.uint8)
    labels = rng.integers(0, 4, count)
    expected = [[0] * 4 for _ in range(4)]
    for image, label in zip(images.reshape(-1, 4).tolist(), labels.tolist(), strict=True):
        expected[label][image.index(max(image))] += 1
    seen = []
    counts = confusion(brightest, Dataset(images, labels), lambda *both: seen.append(both))
    assert counts.dtype == np.int64
    assert counts.tolist() == expected
    assert counts.sum() == count
    assert [done for done, _ in seen] == sorted({*range(BATCH, count, BATCH), count})
    assert {total for _, total in seen} == {count}


def test_without_progress(brightest):
    images = np.array([[[0, 1], [0, 0]]] * 3, np.uint8)
    counts = confusion(brightest, Dataset(images, np.array([1, 1, 3])))
    assert counts.tolist() == [[0] * 4, [0, 2, 0, 0], [0] * 4, [0, 1, 0, 0]]


def test_is_the_answer_of_classify():
    """Of every kind of network that classifies, and of pictures in colour."""
    rng = np.random.default_rng(3)
    for kind in ("scoring", "connected"):
        network = random_networks.KINDS[kind](rng)
        classes = len(network.classes)
        images = rng.integers(0, 256, (20, 20, 20, 3), dtype=np.uint8)
        labels = rng.integers(0, classes, 20)
        expected = np.zeros((classes, classes), int)
        with Model(network, "cpu") as model:
            for image, label in zip(images, labels, strict=True):
                expected[label, model.classify(image, top=1).classes[0].index] += 1
            np.testing.assert_array_equal(confusion(model, Dataset(images, labels)), expected)


def test_ranks_of_the_wrong_ones(brightest):
    """Of equals the first goes before, as in a classification."""
    images = np.array([[[9, 5], [5, 1]]] * 4 + [[[0, 0], [0, 0]]], np.uint8)
    data = Dataset(images, np.array([3, 0, 1, 2, 3]))
    *_, tally = tallies(brightest, data, keep_wrong=True)
    found = [(one.image, one.label, one.decision, one.rank) for one in tally.wrong]
    assert found == [("0", 3, 0, 4), ("2", 1, 0, 2), ("3", 2, 0, 3), ("4", 3, 0, 4)]
    assert [one.probability for one in tally.wrong][:3] == [tally.wrong[0].probability] * 3
    assert tally.wrong[3].probability == 0.25 and tally.in_top == 5
    *_, silent = tallies(brightest, data)
    assert silent.wrong == [] and np.array_equal(silent.confusion, tally.confusion)


def test_top_five_of_more_classes(monkeypatch, brightest):
    monkeypatch.setattr(evaluate, "TOP", 2)
    images = np.array([[[9, 5], [5, 1]]] * 4, np.uint8)
    *_, tally = tallies(brightest, Dataset(images, np.arange(4)))
    assert tally.in_top == 2


@pytest.mark.parametrize("bad", [0, 1, BATCH - 1, BATCH, BATCH + 1])
def test_labels_stay_with_their_pictures_where_some_are_left_out(brightest, tmp_path, bad):
    paths = []
    for number in range(4):
        pixels = np.zeros((2, 2), np.uint8)
        pixels.flat[number] = 9
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        paths.append(str(tmp_path / f"{number}.png"))
    (tmp_path / "bad.png").write_text("none")
    pictures = [Labelled(paths[n % 4], n % 4) for n in range(BATCH + 10)]
    pictures.insert(bad, Labelled(str(tmp_path / "bad.png"), 3))
    skipped = []
    *_, tally = tallies(brightest, pictures, lambda name, error: skipped.append((name, str(error))))
    assert tally.confusion.trace() == tally.confusion.sum() == BATCH + 10
    ((name, error),) = skipped
    assert name == pictures[bad].path and name in error
    with pytest.raises(PictureError, match=r"bad\.png"):
        confusion(brightest, pictures)


def test_files_are_decoded_beside_the_layers(brightest, tmp_path, monkeypatch):
    """In one other thread, which has gone when the last picture is counted, or none is wanted."""
    path = str(tmp_path / "a.png")
    Image.fromarray(np.eye(2, dtype=np.uint8)).save(path)
    pictures, tensor, threads = [Labelled(path, 0)] * (2 * BATCH), Model.tensor, []

    def watched(model, picture):
        threads.append(threading.current_thread().name)
        return tensor(model, picture)

    monkeypatch.setattr(Model, "tensor", watched)
    assert confusion(brightest, pictures).sum() == len(threads) == 2 * BATCH
    assert len(set(threads)) == 1 and threads[0].startswith("ahead")
    some = tallies(brightest, pictures)
    assert next(some).confusion.sum() == BATCH
    some.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("ahead")]


@pytest.mark.parametrize("label", [-1, 4, 255])
def test_labels_of_no_class(brightest, label):
    data = Dataset(np.zeros((2, 2, 2), np.uint8), np.array([0, label]))
    low, high = min(0, label), max(0, label)
    match = f"labels from {low} to {high} do not fit the 4 classes of model net"
    with pytest.raises(QnnError, match=match):
        confusion(brightest, data)


def test_models_that_do_not_classify():
    rng = np.random.default_rng(3)
    data = Dataset(np.zeros((1, 16, 16, 3), np.uint8), np.array([0]))
    detector = random_networks.KINDS["detecting"](rng)
    with pytest.raises(QnnError, match="model net detects objects; use detect"):
        confusion(Model(detector, "cpu"), data)
    whole = random_networks.KINDS["connected"](rng)
    reason = "the fully connected layers are missing"
    for absent in ("picture", "result"):
        part = dataclasses.replace(whole, missing=(reason,), **{absent: None})
        with pytest.raises(QnnError, match=reason):
            confusion(Model(part, "cpu"), data)
    bare = network_of(random_conv(rng))
    with pytest.raises(QnnError, match="model net"):
        confusion(Model(bare, "cpu"), data)
