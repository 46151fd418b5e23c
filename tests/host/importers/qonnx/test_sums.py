# SPDX-License-Identifier: BSD-3-Clause
"""Residual additions, maps side by side and heads give the scores of the reference executor."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra qonnx is not installed")

from graph_networks import KINDS, Branches, resnet8, two_heads

from qnn.errors import NetworkError
from qnn.importers import import_network
from qnn.importers.qonnx.sums import weights_for
from qnn.network import Conv, Network
from qnn_sim.onnx_reference import compare


def imported(graph, path: Path, *outputs: str) -> Network:
    path.write_bytes(graph.model(*outputs).SerializeToString())
    return import_network("qonnx", path, "net")


@pytest.mark.parametrize("dyadic", [True, False], ids=["exact", "float"])
@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_the_reference_executor(kind, dyadic, tmp_path):
    for seed in range(2):
        path = KINDS[kind](np.random.default_rng(seed), dyadic).save(tmp_path / "net.onnx")
        found = compare(path, 4, seed)
        assert found.good and (found.error == 0 or not dyadic), found


def test_every_head_gives_what_the_reference_executor_does(tmp_path):
    graph, (scores, boxes) = two_heads(np.random.default_rng(1))
    network = imported(graph, tmp_path / "net.onnx", scores, boxes)
    assert network.output == scores and [head.name for head in network.heads] == [boxes]
    assert network.out_shape == (1, 1, 10)
    found = compare(tmp_path / "net.onnx", 4, 1)
    assert found.good and found.error == 0, found
    swapped = imported(graph, tmp_path / "swapped.onnx", boxes, scores)
    assert swapped.output == boxes and swapped.heads[0].name == scores
    assert compare(tmp_path / "swapped.onnx", 2, 1).good


def test_a_shortcut_of_the_same_scale_is_one_layer_of_small_weights(tmp_path):
    network = imported(resnet8(np.random.default_rng(2)), tmp_path / "net.onnx")
    sums = [layer for layer in network.layers if len(network.inputs.get(layer.name, ())) == 2]
    assert len(sums) == 3
    for layer in sums:
        assert isinstance(layer, Conv) and layer.kernel == (1, 1)
        assert set(np.unique(layer.signed_weight)) == {0, 2}  # both maps count alike


def test_what_is_read_twice_is_computed_once(tmp_path):
    made = Branches(np.random.default_rng(3), (1, 1, 6, 6))
    stem = made.quant(made.conv(made.start, 4))
    again = made.quant(made.add(stem, stem))
    made.scores(again, 6)
    network = imported(made.graph, tmp_path / "net.onnx")
    assert [layer.name for layer in network.layers] == ["pixels", "conv1", "codes2", "fc3"]
    assert compare(tmp_path / "net.onnx", 4, 3).error == 0


@pytest.mark.parametrize("ratio", [1, 2, 0.5, 3, 1.37, 0.81])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_weights_order_every_sum_of_two_codes(ratio, bits):
    codes = np.arange(1 << bits)
    sums = codes[:, None] + ratio * codes
    table = np.clip(np.rint(sums / 1.7), 0, (1 << bits) - 1).astype(np.int64)
    found = weights_for(table, ratio, (1 << bits) - 1)
    assert found is not None
    acc = found.p * codes[:, None] + found.q * codes
    counted = (acc[..., None] >= found.thresholds).sum(axis=-1)
    np.testing.assert_array_equal(counted, table)


def test_a_table_that_no_weights_order_has_none():
    crooked = np.array([[0, 0, 1], [0, 0, 1], [1, 1, 1]])
    assert weights_for(crooked, 1.0, 1) is None


# Each graph is refused, or is what the refusal advises.


def unlike_scales(rng, advised: bool) -> Branches:
    made = Branches(rng, (1, 1, 6, 6), 8)
    stem = made.quant(made.conv(made.start, 4), 0.004)
    scales = (0.00371, 0.00371 if advised else 0.00137)
    one, two = (made.quant(made.conv(stem, 4), scale) for scale in scales)
    made.scores(made.quant(made.add(one, two), 0.002), 6)
    return made


def unlike_maps(rng, advised: bool) -> Branches:
    made = Branches(rng, (1, 1, 6, 6))
    stem = made.quant(made.conv(made.start, 4), 1.0)
    other = made.quant(made.conv(stem, 4, 3, 1 if advised else 2), 1.0)
    made.scores(made.concat(stem, other), 6)
    return made


def channels_of_their_own(rng, advised: bool) -> Branches:
    made = Branches(rng, (1, 3, 6, 6))
    scales = rng.uniform(0.003, 0.006, (1, 4, 1, 1))
    stem = made.quant(made.conv(made.start, 4), 0.004 if advised else scales)
    made.scores(made.quant(made.conv(stem, 4)), 6)
    return made


def unlike_steps(rng, advised: bool) -> Branches:
    made = Branches(rng, (1, 3, 6, 6))
    stem = made.quant(made.conv(made.start, 4), 0.003)
    joined = made.concat(stem, made.quant(stem, 0.006 if advised else 0.00711))
    made.scores(made.quant(made.conv(joined, 4)), 6)
    return made


def not_quantised(rng, advised: bool) -> Branches:
    made = Branches(rng, (1, 1, 6, 6))
    stem = made.quant(made.conv(made.start, 4), 0.25)
    other = made.conv(stem, 4)
    other = made.quant(other, 0.25) if advised else other
    made.scores(made.quant(made.add(stem, other)), 6)
    return made


def sum_at_the_end(rng, advised: bool) -> Branches:
    made = Branches(rng, (1, 1, 6, 6))
    stem = made.quant(made.conv(made.start, 4), 0.25)
    added = made.add(stem, made.quant(made.conv(stem, 4), 0.25))
    made.graph.tensor = made.quant(added, 0.25) if advised else added
    return made


def multiplied(rng, advised: bool) -> Branches:
    made = Branches(rng, (1, 1, 6, 6))
    stem = made.quant(made.conv(made.start, 4), 0.25)
    other = made.quant(made.conv(stem, 4), 0.25)
    product = made.graph.node("Add" if advised else "Mul", stem, other)
    made.channels[product] = 4
    made.scores(made.quant(product), 6)
    return made


def twice_the_input(rng, advised: bool) -> Branches:
    made = Branches(rng, (1, 1, 6, 6))
    graph = made.graph
    graph.nodes.pop()
    graph.tensor = "picture"
    if advised:
        graph.quant(1 / 256, 8)
    first, tensors = graph.tensor, []
    for _ in range(2):
        graph.tensor = first
        if not advised:
            graph.quant(1 / 256, 8)
        made.channels[graph.tensor] = 1
        tensors.append(made.quant(made.conv(graph.tensor, 4), 0.25))
    made.scores(made.quant(made.add(*tensors)), 6)
    return made


def in_groups(rng, advised: bool) -> Branches:
    made = Branches(rng, (1, 1, 6, 6))
    stem = made.quant(made.conv(made.start, 4), 0.25)
    joined = made.concat(stem, made.quant(made.conv(stem, 4), 0.25))
    if advised:
        joined = made.quant(joined, 0.25)
    made.scores(made.quant(made.conv(joined, 4, group=2)), 6)
    return made


REFUSED = {
    unlike_scales: r"steps of 0\.00371 and 0\.00137, of which no multiples up to 128.*same scale",
    unlike_maps: r"maps of 6x6x4, 3x3x4 side by side; use maps of the same rows and columns",
    unlike_steps: r"steps of their own, 2\.37 times the least.*use one scale for all channels",
    channels_of_their_own: r"steps of their own, .* times the least.*use one scale for all chan",
    not_quantised: r"gives is not quantised, and meets another.*put an activation quantiser of 8",
    sum_at_the_end: r"ends with a sum of two maps that is not quantised; put a quantiser of 8 bits",
    twice_the_input: r"reads the input beside another node.*quantise the input once, before both",
    in_groups: r"2 groups and reads maps side by side; quantise what the Concat gives once more",
    multiplied: r"meets another feature map; of two maps the accelerator makes a sum \(Add\)",
}


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_refused_and_what_is_advised_imported(make, tmp_path):
    with pytest.raises(NetworkError, match=REFUSED[make]):
        imported(make(np.random.default_rng(0), False).graph, tmp_path / "refused.onnx")
    imported(make(np.random.default_rng(0), True).graph, tmp_path / "advised.onnx")
    found = compare(tmp_path / "advised.onnx", 3, 1)
    assert found.good, found
