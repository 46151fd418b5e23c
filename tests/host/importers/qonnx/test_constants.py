# SPDX-License-Identifier: BSD-3-Clause
"""Operators on constants give what the reference implementation of ONNX gives."""

from dataclasses import replace

import numpy as np
import pytest

from qnn.errors import NetworkError
from qnn.importers.qonnx.constants import fold, room_for
from qnn.importers.qonnx.graph import Node, read_graph

onnx = pytest.importorskip("onnx", reason="the extra qonnx is not installed")

from foreign_qonnx import Graph  # noqa: E402

A = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 8 + 1
B = np.float32([[0.5], [-1.5], [3]])
INDEXES = np.array([2, -1, 0])
ROOM = 1 << 22


def folded(node, inputs):
    return fold(node, inputs, ROOM)


CASES = {
    "Add": ({}, A, B),
    "Sub": ({}, A, B),
    "Mul": ({}, A, B),
    "Div": ({}, A, B),
    "Pow": ({}, A, np.float32(0.5)),
    "Sqrt": ({}, A),
    "Neg": ({}, A),
    "Concat": ({"axis": 1}, A, A),
    "Gather": ({"axis": 1}, A, INDEXES),
    "Transpose": ({"perm": [2, 0, 1]}, A),
    "Reshape": ({}, A, np.array([0, -1])),
    "Flatten": ({"axis": 2}, A),
    "Squeeze": ({}, A[:, :1], np.array([1])),
    "Unsqueeze": ({}, A, np.array([0, 3])),
    "Identity": ({}, A),
    "Cast": ({"to": 7}, A),
}


@pytest.mark.parametrize("op", CASES)
def test_operators(op):
    from onnx.reference import ReferenceEvaluator

    attributes, *inputs = CASES[op]
    names = [f"x{i}" for i in range(len(inputs))]
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attributes)],
        "one",
        [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
            for n, x in zip(names, inputs, strict=True)
        ],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    (want,) = ReferenceEvaluator(model).run(None, dict(zip(names, inputs, strict=True)))
    found = folded(Node(op, "node", (), (), attributes), list(inputs))
    assert found.dtype == want.dtype and found.shape == want.shape
    np.testing.assert_array_equal(found, want)


def test_whole_numbers_are_divided_as_such():
    found = folded(Node("Div", "div", (), (), {}), [np.array([7, 8]), np.array(2)])
    assert found.tolist() == [3, 4] and found.dtype.kind == "i"


def test_old_operator_sets_give_axes_as_attributes():
    assert folded(Node("Unsqueeze", "u", (), (), {"axes": [0]}), [A]).shape == (1, 2, 3, 4)
    assert folded(Node("Squeeze", "s", (), (), {"axes": [1]}), [A[:, :1]]).shape == (2, 4)


def test_constant():
    for name, value in (("value", A), ("value_float", 0.5), ("value_ints", [1, 2])):
        found = folded(Node("Constant", "c", (), (), {name: value}), [])
        np.testing.assert_array_equal(found, value)


def test_weights_with_a_scale_for_each_output():
    x = np.float32([[0.4, -0.6], [3, -9]])
    scale = np.float32([[0.5], [2]])
    node = Node("Quant", "q", (), (), {"signed": 1, "narrow": 1})
    found = folded(node, [x, scale, np.float32(0), np.float32(2)])
    assert found.tolist() == [[0.5, -0.5], [2, -2]]
    found = folded(Node("BipolarQuant", "b", (), (), {}), [x, scale])
    assert found.tolist() == [[0.5, -0.5], [2, -2]]


@pytest.mark.parametrize(
    ("op", "attributes", "inputs"),
    [
        ("Loop", {}, []),
        ("Constant", {}, []),
        ("Add", {}, [A]),
        ("Add", {}, [A, np.ones((5, 5), np.float32)]),
        ("Concat", {}, [A, A]),
        ("Gather", {"axis": 9}, [A, INDEXES]),
        ("Gather", {}, [A, np.array([99])]),
        ("Reshape", {}, [A, np.array([7, 7])]),
        ("Transpose", {"perm": [0, 0, 0]}, [A]),
        ("Mul", {}, [np.zeros((1 << 17, 1), np.float32), np.zeros((1, 1 << 17), np.float32)]),
        ("Gather", {}, [np.zeros(1 << 17, np.float32), np.zeros(1 << 17, np.int64)]),
    ],
)
def test_refused(op, attributes, inputs):
    with pytest.raises(NetworkError, match="node 'node'"):
        folded(Node(op, "node", (), (), attributes), inputs)


def test_room(tmp_path):
    """What is computed may be several times as large as the file, and small things any size."""
    graph = Graph((1, 4)).quant(1.0, 2)
    graph.then("Gemm", graph.weight(np.ones((1 << 10, 4)), bits=2), transB=1)
    held = (1 << 12) + 6
    node = Node("Constant", "c", (), (), {"value": np.ones(9, np.float32)})
    read = read_graph(graph.save(tmp_path / "model.onnx"))
    small = room_for(replace(read, nodes=(), constants={}))
    assert room_for(read) == small + 16 * held
    assert room_for(replace(read, nodes=(*read.nodes, node))) == small + 16 * (held + 9)
    two = np.ones(ROOM // 2, np.float32)
    assert folded(Node("Concat", "c", (), (), {"axis": 0}), [two, two]).size == ROOM
    with pytest.raises(NetworkError, match=f"constant of {ROOM + 9} elements"):
        folded(Node("Concat", "c", (), (), {"axis": 0}), [two, two, np.ones(9, np.float32)])
