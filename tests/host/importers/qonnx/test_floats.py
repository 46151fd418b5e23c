# SPDX-License-Identifier: BSD-3-Clause
"""What is not quantised runs on the host, in floats, with the scores of the reference executor."""

import numpy as np
import pytest

from qnn import store
from qnn.errors import ArrayError, NetworkError
from qnn.importers import import_network
from qnn.model import Model
from qnn.network import Conv, Floats

pytest.importorskip("onnx", reason="the extra qonnx is not installed")
pytest.importorskip("qonnx", reason="the reference executor is not installed")

from foreign_qonnx import Graph, execute

RNG = np.random.default_rng(9)


def dense(graph, inputs, outputs, bias=True):
    graph.then("MatMul", RNG.normal(0, 1, (inputs, outputs)))
    return graph.then("Add", RNG.normal(0, 1, outputs)) if bias else graph


def perceptron():
    """No quantiser at all."""
    graph = dense(Graph((1, 16)), 16, 12).then("Relu")
    graph.then("Gemm", RNG.normal(0, 1, (5, 12)), RNG.normal(0, 1, 5), transB=1, alpha=0.5)
    return dense(graph.then("Sigmoid"), 5, 3)


def quantised_behind_the_first():
    """As QKeras writes it: the input as it is, all behind its first layer quantised."""
    graph = dense(Graph((1, 16)), 16, 12).then("Relu").quant(0.25, 4)
    graph.then("MatMul", graph.weight(RNG.integers(-3, 4, (12, 8)), 0.25, 3))
    graph.then("Relu").quant(0.5, 3)
    return graph.then("MatMul", graph.weight(RNG.integers(-3, 4, (8, 3)), 0.25, 3))


def line():
    graph = Graph((1, 10, 4)).then("Transpose", perm=[0, 2, 1])
    graph.then("Conv", RNG.normal(0, 1, (3, 4, 4)), RNG.normal(0, 1, 3), pads=[1, 2])
    graph.then("Relu").then("Flatten")
    return dense(graph, 30, 4)


def grey():
    """A picture, float weights, a max-pool of floats with a stride of its own."""
    graph = Graph((1, 1, 12, 12)).then(
        "Conv", RNG.normal(0, 1, (3, 1, 5, 5)), auto_pad="SAME_UPPER"
    )
    graph.then("Add", RNG.normal(0, 1, (3, 1, 1))).then("Relu")
    graph.then("MaxPool", kernel_shape=[3, 3], strides=[3, 3]).then("Flatten")
    return dense(graph, 48, 4)


def floats_in_the_middle():
    """A convolution of float weights between two of whole ones; groups; negative gains."""
    graph = Graph((1, 2, 8, 8)).quant(0.25, 4, signed=1)
    graph.then("Conv", graph.weight(RNG.integers(-1, 2, (4, 2, 3, 3)), 0.5, 2)).then("Relu")
    graph.quant(0.5, 3)
    graph.then("Conv", RNG.normal(0, 1, (4, 2, 3, 3)), group=2, strides=[1, 2], pads=[1] * 4)
    graph.then("Mul", np.array([1, -1, 0.5, -2]).reshape(1, 4, 1, 1)).quant(1.0, 3, signed=1)
    return graph.then("Conv", graph.weight(RNG.integers(-1, 2, (3, 4, 3, 3)), 0.5, 2))


def pooled_codes():
    """A max-pool behind the quantiser of a float layer, and one of the whole map."""
    graph = Graph((1, 4, 6, 6)).then("Conv", RNG.normal(0, 1, (4, 4, 3, 3)))
    graph.then("Relu").quant(2.0, 4).then("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    graph.then("Conv", graph.weight(RNG.integers(-1, 2, (3, 4, 1, 1)), 0.5, 2))
    graph.then("Relu").quant(1.0, 5).then("GlobalMaxPool").then("Flatten")
    return graph.then("MatMul", graph.weight(RNG.integers(-3, 4, (3, 4)) / 4, 0.25, 3))


def self_normalising():
    graph = dense(dense(Graph((1, 16)), 16, 12).then("Selu"), 12, 8).then("Elu", alpha=0.5)
    graph.quant(0.25, 5, signed=1)
    return graph.then("MatMul", graph.weight(RNG.integers(-3, 4, (8, 3)), 0.25, 3)).then("Selu")


MAKE = {
    make.__name__: make
    for make in (
        self_normalising,
        perceptron,
        quantised_behind_the_first,
        line,
        grey,
        floats_in_the_middle,
        pooled_codes,
    )
}  # fmt: skip


@pytest.mark.parametrize("make", MAKE)
def test_scores(make, tmp_path):
    graph = MAKE[make]()
    path = graph.save(tmp_path / "model.onnx")
    network = import_network("qonnx", path, "net")
    assert any(isinstance(layer, Floats) for layer in network.layers)
    assert any("runs on the host, in floats: float" in note for note in network.notes)
    store.save(network, tmp_path)
    network = store.load(tmp_path)
    rng = np.random.default_rng(5)
    if network.array is None:
        pixels = rng.integers(0, 256, (8, *network.picture.out_shape), dtype=np.uint8)
        x = pixels.transpose(0, 3, 1, 2) / np.float32(255)
        with Model(network, "cpu") as model:
            (found,) = model.outputs(pixels).values()
    else:
        x = rng.normal(0, 1, (8, *graph.shape[1:])).astype(np.float32)
        with Model(network, "cpu") as model:
            found = model.evaluate(x)
    want = np.concatenate([execute(graph.model(), one[None])[graph.tensor] for one in x])
    assert len(np.unique(want)) > 6
    assert abs(found - want).max() <= 1e-5 * np.ptp(want)


def test_the_accelerator_takes_what_is_quantised(tmp_path):
    graph = quantised_behind_the_first()
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")
    x = np.random.default_rng(5).normal(0, 1, (2, 16)).astype(np.float32)
    with Model(network, "sim") as model:
        assert [one.where for one in model.places] == ["host", "host", "accelerator", "accelerator"]
        found = model.evaluate(x)
    with Model(network, "cpu") as model:
        assert np.array_equal(model.evaluate(x), found)


def test_no_layer_for_the_accelerator(tmp_path):
    network = import_network("qonnx", perceptron().save(tmp_path / "model.onnx"), "net")
    assert not any(isinstance(layer, Conv) for layer in network.layers)
    assert network.reads.startswith("arrays of 16 numbers, as they are, because")
    (note,) = network.notes
    assert "with them the whole network; quantise the input" in note
    with pytest.raises(ArrayError, match="too large for float32"):
        network.array.codes(np.full((1, 16), 1e300))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dense(Graph((1, 4)), 5, 3), "does not fit its 5 inputs; put a Flatten"),
        (
            lambda: Graph((1, 4)).then("MatMul", np.full((4, 2), np.nan)),
            "weights that are not finite",
        ),
        (
            lambda: Graph((1, 4, 9)).then("Conv", np.ones((2, 4, 3)), dilations=[2]),
            r"dilations \(1, 2\); use a dense kernel",
        ),
        (lambda: dense(Graph((1, 4)), 4, 3).then("Elu", alpha=-1.0), "alpha is -1 and"),
        (
            lambda: dense(dense(Graph((1, 4)), 4, 4).quant(0.01, 16), 4, 2),
            r"input of \d+ levels; quantise it to 1 to 8 bits",
        ),
    ],
)
def test_what_is_refused(make, message, tmp_path):
    with pytest.raises(NetworkError, match=message):
        import_network("qonnx", make().save(tmp_path / "model.onnx"), "net")
