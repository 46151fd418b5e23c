# SPDX-License-Identifier: BSD-3-Clause
"""What version 1 wrote is read, and gives what it gave: `version_1/` was written by it, with the
answers of the package of its time beside each network."""

from pathlib import Path

import numpy as np
import pytest

from qnn import store
from qnn.model import Model
from qnn.network import Dense, Lookup
from qnn.pictures.picture import Picture
from qnn.store import library

WRITTEN = Path(__file__).parent / "version_1"
SHIPPED = WRITTEN / "fashion-cnv"
KINDS = ("layered", "scoring", "float_scoring", "connected", "detecting")


@pytest.fixture(params=["as it was", "written again"])
def written(request, tmp_path):
    """A function from the name of a network to it, as read of version 1 or of version 2."""

    def find(kind):
        network = store.load(WRITTEN / kind)
        if request.param == "written again":
            store.save(network, tmp_path)
            assert '"version": 2' in (tmp_path / store.DESCRIPTION).read_text()
            network = store.load(tmp_path)
        return network

    return find


@pytest.mark.parametrize("kind", KINDS)
def test_it_gives_what_it_gave(written, kind):
    assert '"version": 1' in (WRITTEN / kind / store.DESCRIPTION).read_text()
    answers = np.load(WRITTEN / kind / "answers.npz")
    network = written(kind)
    with Model(network, "cpu") as model:
        if "codes" in answers:
            maps = model.run(answers["codes"])
            assert maps.dtype == answers["maps"].dtype and np.array_equal(maps, answers["maps"])
            if "probabilities" in answers:
                found = network.result.probabilities(maps)
                np.testing.assert_allclose(found, answers["probabilities"], rtol=1e-12)
        elif network.task == "classify":
            found = model.classify(answers["picture"], top=9).classes
            assert [one.index for one in found] == answers["classes"].tolist()
            # Of float64 sums the last bits are those of this machine's BLAS.
            expected = pytest.approx(answers["probabilities"].tolist(), rel=1e-12)
            assert [one.probability for one in found] == expected
        else:
            found = [
                one
                for scale in ("published", "dequantized")
                for one in model.detect(
                    answers["picture"], threshold=0.01, feature_scale=scale
                ).objects
            ]
            assert [list(one.box) for one in found] == answers["boxes"].tolist()
            expected = pytest.approx(answers["probabilities"].tolist(), rel=1e-12)
            assert [one.probability for one in found] == expected


def test_the_network_that_shipped_is_the_one_that_ships():
    """Version 1 of it and version 2 are one network, layer by layer and score by score."""
    before, now = store.load(SHIPPED), library.find(library.DEFAULT)
    sample = library.shipped_directory().parent / "samples" / "bag.png"
    assert (before.title, before.classes, before.licence) == (now.title, now.classes, now.licence)
    assert [layer.name for layer in before.layers[1:]] == [layer.name for layer in now.layers[1:]]
    with Model(before, "cpu") as old, Model(now, "cpu") as new:
        tensor = old.tensor(sample)
        assert np.array_equal(tensor, new.tensor(sample))
        for one, other in zip(old.trace(tensor[None]), new.trace(tensor[None]), strict=True):
            assert np.array_equal(one, other)
        assert old.classify(sample) == new.classify(sample)


def test_layers_without_names_get_one():
    names = {kind: [one.name for one in store.load(WRITTEN / kind).layers] for kind in KINDS}
    assert names["scoring"] == ["first", "layer0", "layer1"]
    assert names["connected"] == ["first", "conv1", "fc0", "fct"]
    assert names["detecting"] == ["first", "conv1", "last"]
    assert isinstance(store.load(SHIPPED).layers[0], Lookup)


def test_a_name_that_two_layers_had(tmp_path):
    """Version 1 let a fully connected layer be called as a layer before it."""
    for file in (WRITTEN / "connected").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    description = tmp_path / store.DESCRIPTION
    description.write_text(description.read_text().replace('"conv1"', '"fct"'))
    with np.load(tmp_path / store.TENSORS) as arrays:
        renamed = {name.replace("conv1.", "fct."): array for name, array in arrays.items()}
    np.savez(tmp_path / store.TENSORS, **renamed)
    layers = store.load(tmp_path).layers
    assert [layer.name for layer in layers] == ["first", "fct", "fc0", "last.fct"]
    assert isinstance(layers[-1], Dense)


def test_a_picture_of_version_1_is_that_of_version_2():
    picture = store.load(WRITTEN / "connected").picture
    assert (picture.geometry, picture.size, picture.mean.shape) == (
        "shrink-and-crop", 12, (12, 12, 3),
    )  # fmt: skip
    turned = store.load(WRITTEN / "detecting").picture
    assert turned.transposed and turned.tensor(Picture.open(np.zeros((9, 5, 3), np.uint8))).any()
