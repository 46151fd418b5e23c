# SPDX-License-Identifier: BSD-3-Clause
"""What is saved comes back equal; what is damaged is refused, and never anything else happens."""

import dataclasses
import functools
import io
import json
import shutil
import struct
import warnings
import zipfile
from pathlib import Path

import drawn_layers
import numpy as np
import pytest
import random_networks
from damage import damaged_bytes, damaged_documents
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_networks import network_of, random_conv

from qnn import store
from qnn.compute.dense import FloatDense
from qnn.errors import FormatError, NetworkError, QnnError
from qnn.network import Dense
from qnn.network.result import Probabilities

KINDS = random_networks.KINDS
per_example_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_equal(one, other):
    """Two networks, or parts of them, are equal in type and in every value."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(one, other)
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            assert_equal(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, FloatDense):
        assert_equal(one.weight, other.weight)
        assert_equal(one.bias, other.bias)
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
    else:
        assert one == other


@pytest.fixture(params=KINDS)
def network(request):
    return KINDS[request.param](np.random.default_rng(5))


@pytest.fixture
def stored(network, tmp_path):
    """A folder with a network in it, for each kind of network."""
    store.save(network, tmp_path)
    return tmp_path


@pytest.fixture
def folder(tmp_path):
    """A folder with one network in it."""
    store.save(KINDS["layered"](np.random.default_rng(5)), tmp_path)
    return tmp_path


def rewrite(folder, tensors=None, document=None):
    """Replaces members of the tensor file by raw bytes, or the description by a document."""
    if document is not None:
        (folder / "network.json").write_text(json.dumps(document))
    if tensors is not None:
        path = folder / "tensors.npz"
        with zipfile.ZipFile(path) as file:
            members = {name: file.read(name) for name in file.namelist()}
        with zipfile.ZipFile(path, "w") as file:
            for name, content in (members | tensors).items():
                if content is not None:
                    file.writestr(name, content)


def npy(header, content=b"", version=(1, 0)):
    """An .npy file with a header of one's own."""
    text = (header if isinstance(header, bytes) else repr(header).encode()) + b"\n"
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text + content


def claim(descr, shape, fortran=False):
    return {"descr": descr, "fortran_order": fortran, "shape": shape}


class TestRoundTrip:
    def test_every_kind(self, network, stored):
        assert_equal(store.load(stored), network)

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("kind", KINDS)
    def test_random_parameters(self, kind, seed, tmp_path):
        network = KINDS[kind](np.random.default_rng(seed))
        store.save(network, tmp_path)
        assert_equal(store.load(tmp_path), network)

    @per_example_folder
    @given(layer=drawn_layers.convs())
    def test_every_layer(self, layer, tmp_path):
        store.save(network_of(layer), tmp_path)
        assert_equal(store.load(tmp_path).layers, (layer,))

    def test_saving_again_replaces(self, tmp_path):
        for kind in KINDS.values():
            network = kind(np.random.default_rng(1))
            store.save(network, tmp_path)
            assert_equal(store.load(tmp_path), network)

    def test_what_is_saved_twice_is_the_same(self, network, tmp_path):
        folders = tmp_path / "a", tmp_path / "b"
        for folder in folders:
            folder.mkdir()
            store.save(network, folder)
        texts = [(folder / "network.json").read_bytes() for folder in folders]
        assert texts[0] == texts[1]

    def test_without_notes(self, network, stored):
        """As older versions wrote it."""
        document = json.loads((stored / "network.json").read_text(encoding="utf-8"))
        del document["notes"]
        rewrite(stored, document=document)
        assert_equal(store.load(stored), dataclasses.replace(network, notes=()))

    def test_no_pickle_is_written(self, stored):
        with np.load(stored / "tensors.npz", allow_pickle=False) as tensors:
            assert all(tensors[name].dtype != object for name in tensors.files)

    @pytest.mark.parametrize(
        "name", ["first", "last", "mean", "anchors", "offset", "step0", "a/b", "Größe", "a.weight"]
    )
    @pytest.mark.parametrize("kind", KINDS)
    def test_layers_of_any_name(self, kind, name, tmp_path):
        """No name takes the tensors of anything else."""
        network = KINDS[kind](np.random.default_rng(5))
        first = dataclasses.replace(network.layers[0], name=name)
        network = dataclasses.replace(network, layers=(first, *network.layers[1:]))
        store.save(network, tmp_path)
        assert_equal(store.load(tmp_path), network)

    @pytest.mark.parametrize("name", ["\ud800", "a\0b", ""])
    def test_names_that_no_file_can_hold(self, name, tmp_path):
        try:
            network = network_of(random_conv(np.random.default_rng(5), name=name))
        except NetworkError:
            return
        store.save(network, tmp_path)
        assert_equal(store.load(tmp_path), network)

    def test_fully_connected_layers_of_one_name(self):
        rng = np.random.default_rng(5)

        def dense(inputs, outputs, bits):
            weight = rng.standard_normal((inputs, outputs)).astype(np.float32)
            return Dense("fc", (1, 1, inputs), bits, FloatDense(weight, None), 1)

        with pytest.raises(NetworkError, match="two layers are called fc"):
            network_of(
                random_conv(rng, (1, 1, 2), 3, (1, 1)),
                dense(3, 3, 2),
                dense(3, 2, None),
                result=Probabilities(),
                classes=("a", "b"),
            )


class TestDescription:
    def refuse(self, folder, match):
        with pytest.raises(QnnError, match=match) as raised:
            store.load(folder)
        assert "\n" not in str(raised.value)
        assert isinstance(raised.value, FormatError | NetworkError)

    def test_missing(self, folder):
        (folder / "network.json").unlink()
        self.refuse(folder, r"network.json: cannot be read \(No such file")

    def test_a_directory(self, folder):
        (folder / "network.json").unlink()
        (folder / "network.json").mkdir()
        self.refuse(folder, "cannot be read")

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", "3", "null", "{} {}", "[" * 99999, "9" * 5000], ids=range(8)
    )
    def test_not_json_or_no_object(self, folder, text):
        (folder / "network.json").write_text(text)
        self.refuse(folder, r"network.json: not (valid JSON|a JSON object)")

    def test_not_text(self, folder):
        (folder / "network.json").write_bytes(b'{"format": "\xff\xfe"}')
        self.refuse(folder, "network.json: not valid JSON")

    def test_too_large(self, folder):
        path = folder / "network.json"
        path.write_text(path.read_text() + " " * (4 << 20))
        self.refuse(folder, "network.json")

    def test_truncated(self, folder):
        path = folder / "network.json"
        text = path.read_bytes().rstrip()
        for size in range(0, len(text), max(1, len(text) // 60)):
            path.write_bytes(text[:size])
            self.refuse(folder, "network.json: not valid JSON")

    def test_another_format_or_version(self, folder):
        document = json.loads((folder / "network.json").read_text())
        for change in ({"format": "onnx"}, {"version": 4}, {"version": 0}):
            rewrite(folder, document=document | change)
            self.refuse(folder, "not a qnn-network of version 1 to 3; import it again")
        for change in ({"version": True}, {"version": 2.0}, {"version": "2"}, {"format": None}):
            rewrite(folder, document=document | change)
            self.refuse(folder, "network.json")

    def test_every_value_of_a_wrong_type(self, stored):
        """Each value in turn becomes an object, which none of them may be."""
        document = json.loads((stored / "network.json").read_text())

        def places(node, path=()):
            pairs = node.items() if isinstance(node, dict) else enumerate(node)
            for key, value in pairs:
                yield node, key
                if isinstance(value, dict | list):
                    yield from places(value, (*path, key))

        for parent, key in list(places(document)):
            before, parent[key] = parent[key], {"no": "such thing"}
            rewrite(stored, document=document)
            self.refuse(stored, r"network.json: [\w.\[\]]+ should be|network.json: not a")
            parent[key] = before

    @pytest.mark.parametrize("kind", KINDS)
    def test_random_damage(self, kind, tmp_path_factory):
        folder = tmp_path_factory.mktemp(kind)
        store.save(KINDS[kind](np.random.default_rng(5)), folder)
        text = (folder / "network.json").read_text()

        @settings(max_examples=100)
        @given(damaged_documents(json.loads(text)))
        def load(document):
            rewrite(folder, document=document)
            try:
                store.load(folder)
            except (FormatError, NetworkError) as error:
                assert "\n" not in str(error)

        load()

    @pytest.mark.parametrize("number", [10**400, -(10**400)], ids=["plus", "minus"])
    def test_numbers_too_large_for_a_float(self, tmp_path, number):
        network = KINDS["connected"](np.random.default_rng(5))
        store.save(network, tmp_path)
        document = json.loads((tmp_path / "network.json").read_text())
        document["layers"][0]["quantizer"]["values"][0] = number
        rewrite(tmp_path, document=document)
        self.refuse(tmp_path, r"network.json: layers\[0\].quantizer.values|thresholds")
        store.save(KINDS["scoring"](np.random.default_rng(5)), tmp_path)
        document = json.loads((tmp_path / "network.json").read_text())
        document["result"]["scale"] = number
        rewrite(tmp_path, document=document)
        self.refuse(tmp_path, "network.json: result.scale")

    @pytest.mark.parametrize("levels", [-1, 256, 2**40])
    def test_levels_of_fully_connected_layers(self, tmp_path, levels):
        """Codes between fully connected layers are 8 bits wide."""
        store.save(KINDS["connected"](np.random.default_rng(5)), tmp_path)
        document = json.loads((tmp_path / "network.json").read_text())
        document["layers"][2]["levels"] = levels
        rewrite(tmp_path, document=document)
        self.refuse(tmp_path, "levels|fc0")

    def test_a_negative_padding_of_the_first_stage(self, tmp_path):
        store.save(KINDS["detecting"](np.random.default_rng(5)), tmp_path)
        document = json.loads((tmp_path / "network.json").read_text())
        document["layers"][0] |= {"padding": -1, "input": [20, 20, 3]}  # the output stays 8x8
        document["picture"]["size"] = 20
        rewrite(tmp_path, document=document)
        self.refuse(tmp_path, "padding")


class TestTensors:
    def refuse(self, folder, match="tensors.npz"):
        with pytest.raises(FormatError, match=match) as raised:
            store.load(folder)
        assert "\n" not in str(raised.value)

    def load_or_refuse(self, folder):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return store.load(folder)
            except (FormatError, NetworkError) as error:
                assert "\n" not in str(error)
                return None

    def test_missing(self, folder):
        (folder / "tensors.npz").unlink()
        self.refuse(folder, r"tensors.npz: cannot be read \(No such file")

    @pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all", b"PK\5\6" + 18 * b"\0"])
    def test_no_zip(self, folder, content):
        (folder / "tensors.npz").write_bytes(content)
        self.refuse(folder)

    def test_truncated(self, folder):
        path = folder / "tensors.npz"
        content = path.read_bytes()
        for size in [*range(0, len(content), max(1, len(content) // 60)), len(content) - 1]:
            path.write_bytes(content[:size])
            self.refuse(folder)

    def test_each_tensor_is_needed(self, stored):
        with zipfile.ZipFile(stored / "tensors.npz") as file:
            names = file.namelist()
        complete = (stored / "tensors.npz").read_bytes()
        for name in names:
            rewrite(stored, {name: None})
            self.refuse(stored, f"it has no tensor {name[:-4]}")
            (stored / "tensors.npz").write_bytes(complete)

    def test_altered_bytes(self, stored):
        """The checksums of the file find what changed."""
        path = stored / "tensors.npz"
        content = bytearray(path.read_bytes())
        with zipfile.ZipFile(path) as file:
            infos = [i for i in file.infolist() if i.compress_size > 16]
        for info in infos:
            place = info.header_offset + 30 + len(info.filename) + 20 + info.compress_size // 2
            before, content[place] = content[place], content[place] ^ 0x55
            path.write_bytes(content)
            loaded = self.load_or_refuse(stored)
            assert loaded is None
            content[place] = before

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("aim", [b"PK\3\4", b"PK\1\2"], ids=["anywhere", "directory"])
    def test_random_damage(self, kind, aim, tmp_path_factory):
        """To the whole zip file; or to its central directory: flags, methods, sizes."""
        folder = tmp_path_factory.mktemp(kind)
        network = KINDS[kind](np.random.default_rng(5))
        store.save(network, folder)
        content = (folder / "tensors.npz").read_bytes()
        start = content.index(aim)

        @settings(max_examples=100)
        @given(damaged_bytes(content[start:]))
        def load(damaged):
            (folder / "tensors.npz").write_bytes(content[:start] + damaged)
            loaded = self.load_or_refuse(folder)
            if loaded is not None:  # what was hit carries no meaning: a date, say
                assert_equal(loaded, network)

        load()

    @pytest.mark.parametrize("kind", KINDS)
    def test_random_damage_to_a_header(self, kind, tmp_path_factory):
        """The same, aimed at the .npy header of one tensor, with a checksum that fits."""
        folder = tmp_path_factory.mktemp(kind)
        store.save(KINDS[kind](np.random.default_rng(5)), folder)
        with zipfile.ZipFile(folder / "tensors.npz") as file:
            members = {name: file.read(name) for name in file.namelist()}

        @settings(max_examples=100)
        @given(st.data())
        def load(data):
            name = data.draw(st.sampled_from(sorted(members)))
            head, body = members[name][:128], members[name][128:]
            text = head[10:] if data.draw(st.booleans()) else head
            damaged = data.draw(damaged_bytes(text)).ljust(len(text))
            rewrite(folder, {name: head[: len(head) - len(text)] + damaged + body})
            self.load_or_refuse(folder)

        load()

    @pytest.mark.parametrize(
        ("flag", "what"), [(0x1, "encrypted"), (0x20, "patch"), (0x40, "strongly encrypted")]
    )
    def test_flags_of_the_zip_file(self, folder, flag, what):
        path = folder / "tensors.npz"
        content = bytearray(path.read_bytes())
        content[content.index(b"PK\1\2") + 8] |= flag
        path.write_bytes(content)
        self.refuse(folder)

    @pytest.mark.parametrize("method", [1, 9, 12, 14, 93, 99])
    def test_compression_that_was_not_used(self, folder, method):
        """12 is bzip2, 14 is LZMA: both can be read, but this is neither."""
        path = folder / "tensors.npz"
        content = bytearray(path.read_bytes())
        content[content.index(b"PK\1\2") + 10] = method
        content[8] = method  # the first local header
        path.write_bytes(content)
        self.refuse(folder)

    def test_lzma_of_unknown_filters(self, folder):
        """A member that says it is LZMA, with properties no decoder knows."""
        path, data = folder / "tensors.npz", b"\x09\x04\x05\0" + b"\xff" * 60
        rewrite(folder, {"conv1.weight.npy": data})
        content = bytearray(path.read_bytes())
        local = content.index(b"conv1.weight.npy") - 30
        central = content.index(b"conv1.weight.npy", local + 31) - 46
        content[local + 8] = content[central + 10] = zipfile.ZIP_LZMA
        path.write_bytes(content)
        self.refuse(folder)

    def test_an_offset_beyond_64_bits_signed(self, tmp_path):
        """The directory sends the reader to byte 2**64 - 1."""
        network = KINDS["scoring"](np.random.default_rng(5))
        store.save(network, tmp_path)
        path = tmp_path / "tensors.npz"
        content = bytearray(path.read_bytes())
        start, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
        name_length = content[start + 28]
        content[start + 42 : start + 46] = b"\xff" * 4
        extra = struct.pack("<HHQ", 1, 8, 2**64 - 1)
        content[start + 30 : start + 32] = struct.pack("<H", len(extra))
        content[start + 46 + name_length : start + 46 + name_length] = extra
        end += len(extra)
        content[end + 12 : end + 16] = struct.pack("<I", end - start)
        path.write_bytes(content)
        self.refuse(tmp_path)

    @pytest.mark.parametrize("kind", KINDS)
    def test_sizes_that_are_only_claimed(self, kind, tmp_path):
        """No tensor may claim what its member does not hold; nothing is allocated for it."""
        store.save(KINDS[kind](np.random.default_rng(5)), tmp_path)
        complete = (tmp_path / "tensors.npz").read_bytes()
        with np.load(tmp_path / "tensors.npz") as tensors:
            arrays = dict(tensors)
        for name, array in arrays.items():
            for shape in (
                (1 << 40,),
                (1 << 20, 1 << 20),
                (1 << 62, 4),
                (1 << 70, 0),
                (-1,),
                (-2, -2),
                (*array.shape, 1),
                (*array.shape[:-1], array.shape[-1] + 1),
                (),
            ):
                rewrite(tmp_path, {f"{name}.npy": npy(claim(array.dtype.str, shape), b"\0" * 16)})
                with pytest.raises((FormatError, NetworkError)):
                    store.load(tmp_path)
            (tmp_path / "tensors.npz").write_bytes(complete)

    def test_a_member_larger_than_any_network(self, tmp_path, monkeypatch):
        store.save(KINDS["scoring"](np.random.default_rng(5)), tmp_path)
        content = (tmp_path / "tensors.npz").read_bytes()
        entries = content.split(b"PK\1\2")
        large = [entry[:20] + struct.pack("<I", 0xFFFF0000) + entry[24:] for entry in entries[1:]]
        (tmp_path / "tensors.npz").write_bytes(b"PK\1\2".join([entries[0], *large]))
        monkeypatch.setattr(zipfile.ZipFile, "read", None)  # it is not even opened
        self.refuse(tmp_path, "larger than any network here")

    @pytest.mark.parametrize("descr", ["<f8", "<i8", "|S4", "<c8", "|O", ">i4", "|V4", "<m8[s]"])
    def test_other_types_are_refused(self, tmp_path, descr):
        store.save(KINDS["layered"](np.random.default_rng(5)), tmp_path)
        count = store.load(tmp_path).layers[0].thresholds.shape
        width = np.dtype(descr).itemsize
        content = npy(claim(descr, count), b"\0" * (width * int(np.prod(count))))
        rewrite(tmp_path, {"conv1.thresholds.npy": content})
        self.refuse(tmp_path, "tensors.npz: tensor conv1.thresholds is ")

    def test_a_pickle_is_never_run(self, folder, tmp_path_factory):
        trap = tmp_path_factory.mktemp("trap") / "sprung"
        file = io.BytesIO()
        np.save(file, np.array([Trap(trap)], dtype=object), allow_pickle=True)
        with zipfile.ZipFile(folder / "tensors.npz") as tensors:
            names = tensors.namelist()
        for name in names:
            rewrite(folder, {name: file.getvalue()})
        self.refuse(folder)
        assert not trap.exists()
        np.load(io.BytesIO(file.getvalue()), allow_pickle=True)
        assert trap.exists()  # it would have sprung

    @pytest.mark.parametrize(
        "header",
        [
            b"",
            b"{",
            b"{}",
            b"[]",
            b"3",
            b"{1: 2}",
            b"{'descr': '<i4', 'fortran_order': False, 'shape': (4, 3), 'more': 1}",
            b"{'descr': '<i4', 'fortran_order': 0, 'shape': (4, 3)}",
            b"{'descr': '<i4', 'fortran_order': False, 'shape': [4, 3]}",
            b"{'descr': '<i4', 'fortran_order': False, 'shape': (4, 3.0)}",
            b"{'descr': 'what', 'fortran_order': False, 'shape': (4, 3)}",
            b"{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (4, 3)}",
            b"{'descr': ('<i4',), 'fortran_order': False, 'shape': (4, 3)}",
            b"{'descr': '<i4', 'fortran_order': False, 'shape': (4, 3)",
            b"{'descr': '<i4', 'fortran_order': False, 'shape': (4, 3)}}",
            b"{'descr': \"\"\"<i4', 'fortran_order': False, 'shape': (4, 3)}",
            b"{'descr': '<i4', 'fortran_order': False, 'shape': (4, " + b"-" * 9000 + b"3)}",
            b"{'descr': '<i4', 'fortran_order': False, 'shape': " + b"(" * 9000 + b"}",
            b"{'descr': '<i4', 'fortran_order': False, 'shape': (4, " + b"9" * 5000 + b")}",
            b"__import__('os').getcwd()",
            b"\xff\xfe",
            b"\0",
            b" " * 60000,
        ],
        ids=range(23),
    )
    @pytest.mark.parametrize("version", [(1, 0), (2, 0)])
    def test_headers_of_all_sorts(self, tmp_path, header, version):
        store.save(KINDS["layered"](np.random.default_rng(5)), tmp_path)
        rewrite(tmp_path, {"conv1.thresholds.npy": npy(header, b"\0" * 48, version)})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.refuse(tmp_path)

    @pytest.mark.parametrize("version", [(0, 0), (1, 1), (3, 0), (4, 0), (255, 255)])
    def test_other_versions(self, tmp_path, version):
        store.save(KINDS["layered"](np.random.default_rng(5)), tmp_path)
        rewrite(tmp_path, {"conv1.thresholds.npy": npy(claim("<i4", (4, 3)), b"\0" * 48, version)})
        self.refuse(tmp_path)

    @pytest.mark.parametrize("change", [-1, -48, 1, 48])
    def test_too_little_or_too_much_data(self, tmp_path, change):
        store.save(KINDS["layered"](np.random.default_rng(5)), tmp_path)
        content = npy(claim("<i4", (4, 3)), b"\0" * (48 + change))
        rewrite(tmp_path, {"conv1.thresholds.npy": content})
        self.refuse(tmp_path, "tensor conv1.thresholds is truncated")

    def test_fortran_order_is_minded(self, tmp_path):
        network = KINDS["layered"](np.random.default_rng(5))
        store.save(network, tmp_path)
        thresholds = network.layers[0].thresholds
        content = npy(claim("<i4", thresholds.shape, fortran=True), thresholds.tobytes("F"))
        rewrite(tmp_path, {"conv1.thresholds.npy": content})
        assert_equal(store.load(tmp_path), network)

    def test_tensors_that_contradict_the_network(self, tmp_path):
        store.save(KINDS["layered"](np.random.default_rng(5)), tmp_path)
        falling = np.arange(12, 0, -1).astype("<i4").tobytes()
        rewrite(tmp_path, {"conv1.thresholds.npy": npy(claim("<i4", (4, 3)), falling)})
        with pytest.raises(NetworkError, match="layer conv1: thresholds are not in ascending"):
            store.load(tmp_path)


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return functools.partial(Path.touch, self.path), ()


def test_a_full_disk_is_an_os_error(network, tmp_path):
    missing = tmp_path / "not there"
    with pytest.raises(OSError):
        store.save(network, missing)
    shutil.rmtree(missing, ignore_errors=True)
