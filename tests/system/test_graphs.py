# SPDX-License-Identifier: BSD-3-Clause
"""Networks that are no chains, whole: on the CPU, the golden model and the simulated RTL alike."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import random_networks
from damage import damaged_documents
from graph_networks import KINDS, resnet8, two_heads
from hypothesis import given, settings

from qnn import store
from qnn.backends import Settings, open_session
from qnn.cli import main
from qnn.errors import BackendError, QnnError
from qnn.importers import import_network
from qnn.measure.verify import verify
from qnn.model import Model
from qnn.network import Conv, Network
from qnn_sim.golden_network import run_graph


def imported(graph, path: Path, *outputs: str) -> Network:
    path.write_bytes(graph.model(*outputs).SerializeToString())
    return import_network("qonnx", path, "net")


def of_kind(kind: str, path: Path) -> Network:
    rng = np.random.default_rng(5)
    if kind == "two_heads":
        graph, outputs = two_heads(rng)
        return imported(graph, path, *outputs)
    return imported(KINDS[kind](rng), path)


@pytest.mark.parametrize("kind", [*KINDS, "two_heads"])
@pytest.mark.parametrize("backend", ["cpu", "golden", "sim"])
def test_every_layer_is_that_of_the_golden_model(kind, backend, tmp_path):
    network = of_kind(kind, tmp_path / "net.onnx")
    with Model(network, backend) as model:
        rows = verify(model)
        assert sum(row.mismatches for row in rows) == 0 and len(rows) >= len(network.layers) + 2
        codes = random_networks.random_codes(np.random.default_rng(1), network, 3)
        golden = [list(run_graph(network, one)) for one in codes]
        (offload,) = model.stream([codes])
        for found, number in zip((offload.maps, *offload.heads), network.outputs, strict=True):
            np.testing.assert_array_equal(found, [maps[number] for maps in golden])
        if backend == "sim":
            assert all(
                place.where == "accelerator"
                for layer, place in zip(network.layers, model.places, strict=True)
                if isinstance(layer, Conv)
            ), model.places


def test_resnet8_runs_whole_on_the_accelerator_in_one_start(tmp_path):
    network = imported(resnet8(np.random.default_rng(1)), tmp_path / "net.onnx")
    with Model(network, "sim") as model:
        assert sum(row.mismatches for row in verify(model)) == 0
        expected = ["host"] + ["accelerator"] * (len(network.layers) - 1)
        assert [place.where for place in model.places] == expected
        layout = model._session._driver.layout
        assert len(layout.stages) == 1


def test_a_run_is_cut_where_a_layer_runs_on_the_host(tmp_path):
    network = of_kind("residual", tmp_path / "net.onnx")
    name = next(layer.name for layer in network.layers if layer.name.startswith("add"))
    codes = random_networks.random_codes(np.random.default_rng(2), network, 2)
    expected = [list(run_graph(network, one))[-1] for one in codes]
    _, session = open_session("sim", network, Settings(wish={name: "host"}))
    try:
        where = {
            layer.name: place.where
            for layer, place in zip(network.layers, session.places, strict=True)
        }
        assert where[name] == "host" and "accelerator" in where.values()
        np.testing.assert_array_equal(session.run(codes), expected)
        traced = list(session.trace(codes))
        np.testing.assert_array_equal(traced[-1], expected)
    finally:
        session.close()


def test_layers_that_are_read_later_cannot_be_left_out(tmp_path):
    network = of_kind("residual", tmp_path / "net.onnx")
    number = next(n for n, reads in enumerate(network.wiring) if len(reads) > 1)
    shape = network.layers[number].in_shape
    with (
        Model(network, "cpu") as model,
        pytest.raises(BackendError, match="cannot begin with layer add"),
    ):
        model.trace(np.zeros((1, *shape), np.uint8), number)


def test_info_tells_what_layers_read_and_what_comes_out(tmp_path, capsys):
    network = of_kind("two_heads", tmp_path / "net.onnx")
    folder = tmp_path / "net"
    folder.mkdir()
    store.save(network, folder)
    (head,) = network.heads
    assert network.notes[-1].endswith(f"it gives {head.name}: Model.outputs has all by name")
    assert main(["params", "info", str(folder)]) == 0
    out = capsys.readouterr().out
    assert f"output {head.name} is what {head.layer} gives" in out
    for name, reads in network.inputs.items():
        assert f"{name} reads {', '.join(reads)}" in out
    assert main(["params", "info", str(folder), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["outputs"] == {head.name: head.layer}
    stated = {one["layer"]: tuple(one["reads"]) for one in document["layers"] if "reads" in one}
    assert stated == network.inputs


def test_a_damaged_graph_on_disk_is_one_sentence(tmp_path):
    network = of_kind("two_heads", tmp_path / "net.onnx")
    store.save(network, tmp_path)
    document = json.loads((tmp_path / "network.json").read_text())

    @settings(max_examples=60, deadline=None)
    @given(damaged_documents(document))
    def check(damaged):
        (tmp_path / "network.json").write_text(json.dumps(damaged))
        try:
            store.load(tmp_path)
        except QnnError as error:
            assert "\n" not in str(error), error

    check()


def test_a_graph_on_disk_is_the_same_graph(tmp_path):
    network = of_kind("two_heads", tmp_path / "net.onnx")
    folder = tmp_path / "net"
    folder.mkdir()
    store.save(network, folder)
    again = store.load(folder)
    assert (again.inputs, again.wiring, again.outputs) == (
        network.inputs, network.wiring, network.outputs,
    )  # fmt: skip
    codes = random_networks.random_codes(np.random.default_rng(2), network, 3)
    with Model(network, "cpu") as one, Model(again, "cpu") as other:
        want, found = one.outputs(codes), other.outputs(codes)
    assert list(found) == list(want) and len(found) == 2
    for name, values in want.items():
        np.testing.assert_array_equal(found[name], values)
    chain = replace(network, inputs={}, heads=(), layers=network.layers[:2], result=None, output="")
    store.save(chain, folder)
    assert '"version": 2' in (folder / "network.json").read_text()
