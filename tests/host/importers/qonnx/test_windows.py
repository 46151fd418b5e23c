# SPDX-License-Identifier: BSD-3-Clause
"""Windows of convolutions are those that onnxruntime takes, whatever the layout of their maps."""

import itertools
import warnings

import numpy as np
import pytest

from qnn.errors import NetworkError
from qnn.importers import import_network
from qnn.importers.qonnx.graph import Node
from qnn.importers.qonnx.windows import windows_of
from qnn.model import Model

pytest.importorskip("onnx", reason="the extra qonnx is not installed")
pytest.importorskip("onnxruntime", reason="the reference executor is not installed")

from foreign_qonnx import CHANNELS_LAST, Graph, execute
from one_operator import run


def assert_equal(graph: Graph, tmp_path) -> None:
    """Imported for arrays, what comes out at its end is what the reference gives."""
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net", "array")
    arrays = (np.random.default_rng(6).integers(-8, 40, (6, *graph.shape[1:])) / 16).astype("f4")
    with Model(network, "cpu") as model:
        found = model.evaluate(arrays)
    want = np.concatenate([execute(graph.model(), x[None])[graph.tensor] for x in arrays])
    assert len(np.unique(want)) > 5
    assert found.tolist() == want.tolist()


def test_automatic_padding():
    for mode, stride, side, kernel in itertools.product(
        ("SAME_UPPER", "SAME_LOWER", "VALID"), (1, 2), (4, 5, 6), (1, 2, 3)
    ):
        attributes = {"auto_pad": mode, "strides": [stride] * 2}
        node = Node("Conv", "conv", (), (), attributes)
        found = windows_of(node, (side, side), (kernel, kernel))
        x = np.arange(side * side, dtype=np.float32).reshape(1, 1, side, side)
        weight = np.arange(kernel * kernel, dtype=np.float32).reshape(1, 1, kernel, kernel)
        explicit = {"pads": list(found.padding), "strides": [stride] * 2}
        want = run("Conv", attributes, x, weight)
        assert run("Conv", explicit, x, weight).tolist() == want.tolist(), attributes


CASES = [
    {"strides": [3, 3]},
    {"strides": [4, 4], "pads": [1, 2, 0, 1]},
    {"dilations": [2, 2]},
    {"dilations": [1, 3], "pads": [0, 3, 0, 3]},
    {"dilations": [2, 1], "strides": [2, 2], "pads": [2, 1, 1, 1]},
]


@pytest.mark.parametrize("attributes", CASES)
def test_windows_of_layers(attributes, tmp_path):
    """Strides, dilations and paddings of a whole layer give the sums of the reference."""
    graph = Graph((1, 2, 9, 11)).quant(1 / 8, 4)
    value = np.random.default_rng(1).normal(0, 1, (5, 2, 3, 3))
    graph.then("Conv", graph.weight(value), **attributes)
    assert_equal(graph, tmp_path)


def test_strides_of_one_row(tmp_path):
    """The stride along a side with one window is any."""
    graph = Graph((1, 2, 3, 11)).quant(1 / 8, 4)
    value = np.random.default_rng(1).normal(0, 1, (5, 2, 3, 3))
    graph.then("Conv", graph.weight(value), strides=[1, 2])
    assert_equal(graph, tmp_path)


LINES = {
    "plain": {},
    "strides": {"strides": [2]},
    "padding": {"pads": [1, 2], "strides": [3]},
    "dilation": {"dilations": [3]},
    "groups": {"group": 2},
    "same": {"auto_pad": "SAME_LOWER", "strides": [2]},
}


@pytest.mark.parametrize("kind", LINES)
def test_lines(kind, tmp_path):
    """Conv1d, MaxPool1d and a normalisation between them, on maps of one row."""
    attributes, rng = LINES[kind], np.random.default_rng(2)
    graph = Graph((1, 4, 21)).quant(1 / 8, 4)
    value = rng.normal(0, 1, (6, 4 // attributes.get("group", 1), 3))
    graph.then("Conv", graph.weight(value), rng.integers(-4, 4, 6) / 4, **attributes)
    gain, mean = 2.0 ** rng.integers(-1, 2, 6), rng.integers(-2, 3, 6) / 4
    graph.then("BatchNormalization", gain, mean, -mean, np.ones(6), epsilon=0.0).quant(0.25, 3)
    graph.then("MaxPool", kernel_shape=[2], strides=[2])
    graph.then("Conv", graph.weight(rng.normal(0, 1, (3, 6, 2)), 1.0, 2))
    assert_equal(graph, tmp_path)


def plain(kernel: list[int], **attributes) -> dict:
    """What qonnx wants to be stated."""
    fixed = {"strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1]}
    return {"kernel_shape": kernel, **fixed, **attributes}


@pytest.mark.parametrize("input_last", [False, True])
def test_channels_last(input_last, tmp_path):
    """Operators of qonnx.custom_op.channels_last, as qonnx makes them of channels first."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.channels_last import ConvertToChannelsLastAndClean
    from qonnx.transformation.infer_shapes import InferShapes

    rng = np.random.default_rng(3)
    graph = Graph((1, 2, 9, 8)).quant(1 / 8, 4)
    weight = graph.weight(rng.normal(0, 1, (6, 2, 3, 2)), 1.0, 2)
    graph.then("Conv", weight, **plain([3, 2], pads=[1, 0, 1, 1]))
    gain, mean = 2.0 ** rng.integers(-1, 2, 6), rng.integers(-2, 3, 6) / 4
    graph.then("BatchNormalization", gain, mean, -mean, np.ones(6), epsilon=0.0)
    graph.then("Relu").quant(0.5, 3).then("MaxPool", **plain([2, 2], strides=[2, 2]))
    graph.then("Conv", graph.weight(rng.normal(0, 1, (3, 6, 2, 2)), 1.0, 2), **plain([2, 2]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ModelWrapper(graph.model()).transform(InferShapes())
        model = model.transform(ConvertToChannelsLastAndClean(input_last))
    assert CHANNELS_LAST in {node.domain for node in model.graph.node}
    path = tmp_path / "model.onnx"
    path.write_bytes(model.model.SerializeToString())
    network = import_network("qonnx", path, "net", "array")
    arrays = (rng.integers(-8, 40, (6, 2, 9, 8)) / 16).astype("f4")
    with Model(network, "cpu") as runs:
        found = runs.evaluate(arrays.transpose(0, 2, 3, 1) if input_last else arrays)
    want = np.concatenate([execute(graph.model(), x[None])[graph.tensor] for x in arrays])
    if found.shape != want.shape:
        want = want.transpose(0, 2, 3, 1)
    assert len(np.unique(want)) > 5 and found.tolist() == want.tolist()


@pytest.mark.parametrize("outputs", [2, 6])
def test_a_bias_with_channels_last(outputs, tmp_path):
    """It is of the channels, also where there are as many as rows or columns."""
    rng = np.random.default_rng(5)
    value, bias = rng.normal(0, 1, (outputs, 3, 2, 2)), 2.0 ** np.arange(outputs)
    found = []
    for last in (False, True):
        graph = Graph((1, 3, 7, 3)).quant(1 / 8, 4)
        weight = graph.quantised(graph.constant(value), 0.5, 2)
        if last:
            graph.then("Transpose", perm=[0, 2, 3, 1])
            weight = graph.quantised(graph.constant(value.transpose(0, 2, 3, 1)), 0.5, 2)
        domain = {"domain": CHANNELS_LAST} if last else {}
        graph.then("Conv", weight, bias, **plain([2, 2]), **domain)
        if last:
            graph.then("Transpose", perm=[0, 3, 1, 2])
        network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net", "array")
        arrays = (np.random.default_rng(6).integers(-8, 40, (2, 3, 7, 3)) / 16).astype("f4")
        with Model(network, "cpu") as runs:
            found.append(runs.evaluate(arrays))
    assert found[0].shape == (2, outputs, 6, 2)
    np.testing.assert_array_equal(*found)


def test_channels_last_is_not_channels_first(tmp_path):
    graph = Graph((1, 2, 9, 8)).quant(1 / 8, 4)
    graph.then("Conv", graph.weight(np.ones((6, 2, 3, 3)))).quant(1.0, 2)
    weight = graph.weight(np.ones((3, 2, 2, 6)))
    graph.then("Conv", weight, kernel_shape=[2, 2], domain=CHANNELS_LAST)
    with pytest.raises(NetworkError, match=r"'Conv_.*tensor of shape.*not the map 7x6x6"):
        import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")
