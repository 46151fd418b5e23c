# SPDX-License-Identifier: BSD-3-Clause
"""qnn verify: digests of every layer, and a difference of one value is found and named."""

import hashlib
import json
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from qnn.backends import cpu
from qnn.model import load
from qnn.predecessor import activation_buffer
from qnn_sim import golden_network


def verify(cli, *arguments, status=0) -> dict:
    result = cli("verify", *arguments, "--json")
    assert (result.status, result.err) == (status, "")
    return json.loads(result.out)


def expected_layers(network, given, skip=0) -> list[dict]:
    """Rows as documented, from the golden model alone."""
    tensors = [("input", given)]
    traced = golden_network.trace(network.layers[skip:], given)
    for layer, maps in zip(network.layers[skip:], traced, strict=True):
        names = getattr(layer, "parts", ()) or (layer.name,)
        tensors += zip(names, np.split(maps, len(names), axis=2), strict=True)
    tensors.append(("output", maps))
    return [
        {
            "layer": name,
            "shape": list(tensor.shape),
            "sha256": hashlib.sha256(np.ascontiguousarray(tensor).tobytes()).hexdigest(),
            "mismatches": 0,
        }
        for name, tensor in tensors
    ]


def test_json_of_a_picture(cli, samples):
    document = verify(cli, "--input", samples[0])
    with load() as model, Image.open(samples[0]) as image:
        assert document["layers"] == expected_layers(model.network, np.asarray(image)[..., None])
    assert document["model"] == "fashion-cnv" and document["backend"] == "cpu"
    assert document["mismatches"] == 0


def test_without_input_what_goes_in_is_random_and_always_the_same(cli):
    first, second = verify(cli), verify(cli, "--backend", "golden")
    assert first["layers"] == second["layers"]
    assert second["backend"] == "golden"
    zeros = expected_layers(load().network, np.zeros((28, 28, 1), np.uint8))
    assert first["layers"][0]["sha256"] != zeros[0]["sha256"]


@pytest.fixture
def tiny(cli, tiny_dorefanet) -> str:
    assert cli("params", "import", "qnn-mo", tiny_dorefanet, "--name", "tiny").status == 0
    return "tiny"


@pytest.mark.parametrize("name", ["input.bin", "input", "input.png"])
@pytest.mark.parametrize("pitch", ["tight", "words", "overlay"])
def test_an_activation_buffer(cli, tiny, tmp_path, pitch, name):
    codes = np.random.default_rng(1).integers(0, 4, (54, 54, 6), np.uint8)
    packed = activation_buffer.pack(codes, 2)
    bytes_per_pixel = {"tight": 2, "words": 8, "overlay": 96}[pitch]
    padded = np.zeros((54, 54, bytes_per_pixel), np.uint8)
    padded[..., :2] = packed
    data = padded.tobytes() + (bytes(96 * 15) if pitch == "overlay" else b"")
    (tmp_path / name).write_bytes(data)
    document = verify(cli, "--model", tiny, "--input", tmp_path / name)
    expected = expected_layers(load(tiny).network, codes, skip=1)
    assert document["layers"][:5] == expected[:5]  # behind them lie floats, of any order of sums
    names = ["input", "conv1/1", "conv1/2", "conv2/3", "fc0", "fc1", "fct", "output"]
    assert [row["layer"] for row in document["layers"]] == names
    assert document["mismatches"] == 0


def test_a_picture_goes_through_the_golden_first_layer_too(cli, tiny, samples, monkeypatch):
    document = verify(cli, "--model", tiny, "--input", samples[0])
    assert document["mismatches"] == 0

    right = golden_network.run_layer

    def wrong(layer, maps):
        found = right(layer, maps)
        if layer.name == "conv0":
            found[0, 0, 0] ^= 1
        return found

    monkeypatch.setattr(golden_network, "run_layer", wrong)
    document = verify(cli, "--model", tiny, "--input", samples[0], status=1)
    assert document["layers"][1]["layer"] == "conv0" and document["layers"][1]["mismatches"] == 1


def test_text(cli, tiny):
    result = cli("verify", "--model", tiny)
    assert (result.status, result.err) == (0, "")
    for row in verify(cli, "--model", tiny)["layers"]:
        (line,) = (one for one in result.out.splitlines() if one.split()[:1] == [row["layer"]])
        shape = "x".join(map(str, row["shape"]))
        assert line.split()[1:] == [shape, "0", row["sha256"]]
    assert "equal to the golden model" in result.out


def test_rows_come_one_by_one(cli, tiny, monkeypatch):
    """After Ctrl-C those that were compared are told, without a verdict."""
    whole = cli("verify", "--model", tiny).out
    trace = cpu.CpuSession.trace

    def interrupted(self, given, skip=0):
        yield next(trace(self, given, skip))
        raise KeyboardInterrupt

    monkeypatch.setattr(cpu.CpuSession, "trace", interrupted)
    result = cli("verify", "--model", tiny)
    assert (result.status, result.err) == (130, "qnn: interrupted\n")
    assert result.out.splitlines() == whole.splitlines()[:3]


def test_one_wrong_value_is_found(cli, tiny, monkeypatch):
    right = verify(cli, "--model", tiny)["layers"]
    trace = cpu.CpuSession.trace

    def wrong(self, given, skip=0):
        for number, maps in enumerate(trace(self, given, skip)):
            if number == 1:
                maps = maps.copy()
                maps[0, 1, 2, 5] ^= 3  # of the second branch
            yield maps

    monkeypatch.setattr(cpu.CpuSession, "trace", wrong)
    document = verify(cli, "--model", tiny, status=1)
    assert [row["mismatches"] for row in document["layers"]] == [0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert document["mismatches"] == 1
    changed = [a["sha256"] != b["sha256"] for a, b in zip(right, document["layers"], strict=True)]
    assert [number for number, one in enumerate(changed) if one] == [3]
    result = cli("verify", "--model", tiny)
    assert (result.status, result.err) == (1, "")
    assert "1 values differ" in result.out


@pytest.mark.parametrize("size", [0, 1, 2 * 2916 - 1, 2 * 2916 + 1, 8 * 2916 + 1, 96 * 2916 - 1])
def test_buffers_of_another_size(cli, tiny, tmp_path, size):
    path = tmp_path / "input.bin"
    path.write_bytes(b"\x5a" * size)
    message = cli.refused("verify", "--model", tiny, "--input", path)
    assert str(path) in message


# Codes that are a TGA file, too: a format without a signature, which no picture here has.
TGA = bytes([0, 0, 2, *bytes(9), 4, 0, 4, 0, 24, 0]) + bytes(766)


@pytest.mark.parametrize("kind", ["picture", "codes", "codes like a TGA file"])
def test_input_through_a_pipe(cli, samples, piped, kind):
    if kind == "picture":
        data = samples[0].read_bytes()
        expected = verify(cli, "--input", samples[0])["layers"]
    else:
        data = bytes(range(196)) * 4 if kind == "codes" else TGA
        expected = expected_layers(
            load().network, np.frombuffer(data, np.uint8).reshape(28, 28, 1), 1
        )
    assert verify(cli, "--input", piped(data, "fifo"))["layers"] == expected


def test_standard_input(cli, samples, monkeypatch):
    with samples[0].open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        document = verify(cli, "--input", "-")
    assert document["layers"] == verify(cli, "--input", samples[0])["layers"]


@pytest.mark.parametrize("data", [b"", b"\x5a" * 783, b"\x89PNG\r\n\x1a\n"])
def test_bad_pipes(cli, piped, data):
    path = piped(data, "fifo")
    result = cli("verify", "--input", path)
    assert (result.status, result.out) == (2, "")
    assert str(path) in result.err and result.err.count("\n") == 1


def test_input_that_is_missing_is_known_before_anything_runs(cli, tmp_path, nothing_runs):
    for path in (tmp_path / "none.png", tmp_path):
        assert str(path) in cli.refused("verify", "--input", path)


def test_input_that_is_missing(cli, tiny, tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        assert str(path) in cli.refused("verify", "--model", tiny, "--input", path)


def test_a_buffer_for_a_model_that_reads_pictures(cli, tmp_path):
    """28 x 28 x 1 codes of 8 bits are 784 bytes, for the first layer behind the table."""
    codes = np.random.default_rng(2).integers(0, 256, (28, 28, 1), np.uint8)
    (tmp_path / "codes").write_bytes(codes.tobytes())
    document = verify(cli, "--input", tmp_path / "codes")
    assert document["layers"] == expected_layers(load().network, codes, skip=1)


def test_a_huge_picture(cli, tmp_path, recwarn):
    """Refused by its header, in one sentence: no warning of the decoder beside it."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0))
    (tmp_path / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b""))
    assert "huge.png" in cli.refused("verify", "--input", tmp_path / "huge.png")
    assert [str(warning.message) for warning in recwarn] == []


def test_bad_models(cli, damaged):
    assert "'nothing'" in cli.refused("verify", "--model", "nothing")
    assert "'nothing'" in cli.refused("verify", "--backend", "nothing")
    cli.refused("verify", "--model", damaged("truncated tensors"))


def test_a_network_that_no_picture_can_go_into(cli, tiny_dorefanet, samples):
    (tiny_dorefanet.parent / "dorefanet-conv0.npy").unlink()
    assert cli("params", "import", "qnn-mo", tiny_dorefanet, "--name", "blind").status == 0
    assert "dorefanet-conv0.npy" in cli.refused("verify", "--model", "blind", "--input", samples[0])
    assert verify(cli, "--model", "blind")["mismatches"] == 0


def test_without_the_golden_model(cli, monkeypatch):
    """On a board the package qnn_sim is not installed."""
    monkeypatch.setitem(sys.modules, "qnn_sim", None)
    assert "golden model" in cli.refused("verify")


def test_on_the_simulated_accelerator(cli, samples, sim):
    document = verify(cli, "--input", samples[0], "--backend", "sim")
    assert document["backend"] == "sim"
    assert document["layers"] == verify(cli, "--input", samples[0])["layers"]
