# SPDX-License-Identifier: BSD-3-Clause
"""scripts/bench_cluster.py: every run agrees with one machine, whoever is killed."""

import json
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")

from qnn_sim.rtl_build import ROOT


def call(*arguments):
    command = [sys.executable, ROOT / "scripts/bench_cluster.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


@pytest.mark.nightly
def test_a_small_one(tmp_path):
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (200, 28, 28), np.uint8), rng.integers(0, 10, 200)
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    ended = call(
        "--dataset", tmp_path / "a.npz", "--workers", "1", "--pictures", "200",
        "--sim-pictures", "0", "--boards", "3", "--picture-bytes", "100", "--json",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    (run,), killed, boards = document["runs"], document["killed"], document["boards"]
    assert (run["backend"], run["workers"], run["agrees"]) == ("cpu", 1, True)
    assert (killed["workers"], killed["pictures"], killed["agrees"]) == (2, 200, True)
    matrix = document["confusion"]
    assert [sum(row) for row in matrix] == np.bincount(labels, minlength=10).tolist()
    assert len(document["classes"]) == len(matrix) == 10
    assert boards["boards"] == 3 and 100 < boards["wire_bytes"] < 200
    assert boards["pictures_per_s"] <= boards["bound_per_s"]


def test_what_is_printed(tmp_path):
    images = np.zeros((4, 28, 28), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=[0, 1, 1, 9])
    ended = call(
        "--dataset", tmp_path / "a.npz", "--workers", "--pictures", "4",
        "--sim-pictures", "0", "--boards", "0",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "the confusion matrix of one machine: 1 of 1 runs\n" in ended.stdout
    rows = [line.split() for line in ended.stdout.splitlines() if line.startswith("  ")]
    assert sum(map(int, rows[1][-10:])) == 2 and len(rows) == 4  # three classes, and the sum
    assert rows[3][1:4] == ["of", "4", "right,"]


def test_wrong_usage_and_models():
    assert "counts must be" in call("--pictures", "0").stderr
    ended = call("--model", "nothing")
    assert ended.returncode == 2 and ended.stderr.startswith("bench_cluster: unknown model")


def test_a_data_set_that_is_not_there_is_one_sentence_and_nothing_starts(tmp_path):
    ended = call("--dataset", tmp_path / "nothing", "--pictures", "5")
    assert ended.returncode == 2 and ended.stdout == ""
    (sentence,) = ended.stderr.splitlines()
    assert sentence.startswith("bench_cluster: ") and str(tmp_path / "nothing") in sentence
