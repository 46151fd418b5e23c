# SPDX-License-Identifier: BSD-3-Clause
"""What comes out at the end of a graph is what the reference executor gives, in its shape."""

import numpy as np
import pytest

from qnn import store
from qnn.errors import NetworkError
from qnn.importers import import_network
from qnn.model import Model
from qnn.network import Dense
from qnn.network.result import FloatMap, FloatScores

pytest.importorskip("onnx", reason="the extra qonnx is not installed")
pytest.importorskip("qonnx", reason="the reference executor is not installed")

from foreign_qonnx import Graph, execute

SCALE = 1 / 16


def start() -> Graph:
    """Arrays of 2x5x6, one convolution to 4x3x4 with sums that are exact."""
    graph = Graph((1, 2, 5, 6)).quant(SCALE, 4, signed=1)
    value = np.random.default_rng(5).normal(0, 1, (4, 2, 3, 3))
    return graph.then("Conv", graph.weight(value, 0.5), np.arange(4) / 4)


def connected() -> Graph:
    graph = start().quant(1.0, 2).then("Flatten")
    value = np.random.default_rng(4).normal(0, 1, (3, 48))
    return graph.then("Gemm", graph.weight(value), transB=1)


def compared(graph: Graph, tmp_path, tolerance: float = 0.0):
    """The network, stored and loaded, after its results were compared."""
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")
    (tmp_path / "copy").mkdir()
    store.save(network, tmp_path / "copy")
    network = store.load(tmp_path / "copy")
    arrays = (np.random.default_rng(6).integers(-20, 20, (8, 2, 5, 6)) * SCALE / 2).astype("f4")
    with Model(network, "cpu") as model:
        found = model.evaluate(arrays)
    want = [execute(graph.model(), x[None])[graph.tensor] for x in arrays]
    assert len({one.tobytes() for one in want}) > 1
    np.testing.assert_allclose(found, np.concatenate(want), rtol=0, atol=tolerance)
    assert found.dtype == np.float32
    return network


MAPS = {
    "sums": lambda: start(),
    "ReLU": lambda: start().then("Relu"),
    "limits of each side": lambda: start().then("Clip", -1.0, 2.5),
    "codes": lambda: start().quant(0.5, 3, signed=1),
    "codes, scaled by channel": lambda: (
        start().quant(0.5, 3).then("Mul", np.array([1, -2, 0.5, 4]).reshape(1, 4, 1, 1))
    ),
    "codes, pooled": lambda: start().quant(0.5, 3).then("MaxPool", kernel_shape=[2, 2]),
    "one bit": lambda: start().bipolar(0.5),
    "channels last": lambda: start().then("Transpose", perm=[0, 2, 3, 1]),
    "flat": lambda: start().then("Flatten"),
    "turned and flat": lambda: start().then("Transpose", perm=[0, 3, 1, 2]).then("Flatten"),
    "uneven levels": lambda: start().quant(1.0, 3).then("Clip", 0.0, 2.5),
}


@pytest.mark.parametrize("kind", MAPS)
def test_maps(kind, tmp_path):
    network = compared(MAPS[kind](), tmp_path)
    assert isinstance(network.result, FloatMap) and network.classes == ()
    assert "no classes come out: it ends with a map of" in network.missing[0]


SCORES = {
    "ReLU": lambda: connected().then("Relu"),
    "limits": lambda: connected().then("Clip", -4.0, 4.0),
    "codes": lambda: connected().quant(2.0, 4, signed=1),
    "8-bit codes, scaled by class": lambda: (
        connected().quant(0.5, 8, signed=1).then("Mul", np.array([1.0, -0.5, 2.0]))
    ),
    "slopes": lambda: connected().then("PRelu", np.array([0.5, 0.25, 0.0])),
}


@pytest.mark.parametrize("kind", SCORES)
def test_scores(kind, tmp_path):
    network = compared(SCORES[kind](), tmp_path)
    assert isinstance(network.result, FloatScores) and network.classes == ("0", "1", "2")
    assert network.missing == ()


@pytest.mark.parametrize("op", ["Sigmoid", "Tanh", "HardSigmoid"])
def test_squashed_scores(op, tmp_path):
    compared(connected().then("Mul", 0.125).then(op), tmp_path, 1e-6)


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("kind", ["plain", "alpha", "ReLU"])
def test_float_weights_of_the_last_layer(kind, signed, tmp_path):
    rng = np.random.default_rng(5)
    graph = start().quant(1.0, 2, signed=signed).then("Flatten")
    attributes = {"alpha": 0.7, "beta": 2.0} if kind == "alpha" else {}
    graph.then("Gemm", rng.normal(0, 1, (3, 48)), rng.normal(0, 1, 3), transB=1, **attributes)
    network = compared(graph.then("Relu") if kind == "ReLU" else graph, tmp_path, 1e-4)
    assert isinstance(network.layers[-1], Dense) and network.classes == ("0", "1", "2")


@pytest.mark.parametrize("follow", ["quantiser", "layer"])
def test_float_weights_before_the_last_layer(follow, tmp_path):
    rng = np.random.default_rng(5)
    graph = start().quant(1.0, 2).then("Flatten")
    graph.then("Gemm", rng.normal(0, 1, (4, 48)), transB=1, name="floats").quant(1.0, 2)
    if follow == "layer":
        graph.then("Gemm", graph.weight(rng.normal(0, 1, (3, 4))), transB=1)
    with pytest.raises(NetworkError, match=r"'floats'.*no quantiser follows.*quantise them to 8"):
        import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")


def test_an_order_of_its_own(tmp_path):
    graph = start().then("Transpose", perm=[0, 2, 1, 3])
    graph.tensor = graph.node("Reshape", graph.tensor, graph.constant([1, 2, 6, 4], np.int64))
    graph.then("Transpose", perm=[0, 2, 1, 3])
    with pytest.raises(NetworkError, match="and is not quantised; put a quantiser of 8 bits"):
        import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")
    path = graph.quant(1.0, 4).save(tmp_path / "quantised.onnx")  # as it says
    assert import_network("qonnx", path, "net").result.shape == (6, 2, 4)


def test_a_pool_behind_a_negative_gain(tmp_path):
    graph = start().quant(0.5, 3).then("Mul", -1.0).then("MaxPool", kernel_shape=[2, 2])
    with pytest.raises(NetworkError, match="negative gain; put the pool before"):
        import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")
