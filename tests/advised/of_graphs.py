# SPDX-License-Identifier: BSD-3-Clause
"""Refusals of branches, of moved maps, and of how a network ends."""

import numpy as np
from foreign_qonnx import Graph

from advised.case import Cases, conv, floats, numbers, relu, scores, ternary

CASES = Cases()


def two(graph: Graph, **second) -> list[str]:
    """Two quantised maps of the same input."""
    start, found = graph.tensor, []
    for options in ({}, second):
        graph.tensor = start
        found.append(relu(conv(graph), **options).tensor)
    graph.tensor = start
    return found


def forked(graph: Graph, **second) -> list[str]:
    """Two quantised maps of the same input, by convolutions, the second with these options."""
    start, found = graph.tensor, []
    for options in ({}, second):
        graph.tensor = start
        found.append(relu(conv(graph, **options)).tensor)
    return found


def joined(graph: Graph, op: str, *tensors: str, **attributes) -> Graph:
    graph.tensor = graph.node(op, *tensors, **attributes)
    return graph


@CASES.add("of 8 bits or fewer between them, of the same scale for both")
def added_without_a_quantiser(advised):
    graph = numbers()
    one = relu(conv(graph)).tensor
    graph.tensor = "t0"
    other = conv(graph)
    if advised:
        relu(other)
    return scores(relu(joined(graph, "Add", one, graph.tensor)), 64)


@CASES.add("put an activation quantiser of 8 bits or fewer behind it")
def a_sum_that_is_read(advised):
    graph = numbers()
    joined(graph, "Add", *two(graph))
    if advised:
        relu(graph)
    return scores(relu(conv(graph)), 16)


@CASES.add("quantise to at most 8 bits")
def a_sum_of_many_levels(advised):
    graph = numbers()
    joined(graph, "Add", *two(graph, bits=8, scale=1 / 16))
    return scores(relu(conv(relu(graph, 1 / 32, 8 if advised else 10))), 16)


@CASES.add("quantise both with the same scale")
def a_sum_of_odd_scales(advised):
    graph = numbers()
    start, found = graph.tensor, []
    for scale in (0.0371, 0.0371 if advised else 0.0137):
        graph.tensor = start
        found.append(relu(conv(graph), scale, 8).tensor)
    return scores(relu(joined(graph, "Add", *found), 0.02, 8), 64)


@CASES.add("quantise to 4 bits or fewer")
def a_sum_of_many_kinds(advised):
    graph, channels, bits = numbers(4, 4, 4), 70, 4 if advised else 8
    found, start = [], graph.tensor
    for _ in range(2):
        graph.tensor = start
        found.append(relu(conv(graph, 4, channels), 1 / 64, bits).tensor)
    joined(graph, "Add", *found)
    graph.then("Mul", (1 + np.arange(channels) / 64).reshape(1, -1, 1, 1))
    return scores(relu(graph, 1 / 32, bits), 4 * channels)


@CASES.add("add maps of the same shape")
def a_sum_of_other_sizes(advised):
    graph = numbers()
    maps = forked(graph, outputs=4 if advised else 1)
    return scores(relu(joined(graph, "Add", *maps)), 64)


@CASES.add("leave the constant out")
def beside_a_constant(advised):
    graph = numbers()
    one = relu(conv(graph)).tensor
    others = [one] if advised else [graph.constant(np.ones((1, 4, 4, 4)))]
    joined(graph, "Concat", one, *others, axis=1)
    return scores(relu(conv(graph, 8)), 16)


@CASES.add("use maps of the same rows and columns")
def beside_a_smaller_map(advised):
    graph = numbers()
    maps = forked(graph, strides=[1 if advised else 2] * 2)
    joined(graph, "Concat", *maps, axis=1)
    return scores(relu(conv(graph, 8)), 16)


@CASES.add("leave some out")
def beside_many_others(advised):
    graph = numbers()
    tensor = relu(conv(graph)).tensor
    doubled = 2 if advised else 9
    for _ in range(doubled):
        tensor = graph.node("Concat", tensor, tensor, axis=1)
    graph.tensor = tensor
    return scores(relu(conv(graph, 4 << doubled)), 16)


@CASES.add("do not lie side by side along that axis; use axis = 1")
def beside_along_rows(advised):
    graph = numbers()
    maps = forked(graph, outputs=5)
    joined(graph, "Concat", *maps, axis=1 if advised else 2)
    return scores(relu(conv(graph, 9)), 16)


@CASES.add("one behind the other; use axis = 1")
def beside_as_a_batch(advised):
    graph = numbers()
    joined(graph, "Concat", *two(graph), axis=1 if advised else 0)
    return scores(relu(conv(graph, 8)), 16)


@CASES.add("use it before the Flatten or Reshape")
def enlarged_when_flat(advised):
    graph = relu(conv(numbers()))
    sides = [1, 1, 2, 1] if advised else [1, 2]
    if not advised:
        graph.then("Flatten")
    graph.then("Resize", "", graph.constant(sides), mode="nearest", nearest_mode="floor",
               coordinate_transformation_mode="asymmetric")  # fmt: skip
    return scores(graph, 128)


@CASES.add("use one for all channels")
def moved_between_channels(advised):
    scale = 0.5 if advised else np.array([0.25, 0.5, 0.25, 1.0]).reshape(1, 4, 1, 1)
    graph = relu(conv(numbers()), scale).then("DepthToSpace", blocksize=2)
    return scores(relu(conv(graph, 1)), 144)


@CASES.add("use mode nearest")
def interpolated(advised):
    graph = relu(conv(numbers()))
    twice = graph.constant([1, 1, 2, 2])
    graph.then("Resize", "", twice, mode="nearest" if advised else "linear", nearest_mode="floor",
               coordinate_transformation_mode="asymmetric")  # fmt: skip
    return scores(relu(conv(graph)), 144)


@CASES.add("export it with constant scales")
def of_no_scale(advised):
    graph = relu(conv(numbers()))
    scale = graph.constant([1, 1, 2, 2] if advised else [2, 2])
    graph.then("Resize", "", scale, mode="nearest", nearest_mode="floor",
               coordinate_transformation_mode="asymmetric")  # fmt: skip
    return scores(relu(conv(graph)), 144)


@CASES.add("use one of half_pixel, pytorch_half_pixel, asymmetric")
def of_other_positions(advised):
    graph = relu(conv(numbers()))
    kind = "asymmetric" if advised else "tf_crop_and_resize"
    graph.then("Resize", "", graph.constant([1, 1, 2, 2]), mode="nearest", nearest_mode="floor",
               coordinate_transformation_mode=kind)  # fmt: skip
    return scores(relu(conv(graph)), 144)


@CASES.add("export with a batch of 1")
def of_a_batch(advised):
    graph = relu(conv(numbers()))
    graph.then("Reshape", graph.constant([1 if advised else 4, 64], np.int64))
    return graph.then("MatMul", graph.weight(ternary(64, 3), 0.5, 2))


@CASES.add("put a quantiser of 8 bits or fewer behind it")
def ends_in_another_order(advised):
    graph = conv(numbers())
    graph.then("DepthToSpace", blocksize=2)
    return graph.quant(1.0, 8, signed=1) if advised else graph


@CASES.add("remove what moves its values")
def ends_in_the_order_of_the_map(advised):
    graph = conv(numbers())
    return graph if advised else graph.then("DepthToSpace", blocksize=2)


@CASES.add("put the pool before the gain")
def ends_with_a_pool(advised):
    graph, pool = relu(conv(numbers())), {"kernel_shape": [2, 2], "strides": [2, 2]}
    if advised:
        return graph.then("MaxPool", **pool).then("Mul", -1.0)
    return graph.then("Mul", -1.0).then("MaxPool", **pool)


@CASES.add("export the whole network", compared=False)
def ends_before_it_began(advised):
    graph = numbers()
    return scores(graph, 144) if advised else graph


@CASES.add("put a quantiser of 8 bits or fewer behind it")
def ends_with_a_sum(advised):
    graph = numbers()
    joined(graph, "Add", *two(graph))
    return graph.quant(0.5, 3) if advised else graph


@CASES.add("quantise them to 8 bits or fewer")
def ends_with_float_weights(advised):
    graph = relu(conv(numbers())).then("Flatten")
    weight = graph.weight(ternary(64, 3), 0.5, 2) if advised else graph.constant(floats(64, 3))
    graph.then("MatMul", weight).quant(0.5, 8, signed=1)
    return graph


def ranked(op: str, *inputs: object, **attributes) -> object:
    graph = scores(relu(conv(numbers())), 64)
    graph.then(op, *inputs, **attributes)
    return graph


def whole(graph: Graph):
    """The graph, whose output is a class."""
    return graph.model(whole=(graph.tensor,))


@CASES.add("multiply the scores by -1 and use ArgMax", compared=False)
def the_least(advised):
    if advised:
        return whole(ranked("Mul", -1.0).then("ArgMax", axis=1))
    return whole(ranked("ArgMin", axis=1))


@CASES.add("name the axis of the classes", compared=False)
def ranked_along_the_batch(advised):
    return whole(ranked("ArgMax", axis=1 if advised else 0))


@CASES.add("or end the network before it")
def ranked_along_columns(advised):
    graph = conv(relu(conv(numbers())))
    return graph if advised else graph.then("Softmax", axis=3)


@CASES.add("export it with as many", compared=False)
def ranked_by_too_many(advised):
    graph = scores(relu(conv(numbers())), 64)
    return whole(graph.then("TopK", graph.constant([3 if advised else 4], np.int64)))


@CASES.add("and rank with largest = 1", compared=False)
def ranked_from_below(advised):
    graph = scores(relu(conv(numbers())), 64)
    if advised:
        graph.then("Mul", -1.0)
    return whole(graph.then("TopK", graph.constant([2], np.int64), largest=int(advised)))


@CASES.add("export it without", compared=False)
def ranked_with_the_last_first(advised):
    return whole(ranked("ArgMax", axis=1, select_last_index=0 if advised else 1))


@CASES.add("end the network there", compared=False)
def goes_on_behind_the_ranks(advised):
    graph = ranked("ArgMax", axis=1)
    return whole(graph) if advised else graph.then("Cast", to=1).then("Mul", 2.0)
