# SPDX-License-Identifier: BSD-3-Clause
"""Nodes that rank the scores at the end leave them as they are, or are refused."""

import itertools

import numpy as np
import pytest

from qnn.errors import NetworkError
from qnn.importers import import_network
from qnn.model import Model

onnx = pytest.importorskip("onnx", reason="the extra qonnx is not installed")
pytest.importorskip("qonnx", reason="the reference executor is not installed")

from foreign_qonnx import Graph, as_input, execute, random_pictures  # noqa: E402

CLASSES = 5


def scored(opset: int = 13, *sides: int) -> Graph:
    """Five scores of a grey picture of 4 x 4, as (1, 5) or in the shape `sides`."""
    rng = np.random.default_rng(2)
    graph = Graph((1, 1, 4, 4), opset).quant(1 / 128, 8).then("Flatten")
    graph.then("Gemm", graph.weight(rng.normal(0, 1, (CLASSES, 16))), rng.normal(0, 1, 5), transB=1)
    if sides:
        graph.tensor = graph.node("Reshape", graph.tensor, graph.constant(sides, np.int64))
    return graph


def top(graph: Graph, k: int, **attributes) -> onnx.ModelProto:
    node = onnx.helper.make_node(
        "TopK",
        [graph.tensor, graph.constant([k], np.int64)],
        ["values", "indices"],
        name="top",
        **attributes,
    )
    graph.nodes.append(node)
    return graph.model("values", "indices", whole=("indices",))


def load(model: onnx.ModelProto, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return import_network("qonnx", path, "ranked")


def ranking(network, pixels: np.ndarray) -> list[int]:
    with Model(network, "cpu") as model:
        return [int(c.name) for c in model.classify(pixels.repeat(3, axis=2), top=CLASSES).classes]


def pictures():
    return random_pictures(np.random.default_rng(0), 4, 1, 5)


@pytest.mark.parametrize("k", [1, 2, CLASSES])
@pytest.mark.parametrize("axis", [None, 1, -1])
@pytest.mark.parametrize("stated", [{}, {"largest": 1}, {"sorted": 1}])
def test_top_k(k, axis, stated, tmp_path):
    attributes = stated if axis is None else {**stated, "axis": axis}
    model = top(scored(), k, **attributes)
    network = load(model, tmp_path)
    for picture in pictures():
        want = execute(model, as_input(picture))["indices"][0]
        assert ranking(network, picture)[:k] == want.tolist()


@pytest.mark.parametrize(
    ("opset", "sides", "stated"),
    [
        (11, (), {}),
        (13, (), {}),
        (11, (), {"axis": 0}),  # all axes from this one on
        (11, (1, CLASSES, 1, 1), {}),
        (13, (1, CLASSES, 1, 1), {"axis": 1}),
        (13, (1, 1, CLASSES), {}),
    ],
)
@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_probabilities(op, opset, sides, stated, tmp_path):
    model = scored(opset, *sides).then(op, **stated).model()
    network = load(model, tmp_path)
    for picture in pictures():
        (want,) = execute(model, as_input(picture)).values()
        order = np.argsort(-want.reshape(-1), kind="stable")
        assert ranking(network, picture) == order.tolist()


def test_probabilities_and_then_the_largest(tmp_path):
    graph = scored(13, 1, CLASSES, 1, 1).then("Softmax", axis=1).then("Flatten")
    model = top(graph, 3)
    network = load(model, tmp_path)
    for picture in pictures():
        want = execute(model, as_input(picture))["indices"][0]
        assert ranking(network, picture)[:3] == want.tolist()


@pytest.mark.parametrize(("sides", "axis"), [((), 1), ((), -1), ((1, CLASSES, 1, 1), 1)])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_the_largest(sides, axis, keepdims, tmp_path):
    graph = scored(13, *sides).then("ArgMax", axis=axis, keepdims=keepdims)
    model = graph.model(whole=(graph.tensor,))
    network = load(model, tmp_path)
    for picture in pictures():
        (want,) = execute(model, as_input(picture)).values()
        assert ranking(network, picture)[0] == want.item()


def refused(graph: Graph | onnx.ModelProto, tmp_path) -> str:
    model = graph.model() if isinstance(graph, Graph) else graph
    with pytest.raises(NetworkError) as caught:
        load(model, tmp_path)
    return str(caught.value)


@pytest.mark.parametrize("k", [1, 2, CLASSES])
def test_the_smallest_first(k, tmp_path):
    for axis in (1, -1):
        message = refused(top(scored(), k, largest=0, axis=axis), tmp_path)
        assert message.startswith("node 'top' (TopK): it ranks the smallest scores first")
        assert "multiply the scores by -1" in message
    softened = top(scored().then("Softmax"), k, largest=0)
    assert "smallest scores first" in refused(softened, tmp_path)


def test_the_way_out_of_the_smallest_first(tmp_path):
    """What the message advises ranks as TopK with largest = 0 does."""
    wanted = top(scored(), CLASSES, largest=0)
    network = load(top(scored().then("Mul", -1.0), CLASSES), tmp_path)
    for picture in pictures():
        want = execute(wanted, as_input(picture))["indices"][0]
        assert ranking(network, picture) == want.tolist()


def test_another_axis_than_that_of_the_classes(tmp_path):
    for op, axis in itertools.product(("Softmax", "LogSoftmax", "ArgMax"), (0, 2, -1, -4, 4)):
        graph = scored(13, 1, CLASSES, 1, 1).then(op, axis=axis)
        assert f"ranks along axis {axis} of a tensor of shape (1, 5, 1, 1)" in refused(
            graph, tmp_path
        )
    for op, opset in (("Softmax", 13), ("LogSoftmax", 13), ("ArgMax", 11)):  # by default
        graph = scored(opset, 1, CLASSES, 1, 1).then(op)
        assert "where not all scores lie" in refused(graph, tmp_path)
    assert "along axis 0" in refused(top(scored(), 1, axis=0), tmp_path)


def test_more_scores_than_there_are(tmp_path):
    for k in (0, CLASSES + 1):
        assert "does not take 1 to 5 scores" in refused(top(scored(), k), tmp_path)


def test_the_last_of_equal_scores(tmp_path):
    graph = scored().then("ArgMax", axis=1, select_last_index=1)
    assert "of equal scores it takes the last" in refused(graph, tmp_path)


def test_what_comes_after_the_ranking(tmp_path):
    graph = scored().then("Softmax").then("Mul", -1.0)
    assert "comes after the scores were ranked" in refused(graph, tmp_path)
    graph = scored().then("ArgMax", axis=1).then("Softmax")
    assert "comes after the scores were ranked" in refused(graph, tmp_path)
    assert "multiply the scores by -1" in refused(scored().then("ArgMin", axis=1), tmp_path)
