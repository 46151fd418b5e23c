# SPDX-License-Identifier: BSD-3-Clause
"""Zero padding of maps whose code 0 is not the value 0 is that of the reference executor."""

import numpy as np
import pytest

from qnn.engine.program import compile_layers
from qnn.errors import NetworkError
from qnn.importers import import_network
from qnn.importers.qonnx.padding import balanced
from qnn.model import Model
from qnn.network import Conv

pytest.importorskip("onnx", reason="the extra qonnx is not installed")
pytest.importorskip("qonnx", reason="the reference executor is not installed")

from foreign_qonnx import Graph, execute

CODES = {
    "signed": {"scale": 0.25, "bits": 3, "signed": 1},
    "narrow": {"scale": 0.5, "bits": 2, "signed": 1, "narrow": 1},
    "8 bits": {"scale": 1 / 16, "bits": 8, "signed": 1},
    "zero point": {"scale": 0.25, "bits": 4, "zero": 5.0},
}


def compare(graph: Graph, tmp_path):
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net", "array")
    compile_layers([layer for layer in network.layers if isinstance(layer, Conv)])
    arrays = (np.random.default_rng(6).integers(-60, 60, (6, *graph.shape[1:])) / 32).astype("f4")
    with Model(network, "cpu") as model:
        found = model.evaluate(arrays)
    want = np.concatenate([execute(graph.model(), x[None])[graph.tensor] for x in arrays])
    assert len(np.unique(want)) > 5
    assert found.tolist() == want.tolist()
    return network


def padded(graph: Graph, rng, channels: int, bits: int, outputs: int = 4) -> Graph:
    weight = graph.weight(rng.normal(0, 2.0 ** (bits - 1), (outputs, channels, 3, 3)), 1.0, bits)
    return graph.then("Conv", weight, pads=[1, 2, 0, 1])


@pytest.mark.parametrize("bits", [1, 2, 3])
@pytest.mark.parametrize("kind", CODES)
def test_of_an_array(kind, bits, tmp_path):
    graph = padded(Graph((1, 3, 5, 6)).quant(**CODES[kind]), np.random.default_rng(bits), 3, bits)
    network = compare(graph, tmp_path)
    assert network.array.constants and len(set(network.array.constants)) == 1


@pytest.mark.parametrize("pool", [None, 2, 4])
@pytest.mark.parametrize("bits", [1, 2])
@pytest.mark.parametrize("kind", CODES)
def test_between_layers(kind, bits, pool, tmp_path):
    """Also behind a pool, and behind a layer that only hands on codes."""
    rng = np.random.default_rng(bits)
    graph = Graph((1, 2, 10, 11)).quant(0.25, 3)
    graph.then("Conv", graph.weight(rng.normal(0, 1, (5, 2, 3, 3)), 0.125)).quant(**CODES[kind])
    if pool:
        graph.then("MaxPool", kernel_shape=[pool] * 2, strides=[pool] * 2)
    compare(padded(graph, rng, 5, bits), tmp_path)


def test_of_a_line(tmp_path):
    rng = np.random.default_rng(1)
    graph = Graph((1, 1, 20)).quant(1 / 16, 8, signed=1)
    graph.then("Conv", graph.weight(rng.normal(0, 1, (4, 1, 5))), pads=[2, 2], strides=[2])
    compare(graph, tmp_path)


@pytest.mark.parametrize("values", [[-1, 1], [-1, 0, 1], [-3, -1, 1, 3], [-7, 2, 5], [0]])
@pytest.mark.parametrize("channels", [1, 2, 7])
def test_balance(values, channels):
    weight = np.random.default_rng(channels).choice(values, (5, 2, 3, channels))
    further = balanced(weight)
    assert (further.sum(axis=3) == -weight.sum(axis=3)).all()
    if further.size:
        assert np.abs(further).max() <= max(np.abs(weight).max(), 1)
        assert not (weight % 2 == 1).all() or (further % 2 == 1).all()


@pytest.mark.parametrize("groups", [2, 4])
@pytest.mark.parametrize("bits", [1, 3])
def test_groups(groups, bits, tmp_path):
    """Of an array and between layers: the layer becomes one of a single group."""
    rng = np.random.default_rng(groups)
    graph = Graph((1, 4, 6, 6)).quant(0.25, 3, signed=1)
    weight = graph.weight(rng.normal(0, 2, (8, 4 // groups, 3, 3)), 0.5, bits)
    graph.then("Conv", weight, pads=[1] * 4, group=groups).quant(1.0, 3, signed=1)
    weight = graph.weight(rng.normal(0, 2, (4, 8 // groups, 3, 3)), 0.5, bits)
    compare(graph.then("Conv", weight, pads=[1] * 4, group=groups), tmp_path)


def test_of_a_picture(tmp_path):
    graph = Graph((1, 3, 6, 6)).then("Sub", 0.5).quant(1 / 64, 6, signed=1)
    graph = padded(graph, np.random.default_rng(1), 3, 1)
    with pytest.raises(NetworkError, match=r"of a picture or of several.*--input array"):
        import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")
    compare(graph, tmp_path)
