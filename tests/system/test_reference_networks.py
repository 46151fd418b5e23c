# SPDX-License-Identifier: BSD-3-Clause
"""The published networks, from their real parameters: every layer, every published result."""

import hashlib
import json
from itertools import islice

import numpy as np
import pytest

from qnn.engine.placement import integer_layers, integer_run
from qnn.importers import import_network
from qnn.measure.evaluate import confusion
from qnn.model import Model
from qnn.pictures import dataset
from qnn.predecessor import activation_buffer

CNV = ("cnvW1A1", "cnvW1A2", "cnvW2A2")

# In the order of the classes, as the authors' boards printed them.
DEER_SCORES = {
    "cnvW1A1": [237, 232, 246, 239, 423, 246, 239, 245, 229, 244],
    "cnvW1A2": [-25, -43, -27, 1, 261, 5, -15, -31, -31, -37],
    "cnvW2A2": [-23, -35, -21, -14, 243, -11, -6, -15, -19, -18],
}
CORRECT_OF_500 = {"cnvW1A1": 398, "cnvW1A2": 427, "cnvW2A2": 428}


@pytest.fixture(scope="module")
def network(reference):
    """A function that imports one of the published networks, once."""
    imported = {}

    def find(name):
        if name not in imported:
            if name in ("dorefanet", "tinier-yolo"):
                path = reference / f"qnn-mo-pynq/qnn/params/{name}-layers.json"
                imported[name] = import_network("qnn-mo", path, name)
            else:
                folder = "cifar10" if name in CNV else "mnist"
                path = reference / f"bnn-pynq/bnn/params/{folder}/{name}"
                imported[name] = import_network("bnn-pynq", path, name.lower())
        return imported[name]

    return find


@pytest.fixture(scope="module")
def codes_at_hand(reference, network):
    """A function from the name of an input to the codes that go into the layers."""

    def tensor(file, key):
        with np.load(reference / "derived" / file) as arrays:
            return arrays[key]

    def file(name):
        path = reference / f"qnn-mo-pynq/tests/Test_image/{name}/input.bin"
        first = integer_layers(network(name).layers)[0]
        return activation_buffer.read(path, first.in_shape, first.in_bits)

    def find(name):
        return {
            "dorefanet/test-vector": lambda: file("dorefanet"),
            "dorefanet/n01484850_0": lambda: tensor("dorefanet_n01484850_0_tensors.npz", "conv0"),
            "dorefanet/n07920052_4": lambda: tensor("dorefanet_n07920052_4_tensors.npz", "conv0"),
            "tinier-yolo/dog": lambda: tensor("tinier_yolo_dog_tensors.npz", "conv0_xyc"),
        }[name]()

    return find


def digest(codes):
    return hashlib.sha256(np.ascontiguousarray(codes).tobytes()).hexdigest()


def parts(layer, maps):
    """The branches of a layer under the names of the original."""
    width = layer.outputs // layer.groups
    for number, name in enumerate(layer.parts):
        yield name, maps[..., number * width : (number + 1) * width]


# The golden model takes seconds for each of these; two of DoReFa-Net's three inputs are the same.
DIGESTS = [
    ("cpu", "dorefanet/test-vector"),
    ("cpu", "dorefanet/n01484850_0"),
    ("cpu", "dorefanet/n07920052_4"),
    ("cpu", "tinier-yolo/dog"),
    ("golden", "dorefanet/test-vector"),
    ("golden", "dorefanet/n01484850_0"),
    ("golden", "tinier-yolo/dog"),
]


@pytest.mark.parametrize(("backend", "name"), DIGESTS)
def test_every_layer_has_the_known_digest(reference, network, codes_at_hand, backend, name):
    known = json.loads((reference / "derived/layer_sha256.json").read_text())[name]
    codes = codes_at_hand(name)
    with Model(network(name.split("/")[0]), backend) as model:
        found = {"input": codes}
        run = integer_run(model.network.layers)
        layers = model.network.layers[run]
        for layer, maps in zip(layers, model.trace(codes[None], run.start), strict=False):
            assert maps.dtype == np.uint8
            found |= parts(layer, maps[0])
            found["output"] = maps[0]
    assert {key: list(maps.shape) for key, maps in found.items()} == {k: s for k, s, _ in known}
    assert {key: digest(maps) for key, maps in found.items()} == {k: d for k, _, d in known}


def test_the_verification_file_is_met(reference, network):
    """Every code that the original's own test compares, and the zeros between them."""
    folder, net = reference / "qnn-mo-pynq/tests/Test_image/dorefanet", network("dorefanet")
    run = integer_run(net.layers)
    first, *_, last = net.layers[run]
    with Model(net, "cpu") as model:
        codes = activation_buffer.read(folder / "input.bin", first.in_shape, 2)
        *_, found = islice(model.trace(codes[None], run.start), len(net.layers[run]))
    found = found[0]
    expected = activation_buffer.read(folder / "verification.bin", last.out_shape, 2)
    assert (found != expected).sum() == 0
    packed = activation_buffer.pack(found, 2)
    gap = activation_buffer.OVERLAY_PITCH[2] - packed.shape[2]
    padded = np.pad(packed, ((0, 0), (0, 0), (0, gap)))
    assert padded.tobytes() == (folder / "verification.bin").read_bytes()


def test_the_first_layer_of_dorefanet_on_the_espresso(reference, network, codes_at_hand):
    """From the picture to the input of the offloaded layers."""
    path = reference / "qnn-mo-pynq/notebooks/imagenet-samples/n07920052_4.jpg"
    with Model(network("dorefanet"), "cpu") as model:
        codes = next(model.trace(model.tensor(path)[None]))[0]
    assert (codes != codes_at_hand("dorefanet/test-vector")).sum() == 0


def test_the_published_objects_in_the_dog_picture(reference, network):
    with np.load(reference / "derived/dog_rgb_darknet_decoder.npz") as arrays:
        rgb = arrays["rgb"]
    with Model(network("tinier-yolo"), "cpu") as model:
        found = [(o.name, round(100 * o.probability)) for o in model.detect(rgb).objects]
    lines = (
        reference / "qnn-mo-pynq/tests/Test_image/tinier-yolo/golden_probs_dog.txt"
    ).read_text()
    assert sorted(f"{name}: {percent}%" for name, percent in found) == sorted(lines.splitlines())


@pytest.mark.parametrize("name", CNV)
def test_scores_of_the_deer(reference, network, name):
    path = reference / "bnn-pynq/tests/Test_image/deer.jpg"
    with Model(network(name), "cpu") as model:
        scores = model.network.result.scores(model.run(model.tensor(path)[None]))[0]
        assert scores.tolist() == DEER_SCORES[name]
        assert model.classify(path).classes[0].name == "Deer"


@pytest.mark.parametrize("name", CNV)
@pytest.mark.parametrize(
    ("file", "label"),
    [("airplane.jpg", "Airplane"), ("bird.jpg", "Bird"), ("car.png", "Automobile")],
)
def test_classes_of_the_pictures(reference, network, name, file, label):
    with Model(network(name), "cpu") as model:
        found = model.classify(reference / "bnn-pynq/notebooks/pictures" / file)
    assert found.classes[0].name == label


@pytest.mark.parametrize(
    "name",  # that of W1A1 is an evaluation in test_main_job.py
    [*(pytest.param(name, marks=pytest.mark.nightly) for name in CNV[:2]), CNV[2]],
)
def test_correct_of_500_pictures(reference, network, name):
    data = dataset.read(reference / "derived/cifar10_test_500.npz")
    with Model(network(name), "cpu") as model:
        counts = confusion(model, data)
    assert counts.sum() == 500
    assert np.trace(counts) == CORRECT_OF_500[name]


@pytest.mark.parametrize("backend", ["cpu", "golden"])
@pytest.mark.parametrize("name", ["lfcW1A1", "lfcW1A2"])
def test_the_digit_three(reference, network, name, backend):
    """Class 3, and the only output bit that is set."""
    path = reference / "bnn-pynq/tests/Test_image/3.image-idx3-ubyte"
    with Model(network(name), backend) as model:
        assert model.classify(path).classes[0].name == "3"
        scores = model.network.result.scores(model.run(model.tensor(path)[None]))[0]
    assert np.flatnonzero(scores >= 0).tolist() == [3]
