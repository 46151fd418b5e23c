# SPDX-License-Identifier: BSD-3-Clause
"""qnn bench: which network it times, and what it says of it."""

import numpy as np
import pytest

from qnn.bench import Row
from qnn.commands import bench as command
from qnn.dense import FloatDense
from qnn.last import DenseChain, DenseLayer


def test_json(cli):
    result = cli("bench", "--model", "fashion-cnv", "--repeat", "1", "--json")
    assert result.err == ""
    document = result.document
    assert (document["model"], document["backend"], document["remarks"]) == (
        "fashion-cnv",
        "cpu",
        [],
    )
    assert set(document["machine"]) == {"cpus", "machine", "numpy"}
    rows = {row.pop("stage"): row for row in document["rows"]}
    assert set(rows) == {"offload", "last_layers"}
    offload = rows["offload"]
    assert offload["ms"] > 0 and offload["baseline_ms"] > 0
    assert offload["ratio"] == pytest.approx(offload["baseline_ms"] / offload["ms"])
    assert rows["last_layers"]["baseline_ms"] is rows["last_layers"]["ratio"] is None


def test_a_network_with_all_stages(cli, tiny_dorefanet):
    cli("params", "import", "qnn-mo", tiny_dorefanet, "--name", "tiny")
    document = cli("bench", "--model", "tiny", "--repeat", "2", "--json").document
    assert [row["stage"] for row in document["rows"]] == ["first_layer", "offload", "last_layers"]
    assert all(row["ratio"] > 0 for row in document["rows"])


def test_text(cli, detector):
    result = cli("bench", "--model", detector, "--repeat", "1")
    assert (result.status, result.err) == (0, "")
    lines = [line.split() for line in result.out.splitlines() if line]
    assert lines[0][:2] == ["stage", "ms"]
    assert [line[0] for line in lines[1:4]] == ["first_layer", "offload", "last_layers"]
    assert lines[1][-1].endswith("x")
    assert f"model {detector} on cpu" in result.out


@pytest.fixture
def timed(monkeypatch) -> list:
    """The networks that are handed over to be timed; none is."""
    networks = []

    def bench(network, backend, repeat):
        networks.append(network)
        return "cpu", [Row("offload", 1.0, 12.0)]

    monkeypatch.setattr(command, "bench", bench)
    return networks


def test_without_dorefanet_random_parameters_of_its_shapes_are_timed(cli, timed):
    document = cli("bench", "--json").document
    assert "random" in document["remarks"][0]
    (network,) = timed
    assert network.first.out_shape == network.in_shape == (54, 54, 68)
    assert [layer.groups for layer in network.layers] == [2, 1, 2, 2]
    assert network.out_shape == (6, 6, 256)
    assert [layer.shape for layer in network.last.layers] == [
        (9216, 4096),
        (4096, 4096),
        (4096, 1000),
    ]
    assert document["rows"][0]["ratio"] == 12


def test_dorefanet_without_its_last_layers_gets_random_ones(cli, timed, reference, monkeypatch):
    dense = DenseLayer("fc", FloatDense(np.zeros((9216, 1000), np.float32), None), 0)
    monkeypatch.setattr(command, "random_dense_chain", lambda: DenseChain((dense,)))
    assert cli("params", "fetch", "dorefanet", "--mirror", reference).status == 0
    document = cli("bench", "--json").document
    assert document["model"] == "dorefanet" and "fully connected" in document["remarks"][0]
    (network,) = timed
    assert network.last.layers == (dense,)
    assert len(network.classes) == 1000


def test_what_cannot_be_timed(cli, damaged):
    assert "'nothing'" in cli.refused("bench", "--model", "nothing")
    assert "'nothing'" in cli.refused("bench", "--model", "fashion-cnv", "--backend", "nothing")
    assert "fetch tinier-yolo" in cli.refused("bench", "--model", "tinier-yolo")
    cli.refused("bench", "--model", damaged("no tensors"))
