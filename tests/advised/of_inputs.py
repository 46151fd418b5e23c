# SPDX-License-Identifier: BSD-3-Clause
"""Refusals of what goes in."""

import numpy as np
from foreign_qonnx import Graph

from advised.case import Cases, annotated, conv, floats, numbers, relu, scores, ternary

CASES = Cases()


def picture(side: int = 8, channels: int = 3) -> Graph:
    return Graph((1, channels, side, side))


@CASES.add("turn the sign of the weights behind it")
def array_times_a_negative(advised):
    graph = Graph((1, 16)).then("Mul", 2.0 if advised else -2.0).quant(0.25, 4, signed=1, narrow=1)
    sign = -1 if advised else 1
    return graph.then("MatMul", graph.weight(sign * ternary(16, 3), 0.5, 2))


@CASES.add("put a Quant before it", compared=False)
def array_of_many_numbers(advised):
    graph = Graph((1, 16))
    if advised:
        graph.quant(1.0, 8, signed=1)
    return annotated(graph.then("MatMul", graph.weight(ternary(16, 3), 0.5, 2)), "INT16")


@CASES.add("annotate the input with its type (finn_datatype INT8)", compared=False)
def array_of_another_annotation(advised):
    graph = Graph((1, 16))
    graph.then("MatMul", graph.weight(ternary(16, 3), 0.5, 2))
    return annotated(graph, "INT8" if advised else "INT16")


@CASES.add("use one for all, or quantise them behind it", compared=False)
def array_whose_scale_differs(advised):
    graph = Graph((1, 4, 6, 6)).then("Mul", np.array([1, 2, 4, 8]).reshape(1, 4, 1, 1))
    if advised:
        graph.quant(1.0, 8, signed=1)
    return annotated(scores(relu(conv(graph)), 64), "INT8")


@CASES.add("use one quantiser for all channels, or fewer bits")
def array_of_many_quantisers(advised):
    channels = 66_000
    gain = 1.0 + np.arange(channels).reshape(1, channels, 1, 1) / (1 << 16)
    graph = Graph((1, channels, 1, 1)).then("Mul", gain).quant(1 / 16, 4 if advised else 8)
    return graph.then("Conv", floats(2, channels, 1, 1)).then("Flatten")


@CASES.add("quantise it to 1 to 8 bits")
def array_of_many_levels(advised):
    return scores(numbers(16, bits=8 if advised else 9), 16)


@CASES.add("put a Quant of 8 bits behind them")
def colours_apart(advised):
    graph = picture().then("Sub", np.array([0.5, 0.25, 0.125]).reshape(1, 3, 1, 1))
    if advised:
        graph.quant(1 / 128, 8, signed=1)
    return scores(graph, 192)


@CASES.add("import it with --input array", wish="picture", advised_wish="array")
def no_square(advised):
    return scores(numbers(4, 6, 5), 120)


@CASES.add("import it with --input array", compared=False, wish="picture", advised_wish="array")
def pixels_of_another_type(advised):
    return annotated(scores(relu(conv(picture(), 3)), 144), "INT8")


@CASES.add("remove the Transpose or Reshape before it")
def channels_as_batch(advised):
    graph = numbers()
    if not advised:
        graph.then("Transpose", perm=[1, 0, 2, 3])
    inputs = 4 if advised else 1
    return scores(relu(conv(graph, inputs)), 64)


@CASES.add("use one value for a channel")
def a_constant_of_each_pixel(advised):
    constant = np.arange(36 if not advised else 1).reshape(1, 1, *((6, 6), (1, 1))[advised]) / 8
    return scores(relu(conv(Graph((1, 4, 6, 6)).then("Add", constant).quant(0.25, 4))), 64)


@CASES.add("put a convolution before it")
def a_pool_of_the_input(advised):
    graph = numbers()
    if advised:
        relu(conv(graph, pads=[1] * 4))
    graph.then("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    return scores(graph, 36)


@CASES.add("remove the Transpose, Reshape or SpaceToDepth before it")
def a_picture_in_blocks(advised):
    graph = picture().quant(1 / 256, 8)
    if advised:
        return scores(relu(conv(graph, 3)), 144)
    return scores(relu(conv(graph.then("SpaceToDepth", blocksize=2), 12, kernel=1)), 64)


@CASES.add("remove the Reshape or SpaceToDepth before it")
def an_array_in_blocks(advised):
    graph = numbers()
    if advised:
        return scores(relu(conv(graph)), 64)
    return scores(relu(conv(graph.then("SpaceToDepth", blocksize=2), 16, kernel=1)), 36)


@CASES.add("quantise the input once, before both")
def read_by_two(advised):
    graph = Graph((1, 4, 6, 6))
    one = graph.quantised("picture", 0.25, 4)
    other = one if advised else graph.quantised("picture", 0.5, 4)
    found = []
    for tensor in (one, other):
        graph.tensor = tensor
        found.append(relu(conv(graph)).tensor)
    graph.tensor = graph.node("Add", *found)
    return scores(graph.quant(1.0, 2), 64)


@CASES.add("use no padding")
def a_padded_signed_picture(advised):
    graph = picture().then("Mul", 2.0).then("Sub", 1.0).quant(1 / 128, 8, signed=1)
    conv(graph, 3, pads=[0 if advised else 1] * 4)
    return scores(relu(graph), 144 if advised else 256)


@CASES.add("import it with --input array", advised_wish="array")
def a_padded_signed_picture_as_an_array(advised):
    graph = picture().then("Mul", 2.0).then("Sub", 1.0).quant(1 / 128, 8, signed=1)
    return scores(relu(conv(graph, 3, pads=[1] * 4)), 256)


def floats_first(graph: Graph, whole: bool, **attributes) -> Graph:
    """A first convolution, of float weights or of such of 2 bits."""
    if whole:
        return conv(graph, 3, **attributes)
    return graph.then("Conv", floats(4, 3, 3, 3), **attributes)


@CASES.add("quantise them to 8 bits or fewer")
def float_weights_with_uneven_pads(advised):
    graph = floats_first(picture(), advised, pads=[0, 0, 1, 1])
    return scores(relu(graph), 196)


@CASES.add("quantise them, too, to 8 bits or fewer")
def float_weights_and_a_quantised_picture(advised):
    return scores(relu(floats_first(picture().quant(1 / 256, 8), advised)), 144)


@CASES.add("or leave the input as it is")
def float_weights_behind_a_quantiser(advised):
    graph = picture() if advised else picture().quant(1 / 256, 8)
    return scores(relu(floats_first(graph, False)), 144)


@CASES.add("leave out the padding, or what moves it")
def float_weights_pad_a_moved_picture(advised):
    graph = picture().then("Sub", 0.5)
    pad = 0 if advised else 1
    floats_first(graph, False, pads=[pad] * 4)
    return scores(relu(graph), 144 if advised else 256)


@CASES.add("put an activation quantiser of 8 bits or fewer between them")
def float_weights_and_no_quantiser(advised):
    graph = floats_first(picture(), False)
    if advised:
        relu(graph)
    return scores(relu(conv(graph)), 64)


@CASES.add("quantise its weights to 8 bits or fewer")
def float_weights_before_a_sigmoid(advised):
    graph = floats_first(picture(), advised).then("Sigmoid")
    return scores(graph.quant(0.26, 2), 144)


@CASES.add("quantise them and what it reads to 8 bits or fewer")
def float_weights_behind_a_slope(advised):
    graph = picture().then("LeakyRelu", alpha=0.5)
    if advised:
        graph.quant(0.1, 4)
    return scores(relu(floats_first(graph, advised), 0.53), 144)


@CASES.add("use a stride")
def float_weights_before_a_pool(advised):
    graph = relu(floats_first(picture(), False, strides=[2 if advised else 1] * 2))
    if not advised:
        graph.then("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    return scores(relu(conv(graph)), 4)


@CASES.add("quantise with Quant")
def float_weights_before_a_trunc(advised):
    graph = floats_first(picture(), False)
    if advised:
        relu(graph)
    else:
        graph.then("Relu").then("Trunc", 0.125, 0.0, 8.0, 2.0, domain="qonnx.custom_op.general")
    return scores(graph, 144)


@CASES.add("or round so")
def float_weights_round_otherwise(advised):
    graph = floats_first(picture(), False)
    return scores(relu(graph, rounding="ROUND" if advised else "FLOOR"), 144)


@CASES.add("quantise its weights to 8 bits or fewer")
def float_weights_before_thresholds(advised):
    graph = floats_first(picture(), advised)
    thresholds = 0.11 + np.arange(12).reshape(4, 3) / 4
    graph.then("MultiThreshold", thresholds, domain="qonnx.custom_op.general", out_dtype="UINT2")
    return scores(graph, 144)


@CASES.add("quantise them to at most 8 bits")
def float_weights_on_a_picture_in_groups(advised):
    graph = picture().quant(1 / 256, 8)
    if advised:
        conv(graph, 3, 3, group=3)
    else:
        graph.then("Conv", floats(3, 1, 3, 3), group=3)
    return scores(relu(graph), 108)
