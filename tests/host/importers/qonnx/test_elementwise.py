# SPDX-License-Identifier: BSD-3-Clause
"""Quantisers and thresholds in whole networks: every variant that the reference executor runs."""

import numpy as np
import pytest

from qnn.errors import NetworkError
from qnn.importers import import_network

pytest.importorskip("qonnx", reason="the reference executor is not installed")

from foreign_qonnx import QONNX, Graph, both

SIDE = 6  # of the picture


def start() -> Graph:
    return Graph((1, 1, SIDE, SIDE)).quant(1 / 128, 8)


def conv(graph: Graph, outputs: int, weight: str = "", kernel: int = 3) -> Graph:
    value = np.random.default_rng(3).normal(0, 1, (outputs, 1, kernel, kernel))
    return graph.then("Conv", weight or graph.weight(value))


def connect(graph: Graph, features: int, outputs: int = 3) -> Graph:
    value = np.random.default_rng(4).normal(0, 1, (outputs, features))
    return graph.then("Gemm", graph.weight(value), transB=1)


def assert_equal(graph: Graph, tmp_path) -> None:
    """Imported for pictures, it scores what the reference scores."""
    path = graph.save(tmp_path / "model.onnx")
    found, wanted = both(import_network("qonnx", path, "net", "picture"), graph)
    assert found.tolist() == wanted.tolist()


def test_a_cast_to_float32_changes_nothing(tmp_path):
    graph = conv(start(), 4).then("Cast", to=1).quant(1.0, 2)
    assert_equal(connect(graph.then("Flatten"), 64), tmp_path)


# Quant of one bit


@pytest.mark.parametrize("zero", [0.0, 1.0, -1.0, 0.5, 3.0])
@pytest.mark.parametrize("narrow", [0, 1])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("where", ["activation", "weights", "picture"])
def test_one_bit(where, signed, narrow, zero, tmp_path):
    kind = {"signed": signed, "narrow": narrow, "zero": zero}
    graph = Graph((1, 1, SIDE, SIDE))
    graph.quant(0.5, 1, **kind) if where == "picture" else graph.quant(1 / 128, 8)
    weight = ""
    if where == "weights":
        value = graph.constant(np.random.default_rng(3).normal(0, 1, (4, 1, 3, 3)))
        weight = graph.quantised(value, 0.5, 1, **kind)
    conv(graph, 4, weight)
    graph.quant(0.5, 1, **kind) if where == "activation" else graph.quant(1.0, 2)
    assert_equal(connect(graph.then("Flatten"), 64), tmp_path)


def test_one_bit_weights_of_each_output(tmp_path):
    graph = start()
    value = graph.constant(np.random.default_rng(3).normal(0, 1, (4, 1, 3, 3)))
    scale, zero = np.array([[0.5, 1, 2, 1], [0, 1, -1, 0.5]]).reshape(2, 4, 1, 1, 1)
    conv(graph, 4, graph.quantised(value, scale, 1, signed=1, zero=zero))
    assert_equal(connect(graph.quant(1.0, 2).then("Flatten"), 64), tmp_path)


# MultiThreshold


def thresholds(graph: Graph, rows: int, layout: str | None, steps: int = 3) -> Graph:
    value = np.random.default_rng(5).integers(-20, 20, (rows, steps)) / 4
    stated = {} if layout is None else {"data_layout": layout}
    return graph.then("MultiThreshold", value, domain=QONNX, out_dtype="UINT2", **stated)


def four(graph: Graph, rows: int, layout: str | None) -> Graph:
    """On a map whose rows, columns and channels are as many."""
    return connect(thresholds(conv(graph, 4), rows, layout).then("Flatten"), 64)


def four_moved(graph: Graph, rows: int, layout: str | None) -> Graph:
    """The same with channels last."""
    conv(graph, 4).then("Transpose", perm=[0, 2, 3, 1])
    thresholds(graph, rows, layout).then("Transpose", perm=[0, 3, 1, 2])
    return connect(graph.then("Flatten"), 64)


def three(graph: Graph, rows: int, layout: str | None) -> Graph:
    """Channels in the middle, as many as places."""
    conv(graph, 4, kernel=5)
    graph.tensor = graph.node("Reshape", graph.tensor, graph.constant([1, 4, 4], np.int64))
    return connect(thresholds(graph, rows, layout).then("Flatten"), 16)


def three_moved(graph: Graph, rows: int, layout: str | None) -> Graph:
    """Channels last, as many as places."""
    conv(graph, 4, kernel=5)
    graph.tensor = graph.node("Reshape", graph.tensor, graph.constant([1, 4, 4], np.int64))
    thresholds(graph.then("Transpose", perm=[0, 2, 1]), rows, layout)
    return connect(graph.then("Transpose", perm=[0, 2, 1]).then("Flatten"), 16)


def two(graph: Graph, rows: int, layout: str | None) -> Graph:
    return connect(thresholds(connect(graph.then("Flatten"), SIDE**2, 4), rows, layout), 4)


def five(graph: Graph, rows: int, layout: str | None) -> Graph:
    connect(graph.then("Flatten"), SIDE**2, 4)
    graph.tensor = graph.node("Reshape", graph.tensor, graph.constant([1, 4, 1, 1, 1], np.int64))
    return connect(thresholds(graph, rows, layout).then("Flatten"), 4)


MAPS = {  # what makes the map, its rank, and where its channels are
    four: (4, 1),
    four_moved: (4, 3),
    three: (3, 1),
    three_moved: (3, 2),
    two: (2, 1),
    five: (5, 1),
}
LAYOUTS = (None, "", "NCHW", "NHWC", "NC", "NCW", "NWC", "HWC", "CN", "CHW", "NCDHW", "X")


def axis_of(layout: str | None, rank: int) -> int:
    """The first C of the layout, else axis 1; without a layout the last of three, else axis 1."""
    if not layout:
        return 2 if rank == 3 else 1
    return layout.index("C") if "C" in layout else 1


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("make", MAPS)
def test_rows_of_thresholds_lie_along_the_axis_of_the_layout(make, layout, tmp_path):
    rank, channels = MAPS[make]
    graph = make(start(), 4, layout)
    if axis_of(layout, rank) == channels:
        assert_equal(graph, tmp_path)
        return
    with pytest.raises(NetworkError, match=r"\(MultiThreshold\): .*(layout|differs between pix)"):
        import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("make", MAPS)
def test_one_row_of_thresholds_fits_every_axis_there_is(make, layout, tmp_path):
    graph, rank = make(start(), 1, layout), MAPS[make][0]
    if axis_of(layout, rank) < rank:
        assert_equal(graph, tmp_path)
        return
    with pytest.raises(NetworkError, match=r"its layout '\w+' does not fit a tensor of shape"):
        import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")


def test_equal_rows_of_thresholds_along_another_axis(tmp_path):
    """Columns are as many as channels, and all have the same thresholds."""
    value = np.tile([[-3.0, 0.5, 2.0]], (4, 1))
    graph = conv(start(), 4)
    graph.then("MultiThreshold", value, domain=QONNX, out_dtype="UINT2", data_layout="NHWC")
    assert_equal(connect(graph.then("Flatten"), 64), tmp_path)


def test_thresholds_of_a_flattened_map(tmp_path):
    """A row for each feature; that of a channel must be one."""
    rows = np.sort(np.random.default_rng(5).integers(-20, 20, (4, 3)) / 4, axis=1)
    for value, runs in ((np.repeat(rows, 16, axis=0), True), (np.tile(rows, (16, 1)), False)):
        graph = conv(start(), 4).then("Flatten")
        graph.then("MultiThreshold", value, domain=QONNX, out_dtype="UINT2")
        connect(graph, 64)
        if runs:
            assert_equal(graph, tmp_path)
        else:
            with pytest.raises(NetworkError, match=r"MultiThreshold.*differs between pixels"):
                import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")


@pytest.mark.parametrize(
    ("value", "attributes", "message"),
    [
        ([[np.nan, 1.0]], {}, "not a number"),
        (np.zeros((1, 0)), {}, "no thresholds"),
        ([1.0, 2.0], {}, "wants a matrix of thresholds"),
        (np.zeros((3, 2)), {}, r"with 1 row, or 4 for the channels along axis 1"),
        ([[1.0]], {"out_scale": -1.0}, "out_scale is -1.0, not a positive"),
        (None, {}, "wants a matrix of thresholds"),
    ],
)
def test_thresholds_refused(value, attributes, message, tmp_path):
    graph = conv(start(), 4)
    constants = [] if value is None else [value]
    graph.then("MultiThreshold", *constants, domain=QONNX, out_dtype="UINT2", **attributes)
    connect(graph.then("Flatten"), 64)
    with pytest.raises(NetworkError, match=message):
        import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")


def test_thresholds_that_nothing_or_everything_reaches(tmp_path):
    graph = conv(start(), 4)
    value = [[-np.inf, 0.5, np.inf]]
    graph.then(
        "MultiThreshold", value, domain=QONNX, out_dtype="UINT2", out_scale=0.5, out_bias=-1.0
    )
    assert_equal(connect(graph.then("Flatten"), 64), tmp_path)


# Constants of each channel


def test_batch_norm_of_a_flattened_map(tmp_path):
    gains = np.array([2.0, -1.0, 0.5, 1.0])
    for gain, runs in ((np.repeat(gains, 16), True), (np.tile(gains, 16), False)):
        graph = conv(start(), 4).then("Flatten")
        graph.then("BatchNormalization", gain, np.ones(64), np.zeros(64), np.ones(64), epsilon=0.0)
        connect(graph.quant(1.0, 2, signed=1), 64)
        if runs:
            assert_equal(graph, tmp_path)
        else:
            with pytest.raises(NetworkError, match=r"BatchNormalization.*differs between pixels"):
                import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")


# Activations that rise


ACTIVATIONS = {
    "LeakyRelu": lambda graph: graph.then("LeakyRelu", alpha=0.25),
    "LeakyRelu as it comes": lambda graph: graph.then("LeakyRelu"),
    "PRelu": lambda graph: graph.then("PRelu", np.array([0.5, 0, 0.25, 1]).reshape(4, 1, 1)),
    "Sigmoid": lambda graph: graph.then("Mul", 0.25).then("Sigmoid").then("Mul", 8.0),
    "Tanh": lambda graph: graph.then("Mul", 0.25).then("Tanh").then("Mul", 8.0),
    "HardSigmoid": lambda graph: graph.then("HardSigmoid").then("Mul", 8.0),
    "HardSigmoid of its own": lambda graph: (
        graph.then("HardSigmoid", alpha=0.125, beta=0.25).then("Mul", 8.0)
    ),
}


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_activations(kind, signed, tmp_path):
    """Codes of the sums between two layers are those of the reference."""
    graph = ACTIVATIONS[kind](conv(start(), 4)).quant(0.5, 4, signed=signed)
    assert_equal(connect(graph.then("Flatten"), 64), tmp_path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda g: g.then("LeakyRelu", alpha=-0.5), r"slope below 0 is -0.5.*use one from 0 on"),
        (lambda g: g.then("PRelu", np.array(-1.0)), r"slope below 0 is -1.*use one from 0 on"),
        (lambda g: g.then("HardSigmoid", alpha=-1.0), r"slope is -1.*use a positive slope"),
    ],
)
def test_activations_that_fall(make, reason, tmp_path):
    graph = connect(make(conv(start(), 4)).quant(1.0, 2).then("Flatten"), 64)
    with pytest.raises(NetworkError, match=reason):
        import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")
