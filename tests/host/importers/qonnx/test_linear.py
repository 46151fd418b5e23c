# SPDX-License-Identifier: BSD-3-Clause
"""QuantizeLinear and DequantizeLinear (QCDQ): codes and scores are those of onnxruntime."""

import numpy as np
import pytest

from qnn.errors import FormatError, NetworkError
from qnn.importers import import_network
from qnn.importers.qonnx.graph import Node
from qnn.importers.qonnx.linear import quantized
from qnn.model import Model
from qnn.network import FloatConv

onnx = pytest.importorskip("onnx", reason="the extra qonnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the reference executor is not installed")

from foreign_qonnx import Graph, both, execute  # noqa: E402

OPSET = 21  # which has types of 4 bits
KINDS = {"UINT8": (0, 255), "INT8": (-128, 127), "UINT4": (0, 15), "INT4": (-8, 7)}


def typed(graph: Graph, kind: str, values) -> str:
    """The name of a constant of a type."""
    values = np.asarray(values)
    name = f"typed{len(graph.initializers)}"
    graph.initializers.append(
        onnx.helper.make_tensor(name, getattr(onnx.TensorProto, kind), values.shape, values.ravel())
    )
    return name


def dequantised(graph: Graph, kind: str, values, scale, zero=0, axis=None) -> str:
    """The name of whole numbers as floats."""
    shape = np.shape(scale)
    stated = {} if axis is None else {"axis": axis}
    zeros = typed(graph, kind, np.broadcast_to(zero, shape))
    return graph.node(
        "DequantizeLinear", typed(graph, kind, values), graph.constant(scale), zeros, **stated
    )


def quantised(graph: Graph, kind: str, scale: float, zero: int, clip=None) -> Graph:
    """The end of the chain through a QuantizeLinear, perhaps a Clip, and back to floats."""
    graph.then("QuantizeLinear", graph.constant(scale), typed(graph, kind, zero))
    if clip is not None:
        graph.then("Clip", *(typed(graph, kind, limit) for limit in clip))
    return graph.then("DequantizeLinear", graph.constant(scale), typed(graph, kind, zero))


def weights(graph: Graph, rng, kind: str, shape: tuple[int, ...], each: bool) -> str:
    low, high = KINDS[kind]
    values = rng.integers(max(low, -5), min(high, 5) + 1, shape)
    scale = 2.0 ** rng.integers(-3, 1, shape[0] if each else ())
    return dequantised(graph, kind, values, scale, 0, 0 if each else None)


def compare(graph: Graph, tmp_path, wish: str | None = "array") -> None:
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net", wish)
    shape = graph.shape[1:]
    arrays = (np.random.default_rng(6).integers(-40, 70, (8, *shape)) / 16).astype("f4")
    with Model(network, "cpu") as model:
        found = model.evaluate(arrays)
    inputs = [np.repeat(x[None], graph.shape[0], 0) for x in arrays]
    if any(node.domain for node in graph.nodes):
        want = [execute(graph.model(), x)[graph.tensor] for x in inputs]
    else:  # qonnx hands no numbers of 4 bits from node to node
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(graph.model().SerializeToString(), options)
        want = [session.run(None, {"picture": x})[0] for x in inputs]
    want = np.stack([one[0] for one in want])
    assert len(np.unique(want)) > 5
    assert found.tolist() == want.tolist()


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize(
    ("kind", "clipped"),
    [("UINT8", False), ("UINT8", True), ("INT8", False), ("INT8", True), ("UINT4", False),
     ("INT4", False)],
)  # fmt: skip
def test_networks(kind, clipped, each, tmp_path):
    """With odd zero points, on which halves are rounded otherwise than behind them."""
    rng = np.random.default_rng(len(kind) + clipped)
    low, high = KINDS[kind]
    graph = Graph((1, 2, 6, 6), OPSET)
    quantised(graph, kind, 0.125, low + 5, (low + 1, high - 2) if clipped else None)
    graph.then("Conv", weights(graph, rng, "INT8", (4, 2, 3, 3), each))
    quantised(graph, kind, 2.0, low, (low, low + 6) if clipped else None).then("Flatten")
    graph.then("Gemm", weights(graph, rng, "INT4", (3, 64), each), transB=1)
    compare(graph, tmp_path)


def test_quantised_twice_with_a_pool_between(tmp_path):
    """As onnxruntime's static quantisation writes it; the scores are quantised, too."""
    rng = np.random.default_rng(2)
    graph = quantised(Graph((1, 2, 6, 6), OPSET), "INT8", 0.125, -128)
    bias = dequantised(graph, "INT32", rng.integers(-40, 40, 4), 1 / 64)
    graph.then("Conv", weights(graph, rng, "INT8", (4, 2, 3, 3), False), bias, pads=[1] * 4)
    quantised(graph, "INT8", 0.25, -128).then("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    quantised(graph, "INT8", 0.25, -128).then("Flatten")
    quantised(graph, "INT8", 0.25, -128)
    graph.then("Gemm", weights(graph, rng, "INT8", (3, 36), False), transB=1)
    compare(quantised(graph, "INT8", 4.0, 3), tmp_path)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_constants_with_a_scale_for_each_along_an_axis(axis):
    rng = np.random.default_rng(3)
    x, shape = rng.normal(0, 3, (4, 5, 3)).astype(np.float32), [1, 1, 1]
    shape[axis] = x.shape[axis]
    scale = rng.uniform(0.1, 1, x.shape[axis]).astype(np.float32)
    zero = rng.integers(-9, 9, x.shape[axis])
    found = quantized(Node("QuantizeLinear", "q", (), (), {"axis": axis, "output_type": 3}),
                      x, scale, zero)  # fmt: skip
    graph = Graph(x.shape, OPSET)
    graph.then("QuantizeLinear", graph.constant(scale), typed(graph, "INT8", zero), axis=axis)
    graph.then("DequantizeLinear", graph.constant(1.0), typed(graph, "INT8", 0))
    (want,) = execute(graph.model(), x).values()
    assert found.dtype == np.int64 and found.tolist() == want.tolist()
    assert len(np.unique(found)) > 20


def test_an_input_of_whole_numbers(tmp_path):
    """What a DequantizeLinear reads of it first, is its type."""
    graph = Graph((1, 12), OPSET)
    graph.then("DequantizeLinear", graph.constant(0.5), typed(graph, "INT8", 3))
    graph.then("Gemm", graph.weight(np.random.default_rng(1).normal(0, 1, (3, 12))), transB=1)
    model = graph.model()
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT8
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    network = import_network("qonnx", path, "net")
    assert (network.array.low, network.array.step) == (-65.5, 0.5)
    arrays = np.random.default_rng(6).integers(-128, 128, (8, 12), np.int8)
    with Model(network, "cpu") as runs:
        found = runs.evaluate(arrays)
    want = [execute(model, x[None])[graph.tensor][0].tolist() for x in arrays]
    assert found.tolist() == want


@pytest.mark.parametrize("batch", [2, 4])
def test_a_batch(batch, tmp_path):
    """A stated batch, also where a Reshape repeats it."""
    rng = np.random.default_rng(3)
    graph = Graph((batch, 2, 6, 6)).quant(1 / 8, 4, signed=1)
    graph.then("Conv", graph.weight(rng.normal(0, 1, (4, 2, 3, 3)))).quant(1.0, 2)
    shape = graph.constant([batch, 64], np.int64)
    graph.tensor = graph.node("Reshape", graph.tensor, shape)
    graph.then("Gemm", graph.weight(rng.normal(0, 1, (3, 64))), transB=1)
    compare(graph, tmp_path)


@pytest.mark.parametrize("zero", [0, 3])
def test_float_first_layers(zero, tmp_path):
    rng = np.random.default_rng(4)
    graph = Graph((1, 3, 8, 8), OPSET).then("Conv", rng.normal(0, 1, (4, 3, 3, 3)))
    quantised(graph, "UINT8", 0.25, zero, (1, 7)).then("Flatten")
    graph.then("Gemm", weights(graph, rng, "INT8", (3, 144), False), transB=1)
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")
    assert isinstance(network.layers[0], FloatConv)
    found, wanted = both(network, graph)
    assert found.tolist() == wanted.tolist()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda g: g.then("QuantizeLinear", -1.0), "scale is not a positive number"),
        (lambda g: g.then("QuantizeLinear", [1.0, 2.0], axis=1), "scale differs between channels"),
        (lambda g: g.then("DequantizeLinear", 0.0), "scale is not a positive number"),
    ],
)
def test_refused(make, reason, tmp_path):
    graph = make(Graph((1, 2, 6, 6)).then("Identity"))
    with pytest.raises((NetworkError, FormatError), match=reason):
        import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")
