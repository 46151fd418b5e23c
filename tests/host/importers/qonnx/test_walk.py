# SPDX-License-Identifier: BSD-3-Clause
"""Refusals lead somewhere: what they advise is done, and the network is imported."""

import numpy as np
import pytest

from qnn.errors import QnnError
from qnn.importers import import_network

onnx = pytest.importorskip("onnx", reason="the extra qonnx is not installed")

from foreign_qonnx import Graph  # noqa: E402
from graph_networks import Branches  # noqa: E402


def branches() -> tuple[Branches, str]:
    made = Branches(np.random.default_rng(3), (1, 3, 8, 8))
    return made, made.quant(made.conv(made.start, 8))


def scores(made: Branches, tensor: str, side: int = 8) -> Graph:
    made.scores(made.quant(made.conv(tensor, 4)), side)
    return made.graph


def padded(advised: bool) -> Graph:
    made, tensor = branches()
    if not advised:
        pads = made.graph.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64)
        made.channels[moved := made.graph.node("Pad", tensor, pads)] = made.channels[tensor]
        tensor = moved
    return scores(made, tensor, 8 if advised else 10)


def of_other_sizes(advised: bool) -> Graph:
    made, tensor = branches()
    scale = made.scale()
    one = made.quant(made.conv(tensor, 4), scale)
    other = made.quant(made.conv(tensor, 4, stride=1 if advised else 2), scale)
    return scores(made, made.concat(one, other))


def read_twice(advised: bool) -> Graph:
    """The picture, by two quantisers or by one."""
    made, scale = Branches(np.random.default_rng(3), (1, 3, 8, 8)), 0.5
    other = made.start
    if not advised:
        other = made.graph.quantised("picture", 1 / 128, 7)
        made.channels[other] = 3
    one = made.quant(made.conv(made.start, 4), scale)
    added = made.add(one, made.quant(made.conv(other, 4), scale))
    return scores(made, made.quant(added))


def in_groups(advised: bool) -> Graph:
    """Maps side by side, before a layer of groups."""
    made, tensor = branches()
    scale = made.scale()
    joined = made.concat(made.quant(made.conv(tensor, 4), scale), made.quant(tensor, scale))
    if advised:
        joined = made.quant(joined, scale)
    return scores(made, made.quant(made.conv(joined, 12, group=4)))


def of_many_levels(advised: bool) -> Graph:
    made, tensor = branches()
    made.bits = 8 if advised else 9
    tensor = made.quant(made.conv(tensor, 4), 0.25)
    made.bits = 2
    return scores(made, tensor)


def the_least(advised: bool) -> Graph:
    """The class of the least score."""
    made, tensor = branches()
    graph = scores(made, tensor)
    if advised:
        return graph.then("Mul", -1.0).then("ArgMax", axis=1)
    return graph.then("ArgMin", axis=1)


CASES = {
    padded: "put the padding into the convolution",
    of_other_sizes: "use maps of the same rows and columns",
    read_twice: "quantise the input once, before both",
    in_groups: "quantise what the Concat gives once more",
    of_many_levels: "quantise it to 1 to 8 bits",
    the_least: "multiply the scores by -1 and use ArgMax",
}


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_what_is_advised_works(make, tmp_path):
    path = tmp_path / "model.onnx"
    whole = (lambda graph: (graph.tensor,)) if make is the_least else (lambda _: ())
    for advised in (False, True):
        graph = make(advised)
        path.write_bytes(graph.model(whole=whole(graph)).SerializeToString())
        if advised:
            assert import_network("qonnx", path, "net").result is not None
            continue
        with pytest.raises(QnnError) as caught:
            import_network("qonnx", path, "net")
        assert CASES[make] in str(caught.value)
