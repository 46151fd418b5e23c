# SPDX-License-Identifier: BSD-3-Clause
"""qnn run: arrays in, scores or maps out; one that is bad does not lose the others."""

import io
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import random_networks
from random_networks import network_of, random_conv

from qnn import store
from qnn.model import Model
from qnn.network import ArrayInput, Head
from qnn.network.result import FloatMap, FloatScores


@pytest.fixture
def network():
    """Scores of three classes of six numbers."""
    rng = np.random.default_rng(3)
    thresholds = np.float32([[-1, 0, 1]])
    return network_of(
        random_conv(rng, (1, 1, 6), 3, (1, 1), name="fc1", in_bits=2, levels=None),
        classes=("cat", "dog", "owl"),
        array=ArrayInput((6,), (0,), (1, 1, 6), thresholds, -2.0, 1.0),
        result=FloatScores(()),
    )


@pytest.fixture
def given() -> np.ndarray:
    return np.random.default_rng(4).normal(0, 2, (70, 6)).astype(np.float32)


def place(network, tmp_path, name="net"):
    """A folder that holds the network, for --model."""
    folder = tmp_path / name
    folder.mkdir()
    store.save(replace(network, name=name), folder)
    return folder


def scores(network, arrays) -> np.ndarray:
    with Model(network, "cpu") as model:
        return model.evaluate(arrays)


def saved(tmp_path, name: str, **arrays):
    path = tmp_path / name
    if name.endswith(".npz"):
        np.savez(path, **arrays)
    else:
        np.save(path, *arrays.values())
    return path


def test_a_batch(cli, network, given, tmp_path):
    folder, path = place(network, tmp_path), saved(tmp_path, "x.npy", x=given)
    output = tmp_path / "y.npz"
    result = cli("run", "--model", folder, "--input", path, "--json", "--output", output)
    document, want = result.document, scores(network, given)
    assert result.err == f"wrote {output}\n"
    assert (document["model"], document["backend"], document["arrays"]) == ("net", "cpu", 70)
    assert [one["array"] for one in document["results"]] == [f"{path}[{i}]" for i in range(70)]
    assert [one["scores"] for one in document["results"]] == want.tolist()
    for one, row in zip(document["results"], want, strict=True):
        names = [network.classes[i] for i in np.argsort(-row, kind="stable")]
        assert [c["name"] for c in one["classes"]] == names
    with np.load(output) as archive:
        assert archive.files == ["x"]
        assert archive["x"].dtype == want.dtype and archive["x"].tolist() == want.tolist()


def test_arrays_of_a_batch_share_the_weights(cli, sim, network, given, tmp_path):
    """A network of fully connected layers takes as long for some arrays at once as for one."""
    folder, one, some = (
        place(network, tmp_path), saved(tmp_path, "one.npy", x=given[:1]),
        saved(tmp_path, "some.npy", x=given[:9]),
    )  # fmt: skip
    shared = ("run", "--model", folder, "--backend", "sim", "--json", "--input")
    (alone,) = cli(*shared, one).document["results"]
    found = cli(*shared, some).document["results"]
    assert [one["scores"] for one in found] == scores(network, given[:9]).tolist()
    pixels = 4  # of the PYNQ-Z1 configuration
    assert all(one["cycles"] < alone["cycles"] / pixels * 1.2 for one in found[:8])
    assert all(one["accelerator_ms"] == one["cycles"] / 100.0 / 1e3 for one in found)


def test_one_array_as_text(cli, network, given, tmp_path):
    path = saved(tmp_path, "one.npy", x=given[0])
    output = tmp_path / "y.npz"
    one = ("run", "--model", place(network, tmp_path), "--input", path)
    result = cli(*one, "--top", "2", "--output", output)
    best = np.argsort(-scores(network, given[:1])[0], kind="stable")[:2]
    assert result.status == 0
    assert [line.split()[-1] for line in result.out.splitlines()] == [
        str(path), *(network.classes[i] for i in best),
    ]  # fmt: skip
    with np.load(output) as archive:
        assert archive["one"].shape == (3,)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16, np.float64])
def test_types(cli, network, dtype, tmp_path):
    arrays = np.random.default_rng(5).integers(0, 3, (4, 6)).astype(dtype)
    folder, path = place(network, tmp_path), saved(tmp_path, "x.npy", x=arrays)
    document = cli("run", "--model", folder, "--input", path, "--json").document
    assert [one["scores"] for one in document["results"]] == scores(network, arrays).tolist()


def test_one_bad_array_does_not_lose_the_others(cli, network, given, tmp_path):
    given[3, 2], given[66, 0] = np.nan, np.inf
    good = saved(tmp_path, "good.npz", a=given, b=given[5], words=np.array(["x"] * 6))
    short = saved(tmp_path, "short.npy", x=given[:, :5])
    text = tmp_path / "text.npy"
    text.write_text("no numbers")
    none, output = tmp_path / "none.npy", tmp_path / "y.npz"
    inputs = [none, short, good, text]
    folder = place(network, tmp_path)
    result = cli("run", "--model", folder, "--input", *inputs, "--json", "--output", output)
    document = result.partial_document
    assert (result.status, document["arrays"], len(document["results"])) == (1, 75, 69)
    wrong = [error["array"] for error in document["errors"]]
    assert wrong == [
        str(none), str(short), f"{good}: a[3]", f"{good}: a[66]", f"{good}: words", str(text),
    ]  # fmt: skip
    reasons = [error["error"] for error in document["errors"]]
    assert "No such file" in reasons[0]
    assert "an array of 70x5; the network reads 6, or a batch Nx6" in reasons[1]
    assert "not finite" in reasons[2] and "real numbers" in reasons[4]
    assert "no .npy or .npz file" in reasons[5]
    assert result.err.splitlines()[-1] == "qnn: ran 69 of 75 arrays"
    kept = np.delete(np.arange(70), [3, 66])
    want = scores(network, given[kept])
    with np.load(output) as archive:
        assert sorted(archive.files) == ["a", "b", "words"]
        assert archive["a"][kept].tolist() == want.tolist()
        assert np.isnan(archive["a"][[3, 66]]).all() and np.isnan(archive["words"]).all()
        assert archive["b"].tolist() == want[list(kept).index(5)].tolist()


def test_a_pipe(network, given, tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, x=given)
    found = subprocess.run(
        [sys.executable, "-m", "qnn.cli", "run", "--model", place(network, tmp_path),
         "--input", "-", "--backend", "cpu"],
        input=buffer.getvalue(), capture_output=True, timeout=600, env=dict(os.environ),
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (0, b"")
    assert found.stdout.decode().startswith("-: x[0]\n") and found.stdout.count(b"-: x[") == 70


def test_arrays_of_a_pipe_are_called_by_their_names(network, given, tmp_path):
    archive = io.BytesIO()
    np.savez(archive, a=given[0], bad=given[:2, :5], b=given[:2])
    done = subprocess.run(
        [sys.executable, "-m", "qnn.cli", "run", "--model", place(network, tmp_path),
         "--input", "-", "--backend", "cpu", "--json"],
        input=archive.getvalue(), capture_output=True, check=False, timeout=600,
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert [one["array"] for one in document["results"]] == ["-: a", "-: b[0]", "-: b[1]"]
    assert [one["array"] for one in document["errors"]] == ["-: bad"] and done.returncode == 1


def test_maps(cli, tmp_path):
    network = random_networks.of_arrays(np.random.default_rng(1))
    arrays = np.random.default_rng(2).integers(-4, 4, (3, *network.array.shape))
    folder, path = place(network, tmp_path), saved(tmp_path, "x.npy", x=arrays)
    want = scores(network, arrays)
    document = cli("run", "--model", folder, "--input", path, "--json").document
    assert [one["values"] for one in document["results"]] == want.tolist()
    line = cli("run", "--model", folder, "--input", path).out.splitlines()[1]
    assert line == f"{path}[1]: 2x2x3 values from {want[1].min():.6g} to {want[1].max():.6g}"


def test_several_outputs(cli, tmp_path):
    """Scores, and the map of a layer before them, each under its name."""
    rng = np.random.default_rng(7)
    conv = random_conv(rng, (3, 4, 2), 3, (2, 2), name="conv1", in_bits=2, levels=2)
    last = random_conv(rng, conv.out_shape, 2, conv.out_shape[:2], name="fc2", levels=None)
    boxes = FloatMap((), np.float32([0, 0.5, 1, 1]), (2, 0, 1), (3, 2, 3))
    thresholds = np.float32([[-1, 0, 1]])
    network = network_of(
        conv,
        last,
        classes=("cat", "dog"),
        array=ArrayInput((2, 3, 4), (1, 2, 0), (3, 4, 2), thresholds, -2.0, 1.0),
        result=FloatScores(()),
        heads=(Head("boxes", "conv1", boxes),),
        output="scores",
    )
    arrays = rng.normal(0, 2, (3, 2, 3, 4)).astype(np.float32)
    arrays[1, 0, 0, 0] = np.nan
    with Model(network, "cpu") as model:
        want = model.outputs(network.array.codes(arrays[[0, 2]]))
    assert list(want) == ["scores", "boxes"] and np.ptp(want["boxes"]) > 0
    folder, output = place(network, tmp_path), tmp_path / "y.npz"
    path = saved(tmp_path, "x.npz", batch=arrays, one=arrays[2])
    run = ("run", "--model", folder, "--input", path)
    document = cli(*run, "--json", "--output", output).partial_document
    found = [one["outputs"] for one in document["results"]]
    for number, row in enumerate((0, 1, 1)):
        assert found[number] == {name: values[row].tolist() for name, values in want.items()}
        assert document["results"][number]["scores"] == want["scores"][row].tolist()
    with np.load(output) as archive:
        assert sorted(archive.files) == ["batch:boxes", "batch:scores", "one:boxes", "one:scores"]
        for name, values in want.items():
            np.testing.assert_array_equal(archive[f"batch:{name}"][[0, 2]], values)
            assert np.isnan(archive[f"batch:{name}"][1]).all()
            np.testing.assert_array_equal(archive[f"one:{name}"], values[1])
    span = f"{want['boxes'][1].min():.6g} to {want['boxes'][1].max():.6g}"
    lines = cli(*run).out.splitlines()
    assert lines[-1] == f"  boxes: 3x2x3 values from {span}"


def test_what_is_refused(cli, network, given, tmp_path):
    path = saved(tmp_path, "x.npy", x=given)
    assert "fashion-cnv reads pictures: use classify" in cli.refused("run", "--input", path)
    folder = place(network, tmp_path)
    run = ("run", "--model", folder, "--input")
    assert "is to be read" in cli.refused(*run, path, "--output", path)
    assert "there is no directory" in cli.refused(*run, path, "--output", tmp_path / "no" / "y.npz")
    assert "a directory; name an .npy" in cli.refused(*run, tmp_path)
    pickled = tmp_path / "objects.npy"
    np.save(pickled, np.array([{}], object), allow_pickle=True)
    assert "array of Python objects" in cli.refused(*run, pickled)
    empty = tmp_path / "empty.npz"
    np.savez(empty)
    assert "no arrays" in cli.refused(*run, empty)


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_damaged_files(cli, network, given, kind, tmp_path):
    """Each byte may be another, each length too small: a sentence, or numbers."""
    folder, path = place(network, tmp_path), saved(tmp_path, f"x.{kind}", x=given[:2])
    whole = path.read_bytes()
    rng = np.random.default_rng(6)
    damaged = [whole[: rng.integers(len(whole))] for _ in range(30)]
    for _ in range(60):
        changed = bytearray(whole)
        changed[rng.integers(min(len(whole), 200))] = rng.integers(256)
        damaged.append(bytes(changed))
    if kind == "npy":
        lying = whole.replace(b"(2, 6), }            ", b"(99999999999999, 6), }")
        assert lying != whole
        damaged.append(lying)
    for data in damaged:
        path.write_bytes(data)
        result = cli("run", "--model", folder, "--input", path)
        assert result.status in (0, 1, 2)
        assert all(line.startswith("qnn: ") for line in result.err.splitlines()), result.err
