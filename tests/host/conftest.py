# SPDX-License-Identifier: BSD-3-Clause
"""The command line in this process with a home of its own, and small networks to run."""

import itertools
import json
import os
import shutil
import threading
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from qnn import model, store
from qnn.backends import BACKENDS, cpu
from qnn.cli import main
from qnn.compute.dense import FloatDense
from qnn.compute.float_conv import Uniform
from qnn.network import Conv, Dense, FloatConv, Network, PictureInput
from qnn.network.result import Boxes
from qnn.store import library

BASES = ("home", "home/models")  # may come into being


def contents(directory: Path) -> dict[str, str]:
    """Every file with its digest, every link, every directory but the bases of a home."""
    found = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_dir() and not path.is_symlink():
            if name not in BASES:
                found[name] = "directory"
        else:
            found[name] = sha256(path.read_bytes()).hexdigest() if path.is_file() else "special"
    return found


@dataclass(frozen=True)
class Result:
    """What a command left: exit status, standard output, standard error."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict:
        """The one JSON object on standard output, of a command that did all of its work."""
        assert self.status == 0, self.err
        document = self.partial_document
        assert document.get("errors", []) == []
        assert document.get("interrupted", False) is False
        return document

    @property
    def partial_document(self) -> dict:
        """The one JSON object on standard output."""
        document = json.loads(self.out)
        assert type(document) is dict
        return document


class CommandLine:
    """`cli("models", "--json")` runs a command in this process."""

    def __init__(self, capsys, watched: Path) -> None:
        self._capsys, self._watched = capsys, watched

    def __call__(self, *arguments: object) -> Result:
        self._capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse, after a help text or wrong usage
            status = stop.code
        return Result(status, *self._capsys.readouterr())

    def refused(self, *arguments: object, status: int = 2) -> str:
        """The one line on standard error with which a command fails, leaving files as they were."""
        before = contents(self._watched)
        result = self(*arguments)
        assert result.status == status, (result.out, result.err)
        assert result.out == ""
        assert result.err.startswith("qnn: ") and result.err.endswith("\n"), result.err
        assert result.err.count("\n") == 1, result.err
        assert contents(self._watched) == before
        return result.err.rstrip("\n")


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """Where this test installs networks; it does not exist yet."""
    path = tmp_path / "home"
    monkeypatch.setenv("QNN_HOME", str(path))
    return path


@pytest.fixture
def cli(capsys, tmp_path, home) -> CommandLine:
    return CommandLine(capsys, tmp_path)


@pytest.fixture
def samples() -> list[Path]:
    """The pictures that ship with the package; 28 x 28, grey."""
    found = sorted((library.shipped_directory().parent / "samples").glob("*.png"))
    assert len(found) == 10
    return found


@pytest.fixture
def nothing_runs(monkeypatch) -> None:
    """Fails a test that opens a backend: what is refused is refused before."""

    def open_session(*_):
        pytest.fail("a backend was opened")

    monkeypatch.setattr(model, "open_session", open_session)


@pytest.fixture
def piped(tmp_path):
    """piped(data, "name") is a fifo of that name through which the data come, once."""
    writers = []

    def start(data: bytes, name: str) -> Path:
        path = tmp_path / name
        os.mkfifo(path)
        writers.append(threading.Thread(target=path.write_bytes, args=(data,)))
        writers[-1].start()
        return path

    yield start
    for writer in writers:
        writer.join()


@pytest.fixture
def interrupt_at(monkeypatch):
    """interrupt_at(2): Ctrl-C comes when the CPU is given its third batch; small pictures run
    eight at a time."""

    def arm(number: int, error: type[BaseException] = KeyboardInterrupt) -> None:
        stream, calls = cpu.CpuSession.stream, itertools.count()

        def stopping(batches):
            for batch in batches:
                if next(calls) == number:
                    raise error("it stopped")
                yield batch

        monkeypatch.setattr(
            cpu.CpuSession,
            "stream",
            lambda self, batches, *last: stream(self, stopping(batches), *last),
        )

    return arm


@pytest.fixture
def sim() -> None:
    """The simulated accelerator, compiled; skips where it cannot run."""
    if reason := BACKENDS["sim"].unavailable():
        pytest.skip(f"sim: {reason}")
    from qnn_sim import rtl_build

    rtl_build.build()


@pytest.fixture
def detector(home) -> str:
    """An installed network that finds blobs: a cell whose 16 x 16 pixels are bright is one.

    Each of the 4 x 4 cells of a 64-pixel letterbox has one anchor as large as the cell; the class
    is "red" or "blue", by the brighter of the two colours, with certainty.
    """
    mean_of_red, mean_of_blue = np.zeros((2, 16, 16, 3), np.float32)
    mean_of_red[..., 0] = mean_of_blue[..., 2] = 4 / 256
    identity = np.array([[1, 0], [1, 1]], np.uint8)  # red - blue, red + blue
    network = Network(
        name="blobs",
        title="finds bright cells",
        task="detect",
        classes=("red", "blue"),
        picture=PictureInput("letterbox", 64),
        layers=(
            FloatConv(
                name="mean",
                in_shape=(64, 64, 3),
                weight=np.stack([mean_of_red, mean_of_blue]),
                bias=None,
                stride=16,
                padding=0,
                quantizer=Uniform(4.0, 7),
                arithmetic="float64",
            ),
            Conv(
                name="mix",
                in_shape=(4, 4, 2),
                in_bits=3,
                weight=identity.reshape(1, 2, 1, 1, 2),
                thresholds=np.array([[1, 3, 5], [2, 4, 6]], np.int32),
            ),
            Dense(
                name="region",
                in_shape=(4, 4, 2),
                in_bits=2,
                # x, y, w, h, object, red, blue: from "red is ahead" and "bright", 0..3 each
                matrix=FloatDense(
                    np.array([[0, 0, 0, 0, 0, 20, 0], [0, 0, 0, 0, 8, 0, 0]], np.float32),
                    np.array([0, 0, 0, 0, -20, 0, 10], np.float32),
                ),
                levels=0,
            ),
        ),
        result=Boxes(
            anchors=np.array([[1.0, 1.0]]),
            input_size=64,
            transposed=False,
        ),
    )
    library.install(network)
    return network.name


@pytest.fixture
def tiny_dorefanet(tiny_dorefanet_files, tmp_path) -> Path:
    """The layer JSON of a complete small network in the format of QNN-MO-PYNQ, beside its files.

    224 x 224 pixels, conv0 to 54x54x6, two branches of conv1 to 7x7x8, a pool to 3x3x8, conv2 to
    1x1x40 (two rows for some PEs), then fully connected 40-24-16-12. A test may change the files.
    """
    folder = shutil.copytree(tiny_dorefanet_files, tmp_path / "tiny" / "params")
    return folder / "dorefanet-layers.json"


@pytest.fixture(scope="session")
def tiny_dorefanet_files(tmp_path_factory) -> Path:
    """The files of tiny_dorefanet, to be copied."""
    folder = tmp_path_factory.mktemp("tiny") / "params"
    folder.mkdir()
    rng = np.random.default_rng(7)
    conv0 = {
        "conv0/W": rng.normal(0, 0.1, (6, 3, 12, 12)).astype(np.float32),
        "conv0/T": np.array([5 / 6, 1 / 2, 1 / 6], np.float32),
    }
    np.save(folder / "dorefanet-conv0.npy", conv0, allow_pickle=True)
    np.save(folder / "ilsvrc_pp_mean.npy", rng.uniform(90, 130, (256, 256, 3)).astype(np.float32))
    dense = {
        "fc0/Wn": rng.choice([-1, 1], (40, 24)) * rng.choice([1 / 8, 1 / 4], 24),
        "fc0/bn": rng.integers(0, 8, 24) / 8 + 1 / 32,
        "fc1/Wn": rng.choice([-1, 1], (24, 16)) * rng.choice([1 / 8, 1 / 4], 16),
        "fc1/bn": rng.integers(0, 8, 16) / 8 + 1 / 32,
        "fct/W": rng.normal(0, 2, (16, 12)),
    }
    dense = {key: array.astype(np.float32) for key, array in dense.items()}
    np.save(folder / "dorefanet-fc-normalized.npy", dense, allow_pickle=True)
    (folder / "bits").mkdir()
    for prefix, (inputs, outputs, kernel) in enumerate([(3, 4, 6), (3, 4, 6), (8, 40, 3)], start=1):
        rows = -(-outputs // 32)
        unused = np.uint64(2**64 - 2**inputs)
        for pe in range(32):
            words = rng.integers(0, 2**inputs, rows * kernel**2).astype("<u8") | unused
            words.tofile(folder / "bits" / f"{prefix}-{pe}-weights.bin")
            thresholds = np.zeros((rows, 4), "<i2")
            spread = 2 * kernel * inputs**0.5
            thresholds[:, :3] = np.sort(rng.integers(-spread, spread, (rows, 3)), axis=1)
            thresholds.tofile(folder / "bits" / f"{prefix}-{pe}-thres.bin")
    layers = [
        conv_entry("conv0", 3, 224, 6, 54, 12, stride=4),
        {"name": "split1", "func": "split_layer", "split": 2}
        | {"input_channels": 6, "input_dim": 54},
        conv_entry("conv1", 3, 54, 4, 7, 6, stride=8),
        {"name": "pool1", "func": "maxpool_layer", "kernel_shape": 3, "kernel_stride": 2}
        | {"input": [4, 7, 7], "output": [4, 3, 3]},
        {"name": "merge1", "func": "merge_layer", "merge": 2}
        | {"output_channels": 8, "output_dim": 3},
        conv_entry("conv2", 8, 3, 40, 1, 3),
        {"name": "fc0", "func": "fc_layer", "input": [40], "output": [24]},
    ]
    header = {"network": "dorefanet", "binparam": "bits", "binparam_skip": 1, "layer_skip": 1}
    (folder / "dorefanet-layers.json").write_text(json.dumps(header | {"layers": layers}))
    return folder


def conv_entry(
    name: str,
    channels: int,
    dim: int,
    outputs: int,
    out_dim: int,
    kernel: int,
    stride: int = 1,
) -> dict:
    return {
        "name": name,
        "func": "conv_layer",
        "output_bits": 2,
        "kernel_shape": kernel,
        "kernel_stride": stride,
        "input": [channels, dim, dim],
        "output": [outputs, out_dim, out_dim],
        "padding": 0,
    }


@pytest.fixture
def damaged(home):
    """damaged(how) installs the shipped network and damages it: returns its name."""

    def install(how: str) -> str:
        directory = library.install(store.load(library.shipped_directory() / library.DEFAULT))
        description, tensors = directory / store.DESCRIPTION, directory / store.TENSORS
        text, raw = description.read_text(), tensors.read_bytes()
        if how == "no tensors":
            tensors.unlink()
        elif how == "truncated tensors":
            tensors.write_bytes(raw[: len(raw) // 2])
        elif how == "empty tensors":
            tensors.write_bytes(b"")
        elif how == "altered tensors":
            middle = len(raw) // 2
            tensors.write_bytes(raw[:middle] + bytes([raw[middle] ^ 0xFF]) + raw[middle + 1 :])
        elif how == "truncated description":
            description.write_text(text[: len(text) // 2])
        elif how == "another version":
            description.write_text(text.replace('"version": 2', '"version": 999'))
        elif how == "another type":
            description.write_text(text.replace('"stride": 1', '"stride": "1"'))
        elif how == "shapes that do not chain":
            document = json.loads(text)
            del document["layers"][1]
            description.write_text(json.dumps(document))
        elif how == "not text":
            description.write_bytes(b"\xff\xfe\0")
        else:
            assert how == "a list"
            description.write_text("[]")
        return directory.name

    return install


DAMAGES = (
    "no tensors",
    "truncated tensors",
    "empty tensors",
    "altered tensors",
    "truncated description",
    "another version",
    "another type",
    "shapes that do not chain",
    "not text",
    "a list",
)


@pytest.fixture(params=DAMAGES)
def damaged_model(request, damaged) -> str:
    """The name of an installed network that is damaged in one of several ways."""
    return damaged(request.param)
