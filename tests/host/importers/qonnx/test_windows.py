# SPDX-License-Identifier: BSD-3-Clause
"""Windows of convolutions and pools are those that onnxruntime takes."""

import itertools

import numpy as np
import pytest
from random_networks import network_of

from qnn.backends import open_session
from qnn.errors import NetworkError
from qnn.importers.qonnx.graph import Node
from qnn.importers.qonnx.windows import pool_of, windows_of
from qnn.network import Conv, MaxPool

onnx = pytest.importorskip("onnx", reason="the extra qonnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the reference executor is not installed")


def run(op: str, attributes: dict, *inputs: np.ndarray) -> np.ndarray:
    """One standard operator by onnxruntime."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    names = [f"x{i}" for i in range(len(inputs))]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attributes)],
        "one",
        [
            helper.make_tensor_value_info(n, kind, x.shape)
            for n, x in zip(names, inputs, strict=True)
        ],
        [helper.make_tensor_value_info("y", kind, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, dict(zip(names, inputs, strict=True)))[0]


def test_pools():
    """Every padding, both roundings of the size, every small map: the maxima are those."""
    rng = np.random.default_rng(0)
    cases = itertools.product(
        (2, 3), (1, 2), (3, 4, 5, 6), itertools.product((0, 1), repeat=4), (0, 1)
    )
    for size, stride, side, pads, ceil in cases:
        attributes = {"kernel_shape": [size] * 2, "strides": [stride] * 2, "pads": list(pads)}
        attributes["ceil_mode"] = ceil
        pool = pool_of(Node("MaxPool", "pool", (), (), attributes), (side, side + 1))
        codes = rng.integers(0, 4, (1, side, side + 1, 2), dtype=np.uint8)
        layer = Conv(
            name="as-it-is",
            in_shape=codes.shape[1:],
            in_bits=2,
            weight=np.ones((1, 2, 1, 1, 1), np.uint8),
            thresholds=np.array([[1, 2, 3]] * 2, np.int32),
            groups=2,
            pool=pool,
        )
        _, session = open_session("cpu", network_of(layer))
        want = run("MaxPool", attributes, codes.transpose(0, 3, 1, 2).astype(np.float32))
        assert session.run(codes)[0].tolist() == want[0].transpose(1, 2, 0).tolist(), attributes


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


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, "kernel of no size"),
        ({"kernel_shape": [2, 3]}, "kernel of 2x3"),
        ({"kernel_shape": [4, 4]}, "kernel of 4x4"),
        ({"kernel_shape": [2, 2], "strides": [3, 3]}, r"strides \(3, 3\)"),
        ({"kernel_shape": [2, 2], "dilations": [2, 2]}, "dilations"),
        ({"kernel_shape": [2, 2], "pads": [2, 0, 0, 0]}, "not smaller than its kernel"),
        ({"kernel_shape": [2, 2], "pads": [-1, 0, 0, 0]}, "four numbers from 0 on"),
        ({"kernel_shape": [2, 2], "pads": [1]}, "four numbers from 0 on"),
    ],
)
def test_pools_that_do_not_exist(attributes, message):
    with pytest.raises(NetworkError, match=f"node 'pool'.*{message}"):
        pool_of(Node("MaxPool", "pool", (), (), attributes), (6, 6))


def test_stride_of_one_is_the_default():
    node = Node("MaxPool", "pool", (), (), {"kernel_shape": [2, 2]})
    assert pool_of(node, (6, 6)) == MaxPool(2, 1)
