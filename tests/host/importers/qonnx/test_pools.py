# SPDX-License-Identifier: BSD-3-Clause
"""Max-pools of any size are those of onnxruntime, whatever pools of the accelerator make them."""

import itertools

import numpy as np
import pytest
from random_networks import network_of

from qnn.backends import open_session
from qnn.engine.program import compile_layers
from qnn.errors import NetworkError
from qnn.importers import import_network
from qnn.importers.qonnx.graph import Node
from qnn.importers.qonnx.pools import pool_layers, pools_of
from qnn.model import Model
from qnn.network import MaxPool

pytest.importorskip("onnx", reason="the extra qonnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the reference executor is not installed")

from foreign_qonnx import Graph, execute  # noqa: E402
from one_operator import run  # noqa: E402


def pool(**attributes) -> Node:
    return Node("MaxPool", "pool", (), (), attributes)


def found(attributes: dict, codes: np.ndarray) -> np.ndarray:
    """Codes, uint8 (1, H, W, 2), through the layers of a pool."""
    node = pool(**attributes)
    layers = pool_layers(node, pools_of(node, codes.shape[1:3]), codes.shape[1:], 3, "fc")
    compile_layers(layers)
    _, session = open_session("cpu", network_of(*layers))
    return session.run(codes)


def assert_equal(attributes: dict, rows: int, columns: int) -> None:
    rng = np.random.default_rng(rows)
    codes = rng.integers(0, 4, (1, rows, columns, 2), dtype=np.uint8)
    codes[rng.random(codes.shape) < 0.6] = 0
    x, line = codes.transpose(0, 3, 1, 2).astype(np.float32), len(attributes["kernel_shape"]) == 1
    want = run("MaxPool", attributes, x[:, :, 0] if line else x)
    want = want[:, :, None] if line else want
    assert found(attributes, codes)[0].tolist() == want[0].transpose(1, 2, 0).tolist(), attributes


def test_pools_of_the_accelerator():
    """Every padding, both roundings of the size, every small map."""
    cases = itertools.product(
        (2, 3), (1, 2), (3, 4, 5, 6), itertools.product((0, 1), repeat=4), (0, 1)
    )
    for size, stride, side, pads, ceil in cases:
        attributes = {"kernel_shape": [size] * 2, "strides": [stride] * 2, "pads": list(pads)}
        attributes["ceil_mode"] = ceil
        assert len(pools_of(pool(**attributes), (side, side + 1))) == 1
        assert_equal(attributes, side, side + 1)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_larger_pools(size):
    """With every stride to 8 and paddings: as they are, or refused; most are not."""
    refused, done = 0, 0
    for stride, before, after, ceil in itertools.product(range(1, 9), (0, 1, 2), (0, 1), (0, 1)):
        for sides in ((size, size + 1), (size + 4, size + 7)):
            attributes = {
                "kernel_shape": [size] * 2, "strides": [stride] * 2,
                "pads": [before, before, after, after], "ceil_mode": ceil,
            }  # fmt: skip
            if max(before, after) >= size:
                continue  # which ONNX forbids
            try:
                pools_of(pool(**attributes), sides)
            except NetworkError:
                refused += 1
                continue
            assert_equal(attributes, *sides)
            done += 1
    assert done > refused


@pytest.mark.parametrize("size", [2, 3, 4, 8])
def test_strides_as_large_as_the_window(size):
    attributes = {"kernel_shape": [size] * 2, "strides": [size] * 2}
    for side in range(size, 3 * size + 1):
        assert_equal(attributes, side, 2 * size)
        assert_equal(attributes | {"ceil_mode": 1}, side, 2 * size)


@pytest.mark.parametrize("sides", [(1, 1), (2, 3), (5, 5), (7, 7), (10, 4), (1, 16), (13, 1)])
def test_the_whole_map(sides):
    assert_equal({"kernel_shape": list(sides)}, *sides)
    assert_equal({"kernel_shape": list(sides), "strides": list(sides)}, *sides)


@pytest.mark.parametrize("size", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_maps_of_one_row_or_column(size, stride):
    for side, pad in itertools.product((size + 3, size + 8), (0, 1)):
        for flip in (1, -1):
            attributes = {
                "kernel_shape": [1, size][::flip],
                "strides": [1, stride][::flip],
                "pads": [*[0, pad][::flip], *[0, pad][::flip]],
            }
            try:
                pools_of(pool(**attributes), [(1, side), (side, 1)][flip < 0])
            except NetworkError:
                assert pad and stride > 1 and size > 3
                continue
            assert_equal(attributes, *(1, side)[::flip])


@pytest.mark.parametrize("stride", [1, 2])
def test_lines(stride):
    assert_equal({"kernel_shape": [4], "strides": [stride]}, 1, 13)


NETWORKS = {
    "two in a row": [
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1]},
    ],
    "4x4": [{"kernel_shape": [4, 4], "strides": [4, 4]}],
    "the whole map": [{"kernel_shape": [9, 7]}],
    "every third pixel": [{"kernel_shape": [1, 1], "strides": [3, 3]}],
}


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("kind", NETWORKS)
def test_networks(kind, before, tmp_path):
    """Before and behind the quantiser, on signed levels whose lowest is not 0."""
    graph = Graph((1, 3, 11, 9)).quant(1 / 8, 4)
    value = np.random.default_rng(1).normal(0, 1, (5, 3, 3, 3))
    graph.then("Conv", graph.weight(value))
    for attributes in NETWORKS[kind] if before else ():
        graph.then("MaxPool", **attributes)
    graph.quant(4.0, 3, signed=1)
    for attributes in () if before else NETWORKS[kind]:
        graph.then("MaxPool", **attributes)
    graph.then("Conv", graph.weight(np.random.default_rng(2).normal(0, 1, (4, 5, 1, 1))))
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")
    arrays = (np.random.default_rng(6).integers(-8, 40, (6, 3, 11, 9)) / 16).astype("f4")
    with Model(network, "cpu") as model:
        scored = model.evaluate(arrays)
    want = np.concatenate([execute(graph.model(), x[None])[graph.tensor] for x in arrays])
    assert len(np.unique(want)) > 2
    assert scored.tolist() == want.reshape(scored.shape).tolist()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, "kernel of no size; state kernel_shape"),
        ({"kernel_shape": [2, 3]}, "kernel of 2x3 .* use a square kernel"),
        ({"kernel_shape": [2, 2], "strides": [1, 2]}, r"strides \(1, 2\).*use a square kernel"),
        ({"kernel_shape": [3, 3], "strides": [5, 5]}, r"strides \(5, 5\)"),
        ({"kernel_shape": [2, 2], "dilations": [2, 2]}, "dilations .*use a dense kernel"),
        ({"kernel_shape": [2, 2], "pads": [2, 0, 0, 0]}, "not smaller than its kernel"),
        ({"kernel_shape": [2, 2], "pads": [-1, 0, 0, 0]}, "wants 4 numbers from 0 on"),
        ({"kernel_shape": [2, 2], "pads": [1]}, "wants 4 numbers from 0 on"),
        ({"kernel_shape": [2, 2], "strides": [0, 1]}, "wants a positive number"),
        ({"kernel_shape": [19, 19]}, "does not fit into a map of 18x18"),
        ({"kernel_shape": [2, 2, 2]}, "kernel has 3 sides"),
    ],
)
def test_pools_that_do_not_exist(attributes, message):
    with pytest.raises(NetworkError, match=f"node 'pool'.*{message}"):
        pools_of(pool(**attributes), (18, 18))


def test_stride_of_one_is_the_default():
    assert pools_of(pool(kernel_shape=[2, 2]), (6, 6)) == (MaxPool(2, 1),)
