# SPDX-License-Identifier: BSD-3-Clause
"""What moves the values of a map: Resize, DepthToSpace, channels in another order."""

import numpy as np
import pytest

from qnn.errors import NetworkError
from qnn.importers import import_network
from qnn.importers.qonnx.graph import Node
from qnn.importers.qonnx.resize import resized
from qnn.model import Model
from qnn.network import Conv, Rearrange

pytest.importorskip("onnx", reason="the extra qonnx is not installed")
pytest.importorskip("qonnx", reason="the reference executor is not installed")

import onnxruntime
from foreign_qonnx import Graph, execute
from onnx import TensorProto, helper

X = np.arange(2 * 5 * 7, dtype=np.float32).reshape(1, 2, 5, 7)


def by_onnxruntime(opset: int, op: str, names: list[str], attributes: dict, **given) -> np.ndarray:
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attributes)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, X.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            helper.make_tensor(
                n, TensorProto.INT64 if v.dtype.kind == "i" else TensorProto.FLOAT, v.shape, v
            )
            for n, v in given.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": X})[0]


@pytest.mark.parametrize(
    "position", ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"]
)
@pytest.mark.parametrize("rounding", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
@pytest.mark.parametrize("scales", [(2, 2), (3, 1), (1.5, 0.5), (0.25, 4)])
def test_resize(position, rounding, scales):
    attributes = {
        "mode": "nearest",
        "coordinate_transformation_mode": position,
        "nearest_mode": rounding,
    }
    scale = np.array([1, 1, *scales], np.float32)
    want = by_onnxruntime(13, "Resize", ["x", "", "scale"], attributes, scale=scale)
    node = Node("Resize", "up", (), (), attributes)
    assert np.array_equal(resized(node, X, [None, scale], 13), want)


def test_sizes_and_old_operators():
    size = np.array([1, 2, 10, 21], np.int64)
    want = by_onnxruntime(13, "Resize", ["x", "", "", "size"], {"mode": "nearest"}, size=size)
    node = Node("Resize", "up", (), (), {})
    assert np.array_equal(resized(node, X, [None, None, size], 13), want)
    scale = np.array([1, 1, 2, 3], np.float32)
    want = by_onnxruntime(10, "Resize", ["x", "scale"], {"mode": "nearest"}, scale=scale)
    assert np.array_equal(resized(node, X, [scale], 10), want)
    old = Node("Upsample", "up", (), (), {"scales": [1.0, 1.0, 2.0, 3.0]})
    assert np.array_equal(resized(old, X, [], 7), want)


@pytest.mark.parametrize(
    ("attributes", "scale", "message"),
    [
        ({"mode": "linear"}, [1, 1, 2, 2], "it interpolates .linear.*use mode nearest"),
        ({}, [2, 2], "no sensible scale for each side"),
        ({}, [1, 1, np.nan, 2], "no sensible scale"),
        ({}, [1, 1, 1e9, 1e9], "no sensible scale"),
        ({}, [1, 1, 0.01, 2], "no sensible scale"),
        ({"coordinate_transformation_mode": "tf_crop_and_resize"}, [1, 1, 2, 2], "use one of half"),
        ({"nearest_mode": "up"}, [1, 1, 2, 2], "which ONNX does not have"),
    ],
)
def test_what_is_refused(attributes, scale, message):
    node = Node("Resize", "up", (), (), attributes)
    with pytest.raises(NetworkError, match=message):
        resized(node, X, [None, np.array(scale, np.float32)], 13)


def begin(rng, outputs=8):
    graph = Graph((1, 3, 6, 6)).quant(1 / 256, 8)
    weight = graph.weight(rng.integers(-1, 2, (outputs, 3, 3, 3)), 0.5, 2)
    return graph.then("Conv", weight, pads=[1] * 4).then("Relu").quant(0.25, 2)


def conv(graph, rng, inputs, outputs=4, **options):
    weight = rng.integers(-1, 2, (outputs, inputs // options.get("group", 1), 3, 3))
    return graph.then("Conv", graph.weight(weight, 0.5, 2), pads=[1] * 4, **options)


def up(graph):
    graph.tensor = graph.node(
        "Resize", graph.tensor, "", graph.constant([1, 1, 2, 2]), mode="nearest"
    )
    return graph


def upsampled(rng):
    """A U-Net of two levels: what was pooled and scaled again lies beside what was not."""
    graph = begin(rng)
    skip = graph.tensor
    graph.then("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    inner = up(conv(graph, rng, 8).then("Relu").quant(0.25, 2)).tensor
    graph.tensor = graph.node("Concat", skip, inner, axis=1)
    return conv(graph, rng, 12)


def pooled_beside(rng):
    """What a quantiser behind a pool reads, another node reads before the pool."""
    graph = begin(rng)
    skip = graph.tensor
    graph.then("MaxPool", kernel_shape=[2, 2], strides=[2, 2]).quant(0.5, 2)
    inner = up(conv(graph, rng, 8).then("Relu").quant(0.25, 2)).tensor
    graph.tensor = graph.node("Concat", skip, inner, axis=1)
    return conv(graph, rng, 12)


def depth_to_space(rng):
    return conv(begin(rng).then("DepthToSpace", blocksize=2, mode="CRD"), rng, 2)


def space_to_depth(rng):
    return conv(begin(rng).then("SpaceToDepth", blocksize=2), rng, 32)


def at_the_end(rng):
    graph = conv(begin(rng), rng, 8, 12)
    return graph.then("DepthToSpace", blocksize=2).then("Relu").quant(0.5, 4)


def shuffled(rng):
    """Channels of two groups change places, as ShuffleNet does it."""
    graph = begin(rng)
    for name in ([1, 2, 4, 6, 6], [1, 8, 6, 6]):
        shape = graph.constant(name, np.int64)
        graph.tensor = graph.node("Reshape", graph.tensor, shape)
        if len(name) == 5:
            graph.then("Transpose", perm=[0, 2, 1, 3, 4])
    return conv(graph, rng, 8, group=2)


@pytest.mark.parametrize(
    "make", [upsampled, pooled_beside, depth_to_space, space_to_depth, at_the_end, shuffled]
)
def test_in_a_network(make, tmp_path):
    graph = make(np.random.default_rng(4))
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net", "array")
    assert sum(isinstance(layer, Rearrange) for layer in network.layers) == 1
    arrays = np.random.default_rng(5).integers(0, 256, (3, *graph.shape[1:])) / np.float32(256)
    with Model(network, "cpu") as model:
        found = model.evaluate(arrays.astype(np.float32))
    want = [execute(graph.model(), x[None].astype(np.float32))[graph.tensor][0] for x in arrays]
    assert len(np.unique(want)) > 4
    assert found.tolist() == np.array(want).tolist()
    with Model(network, "sim") as model:
        where = {place.where for place in model.places[:-1]}
        assert where == {"host", "accelerator"}
        assert all(
            place.where == "accelerator"
            for layer, place in zip(network.layers, model.places, strict=True)
            if isinstance(layer, Conv)
        ), model.places
        assert np.array_equal(model.evaluate(arrays[:1].astype(np.float32)), found[:1])
