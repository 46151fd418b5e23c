# SPDX-License-Identifier: BSD-3-Clause
"""The interface of the predecessor's notebooks: buffers, states, and what is refused."""

import json

import numpy as np
import pytest

import qnn
from qnn import Dorefanet, TinierYolo
from qnn.errors import PictureError, QnnError
from qnn.importers import import_network
from qnn.model import Model
from qnn.predecessor import activation_buffer, utils
from qnn.store import library
from qnn_sim import float_layers as golden


@pytest.fixture
def classifier(tiny_dorefanet) -> Dorefanet:
    classifier = Dorefanet()
    classifier.init_accelerator()
    classifier.load_network(json_layer=str(tiny_dorefanet))
    return classifier


def random_codes(seed=0):
    return np.random.default_rng(seed).integers(0, 4, (6, 54, 54)).astype(np.float32)


def test_the_sequence_ends_in_the_classes_of_the_model(tiny_dorefanet, samples):
    """The sequence of a notebook, step by step, against the three lines of today."""
    folder = tiny_dorefanet.parent
    classifier = Dorefanet()
    classifier.init_accelerator()
    net = classifier.load_network(json_layer=tiny_dorefanet)
    conv0_weights = np.load(
        folder / "dorefanet-conv0.npy", encoding="latin1", allow_pickle=True
    ).item()
    fc_weights = np.load(
        folder / "dorefanet-fc-normalized.npy", encoding="latin1", allow_pickle=True
    ).item()
    img, img_class = classifier.load_image(samples[0])
    assert img_class == samples[0].name
    conv0 = utils.conv_layer(img, conv0_weights["conv0/W"], stride=4)
    conv0 = utils.threshold(conv0, conv0_weights["conv0/T"])
    assert conv0.shape == tuple(net["conv0"]["output"])
    out = classifier.get_accel_buffer(net["conv2"]["output"][0], net["conv2"]["output"][1])
    classifier.inference(classifier.prepare_buffer(conv0), out)
    conv_output = classifier.postprocess_buffer(out)
    classifier.deinit_accelerator()

    fc_input = conv_output / np.max(conv_output)
    fc0 = utils.fully_connected(fc_input, fc_weights["fc0/Wn"], fc_weights["fc0/bn"])
    fc0 = utils.quantize(utils.qrelu(fc0), 2)
    fc1 = utils.fully_connected(fc0, fc_weights["fc1/Wn"], fc_weights["fc1/bn"])
    fc1 = utils.qrelu(fc1)
    fct = utils.fully_connected(fc1, fc_weights["fct/W"], np.zeros(12))
    probabilities = utils.softmax(fct)
    topn = utils.get_topn_indexes(probabilities, 5)

    network = import_network("qnn-mo", tiny_dorefanet, "tiny")
    with Model(network) as model:
        classes = model.classify(samples[0]).classes
    assert [c.index for c in classes] == list(topn)
    np.testing.assert_allclose([c.probability for c in classes], probabilities[topn], rtol=1e-5)

    x = conv_output.astype(np.float64) / conv_output.max()
    x = golden.fully_connected(x, fc_weights["fc0/Wn"], fc_weights["fc0/bn"])
    x = golden.quantize(golden.clip01(x), 2)
    x = golden.fully_connected(x, fc_weights["fc1/Wn"], fc_weights["fc1/bn"])
    x = golden.fully_connected(golden.clip01(x), fc_weights["fct/W"], None)
    np.testing.assert_allclose(probabilities, golden.softmax(x), rtol=1e-5)


def test_buffers_hold_what_the_layers_give(classifier):
    codes = random_codes()
    packed = classifier.prepare_buffer(codes)
    assert packed.dtype == np.uint8 and packed.shape == (54, 54, 2)
    assert np.array_equal(
        packed, activation_buffer.pack(codes.astype(np.uint8).transpose(1, 2, 0), 2)
    )
    out = classifier.get_accel_buffer(40, 1)
    assert out.shape == (1, 1, 40) and out.dtype == np.uint8 and not out.any()
    out[:] = 255  # what an earlier picture left
    classifier.inference(packed, out)
    got = classifier.postprocess_buffer(out)
    with Model(classifier.network) as model:
        want = model.run(codes.astype(np.uint8).transpose(1, 2, 0)[None])[0]
    assert got.dtype == np.float32 and got.shape == (40,)
    assert np.array_equal(got, want.ravel())
    assert len(np.unique(got)) > 2


def test_one_buffer_for_many_pictures(classifier):
    out = classifier.get_accel_buffer(40, 1)
    results = []
    for seed in (1, 2, 1):
        classifier.inference(classifier.prepare_buffer(random_codes(seed)), out)
        results.append(classifier.postprocess_buffer(out))
    assert np.array_equal(results[0], results[2])
    assert not np.array_equal(results[0], results[1])


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32, np.float64])
def test_codes_of_any_numeric_type(classifier, kind):
    codes = random_codes()
    assert np.array_equal(
        classifier.prepare_buffer(codes.astype(kind)), classifier.prepare_buffer(codes)
    )


def test_load_network_gives_the_layers_by_name(classifier, tiny_dorefanet):
    net = classifier.load_network(json_layer=str(tiny_dorefanet))
    listed = json.loads(tiny_dorefanet.read_text())["layers"]
    assert list(net) == [entry["name"] for entry in listed]
    for entry in listed:
        name = entry.pop("name")
        assert net[name] == entry
    assert net["merge1"]["output_dim"] == 3 and net["merge1"]["output_channels"] == 8


def test_load_image(classifier, samples, tmp_path):
    path = tmp_path / "n01484850_0.png"
    path.write_bytes(samples[0].read_bytes())
    img, img_class = classifier.load_image(str(path))
    assert img.shape == (1, 224, 224, 3) and img.dtype == np.float32
    assert img_class == "n01484850"
    with pytest.raises(PictureError, match=r"none\.png"):
        classifier.load_image(tmp_path / "none.png")


def test_load_image_needs_the_mean(tiny_dorefanet, samples):
    (tiny_dorefanet.parent / "ilsvrc_pp_mean.npy").unlink()
    classifier = Dorefanet()
    classifier.init_accelerator()
    classifier.load_network(tiny_dorefanet)
    with pytest.raises(QnnError, match="ilsvrc_pp_mean"):
        classifier.load_image(samples[0])


def test_the_network_may_be_named_when_the_accelerator_is_made_ready(tiny_dorefanet):
    classifier = Dorefanet(runtime="python_sw")
    classifier.init_accelerator(
        bit_file="some.bit", json_network="some.json", json_layer=str(tiny_dorefanet)
    )
    assert len(classifier.network.layers) == 2


def test_the_network_may_be_loaded_first(tiny_dorefanet):
    classifier = Dorefanet()
    classifier.load_network(tiny_dorefanet)
    with pytest.raises(QnnError, match="init_accelerator"):
        classifier.prepare_buffer(random_codes())
    classifier.init_accelerator()
    assert classifier.prepare_buffer(random_codes()).shape == (54, 54, 2)


def test_the_default_network_is_the_fetched_one(home):
    for maker, name in ((Dorefanet, "dorefanet"), (TinierYolo, "tinier-yolo")):
        classifier = maker()
        classifier.init_accelerator()
        with pytest.raises(QnnError, match=f"qnn params fetch {name}"):
            classifier.load_network()
        with pytest.raises(QnnError, match=f"qnn params fetch {name}"):
            classifier.inference(np.zeros(0, np.uint8), np.zeros(0, np.uint8))


def test_a_fetched_network_is_found(reference, home):
    from qnn.commands.params import fetch
    from qnn.store.sources import SOURCES

    fetch(SOURCES["tinier-yolo"], reference)
    detector = TinierYolo()
    detector.init_accelerator()
    net = detector.load_network()
    assert net["conv7"]["output"][:2] == [512, 13]
    assert library.original("tinier-yolo").is_file()


def test_without_init_nothing_runs(tiny_dorefanet):
    classifier = Dorefanet()
    classifier.load_network(tiny_dorefanet)
    buffer = np.zeros((54, 54, 2), np.uint8)
    for call in (
        lambda: classifier.get_accel_buffer(40, 1),
        lambda: classifier.prepare_buffer(random_codes()),
        lambda: classifier.inference(buffer, np.zeros((1, 1, 40), np.uint8)),
        lambda: classifier.postprocess_buffer(buffer),
    ):
        with pytest.raises(QnnError, match=r"init_accelerator\(\)"):
            call()


def test_the_accelerator_can_be_given_back_and_taken_again(classifier):
    packed, out = classifier.prepare_buffer(random_codes()), classifier.get_accel_buffer(40, 1)
    classifier.inference(packed, out)
    before = classifier.postprocess_buffer(out)
    classifier.deinit_accelerator()
    classifier.deinit_accelerator()
    with pytest.raises(QnnError, match="init_accelerator"):
        classifier.inference(packed, out)
    classifier.init_accelerator()
    out[:] = 0
    classifier.inference(packed, out)
    assert np.array_equal(classifier.postprocess_buffer(out), before)


def test_a_second_network_replaces_the_first(classifier, tiny_dorefanet):
    packed, out = classifier.prepare_buffer(random_codes()), classifier.get_accel_buffer(40, 1)
    classifier.inference(packed, out)
    before = classifier.postprocess_buffer(out)
    for path in (tiny_dorefanet.parent / "bits").glob("3-*-weights.bin"):
        words = np.fromfile(path, "<u8")
        (words ^ np.uint64(255)).tofile(path)  # the weights of 8 channels, negated
    classifier.load_network(tiny_dorefanet)
    classifier.inference(packed, out)
    assert not np.array_equal(classifier.postprocess_buffer(out), before)


@pytest.mark.parametrize("runtime", ["", "hw", None])
def test_unknown_runtimes(runtime):
    with pytest.raises(QnnError, match="python_hw, python_sw"):
        Dorefanet(runtime)


def test_buffers_that_do_not_fit(classifier):
    packed, out = classifier.prepare_buffer(random_codes()), classifier.get_accel_buffer(40, 1)
    for wrong in (packed[:53], packed[..., :1], packed.astype(np.int16), packed.ravel()):
        with pytest.raises(QnnError, match="54x54x2"):
            classifier.inference(wrong, out)
    for wrong in (out[..., :39], out.astype(np.float32), out.ravel(), np.zeros((2, 1, 40), "u1")):
        with pytest.raises(QnnError, match="1x1x40"):
            classifier.inference(packed, wrong)
    with pytest.raises(QnnError, match="CxHxW"):
        classifier.prepare_buffer(random_codes()[None])


@pytest.mark.parametrize("wrong", [4, 255, -1, 0.5])
def test_values_that_are_no_codes(classifier, wrong):
    """Two bits hold 0, 1, 2 and 3; anything else would silently become another number."""
    codes = random_codes()
    codes[1, 2, 3] = wrong
    with pytest.raises(QnnError):
        classifier.prepare_buffer(codes)


def test_a_network_of_another_precision(tiny_dorefanet, tmp_path):
    with pytest.raises(QnnError, match=r"2-bit activations, but TinierYolo packs 3 bits"):
        TinierYolo().load_network(tiny_dorefanet)
    with pytest.raises(QnnError, match=r"none\.json"):
        Dorefanet().load_network(tmp_path / "none.json")


def test_names_in_the_package():
    for name in ("Dorefanet", "TinierYolo", "utils", "load", "QnnError"):
        assert name in qnn.__all__ and hasattr(qnn, name)
    assert set(utils.__all__) == {
        "conv_layer",
        "fully_connected",
        "get_topn_indexes",
        "qrelu",
        "quantize",
        "softmax",
        "threshold",
    }
