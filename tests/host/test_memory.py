# SPDX-License-Identifier: BSD-3-Clause
"""What is read takes memory by what is there: in a process that may have little more, small files
are read, files that state much and hold little are refused for what they are, and what does not fit
ends in one sentence."""

import bz2
import io
import re
import subprocess
import sys
import textwrap
import zipfile

import pytest
from PIL import Image

from qnn import memory
from qnn.errors import PictureError
from qnn.memory import drain, enough_for, free_bytes
from qnn.store import library

MORE = 96 << 20  # of address space, once everything is imported

SETUP = """
import resource, sys
from pathlib import Path
import numpy as np
import qnn, qnn.cli
from qnn.predecessor import activation_buffer
from qnn.pictures import dataset
from qnn.store import fields as json_fields, tensor_file
from qnn.errors import QnnError
from qnn.importers.qnn_mo import numpy_pickle
from qnn.pictures.picture import Picture

path = Path(sys.argv[1])
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + {more},) * 2)
try:
    print({action})
except QnnError as error:
    print("refused:", error)
"""
READ = {
    "data set": "dataset.read(path).images.shape",
    "picture": "Picture.open(path).rgb().shape",
    "tensors": "tensor_file.TensorFile(path).get('a', np.uint8, None).shape",
    "json": "len(json_fields.read_object(path))",
    "npy": "numpy_pickle.load_npy(path).shape",
    "labels": "len(numpy_pickle.load_pickle(path))",
}


def in_little_memory(path, action: str, more: int = MORE) -> str:
    code = textwrap.dedent(SETUP).format(more=more, action=action)
    done = subprocess.run(
        [sys.executable, "-c", code, path],
        env={"OPENBLAS_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.strip()


def npy(shape, data: bytes, kind: str = "|u1") -> bytes:
    """A .npy file that states a shape of bytes and holds `data`."""
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (117 - len(head)) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + data


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return file.getvalue()


def idx(*shape: int) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)


def png(size) -> bytes:
    file = io.BytesIO()
    Image.new("L", size).save(file, "PNG")
    return file.getvalue()


HUGE = (130, 1000, 1000)
ZEROS = bytes(130_000_000)
LABELS = npy((2,), b"\0\1")
SMALL = {
    "data set a.npz": lambda: zipped(images=npy((2, 4, 4), bytes(32)), labels=LABELS),
    "data set a.bin": lambda: bytes(2 * 3073),
    "picture a.png": lambda: png((7, 5)),
    "picture a-images-idx3": lambda: idx(1, 5, 7) + bytes(35),
    "tensors a.npz": lambda: zipped(a=npy((3,), b"abc")),
    "json a.json": lambda: b'{"a": 1}',
    "npy a.npy": lambda: npy((3,), b"abc"),
    "npy a.npy.bz2": lambda: bz2.compress(npy((3,), b"abc")),
    "labels a.pkl": lambda: b"\x80\x02}K\x01X\x01\0\0\0as.",
}
HOLLOW = {
    "data set a.npz": (lambda: zipped(images=npy(HUGE, b"abc"), labels=LABELS), "EOFError"),
    "picture a-images-idx3": (lambda: idx(1, 50_000, 4_000), "truncated"),
    "tensors a.npz": (lambda: zipped(a=npy(HUGE, b"abc")), "tensor a is truncated"),
    "npy a.npy": (lambda: npy(HUGE, b"abc"), "is truncated"),
    "npy a.npy.bz2": (lambda: bz2.compress(npy(HUGE, b"abc")), "is truncated"),
    "npy pickle.npy": (
        lambda: npy((), b"\x80\x03B" + (300 << 20).to_bytes(4, "little") + b"abc.", "|O"),
        "is truncated",
    ),
}
LARGE = {
    "data set a.npz": lambda: zipped(images=npy(HUGE, ZEROS), labels=LABELS),
    "data set a.bin": lambda: bytes(3073 * 60_000),
    "tensors a.npz": lambda: zipped(a=npy(HUGE, ZEROS)),
    "npy a.npy.bz2": lambda: bz2.compress(npy(HUGE, ZEROS)),
    "picture a.png": lambda: png((8000, 7000)),
}


def read(tmp_path, case: str, content: bytes) -> str:
    kind, _, name = case.rpartition(" ")
    path = tmp_path / name
    path.write_bytes(content)
    return in_little_memory(path, READ[kind])


@pytest.mark.parametrize("case", SMALL)
def test_small_files_are_read(tmp_path, case):
    assert re.fullmatch(r"\d+|\([\d, ]+\)", read(tmp_path, case, SMALL[case]()))


@pytest.mark.parametrize("case", HOLLOW)
def test_what_is_stated_takes_no_memory(tmp_path, case):
    content, reason = HOLLOW[case]
    found = read(tmp_path, case, content())
    assert found.startswith("refused: ") and reason in found


@pytest.fixture(scope="module")
def bounded():
    """What emulates a processor may take a bound of address space, and not keep it."""
    code = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (1 << 30,) * 2)
print(resource.getrlimit(resource.RLIMIT_AS)[0] == 1 << 30)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if told.stdout.strip() != "True":
        pytest.skip("this system does not keep a bound of address space")


@pytest.mark.parametrize("case", LARGE)
def test_what_does_not_fit_ends_in_one_sentence(tmp_path, case, bounded):
    found = read(tmp_path, case, LARGE[case]())
    assert re.fullmatch(r"refused: \S+ does not fit into (the )?memory.*", found)


def test_a_command_that_lacks_memory_says_so(cli, monkeypatch):
    def fail():
        raise MemoryError

    monkeypatch.setattr(library, "list_models", fail)
    result = cli("models")
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("qnn: ") and "memory" in result.err and result.err.count("\n") == 1


def test_drain_asks_for_little_at_a_time():
    asked = []

    def read_some(size):
        asked.append(size)
        return bytes(min(size, 1000)) if len(asked) < 4 else b""

    assert drain(read_some, 1 << 40) == bytes(3000)
    assert max(asked) <= 1 << 20
    assert drain(io.BytesIO(b"abcdef").read, 4) == b"abcd"


def test_the_error_is_of_the_class_asked_for():
    with (
        pytest.raises(PictureError, match=r"a\.png does not fit"),
        enough_for("a.png", PictureError),
    ):
        raise MemoryError


BOARD = """\
MemTotal:         506072 kB
MemFree:          310000 kB
MemAvailable:     400000 kB
HugePages_Total:       0
CmaTotal:         131072 kB
CmaFree:          120000 kB
"""


@pytest.mark.parametrize(
    ("text", "free"),
    [
        (BOARD, 280_000 << 10),
        (BOARD.replace("CmaFree:          120000 kB\n", ""), 400_000 << 10),
        (BOARD.replace("400000", "100000"), 0),
        (BOARD.replace("MemAvailable", "MemSomething"), None),
        (BOARD.replace("400000", "many"), None),
        ("no table", None),
        (None, None),
    ],
)
def test_free_memory_is_what_the_system_tells_without_that_of_devices(
    text, free, tmp_path, monkeypatch
):
    table = tmp_path / "meminfo"
    if text is not None:
        table.write_text(text)
    monkeypatch.setattr(memory, "_TABLE", table)
    assert free_bytes() == free
