# SPDX-License-Identifier: BSD-3-Clause
"""Imported layers compute what the words in the files mean; a malformed file is refused."""

import copy
import json
import shutil
from itertools import product

import numpy as np
import pytest
from damage import damaged_documents
from foreign_qnn_mo import PE, Layer, Section, description, evaluate, write
from hypothesis import given, settings

from qnn.errors import FormatError, NetworkError, QnnError
from qnn.importers.qnn_mo.layers import read_json, read_layers
from qnn.network import MaxPool
from qnn_sim import golden_network


def import_layers(path):
    return read_layers(path, read_json(path))


# Each: activation bits, first prefix, sections.
NETWORKS = {
    "one pixel": (2, 0, [Section(1, (Layer("conv1", 2, 9, 1, 1, 0),))]),
    "lopsided pool": (
        2,
        1,
        [Section(1, (Layer("conv1", 5, 33, 6, 3, 1, pool=(3, 2, 1)),))],
    ),
    "pool on all sides, then a floor": (
        2,
        0,
        [
            Section(1, (Layer("conv1", 3, 40, 5, 2, 1, pool=(3, 2, 2)),)),
            Section(1, (Layer("conv2", 40, 8, 3, 2, 0, pool=(2, 2, 0)),)),
        ],
    ),
    "two blocks of channels": (2, 3, [Section(1, (Layer("conv1", 70, 10, 3, 2, 0),))]),
    "three blocks, full": (3, 0, [Section(1, (Layer("conv1", 192, 5, 2, 2, 0),))]),
    "three bits": (
        3,
        1,
        [
            Section(1, (Layer("conv1", 16, 40, 4, 3, 1, pool=(2, 2, 0)),)),
            Section(1, (Layer("conv2", 40, 20, 2, 1, 0, pool=(2, 1, 1)),)),
        ],
    ),
    "four bits": (4, 0, [Section(1, (Layer("conv1", 9, 35, 3, 3, 1),))]),
    "branches": (
        2,
        1,
        [
            Section(2, (Layer("conv1", 3, 34, 5, 3, 1, pool=(3, 2, 1)),)),
            Section(1, (Layer("conv2", 68, 12, 2, 2, 1),)),
            Section(
                3,
                (
                    Layer("conv3", 4, 7, 3, 2, 0),
                    Layer("conv4", 7, 33, 2, 1, 0, pool=(2, 1, 0)),
                ),
            ),
        ],
    ),
    "iterations": (
        3,
        2,
        [
            Section(1, (Layer("conv1", 4, 96, 3, 3, 1, per_set=32),)),
            Section(1, (Layer("conv2", 96, 70, 3, 1, 0, pool=(2, 2, 1), per_set=64),)),
            Section(1, (Layer("conv3", 70, 4, 2, 2, 0),)),
        ],
    ),
    "strides": (2, 0, [Section(1, (Layer("conv1", 4, 5, 7, 3, 2, stride=2),))]),
}


@pytest.fixture(scope="module", params=NETWORKS)
def foreign(request, tmp_path_factory):
    """(path of the JSON, sections, bits, first prefix) of a network of the format."""
    bits, prefix, sections = NETWORKS[request.param]
    folder = tmp_path_factory.mktemp("net")
    seed = list(NETWORKS).index(request.param)
    path = write(folder, sections, bits, np.random.default_rng(seed), prefix)
    return path, sections, bits, prefix


def test_layers_compute_what_the_words_mean(foreign):
    path, sections, bits, prefix = foreign
    layers = import_layers(path)
    first = sections[0]
    shape = first.layers[0].dim, first.layers[0].dim, first.layers[0].channels * first.branches
    rng = np.random.default_rng(9)
    seen = set()
    for codes in (
        rng.integers(0, 2**bits, shape, dtype=np.uint8),
        np.zeros(shape, np.uint8),
        np.full(shape, 2**bits - 1, np.uint8),
    ):
        expected = evaluate(path.parent / "parameters", sections, bits, codes, prefix)
        assert len(layers) == len(expected)
        found = golden_network.trace(layers, codes)
        for layer, maps, want in zip(layers, found, expected, strict=True):
            np.testing.assert_array_equal(maps, want, err_msg=layer.name)
            seen |= set(want.ravel().tolist())
    assert len(seen) > 1  # or the thresholds were all out of reach


def test_parts_are_named_after_their_files(tmp_path):
    for kind, parts in {
        "branches": [
            ("conv1/1", "conv1/2"),
            ("conv2/3",),
            ("conv3/4", "conv3/6", "conv3/8"),
            ("conv4/5", "conv4/7", "conv4/9"),
        ],
        "iterations": [("conv1/2+3+4",), ("conv2/5+6",), ("conv3/7",)],
    }.items():
        bits, prefix, sections = NETWORKS[kind]
        (tmp_path / kind).mkdir()
        path = write(tmp_path / kind, sections, bits, np.random.default_rng(1), prefix)
        layers = import_layers(path)
        assert [layer.parts for layer in layers] == parts
        assert [layer.groups for layer in layers] == [len(p) for p in parts]
        assert [layer.in_bits for layer in layers] == [bits] * len(layers)


def test_the_odd_row_and_column_of_a_pool_are_at_the_bottom_and_right(tmp_path):
    bits, prefix, sections = NETWORKS["lopsided pool"]
    path = write(tmp_path, sections, bits, np.random.default_rng(1), prefix)
    (layer,) = import_layers(path)
    assert layer.pool == MaxPool(3, 2, (0, 0, 1, 1))


def test_thresholds_are_ascending_whatever_the_file_says(tmp_path):
    """T = 19428, -7474, 31160, the raw word of a real network."""
    path = write(tmp_path, NETWORKS["one pixel"][2], 2, np.random.default_rng(1))
    (tmp_path / "parameters/0-0-thres.bin").write_bytes((0x000279B8E2CE4BE4).to_bytes(8, "little"))
    (layer,) = import_layers(path)
    assert layer.thresholds[0].tolist() == [-7474, 19428, 31160]


# --- what is malformed -------------------------------------------------------------------------

SECTIONS = [
    Section(2, (Layer("conv1", 3, 34, 4, 3, 1, pool=(2, 2, 0)),)),
    Section(1, (Layer("conv2", 68, 40, 2, 1, 0, per_set=32),)),
]
DOCUMENT = description(SECTIONS, 2, 1)
NAMES = [entry["name"] for entry in DOCUMENT["layers"]]
assert NAMES == ["split0", "conv1", "pool of conv1", "merge0", "conv2"]


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    """A valid network that tests copy before they damage it."""
    folder = tmp_path_factory.mktemp("valid")
    write(folder, SECTIONS, 2, np.random.default_rng(1), 1)
    return folder


@pytest.fixture
def broken(valid, tmp_path):
    """Folder of a copy of the network, to be damaged."""
    shutil.copytree(valid, tmp_path / "net")
    return tmp_path / "net"


@pytest.fixture
def path(valid, tmp_path):
    """Path of a layer JSON yet to be written, with the valid parameters beside it."""
    (tmp_path / "parameters").symlink_to(valid / "parameters")
    return tmp_path / "net-layers.json"


def refuse(path, match, kind=QnnError):
    with pytest.raises(kind, match=match) as raised:
        import_layers(path)
    assert "\n" not in str(raised.value)


def test_the_undamaged_network_is_read(broken):
    assert [layer.name for layer in import_layers(broken / "net-layers.json")] == [
        "conv1",
        "conv2",
    ]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[" * 99999, "not valid JSON"),
        ("\0", "not valid JSON"),
        ("[]", "not a JSON object"),
        ("3", "not a JSON object"),
        ("{}", 'it has no list of "layers"'),
        ('{"layers": {}}', 'it has no list of "layers"'),
        ('{"layers": [3]}', 'it has no list of "layers"'),
        ('{"layers": [], "binparam": "parameters"}', "it lists no convolution"),
        ('{"layers": []' + " " * (4 << 20) + "}", "not a JSON object of at most"),
    ],
    ids=range(11),
)
def test_files_that_are_no_layer_json(path, text, match):
    path.write_text(text)
    refuse(path, f"net-layers.json: .*{match}", (FormatError, NetworkError))


def test_files_that_cannot_be_read(broken):
    refuse(broken / "no.json", "no.json: cannot be read", FormatError)
    refuse(broken, "cannot be read", FormatError)
    (broken / "net-layers.json").write_bytes(b'{"layers": "\xff"}')
    refuse(broken / "net-layers.json", "not valid JSON", FormatError)


def entry(document, name):
    return document["layers"][NAMES.index(name)]


# Each: the entry (None: the document), its changes (None: left out), and the sentence.
CHANGES = {
    "no folder": (
        None,
        {"binparam": "elsewhere"},
        "its parameter folder .*elsewhere does not exist",
    ),
    "a file for a folder": (None, {"binparam": "net-layers.json"}, "does not exist"),
    "a long folder": (None, {"binparam": "x" * 5000}, "does not exist"),
    "a nul in the folder": (None, {"binparam": "a\0b"}, "does not exist"),
    "other folder": (None, {"binparam": None}, "0-weights.bin: cannot be read"),
    "prefix of text": (None, {"binparam_skip": "1"}, "'binparam_skip' should be a whole number"),
    "prefix of a half": (None, {"binparam_skip": 0.5}, "'binparam_skip' should be a whole"),
    "prefix true": (None, {"binparam_skip": True}, "'binparam_skip' should be a whole number"),
    "negative prefix": (None, {"binparam_skip": -1}, "'binparam_skip' should be a whole number"),
    "skip of text": (None, {"layer_skip": "1"}, "'layer_skip' should be a whole number"),
    "nothing left": (None, {"layer_skip": 9}, "it lists no convolution"),
    "split skipped": (None, {"layer_skip": 1}, "merge0: there is no split"),
    "wrong prefix": (None, {"binparam_skip": 2}, "fit|cannot be read"),
    "no func": ("conv1", {"func": None}, "conv1: unknown layer type None; known are conv_layer"),
    "other func": ("conv2", {"func": "softmax"}, "conv2: unknown layer type 'softmax'"),
    "func of a list": ("conv2", {"func": ["conv_layer"]}, "conv2: unknown layer type"),
    "no kernel": ("conv1", {"kernel_shape": None}, "layer conv1: 'kernel_shape' should be"),
    "kernel 0": ("conv1", {"kernel_shape": 0}, "conv1: it states an output of 4x4, but kernel 0"),
    "kernel too large": ("conv1", {"kernel_shape": 99}, "conv1: it states an output of 4x4"),
    "kernel of text": ("conv1", {"kernel_shape": "3"}, "layer conv1: 'kernel_shape' should be"),
    "kernel of a half": ("conv1", {"kernel_shape": 3.5}, "'kernel_shape' should be .*, not 3.5"),
    "kernel of a list": ("conv1", {"kernel_shape": [3, 3]}, "'kernel_shape' should be"),
    "stride 0": ("conv1", {"kernel_stride": 0}, "conv1: it states .* stride 0"),
    "stride 2": ("conv1", {"kernel_stride": 2}, "conv1: it states .*4x4, but .* give 2x2"),
    "half padding": ("conv1", {"padding": 0.5}, "layer conv1: 'padding' should be a whole number"),
    "other padding": ("conv1", {"padding": 0}, "conv1: it states .*4x4, but .* give 2x2"),
    "negative padding": ("conv1", {"padding": -1}, "'padding' should be a whole number, not -1"),
    "no input": ("conv1", {"input": None}, "layer conv1: 'input' should be .channels, side"),
    "flat input": ("conv1", {"input": [3]}, "layer conv1: 'input' should be"),
    "text input": ("conv1", {"input": "3x4x4"}, "layer conv1: 'input' should be"),
    "empty input": ("conv1", {"input": [0, 4, 4]}, "layer conv1: 'input' should be"),
    "endless input": ("conv1", {"input": [3, 2**40, 2**40]}, "layer conv1: 'input' should be"),
    "oblong input": ("conv1", {"input": [3, 4, 5]}, "conv1: .*square maps only, not 3x4x5"),
    "oblong output": ("conv1", {"output": [34, 4, 5]}, "conv1: .*square maps only, not 34x4x5"),
    "wrong output": (
        "conv1",
        {"output": [34, 5, 5]},
        "conv1: it states an output of 5x5, but kernel 3, stride 1 and padding 1 give 4x4",
    ),
    "wrong input": (
        "conv2",
        {"input": [67, 2, 2]},
        "conv2: it reads 2x2x67, but the layer before it gives 2x2x68",
    ),
    "wrong side": (
        "conv2",
        {"input": [68, 3, 3], "output": [40, 3, 3]},
        "conv2: it reads 3x3x68, but the layer before it gives 2x2x68",
    ),
    "more outputs than files": ("conv2", {"output": [130, 2, 2]}, "cannot be read|fit"),
    "outputs of a split in two sets": ("conv1", {"output": [70, 4, 4]}, "conv1|pool of conv1"),
    "other bits": ("conv1", {"output_bits": 3}, "1-0-thres.bin: .* do not fit layer conv1"),
    "bits of text": ("conv1", {"output_bits": "2"}, "layer conv1: 'output_bits' should be"),
    "pool of other channels": (
        "pool of conv1",
        {"input": [33, 4, 4], "output": [33, 2, 2]},
        "pool of conv1: it pools 4x4x33, but layer conv1 gives 4x4x34",
    ),
    "pool of a smaller map": (
        "pool of conv1",
        {"input": [34, 3, 3]},
        "pool of conv1: it pools 3x3x34, but layer conv1 gives 4x4x34",
    ),
    "pool with wrong output": (
        "pool of conv1",
        {"output": [34, 3, 3]},
        "pool of conv1: it states an output of 3x3, but a pool of 2, stride 2 on 4x4 gives 2x2",
    ),
    "pool padded too much": (
        "pool of conv1",
        {"input": [34, 8, 8], "output": [34, 4, 4]},
        "merge0: it states 2x2x68, but its branches give 4x4x68",
    ),
    "oblong pool": ("pool of conv1", {"input": [34, 4, 5]}, "pool of conv1: .*square maps only"),
    "pool of 0": ("pool of conv1", {"kernel_shape": 0}, "pool of conv1: it states"),
    "pool stride 0": ("pool of conv1", {"kernel_stride": 0}, "pool of conv1: it states"),
    "pool without kernel": ("pool of conv1", {"kernel_shape": None}, "'kernel_shape' should be"),
    "split 0": ("split0", {"split": 0}, "split0: . channels cannot be split into 0 branches"),
    "split of text": ("split0", {"split": "2"}, "layer split0: 'split' should be"),
    "split 3": ("split0", {"split": 3}, "conv1|merge0|split0"),
    "split of unequal parts": ("split0", {"input_channels": 7}, "split0: 7 channels cannot be"),
    "split of another map": ("split0", {"input_channels": 8}, "conv1: it reads 4x4x3, but"),
    "split of another side": ("split0", {"input_dim": 5}, "conv1: it reads 4x4x3, but .* 5x5x3"),
    "merge 3": ("merge0", {"merge": 3}, "merge0: there is no split of that many branches"),
    "merge of text": ("merge0", {"merge": "2"}, "layer merge0: 'merge' should be"),
    "merge to fewer": (
        "merge0",
        {"output_channels": 34},
        "merge0: it states 2x2x34, but its branches give 2x2x68",
    ),
    "merge to a side": ("merge0", {"output_dim": 3}, "merge0: it states 3x3x68, but .* 2x2x68"),
    "merge without statement": ("merge0", {"output_dim": None}, "merge0: 'output_dim' should be"),
}


@pytest.mark.parametrize(("name", "changes", "match"), CHANGES.values(), ids=CHANGES)
def test_wrong_fields(path, name, changes, match):
    document = copy.deepcopy(DOCUMENT)
    target = document if name is None else entry(document, name)
    for key, value in changes.items():
        if value is None:
            del target[key]
        else:
            target[key] = value
    path.write_text(json.dumps(document))
    refuse(path, match, (FormatError, NetworkError))


def without(*names):
    return [e for e in copy.deepcopy(DOCUMENT["layers"]) if e["name"] not in names]


SPLIT_AGAIN = {**DOCUMENT["layers"][0], "name": "again", "input_channels": 3, "split": 3}
FC = {"name": "fc", "func": "fc_layer", "input": [40, 2, 2], "output": [9]}
ORDERS = {
    "unmerged": (without("merge0", "conv2"), "the last split is never merged; add a merge_layer"),
    "unmerged, then more": (without("merge0"), "conv2: it reads 2x2x68, but the layer before"),
    "merge without split": (without("split0"), "merge0: there is no split"),
    "split in a split": (
        [DOCUMENT["layers"][0], SPLIT_AGAIN, *DOCUMENT["layers"][1:]],
        "again: a split inside a split is not possible",
    ),
    "pool first": (
        [entry(DOCUMENT, "pool of conv1"), *without("pool of conv1")],
        "pool of conv1: a pool is only possible directly after a convolution; move it there",
    ),
    "pool after a pool": (
        [*without("merge0", "conv2"), entry(DOCUMENT, "pool of conv1")],
        "pool of conv1: a pool is only possible directly after a convolution",
    ),
    "pool after a merge": (
        [*without("conv2", "pool of conv1"), entry(DOCUMENT, "pool of conv1")],
        "merge0|pool of conv1: a pool is only",
    ),
    "pool after others": (
        [*without(), FC, entry(DOCUMENT, "pool of conv1")],
        "pool of conv1: a pool is only possible directly after",
    ),
    "no convolution": ([FC], "it lists no convolution to offload"),
}


@pytest.mark.parametrize(("layers", "match"), ORDERS.values(), ids=ORDERS)
def test_wrong_orders(path, layers, match):
    path.write_text(json.dumps({**DOCUMENT, "layers": layers}))
    refuse(path, match, NetworkError)


def test_layers_on_the_host_are_passed_over(path):
    """Leading entries by number; fully connected ones, and those of type none, by their type."""
    skipped = {"name": "conv0", "func": "whatever", "input": "nonsense"}
    none = {"name": "nothing", "func": "none"}
    layers = [skipped, *DOCUMENT["layers"][:4], none, *DOCUMENT["layers"][4:], FC]
    path.write_text(json.dumps({**DOCUMENT, "layers": layers, "layer_skip": 1}))
    assert [layer.name for layer in import_layers(path)] == ["conv1", "conv2"]


@pytest.mark.parametrize("suffix", ["weights", "thres"])
def test_a_missing_parameter_file(broken, suffix):
    for prefix, pe in product((1, 2, 3, 4), (0, 17, 31)):
        file = broken / f"parameters/{prefix}-{pe}-{suffix}.bin"
        file.rename(broken / "aside")
        match = rf"{file.name}: cannot be read \(No such file"
        refuse(broken / "net-layers.json", match, FormatError)
        (broken / "aside").rename(file)


def test_a_directory_for_a_parameter_file(broken):
    path = broken / "parameters/3-5-weights.bin"
    path.unlink()
    path.mkdir()
    refuse(broken / "net-layers.json", "3-5-weights.bin: cannot be read", FormatError)


@pytest.mark.parametrize("suffix", ["weights", "thres"])
@pytest.mark.parametrize("pe", [0, 31])
def test_one_truncated_parameter_file(broken, pe, suffix):
    for prefix in (1, 4):
        path = broken / f"parameters/{prefix}-{pe}-{suffix}.bin"
        content = path.read_bytes()
        for size in {0, 1, 7, 8, len(content) - 8, len(content) - 1} - {len(content)}:
            path.write_bytes(content[:size])
            refuse(
                broken / "net-layers.json",
                rf"{prefix}-\d+-{suffix}.bin: .*truncated or of another network",
                FormatError,
            )
        path.write_bytes(content + b"\0" * 8)
        refuse(broken / "net-layers.json", f"{prefix}-.*{suffix}.bin: ", FormatError)
        path.write_bytes(content)


@pytest.mark.parametrize("suffix", ["weights", "thres"])
def test_all_files_of_a_prefix_of_a_wrong_size(broken, suffix):
    """Of the same size all, so that only the shapes of the layer tell."""
    for prefix in (1, 3):
        folder = broken / "parameters"
        files = [folder / f"{prefix}-{pe}-{suffix}.bin" for pe in range(PE)]
        contents = [file.read_bytes() for file in files]
        size = len(contents[0])
        for change in {0, 8, size - 8, size + 8, 3 * size} - {size}:
            for file, content in zip(files, contents, strict=True):
                file.write_bytes((content * 3)[:change])
            refuse(broken / "net-layers.json", f"layer conv|{prefix}-0-{suffix}.bin")
        for file, content in zip(files, contents, strict=True):
            file.write_bytes(content)


def test_outputs_inside_a_split_lie_in_one_set_of_files(tmp_path):
    sections = [Section(2, (Layer("conv1", 3, 64, 2, 1, 0, per_set=32),))]
    path = write(tmp_path, sections, 2, np.random.default_rng(1))
    refuse(path, "layer conv1: inside a split all 64 outputs have to lie in one", NetworkError)


def test_random_damage(valid):
    """Whatever happens to the JSON, it is read, or refused in one sentence."""
    path = valid / "damaged-layers.json"

    @settings(max_examples=200)
    @given(damaged_documents(DOCUMENT))
    def read(document):
        path.write_text(json.dumps(document))
        try:
            import_layers(path)
        except (FormatError, NetworkError) as error:
            assert "\n" not in str(error)

    read()
