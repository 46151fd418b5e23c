# SPDX-License-Identifier: BSD-3-Clause
"""scripts/compare_onnx.py: files of others beside the reference executor, a line for each."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra `dev` is not installed")
from foreign_qonnx import random_model

from qnn_sim import onnx_reference
from qnn_sim.rtl_build import ROOT

# Of the generated networks beside the reference data: what the accelerator cannot run.
REFUSED = {
    "act_per_channel": "it reads channels in steps of their own",
}


def call(*arguments):
    command = [sys.executable, ROOT / "scripts/compare_onnx.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_the_generated_networks(reference):
    """All but one are taken, and score as the reference does."""
    folder = reference.parent / "cases/networks"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    ended = call("--json", "--inputs", "3", *sorted(folder.glob("*.onnx")))
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert (document["accepted"], document["agree"]) == (48, 48)
    refused = {one["name"]: one["refusal"] for one in document["networks"] if one["refusal"]}
    assert refused.keys() == REFUSED.keys()
    assert all(REFUSED[name] in sentence for name, sentence in refused.items())


def test_a_line_for_each_file(tmp_path):
    graph = random_model(np.random.default_rng(1))
    good = graph.save(tmp_path / "good.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    ended = call("--inputs", "2", good, tmp_path / "bad.onnx", tmp_path / "none.onnx")
    assert ended.returncode == 0 and "Traceback" not in ended.stderr
    first, second, third, *_, last = ended.stdout.splitlines()
    assert first.split()[:2] == ["good", "agrees"] and first.endswith("2 of 2")
    assert second.split()[:2] == ["bad", "refused:"]
    assert third.startswith("none") and "no such file" in third
    assert last == "1 of 3 accepted, 1 of these agree"


def test_what_differs_is_seen(tmp_path, monkeypatch):
    path = random_model(np.random.default_rng(1)).save(tmp_path / "model.onnx")
    assert onnx_reference.compare(path, 4, 1).good
    execute = onnx_reference.execute
    wrong = {"sums": lambda y: y * np.float32(1.001), "class": lambda y: -y}
    for change in wrong.values():
        monkeypatch.setattr(
            onnx_reference, "execute",
            lambda *args, by=change: {name: by(y) for name, y in execute(*args).items()},
        )  # fmt: skip
        assert not onnx_reference.compare(path, 4, 1).good


def test_layers_on_the_simulated_accelerator(tmp_path, monkeypatch):
    path = random_model(np.random.default_rng(1)).save(tmp_path / "model.onnx")
    ended = call("--inputs", "2", "--verify", "sim", path)
    found = onnx_reference.compare(path, 2, 1, "sim")
    assert found.good and found.tensors > 3 and 0 < found.bound < found.cycles
    line, *_ = ended.stdout.splitlines()
    told = f"{found.tensors} tensors,   0 values differ"
    assert told in line and line.endswith(f"{found.cycles:,} cycles, bound {found.bound:,}")
    verify = onnx_reference.verify
    monkeypatch.setattr(
        onnx_reference, "verify",
        lambda model: [replace(row, mismatches=1) for row in verify(model)],
    )  # fmt: skip
    wrong = onnx_reference.compare(path, 2, 1, "sim")
    assert not wrong.good and wrong.mismatches == found.tensors - 1


def test_no_inputs_are_no_comparison():
    ended = call("--inputs", "0", "model.onnx")
    assert ended.returncode == 2 and "--inputs is a number from 1 on" in ended.stderr
