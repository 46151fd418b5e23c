# SPDX-License-Identifier: BSD-3-Clause
"""qnn watch: what it prints of a folder that fills, and how it ends."""

import json
import os
import shutil
import signal
import socket
import urllib.request

import numpy as np
import pytest
from PIL import Image
from random_networks import network_of, random_conv

from qnn import store
from qnn.backends import cpu
from qnn.commands import watch
from qnn.engine import regs
from qnn.live.server import Server
from qnn.live.watch import Watch
from qnn.model import load
from qnn.network import ArrayInput
from qnn.network.result import FloatScores

MODEL = ("--model", "fashion-cnv", "--backend", "cpu")


@pytest.fixture
def folder(samples, tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    for sample in samples:
        shutil.copy(sample, path)
    return path


def lines(result) -> list[dict]:
    return [json.loads(line) for line in result.out.splitlines()]


def test_a_line_a_frame(cli, folder, samples):
    arguments = ("watch", *MODEL, "--source", folder, "--every", "--frames", 10, "--top", 2)
    result = cli(*arguments, "--json")
    assert (result.status, result.err) == (0, "")
    found = lines(result)
    assert [one["frame"] for one in found] == list(range(1, 11))
    assert {one["image"] for one in found} == {str(folder / path.name) for path in samples}
    with load("fashion-cnv", "cpu") as model:
        for one in found:
            expected = model.classify(one["image"], 2).classes
            assert one["classes"] == [
                {"index": c.index, "name": c.name, "probability": c.probability} for c in expected
            ]
            assert one["dropped"] == 0 and one["age_ms"] > 0
            assert set(one["times_us"]) == {"decode", "first_layer", "offload", "last_layers"}
    assert found[0]["pictures_per_s"] is None and found[-1]["pictures_per_s"] > 0


def test_boxes_for_people(cli, detector, tmp_path):
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[0:32, 64:96] = (255, 0, 0)
    (tmp_path / "folder").mkdir()
    Image.fromarray(pixels).save(tmp_path / "folder" / "a.png")
    Image.new("RGB", (50, 70)).save(tmp_path / "folder" / "b.png")
    source = ("--source", tmp_path / "folder", "--every", "--frames", 2)
    result = cli("watch", "--model", detector, *source)
    assert (result.status, result.err) == (0, "")
    first, second, _, model, *table = result.out.splitlines()
    name = tmp_path / "folder"
    assert first == f"1 {name / 'a.png'}: 98% red (64, 0) - (96, 32)  [0 dropped]"
    assert second.startswith(f"2 {name / 'b.png'}: nothing found  [") and "a second" in second
    assert model == f"model {detector} on cpu"
    stages = {"stage", "decode", "first_layer", "offload", "last_layers", "all"}
    assert stages <= {line.split()[0] for line in table}
    assert table[-1].endswith("pictures a second")
    result = cli("watch", "--model", detector, *source, "--threshold", 0.99)
    assert result.out.startswith(f"1 {name / 'a.png'}: nothing found")


def test_frames_that_cannot_be_read(cli, folder, tmp_path):
    (folder / "a-damaged.png").write_bytes((folder / "bag.png").read_bytes()[:200])
    (folder / "a-text.png").write_text("no picture")
    for path in folder.glob("a-*"):
        os.utime(path, (1, 1))  # the oldest come first
    result = cli("watch", *MODEL, "--source", folder, "--every", "--frames", 10, "--json")
    assert result.status == 1
    bad = [one for one in lines(result) if "error" in one]
    assert {one["image"] for one in bad} == {
        str(folder / "a-damaged.png"),
        str(folder / "a-text.png"),
    }
    assert len(lines(result)) == 12
    assert {f"qnn: {one['error']}" for one in bad} == set(result.err.splitlines())


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_ctrl_c(cli, folder, monkeypatch, arguments):
    teller, count = watch._Teller.tell, []

    def tell(self, seen):
        teller(self, seen)
        count.append(seen)
        if len(count) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(watch._Teller, "tell", tell)
    result = cli("watch", *MODEL, "--source", folder, "--every", *arguments)
    assert result.status == 130
    assert result.err.startswith("qnn: interrupted: watched 3 of ")
    if arguments:
        assert len(lines(result)) == 3
    else:
        assert "model fashion-cnv on cpu" in result.out


def test_ctrl_c_while_nothing_comes(cli, tmp_path, monkeypatch):
    def opened(self):
        raise KeyboardInterrupt

    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(Watch, "__iter__", opened)
    message = cli.refused("watch", *MODEL, "--source", tmp_path / "folder", status=130)
    assert message == "qnn: interrupted"


def test_a_folder_that_goes_away(cli, folder, monkeypatch):
    teller = watch._Teller.tell

    def tell(self, seen):
        teller(self, seen)
        shutil.rmtree(folder, ignore_errors=True)

    monkeypatch.setattr(watch._Teller, "tell", tell)
    result = cli("watch", *MODEL, "--source", folder, "--wait", 0, "--json")
    assert result.status == 1
    told = result.err.splitlines()
    assert f"qnn: {folder} did not come back within 0 s" in told
    assert any("waiting for it, 0 s at most" in line for line in told)


def test_a_backend_that_fails_on_the_way(cli, folder, monkeypatch):
    def stream(self, batches, *last):
        next(iter(batches))
        raise watch.QnnError("it stopped")

    monkeypatch.setattr(cpu.CpuSession, "stream", stream)
    result = cli("watch", *MODEL, "--source", folder)
    assert (result.status, result.out, result.err) == (2, "", "qnn: it stopped\n")


@pytest.mark.parametrize("source", ["none", "none.mp4", "", "777"])
def test_no_source(cli, tmp_path, monkeypatch, nothing_runs, source):
    monkeypatch.chdir(tmp_path)
    cli.refused("watch", *MODEL, "--source", source)


def test_no_model(cli, folder, nothing_runs):
    assert "tinier-yolo" in cli.refused("watch", "--source", folder)
    assert "none" in cli.refused("watch", "--source", folder, "--model", "none")


def test_serving(cli, folder, monkeypatch):
    teller, told = watch._Teller.tell, []

    def tell(self, seen):
        teller(self, seen)
        with urllib.request.urlopen(f"{serving[0].url}status", timeout=600) as answer:
            told.append(json.load(answer))

    serving, starting = [], Server.__enter__
    monkeypatch.setattr(watch._Teller, "tell", tell)
    monkeypatch.setattr(Server, "__enter__", lambda self: serving.append(self) or starting(self))
    arguments = ("watch", *MODEL, "--source", folder, "--every", "--frames", 3, "--json")
    result = cli(*arguments, "--serve", 0)
    assert (result.status, result.err) == (0, f"qnn: open {serving[0].url} in a browser\n")
    assert [one["newest"] for one in told] == lines(result)
    about = {"model": "fashion-cnv", "backend": "cpu", "source": str(folder), "remark": ""}
    assert all(one == about | {"newest": one["newest"]} for one in told)
    with pytest.raises(OSError):
        urllib.request.urlopen(serving[0].url, timeout=600)


def test_a_port_that_cannot_be_had(cli, folder, nothing_runs):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = cli.refused("watch", *MODEL, "--source", folder, "--serve", port)
    assert f"port {port} of 127.0.0.1: another program uses it" in message
    assert "--serve" in cli.refused("watch", *MODEL, "--source", folder, "--host", "0.0.0.0")


def test_a_model_that_is_not_for_pictures(cli, folder, tmp_path, nothing_runs):
    rng = np.random.default_rng(3)
    network = network_of(
        random_conv(rng, (1, 1, 6), 3, (1, 1), name="fc1", in_bits=2, levels=None),
        classes=("cat", "dog", "owl"),
        array=ArrayInput((6,), (0,), (1, 1, 6), np.float32([[-1, 0, 1]]), -2.0, 1.0),
        result=FloatScores(()),
    )
    target = tmp_path / "spectra"
    target.mkdir()
    store.save(network, target)
    message = cli.refused("watch", "--model", target, "--source", folder)
    assert "reads arrays of 6 numbers" in message


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("told", [0, 2])
def test_a_signal_leaves_the_accelerator_quiet(
    cli, folder, sim, monkeypatch, interruptible, number, told
):
    """It comes while a run is under way: the first one, or one after some results."""
    from qnn_sim.platform import SimulatedBoard

    wait, close, teller = SimulatedBoard.wait, SimulatedBoard.close, watch._Teller.tell
    seen, fired, at_end = [], [], []

    def interrupted(self, timeout_s):
        if len(seen) == told and not fired:
            fired.append(self.engine.clocks(1000))
            assert self.read(regs.STATUS) & 1  # busy
            os.kill(os.getpid(), number)
        return wait(self, timeout_s)

    def closing(self):
        at_end.append((self.read(regs.STATUS) & 1, self.violations, self.buffers))
        close(self)

    monkeypatch.setattr(watch._Teller, "tell", lambda *one: seen.append(one) or teller(*one))
    monkeypatch.setattr(SimulatedBoard, "wait", interrupted)
    monkeypatch.setattr(SimulatedBoard, "close", closing)
    before = signal.getsignal(signal.SIGTERM)
    source = ("--source", folder, "--every", "--json")
    result = cli("watch", "--model", "fashion-cnv", "--backend", "sim", *source)
    assert result.status == 130 and "interrupted" in result.err
    assert len(lines(result)) == told
    assert at_end == [(0, 0, {})]
    assert signal.getsignal(signal.SIGTERM) is before
