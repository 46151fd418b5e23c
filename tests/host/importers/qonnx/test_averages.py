# SPDX-License-Identifier: BSD-3-Clause
"""Average pools give what the reference executor gives."""

import numpy as np
import pytest

from qnn.engine.program import compile_layers
from qnn.errors import NetworkError
from qnn.importers import import_network
from qnn.model import Model
from qnn.network import Conv

pytest.importorskip("onnx", reason="the extra qonnx is not installed")
pytest.importorskip("qonnx", reason="the reference executor is not installed")

from foreign_qonnx import QONNX, Graph, execute

GLOBAL = {
    "GlobalAveragePool": lambda g: g.then("GlobalAveragePool").then("Flatten"),
    "AveragePool": lambda g: g.then(
        "AveragePool", kernel_shape=[4, 4], strides=[4, 4], name="mean"
    ).then("Flatten"),
    "ReduceMean": lambda g: g.then("ReduceMean", axes=[2, 3], keepdims=0),
    "ReduceMean from the end": lambda g: g.then("ReduceMean", axes=[-1, -2]).then("Flatten"),
    "ReduceMean of channels last": lambda g: g.then("Transpose", perm=[0, 2, 3, 1]).then(
        "ReduceMean", axes=[1, 2], keepdims=0
    ),
}
WINDOWS = {
    "2x2": {"kernel_shape": [2, 2], "strides": [2, 2]},
    "overlapping": {"kernel_shape": [2, 4]},
    "padded": {"kernel_shape": [2, 2], "pads": [1, 0, 0, 1], "count_include_pad": 1},
}


def start(signed: int = 0, bits: int = 2) -> Graph:
    """Codes of a map of 4x4, four channels."""
    graph = Graph((1, 2, 6, 6)).quant(1 / 8, 4, signed=1)
    value = np.random.default_rng(1).normal(0, 1, (4, 2, 3, 3))
    return graph.then("Conv", graph.weight(value)).quant(1.0, bits, signed=signed)


def connect(graph: Graph, features: int) -> Graph:
    value = np.random.default_rng(2).normal(0, 1, (3, features))
    return graph.then("Gemm", graph.weight(value), np.arange(3) / 4, transB=1)


def compare(graph: Graph, tmp_path):
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")
    compile_layers([layer for layer in network.layers if isinstance(layer, Conv)])
    arrays = (np.random.default_rng(6).integers(-20, 20, (8, *graph.shape[1:])) / 16).astype("f4")
    with Model(network, "cpu") as model:
        found = model.evaluate(arrays)
    want = [execute(graph.model(), x[None])[graph.tensor] for x in arrays]
    assert len(np.unique(want)) > 4
    np.testing.assert_allclose(found, np.concatenate(want), rtol=0, atol=1e-5 * np.ptp(want))
    return network


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("kind", GLOBAL)
def test_of_the_whole_map(kind, signed, tmp_path):
    """Right before a fully connected layer it is no layer of its own."""
    network = compare(connect(GLOBAL[kind](start(signed)), 4), tmp_path)
    assert [layer.name for layer in network.layers] == ["conv1", "fc2"]


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("kind", GLOBAL)
def test_quantised(kind, signed, tmp_path):
    """Codes of averages lie on ties, too: all scales are powers of two."""
    graph = GLOBAL[kind](start(signed, 3)).quant(0.25, 4, signed=signed)
    network = compare(connect(graph, 4), tmp_path)
    assert len(network.layers) == 3


@pytest.mark.parametrize("quantised", [False, True])
@pytest.mark.parametrize("kind", WINDOWS)
def test_windows(kind, quantised, tmp_path):
    graph = start().then("AveragePool", **WINDOWS[kind], name="mean")
    sides = {"2x2": 4, "overlapping": 3, "padded": 16}[kind]
    if quantised:
        graph.quant(0.25, 4)
    compare(connect(graph.then("Flatten"), 4 * sides), tmp_path)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("kernel", [1, 2, 3])
def test_of_sums(kernel, groups, tmp_path):
    """At the end, behind a layer that is not quantised; with a bias and a gain."""
    graph = start()
    value = np.random.default_rng(3).normal(0, 1, (6, 4 // groups, kernel, kernel))
    attributes = {"group": groups, "strides": [kernel] * 2, "pads": [kernel // 2] * 4}
    graph.then("Conv", graph.weight(value), np.arange(6) / 8, **attributes).then("Mul", 0.5)
    compare(graph.then("GlobalAveragePool").then("Flatten"), tmp_path)


@pytest.mark.parametrize("rounding", ["FLOOR", "ROUND"])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("kind", GLOBAL)
def test_truncated(kind, signed, rounding, tmp_path):
    """As Brevitas writes a TruncAvgPool2d: sums of 16 codes, of which the highest bits stay."""
    graph = GLOBAL[kind](start(signed, 3)).then("Mul", 16.0)
    graph.then("Trunc", 0.25, 0.0, 8.0, 5.0, domain=QONNX, rounding_mode=rounding, signed=signed)
    network = compare(connect(graph, 4), tmp_path)
    assert len(network.layers) == 3


@pytest.mark.parametrize("opset", [None, 1, 2, 3])
@pytest.mark.parametrize("behind", [(5.0,), (2.0, 5.0)])
def test_truncated_as_the_opset_says(behind, opset, tmp_path):
    """The reference runs the version that the model imports, whatever the inputs are."""
    graph = GLOBAL["GlobalAveragePool"](start(0, 3)).then("Mul", 16.0)
    graph.qonnx_opset = opset
    graph.then("Trunc", 0.25, 0.0, 8.0, *behind, domain=QONNX, rounding_mode="FLOOR", signed=0)
    connect(graph, 4)
    if ((opset or 1) == 1) == (len(behind) == 1):
        compare(graph, tmp_path)
    else:
        with pytest.raises(NetworkError, match=r"are those of version . of the operator, and the "):
            compare(graph, tmp_path)


def test_an_average_of_averages(tmp_path):
    graph = start().then("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
    compare(graph.then("GlobalAveragePool").then("Flatten"), tmp_path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: start().then("ReduceMean", axes=[1], name="mean"), "'mean'.*along rows and col"),
        (
            lambda: start().then("AveragePool", kernel_shape=[2, 2], pads=[1] * 4, name="mean"),
            "'mean'.*does not count; use no padding, or count_include_pad = 1",
        ),
        (
            lambda: start().then("AveragePool", kernel_shape=[3, 3], ceil_mode=1, name="mean"),
            "'mean'.*use ceil_mode = 0",
        ),
        (
            lambda: start(1).then(
                "AveragePool", kernel_shape=[2, 2], pads=[1] * 4, count_include_pad=1, name="mean"
            ),
            "'mean'.*pads with 0, but the lowest level of its input is -2; use no padding",
        ),
        (
            lambda: start().then("AveragePool", kernel_shape=[5, 5], name="mean"),
            "'mean'.*kernel of 5x5 does not fit into a map of 4x4x4",
        ),
        (
            lambda: (
                start()
                .then("Conv", np.ones((2, 4, 1, 1)))
                .then("Relu")
                .then("GlobalAveragePool", name="mean")
            ),
            "'mean'.*not quantised; put an activation quantiser of 8 bits or fewer between",
        ),
    ],
    ids=["channels", "not counted", "ceiling", "padded", "too large", "ReLU"],
)
def test_refused(make, reason, tmp_path):
    with pytest.raises(NetworkError, match=reason):
        import_network("qonnx", make().save(tmp_path / "model.onnx"), "net")
