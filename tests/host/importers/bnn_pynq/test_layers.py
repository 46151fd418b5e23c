# SPDX-License-Identifier: BSD-3-Clause
"""Imported layers compute what the words in the files mean; a malformed directory is refused."""

import shutil

import foreign_bnn_pynq as foreign
import numpy as np
import pytest

from qnn.errors import FormatError, QnnError
from qnn.importers.bnn_pynq.layers import read_directory
from qnn.network import MaxPool
from qnn_sim import golden_network

CLASSES = {"cnv": [f"thing {i}" for i in range(10)], "lfc": [str(i) for i in range(10)]}


@pytest.fixture(scope="session")
def directories(tmp_path_factory):
    """A directory of random parameters for each kind of network, each made when first asked for."""
    made = {}

    def directory(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("bnn-pynq") / name
            rng = np.random.default_rng(list(foreign.KINDS).index(name))
            made[name] = foreign.write(folder, foreign.KINDS[name], CLASSES[name[:3]], rng)
        return made[name]

    return directory


@pytest.fixture
def copy_of(directories, tmp_path):
    """A function that copies a directory, to be damaged."""

    def copy(name):
        return shutil.copytree(directories(name), tmp_path / name)

    return copy


def inputs(kind, seed):
    rng = np.random.default_rng(seed)
    if kind.convolutional:
        return rng.integers(-128, 128, (32, 32, 3))
    return rng.integers(0, 2, 784)


def codes_of(kind, index, values):
    """The unsigned codes that stand for the values that layer `index` reads."""
    if index == 0:
        return (values + 128 if kind.convolutional else values.reshape(1, 1, -1)).astype(np.uint8)
    shift = (values + 1) // 2 if kind.activation_bits == 1 else values + 1
    return shift.astype(np.uint8)


@pytest.mark.parametrize("name", foreign.KINDS)
def test_layers_compute_what_the_words_mean(directories, name):
    kind, folder = foreign.KINDS[name], directories(name)
    found = read_directory(folder)
    x = inputs(kind, 3)
    expected = list(foreign.evaluate(folder, kind, x))
    assert len(found.layers) == len(expected) == len(kind.layers)
    *maps, acc = golden_network.trace(found.layers, codes_of(kind, 0, x))
    for index, out in enumerate(maps):
        want = codes_of(kind, index + 1, expected[index])
        np.testing.assert_array_equal(out, want.reshape(out.shape), err_msg=f"layer{index}")
        assert len(np.unique(want)) == kind.activation_bits + 1
    assert acc.shape == (1, 1, 10)
    quantity = acc.ravel() + found.offset
    if kind.convolutional:
        np.testing.assert_array_equal(quantity, expected[-1][0, 0, :10] * found.divisor)
    else:
        np.testing.assert_array_equal(quantity >= 0, expected[-1][0, 0, :10] == 1)
        assert 0 < (quantity >= 0).sum() < 10


@pytest.mark.parametrize("value", [-128, 127])
def test_the_ends_of_the_first_input(directories, value):
    kind, folder = foreign.KINDS["cnvW1A1"], directories("cnvW1A1")
    x = np.full((32, 32, 3), value)
    expected = next(foreign.evaluate(folder, kind, x))
    out = golden_network.run_layer(read_directory(folder).layers[0], codes_of(kind, 0, x))
    np.testing.assert_array_equal(out, (expected + 1) // 2)


@pytest.mark.parametrize("name", ["lfcW1A1", "lfcW1A2"])
@pytest.mark.parametrize("bit", [0, 1])
def test_padded_inputs_count(directories, name, bit):
    """The 48 lanes behind the 784 pixels are zeros, which stand for -1, under any weights."""
    kind, folder = foreign.KINDS[name], directories(name)
    x = np.full(784, bit)
    assert (foreign.weights(folder, kind, 0)[:, 784:] > 0).any()
    expected = next(foreign.evaluate(folder, kind, x))
    out = golden_network.run_layer(read_directory(folder).layers[0], codes_of(kind, 0, x))
    np.testing.assert_array_equal(out, codes_of(kind, 1, expected))


@pytest.mark.parametrize("name", foreign.KINDS)
def test_facts(directories, name):
    kind = foreign.KINDS[name]
    found = read_directory(directories(name))
    assert found.family == name[:3]
    assert (found.weight_bits, found.activation_bits) == (kind.weight_bits, kind.activation_bits)
    assert found.classes == tuple(CLASSES[name[:3]])
    assert found.offset.shape == (10,)
    assert found.divisor == kind.weight_bits
    assert [layer.name for layer in found.layers] == [f"layer{i}" for i in range(len(kind.layers))]
    assert found.layers[-1].thresholds is None
    for layer, stated in zip(found.layers, kind.layers, strict=True):
        assert layer.kernel == (stated.kernel, stated.kernel)
        assert layer.pool == (MaxPool(2, 2) if stated.pool else None)
        assert len(layer.coefficients) == kind.weight_bits
    if kind.convolutional:
        assert [layer.in_shape[0] for layer in found.layers] == [s.dim for s in kind.layers]
        assert sum(layer.macs for layer in found.layers) == 59_461_376
    else:
        assert found.layers[0].in_shape == (1, 1, 784)
        assert sum(layer.macs for layer in found.layers) == 2_910_208


def test_double_sums_against_odd_and_even_thresholds(copy_of):
    """Layer 0 of CNV passes where 2 * sum > T: T = 6 and T = 7 from 4 on, T = -7 and -8 from -3."""
    folder = copy_of("cnvW1A1")
    for pe in range(16):
        np.array([6, 7, -7, -8], "<i8").tofile(folder / f"0-{pe}-thres.bin")
        np.full(36, 7, "<u8").tofile(folder / f"0-{pe}-weights.bin")  # all weights +1
    layer = read_directory(folder).layers[0]
    x = np.zeros((32, 32, 3), np.int64)
    for total, passed in ((3, "0011"), (4, "1111"), (-3, "0011"), (-4, "0000")):
        x[0, 0, 0] = total
        out = golden_network.run_layer(layer, (x + 128).astype(np.uint8))
        assert "".join(map(str, out[0, 0, ::16])) == passed


def test_thresholds_are_sixteen_bits_wide(copy_of):
    """65535 wraps to -1: every count of ones is larger."""
    folder = copy_of("lfcW1A1")
    for value, always in ((65535, True), (32767, False), (32768, True), (2**48, None)):
        for pe in range(32):
            np.full(32, value, "<i8").tofile(folder / f"0-{pe}-thres.bin")
        layer = read_directory(folder).layers[0]
        for x in (np.zeros(784, int), np.ones(784, int), inputs(foreign.KINDS["lfcW1A1"], 1)):
            out = golden_network.run_layer(layer, x.reshape(1, 1, -1).astype(np.uint8))
            # 2**48 wraps to 0, which any one equal pair passes.
            assert (out == (always is not False)).all()


class TestClasses:
    def test_blank_lines_do_not_count(self, copy_of):
        folder = copy_of("cnvW1A1")
        (folder / "classes.txt").write_text("\n one \n\n\ttwo\r\nthree\n\n  \n")
        found = read_directory(folder)
        assert found.classes == ("one", "two", "three")
        assert found.layers[-1].out_shape == (1, 1, 3)
        assert found.offset.shape == (3,)

    @pytest.mark.parametrize(
        ("content", "match"),
        [
            (b"", "it names no class"),
            (b"\n \n", "it names no class"),
            (b"\xff\xfe", "not a text file"),
            (b"a\n" * 65, "65 classes, but the network has 64 outputs"),
        ],
    )
    def test_malformed(self, copy_of, content, match):
        folder = copy_of("cnvW1A1")
        (folder / "classes.txt").write_bytes(content)
        refuse(folder, f"classes.txt: {match}")

    def test_as_many_classes_as_outputs(self, copy_of):
        folder = copy_of("cnvW1A1")
        (folder / "classes.txt").write_text("a\n" * 64)
        assert read_directory(folder).layers[-1].out_shape == (1, 1, 64)

    def test_missing(self, copy_of):
        folder = copy_of("cnvW1A1")
        (folder / "classes.txt").unlink()
        refuse(folder, r"classes.txt: cannot be read \(No such file")


class TestShortFiles:
    """Some directories leave out padding rows of the last layer; no others may be left out."""

    def test_cnv_with_twelve_rows_in_its_last_layer(self, copy_of, directories):
        folder = copy_of("cnvW1A1")
        for pe in range(4):
            path = folder / f"8-{pe}-weights.bin"
            path.write_bytes(path.read_bytes()[: 3 * 512 * 8])
            (folder / f"8-{pe}-thres.bin").write_bytes(b"\0" * 24)  # there, and not used
        (folder / "classes.txt").write_text("".join(f"{i}\n" for i in range(10)) + "\n")
        found, whole = read_directory(folder), read_directory(directories("cnvW1A1"))
        assert len(found.classes) == 10
        np.testing.assert_array_equal(found.layers[-1].weight, whole.layers[-1].weight)
        np.testing.assert_array_equal(found.offset, whole.offset)

    def test_lfc_with_48_rows_in_its_last_layer(self, copy_of):
        folder = copy_of("lfcW1A1")
        kind = foreign.KINDS["lfcW1A1"]
        for pe in range(16):
            weights = folder / f"3-{pe}-weights.bin"
            weights.write_bytes(weights.read_bytes()[: 3 * 128 * 8])
            thresholds = folder / f"3-{pe}-thres.bin"
            thresholds.write_bytes(thresholds.read_bytes()[: 3 * 8])
        (folder / "classes.txt").write_text("".join(f"{i}\n" for i in range(47)))
        found = read_directory(folder)
        x = inputs(kind, 5)
        *_, acc = golden_network.trace(found.layers, codes_of(kind, 0, x))
        expected = list(foreign.evaluate(folder, kind, x))[-1][0, 0, :47]
        np.testing.assert_array_equal(acc.ravel() + found.offset >= 0, expected == 1)

    @pytest.mark.parametrize("rows", [0, 1, 2])
    def test_too_few_rows_for_the_classes(self, copy_of, rows):
        folder = copy_of("cnvW1A1")
        path = folder / "8-2-weights.bin"
        path.write_bytes(path.read_bytes()[: rows * 512 * 8])
        needed = "but 12288 are needed for the 10 classes of classes.txt; the file is"
        refuse(folder, f"8-2-weights.bin: {rows * 4096} bytes, {needed}")

    @pytest.mark.parametrize(
        ("name", "suffix"),
        [
            ("cnvW1A2", "weights"),
            ("cnvW2A2", "thres"),
            ("lfcW1A2", "weights"),
            ("lfcW1A2", "thres"),
        ],
    )
    def test_inner_layers(self, copy_of, name, suffix):
        folder = copy_of(name)
        for index, pe in ((0, 1), (1, 5), (len(foreign.KINDS[name].layers) - 2, 0)):
            path = folder / f"{index}-{pe}-{suffix}.bin"
            content = path.read_bytes()
            for size in (0, 1, 8, len(content) // 2, len(content) - 8, len(content) - 1):
                path.write_bytes(content[:size])
                refuse(folder, f"{suffix}.bin: .* bytes, but .*; the file is truncated or of")
            path.write_bytes(content)
        read_directory(folder)

    def test_thresholds_of_another_precision_are_refused(self, copy_of):
        """One threshold a neuron in the first file, which tells the precision, two in others."""
        folder = copy_of("cnvW1A2")
        path = folder / "0-0-thres.bin"
        path.write_bytes(path.read_bytes()[:32])
        refuse(folder, "thres.bin")

    def test_surplus_words_are_ignored(self, copy_of, directories):
        folder = copy_of("lfcW1A1")
        for name in ("1-7-weights.bin", "3-2-weights.bin", "2-9-thres.bin", "3-1-thres.bin"):
            with (folder / name).open("ab") as file:
                file.write(b"\xff" * 16)
        found, whole = read_directory(folder), read_directory(directories("lfcW1A1"))
        for one, other in zip(found.layers, whole.layers, strict=True):
            np.testing.assert_array_equal(one.weight, other.weight)
            np.testing.assert_array_equal(one.thresholds, other.thresholds)
        np.testing.assert_array_equal(found.offset, whole.offset)


class TestMalformed:
    def test_an_empty_directory(self, tmp_path):
        refuse(tmp_path, "classes.txt: cannot be read")
        (tmp_path / "classes.txt").write_text("a\nb\n")
        refuse(tmp_path, "neither of a CNV nor of an LFC network; name the directory that holds")

    def test_no_directory(self, tmp_path):
        refuse(tmp_path / "nowhere", "cannot be read")

    @pytest.mark.parametrize("name", ["0-3-weights.bin", "5-0-weights.bin", "8-1-weights.bin"])
    def test_a_missing_weight_file(self, copy_of, name):
        folder = copy_of("cnvW1A1")
        (folder / name).unlink()
        refuse(folder, "its weight files .* are neither of a CNV nor of an LFC network")

    @pytest.mark.parametrize("name", ["0-0-thres.bin", "0-3-thres.bin", "7-0-thres.bin"])
    def test_a_missing_threshold_file(self, copy_of, name):
        folder = copy_of("cnvW1A1")
        (folder / name).unlink()
        refuse(folder, rf"{name}: cannot be read \(No such file")

    def test_a_missing_threshold_file_of_the_last_layer(self, copy_of):
        folder = copy_of("lfcW1A1")
        (folder / "3-4-thres.bin").unlink()
        refuse(folder, "3-4-thres.bin: cannot be read")

    def test_a_file_of_a_wrong_number(self, copy_of):
        folder = copy_of("cnvW1A1")
        (folder / "0-3-weights.bin").rename(folder / "0-16-weights.bin")
        refuse(folder, "0-3-weights.bin: cannot be read")

    def test_a_directory_for_a_file(self, copy_of):
        folder = copy_of("cnvW1A1")
        (folder / "2-1-weights.bin").unlink()
        (folder / "2-1-weights.bin").mkdir()
        refuse(folder, "2-1-weights.bin: cannot be read")

    def test_a_two_bit_weight_of_minus_two(self, copy_of):
        folder = copy_of("cnvW2A2")
        path = folder / "3-6-weights.bin"
        content = bytearray(path.read_bytes())
        content[96] = content[96] & 0xCF | 0x20  # lane 2 of a word
        path.write_bytes(content)
        refuse(folder, "3-6-weights.bin: a 2-bit weight of -2; only -1, 0 and")

    @pytest.mark.parametrize("words", [3, 5, 6, 7, 9, 12])
    def test_neither_one_nor_two_thresholds(self, copy_of, words):
        folder = copy_of("cnvW1A1")
        np.zeros(words, "<i8").tofile(folder / "0-0-thres.bin")
        refuse(folder, f"0-0-thres.bin: {8 * words} bytes, but .*32")


def refuse(folder, match):
    with pytest.raises(QnnError, match=match) as raised:
        read_directory(folder)
    assert isinstance(raised.value, FormatError)
    assert "\n" not in str(raised.value)
