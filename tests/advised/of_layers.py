# SPDX-License-Identifier: BSD-3-Clause
"""Refusals of convolutions, fully connected layers and pools."""

import numpy as np
from foreign_qonnx import Graph

from advised.case import Cases, conv, floats, numbers, relu, scores, ternary

CASES = Cases()


@CASES.add("use (4, 4)")
def far_steps(advised):
    step = 4 if advised else 5
    return scores(relu(conv(numbers(4, 16, 16), strides=[step, step])), 64 if advised else 36)


@CASES.add("use a kernel of at most")
def a_kernel_larger_than_its_map(advised):
    kernel = 3 if advised else 7
    graph = conv(numbers(), kernel=kernel)
    return scores(relu(graph), 64)


@CASES.add("put an activation quantiser of 8 bits or fewer between them")
def sums_of_sums(advised):
    graph = conv(numbers())
    if advised:
        relu(graph)
    return scores(relu(conv(graph)), 16)


@CASES.add("or quantise the map to 8 bits or fewer before that")
def sums_that_are_moved(advised):
    graph = conv(numbers())
    if advised:
        relu(graph)
    graph.then("Transpose", perm=[0, 1, 3, 2])
    return scores(relu(conv(graph)), 16)


@CASES.add("remove the Transpose or Reshape before it")
def a_map_of_five_sides(advised):
    graph = relu(conv(numbers()))
    if not advised:
        graph.then("Reshape", graph.constant([1, 4, 1, 4, 4], np.int64))
    return scores(relu(conv(graph)), 16)


@CASES.add("quantise what the Concat gives once more, with Quant")
def groups_of_maps_side_by_side(advised):
    graph = numbers()
    start, found = graph.tensor, []
    for _ in range(2):
        graph.tensor = start
        found.append(relu(conv(graph)).tensor)
    graph.tensor = graph.node("Concat", *found, axis=1)
    if advised:
        graph.quant(0.5, 2)
    return scores(relu(conv(graph, 8, 8, group=4)), 32)


@CASES.add("ReLU, or Quant of 2 bits and more")
def padded_bipolar(advised):
    graph = conv(numbers())
    if advised:
        graph.quant(1.0, 2, signed=1)
    else:
        graph.bipolar(1.0)
    return scores(relu(conv(graph, pads=[1] * 4)), 64)


@CASES.add("use no padding, or activations whose lowest level is 0 (ReLU)")
def padded_signed_channels(advised):
    scale = np.array([0.25, 0.5, 0.25, 1.0]).reshape(1, 4, 1, 1)
    graph = conv(numbers())
    if advised:
        relu(graph, scale)
    else:
        graph.quant(scale, 2, signed=1)
    return scores(relu(conv(graph, pads=[1] * 4)), 64)


@CASES.add("use one scale for all channels that it reads")
def channels_in_steps_of_their_own(advised):
    scale = 0.5 if advised else np.array([0.5, 0.7123, 0.9341, 1.1719]).reshape(1, 4, 1, 1)
    return scores(relu(conv(relu(conv(numbers()), scale))), 16)


@CASES.add("or scales that are it times a power of two")
def channels_in_steps_of_powers(advised):
    scale = np.array([0.5, 1, 2, 1] if advised else [0.5, 0.7123, 0.9341, 1.1719]).reshape(
        1, 4, 1, 1
    )
    return scores(relu(conv(relu(conv(numbers()), scale))), 16)


@CASES.add("use transA = 0 and a matrix", compared=False)
def transposed(advised):
    graph = Graph((1, 16)).quant(0.25, 4)
    if not advised:
        graph.then("Transpose", perm=[1, 0])
    weight = graph.weight(ternary(16, 3), 0.5, 2)
    return graph.then("Gemm", weight, transA=0 if advised else 1)


@CASES.add("use transA = 0 and a matrix", compared=False)
def floats_transposed(advised):
    graph = Graph((1, 16))
    if not advised:
        graph.then("Transpose", perm=[1, 0])
    return graph.then("Gemm", floats(16, 3), transA=0 if advised else 1)


@CASES.add("put a Flatten before it")
def not_flat(advised):
    graph = relu(conv(numbers()))
    if advised:
        graph.then("Flatten")
    return graph.then("MatMul", graph.weight(ternary(64, 3), 0.5, 2))


@CASES.add("put a Flatten before it")
def floats_not_flat(advised):
    graph = Graph((1, 4, 6, 6)).then("Conv", floats(4, 4, 3, 3))
    if advised:
        graph.then("Flatten")
    return graph.then("MatMul", floats(64, 3))


@CASES.add("use a dense kernel, or quantise its weights and its input to 8 bits or fewer")
def floats_with_dilations(advised):
    if advised:
        return scores(relu(conv(numbers(), dilations=[2, 2])), 16)
    graph = Graph((1, 4, 6, 6)).then("Conv", floats(4, 4, 3, 3), dilations=[2, 2])
    return scores(relu(graph), 16)


@CASES.add("quantise them to 8 bits or fewer")
def float_weights_between(advised):
    graph = relu(conv(numbers())).then("Flatten")
    weight = graph.weight(ternary(64, 8), 0.5, 2) if advised else graph.constant(floats(64, 8))
    graph.then("MatMul", weight)
    graph.then("Relu").quant(0.5, 2)
    return graph.then("MatMul", graph.weight(ternary(8, 3), 0.5, 2))


WIDE = np.random.default_rng(6).integers(-127, 128, (4, 4, 3, 3)) / 2  # of 8 bits


@CASES.add("quantise what it averages to 8 bits or fewer before it")
def averaged_large_weights(advised):
    graph = numbers()
    weight = graph.weight(WIDE, 0.5, 8)
    graph.then("Conv", weight)
    if advised:
        graph.quant(8.0, 8, signed=1)
    return graph.then("GlobalAveragePool").then("Flatten")


def averaged(advised: bool, change: dict, signed: int = 0, **attributes) -> Graph:
    """An average pool of a map of 4x4, which the advice changes."""
    graph = conv(numbers()).quant(0.5, 3, signed=signed)
    attributes = {"kernel_shape": [2, 2], "strides": [2, 2]} | attributes
    return graph.then("AveragePool", **(attributes | (change if advised else {})))


@CASES.add("use no padding")
def a_padded_average(advised):
    graph = averaged(advised, {"pads": [0] * 4}, 1, pads=[1] * 4, count_include_pad=1)
    return scores(graph, 16 if advised else 36)


@CASES.add("use no padding, or an activation whose lowest level is 0 (ReLU)")
def a_padded_average_of_signs(advised):
    graph = averaged(False, {}, 0 if advised else 1, pads=[1] * 4, count_include_pad=1)
    return scores(graph, 36)


@CASES.add("take it along rows and columns")
def a_mean_of_channels(advised):
    graph = relu(conv(numbers())).then("ReduceMean", axes=[2, 3] if advised else [1])
    return scores(graph, 4 if advised else 16)


@CASES.add("use a dense kernel", compared=False)
def an_average_with_gaps(advised):
    return scores(averaged(advised, {"dilations": [1, 1]}, dilations=[2, 2]), 16)


@CASES.add("use a kernel of at most 4x4")
def an_average_larger_than_its_map(advised):
    return scores(averaged(advised, {"kernel_shape": [4, 4]}, kernel_shape=[5, 5]), 4)


@CASES.add("count_include_pad = 1")
def pads_not_counted(advised):
    return scores(averaged(advised, {"count_include_pad": 1}, pads=[1] * 4), 36)


@CASES.add("use ceil_mode = 0")
def an_average_over_the_edge(advised):
    graph = averaged(advised, {"ceil_mode": 0}, kernel_shape=[3, 3], ceil_mode=1)
    return scores(graph, 4 if advised else 16)


@CASES.add("put an activation quantiser of 8 bits or fewer between them")
def an_average_of_sums(advised):
    graph = conv(numbers())
    if advised:
        relu(graph)
    return scores(relu(graph.then("AveragePool", kernel_shape=[2, 2], strides=[2, 2])), 16)


@CASES.add("or average the whole map")
def an_average_of_the_whole_map(advised):
    kernel = 4 if advised else 2
    graph = conv(numbers()).then("AveragePool", kernel_shape=[kernel] * 2, strides=[kernel] * 2)
    return scores(relu(graph), 4 if advised else 16)


@CASES.add("put an activation quantiser of 8 bits or fewer between them")
def an_average_of_floats(advised):
    graph = Graph((1, 4, 6, 6)).then("Conv", floats(4, 4, 3, 3))
    if advised:
        relu(graph)
    return graph.then("GlobalAveragePool").then("Flatten")


def largest(advised: bool, change: dict, **attributes) -> Graph:
    """A max-pool of a map of 4x4, which the advice changes."""
    attributes = {"kernel_shape": [2, 2], "strides": [2, 2]} | attributes
    graph = relu(conv(numbers()))
    return graph.then("MaxPool", **(attributes | (change if advised else {})))


@CASES.add("state kernel_shape")
def a_pool_of_no_size(advised):
    size = {"kernel_shape": [2, 2]} if advised else {}
    return scores(relu(conv(numbers())).then("MaxPool", strides=[2, 2], **size), 16)


@CASES.add("quantise the averages to 8 bits or fewer before it")
def averages_that_overlap(advised):
    graph = relu(conv(numbers(4, 8, 8)), bits=8)
    graph.then("AveragePool", kernel_shape=[4, 4], strides=[1, 1])
    if advised:
        graph.quant(0.25, 8)
    weight = np.random.default_rng(6).integers(-127, 128, (3, 36)) / 2
    graph.then("Flatten")
    return graph.then("Gemm", graph.weight(weight, 0.5, 8), transB=1)


@CASES.add("use a dense kernel")
def a_pool_with_gaps(advised):
    return scores(largest(advised, {"dilations": [1, 1]}, dilations=[2, 2]), 16 if advised else 4)


@CASES.add("use a kernel of at most 4x4")
def a_pool_larger_than_its_map(advised):
    return scores(largest(advised, {"kernel_shape": [4, 4]}, kernel_shape=[5, 5]), 4)


@CASES.add("use pads smaller than the kernel", compared=False)
def a_pool_in_its_padding(advised):
    return scores(largest(advised, {"pads": [1] * 4}, pads=[2] * 4), 36 if advised else 64)


@CASES.add("put an activation quantiser of 8 bits or fewer before it")
def a_pool_of_other_sides(advised):
    graph = conv(numbers())
    if advised:
        relu(graph)
    graph.then("MaxPool", kernel_shape=[2, 1], strides=[2, 1])
    return scores(graph if advised else relu(graph), 32)


@CASES.add("such as 2x2 with strides (2, 2)")
def a_pool_of_pairs_of_sums(advised):
    size = [2, 2] if advised else [2, 1]
    graph = conv(numbers()).then("MaxPool", kernel_shape=size, strides=size)
    return scores(relu(graph), 16 if advised else 32)


@CASES.add("it pools floats with dilations or ceil_mode; use neither")
def a_pool_of_floats(advised):
    graph = Graph((1, 4, 7, 7)).then("Conv", floats(4, 4, 3, 3))
    graph.then("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=0 if advised else 1)
    return scores(relu(graph), 16 if advised else 36)


@CASES.add("put the pool behind the activation quantiser")
def a_pool_before_a_negative_gain(advised):
    graph = conv(numbers())
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    if not advised:
        graph.then("MaxPool", **pool)
    graph.then("Mul", np.array([1, -1, 1, 1]).reshape(1, 4, 1, 1)).quant(0.5, 2)
    if advised:
        graph.then("MaxPool", **pool)
    return scores(graph, 16)


@CASES.add("put an activation quantiser of 8 bits or fewer before it")
def a_pool_of_the_scores(advised):
    graph = numbers(bits=8)
    graph.then("Conv", graph.weight(ternary(4, 4, 3, 3), 0.5, 2))
    if advised:
        graph.quant(1.0, 8, signed=1)
    return graph.then("MaxPool", kernel_shape=[4, 4]).then("Flatten")


@CASES.add("make its kernel, its channels or its map smaller")
def too_large_a_kernel(advised):
    side = 10 if advised else 40
    weight = ternary(2, 4, side, side)
    graph = numbers(4, side, side)
    return graph.then("Conv", graph.weight(weight, 0.5, 2)).then("Flatten")


@CASES.add("use a smaller input, fewer channels, less padding or a larger stride", compared=False)
def too_large_a_map(advised):
    return scores(relu(conv(numbers(), pads=[0 if advised else 1 << 16] * 4)), 64)
