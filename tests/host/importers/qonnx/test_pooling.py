# SPDX-License-Identifier: BSD-3-Clause
"""Max-pools in networks: the scores of the reference executor, wherever the pool runs."""

import numpy as np
import pytest

from qnn.errors import NetworkError
from qnn.importers import import_network
from qnn.model import Model

pytest.importorskip("onnx", reason="the extra qonnx is not installed")
pytest.importorskip("qonnx", reason="the reference executor is not installed")

from foreign_qonnx import Graph, execute

NETWORKS = {
    "two in a row": [
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1]},
    ],
    "4x4": [{"kernel_shape": [4, 4], "strides": [4, 4]}],
    "the whole map": [{"kernel_shape": [9, 7]}],
    "every third pixel": [{"kernel_shape": [1, 1], "strides": [3, 3]}],
    "of pairs of rows": [{"kernel_shape": [2, 1], "strides": [2, 1]}],
    "of pairs of columns": [{"kernel_shape": [1, 2], "strides": [1, 2]}],
}


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("kind", NETWORKS)
def test_networks(kind, before, tmp_path):
    """Before and behind the quantiser, on signed levels whose lowest is not 0."""
    graph = Graph((1, 3, 11, 9)).quant(1 / 8, 4)
    value = np.random.default_rng(1).normal(0, 1, (5, 3, 3, 3))
    graph.then("Conv", graph.weight(value))
    if before and "pairs" in kind:
        graph.quant(0.5, 8, signed=1)
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


def test_a_pool_of_pairs_before_the_quantiser(tmp_path):
    """Refused; with the quantiser before it, it runs."""
    for before in (True, False):
        graph = Graph((1, 3, 11, 9)).quant(1 / 8, 4)
        graph.then("Conv", graph.weight(np.random.default_rng(1).normal(0, 1, (5, 3, 3, 3))))
        graph = graph if before else graph.quant(4.0, 3)
        graph.then("MaxPool", kernel_shape=[2, 1], strides=[2, 1])
        graph = graph.quant(4.0, 3) if before else graph
        graph.then("Conv", graph.weight(np.random.default_rng(2).normal(0, 1, (4, 5, 1, 1))))
        path = graph.save(tmp_path / "model.onnx")
        if before:
            with pytest.raises(NetworkError, match=r"kernel of 2x1 .* put an activation quantiser"):
                import_network("qonnx", path, "net")
        else:
            import_network("qonnx", path, "net")
