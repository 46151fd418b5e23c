# SPDX-License-Identifier: BSD-3-Clause
"""Whole networks of other formats: what stands before and behind their layers."""

import bz2
import json
import pickle
import shutil

import foreign_bnn_pynq
import numpy as np
import pytest
from foreign_qnn_mo import Layer, Section, write
from PIL import Image

from qnn import store
from qnn.backends import open_session
from qnn.backends.host_layers import HostLayers
from qnn.compute.dense import BinaryDense, FloatDense
from qnn.errors import FormatError, NetworkError, QnnError
from qnn.importers import IMPORTERS, import_network
from qnn.model import Model
from qnn.network import Dense, FloatConv, Lookup
from qnn.network.result import Boxes, Probabilities, Scores
from qnn.pictures import geometry
from qnn.pictures.picture import Picture

DOREFANET = [
    Section(1, (Layer("conv1", 3, 33, 54, 1, 0, pool=(3, 6, 0)),)),
    Section(1, (Layer("conv2", 33, 5, 9, 3, 0, pool=(3, 2, 0)),)),
]  # 54x54x3 -> 9x9x33 -> 3x3x5
TINIER = [
    Section(1, (Layer("conv1", 2, 4, 208, 1, 0, pool=(2, 32, 0)),)),
    Section(1, (Layer("conv2", 4, 6, 7, 1, 0),)),
]  # 208x208x2 -> 7x7x6


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(21)


def normal(rng, *shape, scale=1.0):
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def save_dictionary(path, arrays, compress=False):
    """As the original did: numpy.save of a dictionary, and bzip2."""
    np.save(path, arrays, allow_pickle=True)
    if compress:
        path.with_name(path.name + ".bz2").write_bytes(bz2.compress(path.read_bytes()))
        path.unlink()


def named(path, name):
    """The layer JSON once more, of a network of that name."""
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"network": name}))
    return path


@pytest.fixture(scope="module")
def dorefanet(tmp_path_factory, rng):
    """Folder of a small DoReFa-Net: every file, laid out as in the original repository."""
    root = tmp_path_factory.mktemp("dorefanet")
    folder = root / "qnn/params"
    folder.mkdir(parents=True)
    path = write(folder, DOREFANET, 2, np.random.default_rng(1))
    named(path, "dorefanet").rename(folder / "dorefanet-layers.json")
    thresholds = np.array([5 / 6, 1 / 2, 1 / 6], np.float32)
    conv0 = {"conv0/W": normal(rng, 3, 3, 12, 12, scale=0.3), "conv0/T": thresholds}
    save_dictionary(folder / "dorefanet-conv0.npy", conv0)
    np.save(folder / "ilsvrc_pp_mean.npy", rng.uniform(90, 130, (256, 256, 3)).astype(np.float32))
    columns = rng.uniform(0.05, 0.2, 7).astype(np.float32)
    save_dictionary(
        folder / "dorefanet-fc-normalized.npy",
        {
            "fc0/Wn": rng.choice(np.float32([-1, 1]), (45, 7)) * columns,
            "fc0/bn": normal(rng, 7, scale=0.3),
            "fc1/Wn": normal(rng, 7, 6),  # more than two values in a column
            "fc1/bn": normal(rng, 6),
            "fct/W": normal(rng, 6, 4),
        },
        compress=True,
    )
    (root / "notebooks").mkdir()
    labels = {i: (f"n0000000{i}", f"thing {i}, also called {i}") for i in range(6)}
    (root / "notebooks/imagenet-classes.pkl").write_bytes(pickle.dumps(labels, protocol=0))
    return folder


@pytest.fixture(scope="module")
def tinier(tmp_path_factory, rng):
    """Folder of a small Tinier-YOLO."""
    folder = tmp_path_factory.mktemp("tinier")
    path = write(folder, TINIER, 3, np.random.default_rng(2))
    named(path, "tinier-yolo").rename(folder / "tinier-yolo-layers.json")
    np.save(folder / "tinier-yolo-conv0-W.npy", normal(rng, 3, 3, 3, 2))
    np.save(folder / "tinier-yolo-conv0-bias.npy", normal(rng, 2))
    np.save(folder / "tinier-yolo-conv8-W.npy", normal(rng, 1, 1, 6, 125, scale=0.3))
    np.save(folder / "tinier-yolo-conv8-bias.npy", normal(rng, 125))
    return folder


@pytest.fixture
def copy_of(tmp_path):
    """A function that copies a folder of parameters (and what lies two above), to be damaged."""

    def copy(folder):
        if folder.name == "params":
            shutil.copytree(folder.parent.parent, tmp_path / "copy")
            return tmp_path / "copy/qnn/params"
        return shutil.copytree(folder, tmp_path / "copy")

    return copy


def picture(rng, width=300, height=240):
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize((width, height)))


def first_codes(network, rgb):
    """What the first layer makes of a picture."""
    tensor = network.picture.tensor(Picture.open(rgb))
    return HostLayers(network.layers[:1])(tensor[None])[0]


class TestImportNetwork:
    def test_unknown_format(self, tmp_path):
        with pytest.raises(FormatError, match="unknown format 'onnx'; known are qnn-mo, bnn-pynq"):
            import_network("onnx", tmp_path, "net")

    @pytest.mark.parametrize("name", IMPORTERS)
    def test_nothing_there(self, tmp_path, name):
        with pytest.raises(FormatError, match="nowhere: no such file or directory"):
            import_network(name, tmp_path / "nowhere", "net")
        with pytest.raises(FormatError):
            import_network(name, tmp_path, "net")

    def test_bad_name(self, dorefanet):
        with pytest.raises(NetworkError, match="network name"):
            import_network("qnn-mo", dorefanet, "Not A Name")


class TestDorefanet:
    def test_facts(self, dorefanet):
        network = import_network("qnn-mo", dorefanet, "small")
        assert (network.name, network.task, network.missing) == ("small", "classify", ())
        names = ["conv0", "conv1", "conv2", "fc0", "fc1", "fct"]
        assert [layer.name for layer in network.layers] == names
        assert network.classes == tuple(f"thing {i}" for i in range(4))
        assert isinstance(network.layers[0], FloatConv)
        assert all(isinstance(layer, Dense) for layer in network.layers[3:])
        assert [layer.unit for layer in network.layers[3:]] == [None, 1 / 3, 1.0]
        assert isinstance(network.result, Probabilities)

    def test_the_json_may_be_named(self, dorefanet):
        path = dorefanet / "dorefanet-layers.json"
        assert import_network("qnn-mo", path, "small").missing == ()

    def test_two_jsons_in_a_folder(self, dorefanet, copy_of):
        folder = copy_of(dorefanet)
        shutil.copy(folder / "dorefanet-layers.json", folder / "other-layers.json")
        with pytest.raises(FormatError, match=r"2 files are called \*-layers.json there; name"):
            import_network("qnn-mo", folder, "small")

    def test_first_stage_by_its_definition(self, dorefanet, rng):
        """Mean cut out of the middle, BGR, kernels as (out, in, row, column), strict thresholds."""
        codes = first_codes(import_network("qnn-mo", dorefanet, "small"), rgb := picture(rng))
        mean = np.load(dorefanet / "ilsvrc_pp_mean.npy")
        stored = np.load(dorefanet / "dorefanet-conv0.npy", allow_pickle=True).item()
        x = (geometry.shrink_and_crop(rgb) - mean[16:240, 16:240]) / np.float32(255)
        assert codes.shape == (54, 54, 3)
        seen = set()
        for row, column, output in rng.integers(0, (54, 54, 3), (200, 3)):
            window = x[4 * row : 4 * row + 12, 4 * column : 4 * column + 12].astype(np.float64)
            total = (window * stored["conv0/W"][output].transpose(1, 2, 0)).sum()
            if np.abs(total - stored["conv0/T"]).min() < 1e-9:
                continue
            assert codes[row, column, output] == (total > stored["conv0/T"]).sum()
            seen.add(int(codes[row, column, output]))
        assert len(seen) > 1

    def test_last_stage_by_its_definition(self, dorefanet, rng):
        network = import_network("qnn-mo", dorefanet, "small")
        raw = bz2.decompress((dorefanet / "dorefanet-fc-normalized.npy.bz2").read_bytes())
        (dorefanet / "plain.npy").write_bytes(raw)
        w = np.load(dorefanet / "plain.npy", allow_pickle=True).item()
        (dorefanet / "plain.npy").unlink()
        for codes in (
            rng.integers(0, 4, (3, 3, 5), dtype=np.uint8),
            rng.integers(0, 2, (3, 3, 5), dtype=np.uint8),  # divided by the largest there is
            np.zeros((3, 3, 5), np.uint8),
        ):
            x = codes.ravel() / max(codes.max(), 1)
            x = np.clip(x @ w["fc0/Wn"].astype(float) + w["fc0/bn"], 0, 1)
            x = np.rint(x * 3) / 3
            x = np.clip(x @ w["fc1/Wn"].astype(float) + w["fc1/bn"], 0, 1)
            logits = x @ w["fct/W"].astype(float)
            expected = np.exp(logits) / np.exp(logits).sum()
            found = network.result.probabilities(HostLayers(network.layers[3:])(codes[None]))
            np.testing.assert_allclose(found[0], expected, rtol=1e-6)

    def test_weights_of_two_values_a_column_are_kept_as_bits(self, dorefanet):
        layers = import_network("qnn-mo", dorefanet, "small").layers[3:]
        matrices = [layer.matrix for layer in layers]
        assert [type(m) for m in matrices] == [BinaryDense, FloatDense, FloatDense]

    def test_classifies_and_survives_the_store(self, dorefanet, tmp_path, rng):
        network = import_network("qnn-mo", dorefanet, "small")
        store.save(network, tmp_path)
        rgb = picture(rng)
        found = [Model(n, "cpu").classify(rgb) for n in (network, store.load(tmp_path))]
        assert found[0] == found[1]
        assert sum(c.probability for c in found[0].classes) == pytest.approx(1)

    def test_an_uncompressed_file_is_taken_first(self, dorefanet, copy_of):
        folder = copy_of(dorefanet)
        packed = folder / "dorefanet-fc-normalized.npy.bz2"
        packed.with_suffix("").write_bytes(bz2.decompress(packed.read_bytes()))
        packed.write_bytes(b"not read")
        assert import_network("qnn-mo", folder, "small").result is not None

    @pytest.mark.parametrize("name", ["dorefanet-conv0.npy", "ilsvrc_pp_mean.npy"])
    def test_without_the_first_stage(self, dorefanet, copy_of, name):
        folder = copy_of(dorefanet)
        (folder / name).unlink()
        network = import_network("qnn-mo", folder, "small")
        assert network.picture is None and network.layers[0].name == "conv1"
        assert network.result is not None
        (sentence,) = network.missing
        assert name in sentence
        with pytest.raises(QnnError, match=r"model small is incomplete: .*no picture can go in"):
            Model(network, "cpu").classify(np.zeros((300, 300, 3), np.uint8))

    def test_without_the_fully_connected_layers(self, dorefanet, copy_of):
        folder = copy_of(dorefanet)
        (folder / "dorefanet-fc-normalized.npy.bz2").unlink()
        network = import_network("qnn-mo", folder, "small")
        assert network.result is None and network.layers[-1].name == "conv2"
        assert network.picture is not None
        assert network.classes == ()
        (sentence,) = network.missing
        assert "dorefanet-fc-normalized.npy.bz2" in sentence
        assert "qnn params fetch dorefanet" in sentence
        _, session = open_session("cpu", network)
        assert session.run(np.zeros((1, 224, 224, 3), np.float32)).shape == (1, 3, 3, 5)

    def test_without_the_class_names(self, dorefanet, copy_of):
        folder = copy_of(dorefanet)
        labels = folder.parent.parent / "notebooks/imagenet-classes.pkl"
        labels.rename(folder / labels.name)  # it may also lie here
        assert import_network("qnn-mo", folder, "small").classes[1] == "thing 1"
        (folder / labels.name).unlink()
        network = import_network("qnn-mo", folder, "small")
        assert network.classes == ("class 0", "class 1", "class 2", "class 3")

    @pytest.mark.parametrize(
        "labels", [{}, {0: "a"}, {0: ("n", "a"), 1: ("n", "b")}, dict.fromkeys(range(4), ()), [1]]
    )
    def test_wrong_class_names(self, dorefanet, copy_of, labels):
        folder = copy_of(dorefanet)
        (folder / "imagenet-classes.pkl").write_bytes(pickle.dumps(labels, protocol=0))
        with pytest.raises(FormatError, match=r"imagenet-classes.pkl"):
            import_network("qnn-mo", folder, "small")

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ({"conv0/W": None}, "conv0/W is not an array of floats with 4 dimensions"),
            ({"conv0/W": np.zeros((3, 3, 12), np.float32)}, "conv0/W is not an array of floats"),
            ({"conv0/W": np.zeros((3, 3, 12, 12), np.int32)}, "conv0/W is not an array of floats"),
            ({"conv0/W": np.zeros((4, 3, 12, 12), np.float32)}, "layer conv1: it reads 54x54x3"),
            ({"conv0/W": np.zeros((3, 4, 12, 12), np.float32)}, "layer conv0: weights of shape"),
            ({"conv0/W": np.full((3, 3, 12, 12), np.nan, np.float32)}, "not finite"),
            ({"conv0/T": None}, "conv0/T is not an array of floats with 1 dimensions"),
            ({"conv0/T": np.zeros(0, np.float32)}, "thresholds"),
            ({"conv0/T": np.full(3, np.inf, np.float32)}, "not finite"),
            (
                {"conv0/T": np.zeros(7, np.float32)},
                "it reads 2-bit codes, but layer conv0 before it gives 3-bit codes",
            ),
        ],
        ids=range(10),
    )
    def test_wrong_first_stages(self, dorefanet, copy_of, change, match):
        folder = copy_of(dorefanet)
        path = folder / "dorefanet-conv0.npy"
        arrays = np.load(path, allow_pickle=True).item() | change
        save_dictionary(path, {k: v for k, v in arrays.items() if v is not None})
        with pytest.raises(QnnError, match=match):
            import_network("qnn-mo", folder, "small")

    def test_first_stages_that_are_no_dictionary(self, dorefanet, copy_of):
        folder = copy_of(dorefanet)
        np.save(folder / "dorefanet-conv0.npy", np.zeros((3, 3, 12, 12), np.float32))
        with pytest.raises(FormatError, match="no dictionary of conv0/W and conv0/T"):
            import_network("qnn-mo", folder, "small")

    @pytest.mark.parametrize("shape", [(256, 256), (256, 256, 4), (224, 224, 3)])
    def test_wrong_means(self, dorefanet, copy_of, shape):
        folder = copy_of(dorefanet)
        np.save(folder / "ilsvrc_pp_mean.npy", np.zeros(shape, np.float32))
        with pytest.raises(FormatError, match=r"ilsvrc_pp_mean.npy: not an array of 256x256x3"):
            import_network("qnn-mo", folder, "small")

    def test_a_mean_that_is_not_finite(self, dorefanet, copy_of):
        folder = copy_of(dorefanet)
        np.save(folder / "ilsvrc_pp_mean.npy", np.full((256, 256, 3), np.nan, np.float32))
        with pytest.raises(QnnError, match=r"mean.*finite"):
            import_network("qnn-mo", folder, "small")

    @pytest.mark.parametrize(
        ("key", "value", "match"),
        [
            ("fc0/Wn", None, "fc0/Wn is not an array of floats with 2 dimensions"),
            (
                "fc0/Wn",
                np.ones((44, 7), np.float32),
                "fc0: its matrix has 44 inputs; it reads 3x3",
            ),
            ("fc1/Wn", np.ones((8, 6), np.float32), "fc1: its matrix has 8 inputs; it reads 1x1x7"),
            ("fct/W", np.ones((5, 4), np.float32), "fct: its matrix has 5 inputs; it reads 1x1x6"),
            ("fc0/bn", np.ones(6, np.float32), "for 45 inputs|bias"),
            ("fc1/bn", np.full(6, np.nan, np.float32), "not finite"),
            ("fct/W", np.zeros((6, 0), np.float32), "dense weights"),
        ],
    )
    def test_wrong_fully_connected_layers(self, dorefanet, copy_of, key, value, match):
        folder = copy_of(dorefanet)
        packed = folder / "dorefanet-fc-normalized.npy.bz2"
        plain = folder / "dorefanet-fc-normalized.npy"
        plain.write_bytes(bz2.decompress(packed.read_bytes()))
        arrays = np.load(plain, allow_pickle=True).item() | {key: value}
        save_dictionary(plain, {k: v for k, v in arrays.items() if v is not None})
        with pytest.raises(QnnError, match=match):
            import_network("qnn-mo", folder, "small")

    def test_a_truncated_file(self, dorefanet, copy_of):
        folder = copy_of(dorefanet)
        for name in (
            "dorefanet-conv0.npy",
            "ilsvrc_pp_mean.npy",
            "dorefanet-fc-normalized.npy.bz2",
        ):
            content = (folder / name).read_bytes()
            for size in (0, 10, 200, len(content) - 1):
                (folder / name).write_bytes(content[:size])
                with pytest.raises(FormatError, match=name):
                    import_network("qnn-mo", folder, "small")
            (folder / name).write_bytes(content)

    def test_an_unknown_network_is_its_layers(self, dorefanet, copy_of):
        folder = copy_of(dorefanet)
        for kind in ("alexnet", 7, None, ["dorefanet"]):
            named(folder / "dorefanet-layers.json", kind)
            network = import_network("qnn-mo", folder, "small")
            assert network.picture is None
            assert network.result is None
            assert len(network.layers) == 2


class TestTinierYolo:
    def test_facts(self, tinier):
        network = import_network("qnn-mo", tinier, "small")
        assert (network.task, network.missing) == ("detect", ())
        assert network.classes[6] == "car"
        assert len(network.classes) == 20
        assert isinstance(network.layers[0], FloatConv)
        assert isinstance(network.layers[-1], Dense) and network.layers[-1].name == "conv8"
        assert isinstance(network.result, Boxes)
        assert network.result.anchors.shape == (5, 2)

    def test_first_stage_by_its_definition(self, tinier, rng):
        """Stored [row][column][in][out]; image x is the slow axis of what it gives."""
        codes = first_codes(import_network("qnn-mo", tinier, "small"), rgb := picture(rng))
        assert codes.shape == (208, 208, 2)
        weight = np.load(tinier / "tinier-yolo-conv0-W.npy").astype(np.float64)
        bias = np.load(tinier / "tinier-yolo-conv0-bias.npy").astype(np.float64)
        image = np.pad(geometry.letterbox(rgb).astype(np.float64), ((1, 1), (1, 1), (0, 0)))
        seen = set()
        for x, y, output in [*rng.integers(0, (208, 208, 2), (300, 3)), (0, 0, 0), (207, 207, 1)]:
            window = image[2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
            total = (window * weight[..., output]).sum() + bias[output]
            level = np.clip(total, 0, 4) / 4 * 7
            if abs(level % 1 - 0.5) < 1e-4:
                continue
            assert codes[x, y, output] == round(level)
            seen.add(round(level))
        assert len(seen) > 2

    def test_last_stage_by_its_definition(self, tinier, rng):
        """The map is turned back; its codes are fed as they are."""
        network = import_network("qnn-mo", tinier, "small")
        conv8 = network.layers[-1]
        assert (conv8.unit, conv8.levels, conv8.out_shape) == (1.0, 0, (*conv8.in_shape[:2], 125))
        weight = np.load(tinier / "tinier-yolo-conv8-W.npy")[0, 0]
        codes = rng.integers(0, 8, (7, 7, 6), dtype=np.uint8)
        bias = np.load(tinier / "tinier-yolo-conv8-bias.npy")
        np.testing.assert_allclose(
            HostLayers([conv8])(codes[None])[0],
            codes.astype(float) @ weight.astype(float) + bias,
            rtol=1e-12,
        )
        assert network.picture.transposed and network.result.transposed
        assert network.result.input_size == 416

    def test_detects_and_survives_the_store(self, tinier, tmp_path, rng):
        network = import_network("qnn-mo", tinier, "small")
        store.save(network, tmp_path)
        rgb = picture(rng)
        found = [
            Model(n, "cpu").detect(rgb, threshold=0.02) for n in (network, store.load(tmp_path))
        ]
        assert found[0] == found[1]
        assert found[0].objects

    @pytest.mark.parametrize(
        ("name", "stage"),
        [
            ("conv0-W", "picture"),
            ("conv0-bias", "picture"),
            ("conv8-W", "result"),
            ("conv8-bias", "result"),
        ],
    )
    def test_without_a_file(self, tinier, copy_of, name, stage):
        folder = copy_of(tinier)
        (folder / f"tinier-yolo-{name}.npy").unlink()
        network = import_network("qnn-mo", folder, "small")
        assert getattr(network, stage) is None
        (sentence,) = network.missing
        assert f"tinier-yolo-{name}.npy" in sentence
        with pytest.raises(QnnError, match="model small is incomplete: tinier-yolo"):
            Model(network, "cpu").detect(np.zeros((300, 300, 3), np.uint8))

    @pytest.mark.parametrize(
        ("name", "shape", "match"),
        [
            ("conv0-W", (3, 3, 3), "not an array of floats with 4 dimensions"),
            ("conv0-W", (3, 3, 4, 2), "layer conv0: weights of shape"),
            ("conv0-W", (3, 3, 3, 5), "layer conv1: it reads 208x208x2|bias"),
            ("conv0-bias", (3,), "bias"),
            ("conv8-W", (1, 1, 7, 125), "conv8: its matrix has 7 inputs; it reads 7x7x6"),
            ("conv8-W", (1, 1, 6, 124), "bias|reads floats of 125 channels"),
            ("conv8-W", (6, 125), "not an array of floats with 4 dimensions"),
            ("conv8-W", (2, 1, 6, 125), "conv8"),
            ("conv8-bias", (124,), "bias"),
        ],
    )
    def test_wrong_files(self, tinier, copy_of, name, shape, match):
        folder = copy_of(tinier)
        np.save(folder / f"tinier-yolo-{name}.npy", np.zeros(shape, np.float32))
        with pytest.raises(QnnError, match=match):
            import_network("qnn-mo", folder, "small")

    def test_a_dictionary_for_an_array(self, tinier, copy_of):
        folder = copy_of(tinier)
        save_dictionary(folder / "tinier-yolo-conv8-W.npy", {"": np.zeros((1, 1, 6, 125), "f4")})
        with pytest.raises(FormatError, match=r"conv8-W.npy is not an array of floats"):
            import_network("qnn-mo", folder, "small")


class TestBnnPynq:
    @pytest.fixture(scope="class")
    def folders(self, tmp_path_factory):
        """One CNV and one LFC."""
        root = tmp_path_factory.mktemp("bnn-pynq")
        return {
            name: foreign_bnn_pynq.write(
                root / name,
                foreign_bnn_pynq.KINDS[name],
                [f"thing {i}" for i in range(10)],
                np.random.default_rng(7),
            )
            for name in ("cnvW1A1", "lfcW1A2")
        }

    def test_cnv(self, folders, rng):
        network = import_network("bnn-pynq", folders["cnvW1A1"], "small")
        first = network.layers[0]
        assert isinstance(first, Lookup) and first.out_shape == (32, 32, 3)
        assert network.picture.geometry == "thumbnail-on-white"
        assert isinstance(network.result, Scores)
        # q = p - 128 up to 127, then one less, saturated; as a code, plus 128.
        expected = [p if p <= 127 else min(255, p + 1) for p in range(256)]
        assert first.table.tolist() == expected
        exact = [min(127, np.floor((2 * p / 255 - 1) * 128 + 0.5)) + 128 for p in range(256)]
        assert first.table.tolist() == exact
        assert len(Model(network, "cpu").classify(picture(rng), top=10).classes) == 10

    def test_lfc(self, folders, rng):
        network = import_network("bnn-pynq", folders["lfcW1A2"], "small")
        first = network.layers[0]
        assert (network.picture.geometry, first.out_shape) == ("fit-grey", (1, 1, 784))
        assert first.table.tolist() == [0] * 128 + [1] * 128
        assert len(Model(network, "cpu").classify(picture(rng), top=10).classes) == 10

    @pytest.mark.parametrize("parameters", ["whole", "street view", "road signs"])
    def test_scores_are_those_of_the_words(self, folders, parameters, rng, copy_of):
        """Street view: 12 rows of outputs, thresholds that nothing reads, a blank last line."""
        folder, kind = copy_of(folders["cnvW1A1"]), foreign_bnn_pynq.KINDS["cnvW1A1"]
        names = [f"thing {i}" for i in range(44 if parameters == "road signs" else 10)]
        (folder / "classes.txt").write_text("\n".join(names) + "\n")
        if parameters == "street view":
            (folder / "classes.txt").write_text("\n".join(names) + "\n\n")
            for pe in range(4):
                path = folder / f"8-{pe}-weights.bin"
                path.write_bytes(path.read_bytes()[: 3 * 512 * 8])
                (folder / f"8-{pe}-thres.bin").write_bytes(bytes(24))
        network = import_network("bnn-pynq", folder, "small")
        assert network.classes == tuple(names)
        model = Model(network, "cpu")
        pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        q = np.where(
            pixels <= 127, pixels.astype(int) - 128, np.minimum(127, pixels.astype(int) - 127)
        )
        *_, expected = foreign_bnn_pynq.evaluate(folder, kind, q)
        scores = model.network.result.scores(model.run(model.tensor(pixels)[None]))[0]
        assert scores.tolist() == expected[0, 0, : len(names)].tolist()

    def test_a_file_for_a_directory(self, folders):
        with pytest.raises(FormatError, match=r"classes.txt: not a directory; name the one with"):
            import_network("bnn-pynq", folders["cnvW1A1"] / "classes.txt", "small")
