# SPDX-License-Identifier: BSD-3-Clause
"""Parameter files are read exactly; whatever else a file holds is refused and never runs."""

import bz2
import io
import os
import pickle
import re
import struct
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from qnn.errors import FormatError
from qnn.importers.qnn_mo.numpy_pickle import load_npy, load_pickle

MAGIC = b"\x93NUMPY\x01\x00"


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_of_pickle(program: bytes) -> bytes:
    """A .npy file of a 0-dimensional object array whose pickle is `program`."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    return MAGIC + struct.pack("<H", len(header) + 1) + header + b"\n" + program


def npy_of_dict(arrays: dict, protocol: int) -> bytes:
    return npy_of_pickle(pickle.dumps(np.array(arrays, dtype=object), protocol=protocol))


def short(text: str) -> bytes:
    return b"U" + bytes([len(text)]) + text.encode()


# Pieces of pickles as Python 2 wrote them.
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\1b\x87R"
FLOAT32 = (
    b"cnumpy\ndtype\n" + short("f4") + b"K\0K\1\x87R(K\3" + short("<") + b"NNNJ\xff\xff\xff\xff"
)
FLOAT32 += b"J\xff\xff\xff\xffK\0tb"
OBJECT = (
    b"cnumpy\ndtype\n" + short("O8") + b"K\0K\1\x87R(K\3" + short("|") + b"NNNJ\xff\xff\xff\xff"
)
OBJECT += b"J\xff\xff\xff\xffK\x3ftb"


def python2_array(shape: bytes = b"K\2\x85", dtype: bytes = FLOAT32, raw: bytes = b"U\x08abcdefgh"):
    return RECONSTRUCT + b"(K\1" + shape + dtype + b"\x89" + raw + b"tb"


def python2_file(entry: bytes, key: bytes = short("w")) -> bytes:
    """A dictionary with one entry, in the 0-dimensional object array of numpy.save."""
    items = b"(" + key + entry + b"u"
    return npy_of_pickle(b"\x80\2" + RECONSTRUCT + b"(K\1)" + OBJECT + b"\x89]}" + items + b"atb.")


def assert_same(got, want):
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    assert got.tobytes() == want.tobytes()
    assert not got.flags.writeable


def random_array(rng, dtype=None) -> np.ndarray:
    dtype = dtype or rng.choice(["<f4", ">f4", "<f8", "<i2", ">i4", "|u1", "|i1", "|b1", "<u8"])
    shape = tuple(rng.integers(0 if rng.random() < 0.2 else 1, 6, rng.integers(0, 5)))
    array = np.frombuffer(rng.bytes(8 * 5**4), np.uint8)[: 8 * int(np.prod(shape))]
    if dtype == "|b1":
        array = array & 1
    array = array[: int(np.prod(shape)) * np.dtype(dtype).itemsize].view(dtype).reshape(shape)
    return np.asfortranarray(array) if array.ndim and rng.random() < 0.3 else array


@pytest.mark.parametrize("seed", range(20))
def test_plain_arrays(seed, tmp_path):
    rng = np.random.default_rng(seed)
    array = random_array(rng)
    data = npy(array)
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    for source in (data, path, str(path), io.BytesIO(data), bz2.compress(data)):
        assert_same(load_npy(source), array)


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 2, 5)])
def test_empty_arrays(shape):
    array = np.empty(shape, ">f4")
    assert_same(load_npy(npy(array)), array)
    assert_same(load_npy(npy_of_dict({"W": array}, 4))["W"], array)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_dictionaries(seed, protocol, tmp_path):
    rng = np.random.default_rng(seed)
    arrays = {}
    for i in range(rng.integers(0, 4)):
        array = random_array(rng)
        # An empty array calls `bytes` in protocols 0 to 2, which is refused like any other call.
        arrays[f"layer{i}/W"] = array if array.size else np.arange(3.0)
    data = npy_of_dict(arrays, protocol)
    path = tmp_path / "a.npy.bz2"
    path.write_bytes(bz2.compress(data))
    for source in (data, path):
        got = load_npy(source)
        assert list(got) == list(arrays)
        for key, array in arrays.items():
            assert_same(got[key], array)


def test_scalars_and_shared_arrays():
    weights = np.arange(6, dtype=np.int16).reshape(2, 3)
    got = load_npy(npy_of_dict({"a": weights, "b": weights, "c": np.float64(0.5)}, 2))
    assert_same(got["a"], weights)
    assert_same(got["b"], weights)
    assert_same(got["c"], np.array(0.5))


def test_both_names_of_multiarray():
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        data = python2_file(python2_array())
        data = data.replace(b"numpy.core.multiarray", module.encode())
        assert_same(load_npy(data)["w"], np.frombuffer(b"abcdefgh", "<f4"))


def test_file_at_any_place_and_open_file(tmp_path):
    file = io.BytesIO(b"before" + npy(np.arange(3)))
    file.seek(6)
    assert_same(load_npy(file), np.arange(3))
    path = tmp_path / "a.npy"
    path.write_bytes(b"not numpy")
    with path.open("rb") as opened, pytest.raises(FormatError, match=r"a\.npy is not a \.npy file"):
        load_npy(opened)


@pytest.fixture
def reference(reference) -> Path:
    return reference / "qnn-mo-pynq"


def test_reference_arrays(reference):
    params = reference / "qnn/params"
    got = load_npy(params / "dorefanet-conv0.npy")
    want = np.load(params / "dorefanet-conv0.npy", allow_pickle=True, encoding="latin1").item()
    assert got.keys() == want.keys() == {"conv0/W", "conv0/T"}
    assert got["conv0/W"].shape == (68, 3, 12, 12)
    for key in want:
        assert_same(got[key], want[key])
    names = ("ilsvrc_pp_mean", *(f"tinier-yolo-conv{n}-{p}" for n in (0, 8) for p in ("W", "bias")))
    for name in names:
        assert_same(load_npy(params / f"{name}.npy"), np.load(params / f"{name}.npy"))


def test_reference_classes(reference):
    path = reference / "notebooks/imagenet-classes.pkl"
    with path.open("rb") as file:
        assert load_pickle(path) == pickle.load(file)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_labels(protocol, tmp_path):
    labels = {0: ("n01440764", "tench, Tinca tinca"), 1: "dog", "größe": -(2**40), 3: ()}
    path = tmp_path / "labels.pkl"
    path.write_bytes(pickle.dumps(labels, protocol=protocol))
    assert load_pickle(path) == labels
    assert type(load_pickle(path)) is dict


# Hostile programs: each would set `ran`, or run something else, in an ordinary unpickler.


class Calls:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def ran():
    raise AssertionError("the pickle has run code")


HERE = f"{__name__}.ran"
HOSTILE = {
    "os.system": ("system", pickle.dumps(Calls(os.system, "exit 1"), 2)),
    "protocol 0": (HERE, pickle.dumps(Calls(ran), 0)),
    "protocol 4": (HERE, pickle.dumps(Calls(ran), 4)),
    "eval": ("__builtin__.eval", pickle.dumps(Calls(eval, "1"), 2)),
    "getattr": (
        "builtins.getattr",
        b"\x80\4\x8c\x08builtins\x8c\x07getattr\x93\x8c\x05numpy\x8c\x04load\x86R.",
    ),
    "numpy.load": ("numpy.load", b"\x80\2cnumpy\nload\nU\x05x.npy\x85R."),
    "numpy.testing": (
        "numpy.testing._private.utils.runstring",
        b"\x80\2cnumpy.testing._private.utils\nrunstring\nU\x011}\x86R.",
    ),
    "dotted name": (
        "numpy.ndarray.tofile",
        b"\x80\4\x8c\x05numpy\x8c\x0endarray.tofile\x93)R.",
    ),
    "dotted name of an allowed one": (
        "numpy.core.multiarray._reconstruct.__globals__",
        b"\x80\4\x8c\x15numpy.core.multiarray\x8c\x18_reconstruct.__globals__\x93.",
    ),
    "copyreg": ("copy_reg._reconstructor", b"\x80\2ccopy_reg\n_reconstructor\n)R."),
    "INST": ("os.system", b"(S'exit 1'\nios\nsystem\n."),
    "OBJ": ("os.system", b"(cos\nsystem\nS'exit 1'\no."),
    "NEWOBJ": ("subprocess.Popen", b"\x80\2csubprocess\nPopen\nU\x041234\x85\x81."),
    "nested REDUCE": (
        "os.system",
        b"\x80\2cnumpy\ndtype\ncnumpy\ndtype\ncos\nsystem\nU\x06exit 1\x85R\x85R\x85R.",
    ),
    "late, inside an array": ("os.system", python2_array(raw=b"cos\nsystem\nU\x06exit 1\x85R")),
    "codecs": ("_codecs.lookup", b"\x80\2c_codecs\nlookup\nU\x03hex\x85R."),
    "control characters": (r"os\x1b[2J.sys\ntem", b"\x80\4\x8c\x06os\x1b[2J\x8c\x07sys\ntem\x93."),
    "endless name": ("x" * 80 + "`", b"\x80\2c" + b"x" * 5000 + b"\ny\n."),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_never_run(name, tmp_path):
    def forbidden(event, args):
        if armed and event in ("os.system", "subprocess.Popen", "exec", "compile", "open"):
            events.append((event, args))

    path = tmp_path / "hostile.npy"
    wanted, program = HOSTILE[name]
    events, armed = [], False
    sys.addaudithook(forbidden)  # stays, without effect once it is disarmed
    for data in (npy_of_pickle(program), python2_file(program[:-1])):
        armed = True
        try:
            with pytest.raises(FormatError) as error:
                load_npy(data)
        finally:
            armed = False
        assert wanted in str(error.value)
        assert "it wants to run `" in str(error.value)
        assert "not a parameter file" in str(error.value)
        assert str(error.value).isprintable()
    assert events == []

    path.write_bytes(program)
    with pytest.raises(FormatError, match=r"hostile\.npy is refused: it wants to run `"):
        load_pickle(path)


def test_the_programs_are_hostile():
    with pytest.raises(AssertionError, match="has run code"):
        pickle.loads(HOSTILE["protocol 0"][1])


def test_labels_may_not_even_hold_arrays(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({0: np.arange(3)}, 2))
    with pytest.raises(FormatError, match="multiarray"):
        load_pickle(path)


SMALL = b"K\2\x85"
DAMAGED = {
    "extension": b"\x80\2\x82\1.",
    "persistent id": b"Pid\n.",
    "out-of-band buffer": b"\x80\5\x97.",
    "set as key": b"\x80\4}\x8f\x4e\x73.",
    "empty": b"",
    "nothing on the stack": b".",
    "no mark": b"t.",
    "unknown instruction": b"\xff.",
    "memo never written": b"h\7.",
    "future protocol": b"\x80\x63N.",
    "calls a string": b"U\1xU\1y\x85R.",
    "calls ndarray": b"cnumpy\nndarray\n(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft\x85R.",
    "state for ndarray": b"cnumpy\nndarray\n}b.",
    "state for a stand-in class": b"cnumpy\ndtype\nN}U\5stateK\1s\x86b.",
    "state for a stand-in function": b"c_codecs\nencode\n}U\1xK\1sb.",
    "state for a list": b"]}b.",
    "encodes otherwise": b"c_codecs\nencode\nVx\nU\3hex\x86R.",
    "not an array": b"}.",
    "an array, no dictionary": python2_array() + b".",
    "key is a bool": b"\x80\2}\x88Ns.",
    "key is a tuple": b"\x80\2}K\1\x85Ns.",
    "deeply nested key": b"\x80\2})" + b"\x85" * 50_000 + b"Ns.",
    "deeply nested key, DICT": b"\x80\2()" + b"\x85" * 50_000 + b"Nd.",
    "odd DICT": b"(NNNd.",
    "huge memo index": b"\x80\2Nr\xff\xff\xff\x7f.",
    "endless digits": b"I" + b"9" * 100_000 + b"\n.",
}
BAD_ENTRIES = {
    "no array": b"K\1",
    "nested dictionary": b"}",
    "array without state": RECONSTRUCT,
    "object dtype": python2_array(dtype=OBJECT, raw=b"]K\1aK\2a"),
    "object dtype over bytes": python2_array(dtype=OBJECT, raw=b"U\x10" + b"A" * 16),
    "unset object dtype": python2_array(dtype=b"cnumpy\ndtype\nU\1O\x85R", raw=b"U\x08" + b"A" * 8),
    "dtype is text": python2_array(dtype=short("f4")),
    "dtype is an array": python2_array(dtype=RECONSTRUCT),
    "dtype of an array": python2_array(dtype=b"cnumpy\ndtype\n" + RECONSTRUCT + b"\x85R"),
    "structured code": python2_array(dtype=b"cnumpy\ndtype\nU\5f4,i4\x85R"),
    "structured state": python2_array(dtype=FLOAT32.replace(b"NNN", b"NU\1a)")),
    "subarray": python2_array(dtype=FLOAT32.replace(b"NNN", b")NN")),
    "odd byte order": python2_array(dtype=FLOAT32.replace(b"U\1<", b"U\1S")),
    "byte order is a number": python2_array(dtype=FLOAT32.replace(b"U\1<", b"K\1")),
    "void": python2_array(dtype=FLOAT32.replace(b"U\2f4", b"U\2V4")),
    "complex": python2_array(dtype=FLOAT32.replace(b"U\2f4", b"U\2c8"), shape=b"K\1\x85"),
    "dates": python2_array(dtype=FLOAT32.replace(b"U\2f4", b"U\2M8"), shape=b"K\1\x85"),
    "too few bytes": python2_array(shape=b"K\3\x85"),
    "too many bytes": python2_array(shape=b"K\1\x85"),
    "0 elements, 8 bytes": python2_array(shape=b"K\0\x85"),
    "negative shape": python2_array(shape=b"J\xff\xff\xff\xffJ\xfe\xff\xff\xff\x86"),
    "huge shape": python2_array(shape=b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"),
    "overflowing shape": python2_array(shape=b"(" + b"\x8a\x05\0\0\0\0\1" * 4 + b"K\2t"),
    "endless dimension": python2_array(shape=b"I0x" + b"f" * 100_000 + b"\n\x85"),
    "too many dimensions": python2_array(shape=b"(K\2" + b"K\1" * 64 + b"t"),
    "shape of floats": python2_array(shape=b"U\1a\x85"),
    "shape of bools": python2_array(shape=b"K\2\x88\x86"),
    "shape is a number": python2_array(shape=b"K\2"),
    "no bytes": python2_array(raw=b"N"),
    "text for bytes": python2_array(raw=b"V12345678\n"),
    "list for bytes": python2_array(raw=b"]K\1aK\2a"),
}


def refusal(data, **options) -> str:
    """The one sentence a file is refused with; memory stays bounded."""
    tracemalloc.start()
    try:
        with pytest.raises(FormatError) as error:
            load_npy(data, **options)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400
    return str(error.value)


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_pickles(name, tmp_path):
    reason = refusal(npy_of_pickle(DAMAGED[name]))
    if name in ("not an array", "an array, no dictionary", "huge memo index"):
        assert reason == "the given data does not hold one dictionary of arrays"
    else:
        assert re.match("the given data (holds a damaged pickle|is truncated)", reason), reason
    path = tmp_path / "labels.pkl"
    path.write_bytes(DAMAGED[name])
    if name == "not an array":
        assert load_pickle(path) == {}
    else:
        with pytest.raises(FormatError, match=r"labels\.pkl "):
            load_pickle(path)


def test_the_good_entry_is_good():
    assert_same(load_npy(python2_file(python2_array()))["w"], np.frombuffer(b"abcdefgh", "<f4"))


@pytest.mark.parametrize("name", BAD_ENTRIES)
def test_bad_entries(name):
    assert "the given data" in refusal(python2_file(BAD_ENTRIES[name]))


def test_bad_key():
    assert "one dictionary" in refusal(python2_file(python2_array(), key=b"K\1"))


def test_stand_ins_keep_nothing_of_a_hostile_file():
    for name in ("state for a stand-in class", "state for a stand-in function"):
        refusal(npy_of_pickle(DAMAGED[name]))
    test_the_good_entry_is_good()


@pytest.mark.parametrize("labels", [[1], {0: [1]}, {0: (1, (2,))}, {0: None}, {0: True}, 1, "text"])
def test_other_labels(labels, tmp_path):
    path = tmp_path / "labels.pkl"
    path.write_bytes(pickle.dumps(labels, 2))
    with pytest.raises(FormatError, match=r"labels\.pkl is not a dictionary"):
        load_pickle(path)


def test_every_truncation(tmp_path):
    arrays = {"a": np.arange(4, dtype=np.float32), "b": np.ones((2, 2), np.int8)}
    whole = [npy(np.arange(5)), *(npy_of_dict(arrays, p) for p in (0, 2, 4))]
    for data in (*whole, bz2.compress(whole[0]), bz2.compress(whole[2])):
        load_npy(data)
        for size in range(len(data)):
            with pytest.raises(FormatError) as error:
                load_npy(data[:size])
            assert "it wants to run" not in str(error.value)  # half a name is no name
    path = tmp_path / "labels.pkl"
    labels = pickle.dumps({0: ("a", "b"), 1: "c"}, 0)
    for size in range(len(labels)):
        path.write_bytes(labels[:size])
        with pytest.raises(FormatError):
            load_pickle(path)


def test_truncated_bz2_says_so(tmp_path):
    path = tmp_path / "fc.npy.bz2"
    data = bz2.compress(npy(np.random.default_rng(1).random(1000)))
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(FormatError, match=r"fc\.npy\.bz2 is truncated"):
        load_npy(path)


def test_changed_bytes_raise_nothing_else():
    rng = np.random.default_rng(7)
    whole = [
        npy(np.arange(5)),
        python2_file(python2_array()),
        npy_of_dict({"a": np.arange(4)}, 4),
        bz2.compress(python2_file(python2_array())),
    ]
    refused = 0
    for trial in range(3000):
        data = bytearray(whole[trial % len(whole)])
        for _ in range(rng.integers(1, 4)):
            data[rng.integers(len(data))] = rng.integers(256)
        try:
            load_npy(bytes(data))
        except FormatError:
            refused += 1
    assert refused > 1000


def with_header(header: bytes, version: bytes = b"\1\0", data: bytes = b"") -> bytes:
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + data


def plain_header(descr="'<f4'", order="False", shape="(2,)") -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()


BAD_FILES = {
    "empty": b"",
    "text": b"P5 28 28 255 and so on",
    "zip": b"PK\3\4" + bytes(20),
    "version 2": with_header(plain_header(), b"\2\0", bytes(8)),
    "no header": with_header(b""),
    "not a dictionary": with_header(b"[1, 2]\n"),
    "code in the header": with_header(b"{'descr': __import__('os').system('exit 1')}\n"),
    "nested header": with_header(b"(" * 9000 + b"\n"),
    "invalid descr": with_header(plain_header(descr="'hello'"), data=bytes(8)),
    "strings": with_header(plain_header(descr="'<U2'"), data=bytes(16)),
    "dates": with_header(plain_header(descr="'<M8[s]'"), data=bytes(16)),
    "complex": with_header(plain_header(descr="'<c8'"), data=bytes(16)),
    "structure": with_header(plain_header(descr="[('a', '<f4')]"), data=bytes(8)),
    "structure with objects": with_header(plain_header(descr="[('a', 'O')]"), data=b"N."),
    "array of objects": with_header(plain_header(descr="'|O'"), data=b"N."),
    "0 objects": with_header(plain_header(descr="'|O'", shape="(0,)"), data=b"N."),
    "negative": with_header(plain_header(shape="(-2, -1)"), data=bytes(8)),
    "huge": with_header(plain_header(shape="(100000000000,)")),
    "overflowing": with_header(plain_header(shape="(4294967296, 4294967296)")),
    "endless": with_header(plain_header(shape="(0x" + "f" * 9000 + ",)")),
    "many digits": with_header(plain_header(shape="(" + "9" * 9000 + ")")),
    "many dimensions": with_header(plain_header(shape="(2" + ",1" * 70 + ")"), data=bytes(8)),
    "short": with_header(plain_header(), data=bytes(7)),
    "long": with_header(plain_header(), data=bytes(9)),
    "bz2 of nothing": bz2.compress(b""),
    "bad bz2": b"BZh9" + bytes(100),
    "second pickle": python2_file(python2_array()) + b"N.",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(name, tmp_path):
    path = tmp_path / "bad.npy"
    path.write_bytes(BAD_FILES[name])
    assert str(path) in refusal(path)


def test_the_good_header_is_good():
    data = with_header(plain_header(), data=b"abcdefgh")
    assert_same(load_npy(data), np.frombuffer(b"abcdefgh", "<f4"))
    data = with_header(plain_header(shape="(1L, 2L)"), data=b"abcdefgh")  # Python 2
    assert_same(load_npy(data), np.frombuffer(b"abcdefgh", "<f4").reshape(1, 2))


def test_missing_file_and_directory(tmp_path):
    for path in (tmp_path / "none.npy", tmp_path):
        with pytest.raises(FormatError, match="cannot be read"):
            load_npy(path)
        with pytest.raises(FormatError, match="cannot be read"):
            load_pickle(path)
    with pytest.raises(FormatError, match="cannot be read"):
        load_npy("a\0b.npy")


def test_max_bytes():
    data = npy(np.arange(1000, dtype=np.int64))
    for source in (data, bz2.compress(data)):
        assert_same(load_npy(source, max_bytes=len(data)), np.arange(1000, dtype=np.int64))
        assert f"more than {len(data) - 1} bytes" in refusal(source, max_bytes=len(data) - 1)


@pytest.mark.parametrize(
    "program",
    [
        python2_file(python2_array(raw=b"T\xff\xff\xff\x7f" + bytes(100))),
        npy_of_pickle(b"\x80\4\x8e" + sys.maxsize.to_bytes(8, "little") + b"."),
        npy_of_pickle(b"I" + bytes(40 << 20)),
        with_header(plain_header(), data=bytes(40 << 20)),
        npy_of_pickle(b"]" * 300_000),
        npy_of_pickle(b"\x80\4\x95" + (300_001).to_bytes(8, "little") + b"]" * 300_000 + b"."),
    ],
    ids=["long string", "very long string", "endless line", "long", "many objects", "one frame"],
)
def test_bombs(program):
    """What a few hundred bytes of bz2 unpack to is bounded by max_bytes, in memory too."""
    reason = refusal(bz2.compress(program), max_bytes=4 << 20)
    assert re.search("claims more than|goes on after its data", reason)
