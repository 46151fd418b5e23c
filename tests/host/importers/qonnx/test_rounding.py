# SPDX-License-Identifier: BSD-3-Clause
"""Layers whose sums float32 rounding may move over a step are named; the others are as told."""

import numpy as np
import pytest

from qnn.importers import import_network
from qnn.importers.qonnx.fold import Codes
from qnn.importers.qonnx.rounding import ROUNDINGS, stray
from qnn.network import Conv

pytest.importorskip("qonnx", reason="the reference executor is not installed")

from foreign_qonnx import Graph, both, random_model


def chain(scale: float, follow, *, weight_scale: float = 1.0) -> Graph:
    """Two bits of `scale`, a 1-bit convolution called "middle", what `follow` adds, scores."""
    rng = np.random.default_rng(0)
    graph = Graph((1, 1, 6, 6)).quant(scale, 2)
    weight = graph.weight(rng.normal(0, 1, (4, 1, 3, 3)), weight_scale)
    graph.then("Conv", weight, name="middle")
    follow(graph).then("Flatten")
    return graph.then("Gemm", graph.weight(rng.normal(0, 1, (3, 64))), transB=1)


def imported(graph: Graph, tmp_path):
    return import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")


ON_A_STEP = {
    "thirds": chain(1 / 3, lambda g: g.quant(2 / 3, 2)),
    "tenths": chain(0.1, lambda g: g.quant(0.2, 2)),
    "by the weights": chain(1.0, lambda g: g.quant(0.6, 2), weight_scale=0.3),
    "constants that are no multiples": chain(1 / 3, lambda g: g.quant(1 / 15, 2), weight_scale=0.1),
    "zero": chain(1 / 3, lambda g: g.bipolar()),
    "one bit": chain(1 / 3, lambda g: g.quant(1.0, 1, signed=1)),
    "zero point": chain(1 / 3, lambda g: g.quant(2 / 3, 2, signed=1, zero=1.0)),
    "down": chain(1 / 3, lambda g: g.quant(1 / 3, 2, rounding="FLOOR")),
    "descending": chain(1 / 3, lambda g: g.then("Mul", -1.0).quant(2 / 3, 2, signed=1)),
    "behind arithmetic": chain(1 / 3, lambda g: g.then("Sub", 1 / 3).then("Relu").quant(2 / 3, 2)),
    "behind a pool": chain(
        1 / 3,
        lambda g: g.then("MaxPool", kernel_shape=[2, 2], pads=[1, 1, 0, 0]).quant(2 / 3, 2),
    ),
}
DECIDED = {
    "powers of two": chain(1 / 4, lambda g: g.quant(1 / 2, 2)),
    "exact though no powers of two": chain(0.75, lambda g: g.quant(1.5, 2)),
    "one of them": chain(1 / 4, lambda g: g.quant(0.3, 2)),
    "no step": chain(1 / 3, lambda g: g.quant(0.7, 2)),
    "whole steps": chain(1 / 3, lambda g: g.quant(1 / 3, 2)),
    "away from zero": chain(1 / 3, lambda g: g.then("Add", 0.1).bipolar()),
    "out of reach": chain(1 / 3, lambda g: g.then("Add", 99 + 1 / 3).quant(2 / 3, 2)),
}


@pytest.mark.parametrize("case", ON_A_STEP)
def test_named(case, tmp_path):
    (note,) = imported(ON_A_STEP[case], tmp_path).notes
    assert "conv1 ('middle', 4 of 4 outputs)" in note


@pytest.mark.parametrize("case", DECIDED)
def test_not_named(case, tmp_path):
    network = imported(DECIDED[case], tmp_path)
    assert network.notes == ()
    found, wanted = both(network, DECIDED[case])
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_exact_sums_decide(tmp_path):
    """acc / 3 in steps of 2 / 3: ties at 1, 3 and 5 go to the even code."""
    layers = imported(ON_A_STEP["thirds"], tmp_path).layers
    layer = next(layer for layer in layers if isinstance(layer, Conv))
    most = 3 * layer.weight[0].sum(axis=(1, 2, 3), dtype=int)
    wanted = np.minimum([2, 3, 6], most[:, None] + 1)  # what no sum reaches is beyond all of them
    assert layer.thresholds.tolist() == wanted.tolist() and most.max() >= 6


def test_float32_decides_otherwise(tmp_path):
    """That the note is needed: the same pictures, other scores."""
    graph = chain(1 / 3, lambda g: g.quant(2 / 3, 2))
    found, wanted = both(imported(graph, tmp_path), graph)
    assert np.abs(found - wanted).max() > 0.5


@pytest.mark.parametrize("seed", range(40))
def test_codes_differ_in_named_layers_only(seed, tmp_path):
    """Random networks of scales that meet on steps: without a note, only last digits differ."""
    rng = np.random.default_rng(seed)
    graph = random_model(rng, scales=(1 / 3, 2 / 3, 0.1, 0.2, 0.05, 0.3, 0.7, 1 / 7, 0.5, 1 / 15))
    network = imported(graph, tmp_path)
    if not network.notes:
        found, wanted = both(network, graph, raw=graph.nodes[0].op_type == "Div")
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())


def test_exact_scales_are_never_named(tmp_path):
    for seed in range(40):
        assert imported(random_model(np.random.default_rng(seed)), tmp_path).notes == ()


def gemm(inputs: int, bias: float) -> Graph:
    """Powers of two and a bias: onnxruntime begins a sum with it, and so rounds on the way."""
    rng = np.random.default_rng(0)
    graph = Graph((1, inputs)).quant(1 / 4, 2)
    weight = graph.weight(rng.normal(0, 1, (8, inputs)))
    graph.then("Gemm", weight, np.full(8, bias), transB=1, name="middle")
    graph.then("Sub", bias).bipolar()
    return graph.then("Gemm", graph.weight(rng.normal(0, 1, (3, 8))), transB=1)


def test_the_bias_of_a_gemm_counts(tmp_path):
    (note,) = imported(gemm(16**2, 1 / 3), tmp_path).notes
    assert "fc1 ('middle', 8 of 8 outputs)" in note
    assert imported(gemm(16**2, 0.375), tmp_path).notes == ()


def test_stray():
    """Exact: multiples of one power of two, no larger than 2^24 of it."""
    whole, codes = np.array([[1, -3], [2, 0]]), Codes(0.0, 1.0, 255)
    none = np.zeros(2, np.float32)

    def of(scale, codes, start=none):
        scale = np.broadcast_to(np.float64(scale), 2)
        weight = (whole * scale[:, None]).astype(np.float32)
        return (stray(weight, whole, scale, codes, start) / ROUNDINGS).tolist()

    assert of(1.0, codes) == of(0.75, codes) == of(2.0**-40, codes) == [0, 0]
    assert of(1.0, Codes(0.0, 1.0, 255, exact=False)) == [1, 1]
    assert of(np.float32(1 / 3), codes) == [1, 1]
    assert of(1.0, Codes(0.0, 1 / 3, 255)) == of(1.0, Codes(1 / 3, 1.0, 255)) == [1, 1]
    assert of(1.0, Codes(-128.0, 1.0, 255)) == of(1.0, Codes(-0.5, 0.25, 255)) == [0, 0]
    assert of([2.0**21 + 1, 2.0**21 + 1], Codes(0.0, 1.0, 1)) == [0, 0]
    assert of([2.0**21 + 1, 1.0], Codes(0.0, 1.0, 2)) == [1, 0]
    assert of(1.0, codes, np.float32([1 / 3, 0.5])) == [1, 0]
    assert of(1.0, codes, np.float32([2**24, 2**20])) == [1, 0]
    weight = np.float32([[1, -3.000001], [2, 0]])
    assert stray(weight, whole, np.ones(2), codes, none).tolist() == [ROUNDINGS, 0]
