# SPDX-License-Identifier: BSD-3-Clause
"""Max-pools of any size are those of onnxruntime, whatever pools of the accelerator make them."""

import itertools

import numpy as np
import pytest
from random_networks import network_of

from qnn.backends import open_session
from qnn.engine.program import compile_layers
from qnn.errors import NetworkError
from qnn.importers.qonnx.floats import pooled_codes
from qnn.importers.qonnx.graph import Node
from qnn.importers.qonnx.pools import pool_layers, pools_of, windows_pooled
from qnn.network import MaxPool

pytest.importorskip("onnx", reason="the extra qonnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the reference executor is not installed")

from one_operator import run  # noqa: E402


def pool(**attributes) -> Node:
    return Node("MaxPool", "pool", (), (), attributes)


def pools(attributes: dict, sides: tuple[int, int]) -> tuple[MaxPool, ...] | None:
    return pools_of(windows_pooled(pool(**attributes), sides), sides)


def found(attributes: dict, codes: np.ndarray) -> np.ndarray:
    """Codes, uint8 (1, H, W, 2), through the layers of a pool."""
    node, (_, *sides, _) = pool(**attributes), codes.shape
    if (several := pools(attributes, tuple(sides))) is not None:
        layers = pool_layers(node, several, codes.shape[1:], 3, "fc")
        compile_layers(layers)
    else:
        layers = [pooled_codes(windows_pooled(node, tuple(sides)), codes.shape[1:], 3, "pool")]
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
        assert len(pools(attributes, (side, side + 1))) == 1
        assert_equal(attributes, side, side + 1)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_larger_pools(size):
    """With every stride to 8 and paddings: most are on the accelerator, the others on the host."""
    on_host = done = 0
    for stride, before, after, ceil in itertools.product(range(1, 9), (0, 1, 2), (0, 1), (0, 1)):
        for sides in ((size, size + 1), (size + 4, size + 7)):
            attributes = {
                "kernel_shape": [size] * 2, "strides": [stride] * 2,
                "pads": [before, before, after, after], "ceil_mode": ceil,
            }  # fmt: skip
            if max(before, after) >= size:
                continue  # which ONNX forbids
            assert_equal(attributes, *sides)
            on_host += pools(attributes, sides) is None
            done += 1
    assert 2 * on_host < done


@pytest.mark.parametrize("kernel", [(2, 1), (1, 2), (2, 3), (5, 2)])
def test_windows_that_are_no_squares(kernel):
    """With every stride, padding and rounding of the size."""
    for strides in itertools.product((1, 2, 3), repeat=2):
        for before, after, ceil in itertools.product((0, 1), (0, 1), (0, 1)):
            pads = [min(before, kernel[0] - 1), min(before, kernel[1] - 1)]
            pads += [min(after, kernel[0] - 1), min(after, kernel[1] - 1)]
            attributes = {"kernel_shape": [*kernel], "strides": [*strides], "pads": pads,
                          "ceil_mode": ceil}  # fmt: skip
            assert pools(attributes, (7, 6)) is None
            assert_equal(attributes, 7, 6)


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
            if pools(attributes, [(1, side), (side, 1)][flip < 0]) is None:
                assert pad and stride > 1 and size > 3
            assert_equal(attributes, *(1, side)[::flip])


@pytest.mark.parametrize("stride", [1, 2])
def test_lines(stride):
    assert_equal({"kernel_shape": [4], "strides": [stride]}, 1, 13)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, "kernel of no size; state kernel_shape"),
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
        windows_pooled(pool(**attributes), (18, 18))


def test_stride_of_one_is_the_default():
    assert pools({"kernel_shape": [2, 2]}, (6, 6)) == (MaxPool(2, 1),)
