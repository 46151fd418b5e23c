# SPDX-License-Identifier: BSD-3-Clause
"""Refusals of quantisers, of operators on single values, and of constants."""

import numpy as np
from foreign_qonnx import QONNX, Graph

from advised.case import Cases, conv, floats, numbers, relu, scores, ternary

CASES = Cases()


def followed(graph: Graph) -> Graph:
    """A map of 4x4, quantised, and scores."""
    return scores(relu(graph), 64)


@CASES.add("store what it computes")
def computed_constants(advised):
    graph = conv(numbers())
    bias = np.log1p(np.arange(4.0)).reshape(1, 4, 1, 1)
    if advised:
        return followed(graph.then("Add", bias))
    name = graph.node("Log", graph.constant(1 + np.arange(4.0).reshape(1, 4, 1, 1)))
    return followed(graph.then("Add", name))


@CASES.add("store what it computes")
def a_large_constant(advised):
    graph, side = conv(numbers()), 2100
    if advised:
        return followed(graph.then("Mul", 1.0))
    product = graph.node(
        "Mul", graph.constant(np.ones((side, 1))), graph.constant(np.ones((1, side)))
    )
    row = graph.node("Gather", product, graph.constant(0, np.int64), axis=0)
    return followed(graph.then("Mul", graph.node("Gather", row, graph.constant(0, np.int64))))


@CASES.add("multiply by a constant instead")
def a_division_by_the_map(advised):
    graph = conv(numbers())
    if advised:
        return followed(graph.then("Mul", 0.5))
    graph.tensor = graph.node("Div", graph.constant(2.0), graph.tensor)
    return followed(graph)


@CASES.add("export the model in evaluation mode", compared=False)
def in_training(advised):
    graph, ones = conv(numbers()), np.ones(4)
    graph.then("BatchNormalization", ones, ones, ones, ones, training_mode=0 if advised else 1)
    return followed(graph)


@CASES.add("export the model in evaluation mode", compared=False)
def dropped_out(advised):
    graph = relu(conv(numbers()))
    training = graph.constant(not advised, np.bool_)
    return scores(graph.then("Dropout", 0.5, training), 64)


@CASES.add("use one from 0 on")
def a_slope_that_falls(advised):
    return followed(conv(numbers()).then("LeakyRelu", alpha=0.25 if advised else -0.25))


@CASES.add("use positive ones")
def an_elu_that_falls(advised):
    return followed(conv(numbers()).then("Elu", alpha=1.0 if advised else -1.0))


@CASES.add("use a positive slope")
def a_hard_sigmoid_that_falls(advised):
    return followed(conv(numbers()).then("HardSigmoid", alpha=0.25 if advised else -0.25))


def thresholds(graph: Graph, rows: int, **attributes) -> Graph:
    found = np.arange(3 * rows).reshape(rows, 3) / 4
    return graph.then("MultiThreshold", found, domain=QONNX, out_dtype="UINT2", **attributes)


@CASES.add("leave data_layout out")
def thresholds_of_another_layout(advised):
    graph = numbers(16)
    graph.then("MatMul", graph.weight(ternary(16, 8), 0.5, 2))
    thresholds(graph, 8, **({} if advised else {"data_layout": "NHWC"}))
    return graph.then("MatMul", graph.weight(ternary(8, 3), 0.5, 2))


@CASES.add("wants a matrix of thresholds with 1 row")
def thresholds_of_other_channels(advised):
    return scores(thresholds(conv(numbers()), 1 if advised else 3), 64)


@CASES.add("use a positive one, and turn the sign of the weights behind it")
def thresholds_that_fall(advised):
    graph = thresholds(conv(numbers()), 1, out_scale=0.5 if advised else -0.5)
    weight = (-1 if advised else 1) * ternary(3, 64)
    return graph.then("Flatten").then("Gemm", graph.weight(weight, 0.5, 2), transB=1)


@CASES.add("use one value for a channel")
def a_constant_of_each_pixel(advised):
    shape = (1, 4, 1, 1) if advised else (1, 4, 4, 4)
    constant = np.arange(np.prod(shape)).reshape(shape) / 8
    return followed(conv(numbers()).then("Add", constant))


@CASES.add("quantise to at most 8 bits")
def many_levels(advised):
    graph = relu(conv(numbers()), 1 / 16, 8 if advised else 9)
    return scores(relu(conv(graph)), 16)


@CASES.add("quantise it to 8 bits or fewer")
def far_more_levels(advised):
    graph = conv(numbers()).quant(1 / 16, 8, signed=1)
    if not advised:
        graph = conv(numbers()).quant(2.0**-24, 32, signed=1)
    return scores(relu(conv(graph)), 16)


@CASES.add("turn the sign of the weights behind it")
def quantised_and_turned(advised):
    graph = conv(numbers()).quant(0.5, 2, signed=1)
    graph.then("Mul", 2.0 if advised else -2.0)
    weight = (-1 if advised else 1) * ternary(4, 4, 3, 3)
    return scores(relu(graph.then("Conv", graph.weight(weight, 0.5, 2))), 16)


@CASES.add("use the same steps for all channels")
def levels_cut_off(advised):
    gain = np.array([1, 1, 1, 1] if advised else [1, 2, 3, 4]).reshape(1, 4, 1, 1)
    graph = relu(conv(numbers())).then("Mul", gain).then("Clip", 0.0, 1.5)
    return scores(relu(conv(graph)), 16)


@CASES.add("use one for the whole feature map")
def an_input_scaled_by_channel(advised):
    gain = np.array([1, 1, 1, 1] if advised else [1, 2, 3, 4]).reshape(1, 4, 1, 1)
    return followed(conv(numbers().then("Mul", gain)))


@CASES.add("use smaller scales before it")
def a_scale_without_end(advised):
    graph = relu(conv(numbers())).then("Mul", 2.0 if advised else 3e38)
    return scores(relu(conv(graph)), 16)


@CASES.add("quantise it uniformly")
def uneven_levels(advised):
    graph = relu(conv(numbers())).then("Sigmoid")
    if advised:
        graph.quant(1 / 16, 4)
    return scores(relu(conv(graph)), 16)


@CASES.add("quantise to INT8 or UINT8", compared=False)
def of_another_type(advised):
    graph = conv(numbers())
    graph.then("QuantizeLinear", 0.5, output_dtype=2 if advised else 17)
    return scores(graph.then("DequantizeLinear", 0.5), 64)


@CASES.add("use one for each output", compared=False)
def scales_of_blocks(advised):
    graph = numbers(16)
    names = graph.constant(ternary(16, 4), np.int8), graph.constant([0.5] * 4)
    scale = {"axis": 1} if advised else {"axis": 1, "block_size": 4}
    return graph.then("MatMul", graph.node("DequantizeLinear", *names, **scale))


@CASES.add("which is called DOWN there")
def rounded_to_zero(advised):
    mode = "DOWN" if advised else "ROUND_TO_ZERO"
    return scores(relu(conv(numbers()), rounding=mode), 64)


@CASES.add("use one for the whole feature map")
def zero_points_of_channels(advised):
    zero = 1.0 if advised else np.arange(4.0).reshape(1, 4, 1, 1)
    return scores(conv(numbers()).quant(0.5, 2, zero=zero), 64)


@CASES.add("use one of these")
def maps_multiplied(advised):
    graph = numbers()
    found, start = [], graph.tensor
    for _ in range(2):
        graph.tensor = start
        found.append(relu(conv(graph)).tensor)
    graph.tensor = graph.node("Add" if advised else "Mul", *found)
    return followed(graph)


def operator(op: str, *inputs: object, by: tuple = (), **attributes):
    """A graph with an operator that is refused, or with what it is to be replaced by."""

    def make(advised: bool) -> Graph:
        graph = conv(numbers())
        if not advised:
            return followed(graph.then(op, *inputs, **attributes))
        if by:
            graph.then(*by)
        return followed(graph)

    make.__name__ = f"operator_{op}"
    return make


ONES = np.ones(4)
CASES.add("leave it out, or use one of those in params/README.md")(operator("Erf"))
CASES.add("use Relu")(operator("HardSwish"))
CASES.add("use Relu")(operator("Softplus"))
CASES.add("use Clip")(operator("Max", 0.0, by=("Clip", 0.0)))
CASES.add("use BatchNormalization", compared=False)(
    operator("InstanceNormalization", ONES, ONES, by=("BatchNormalization", ONES, ONES, ONES, ONES))
)


@CASES.add("use a Resize of mode nearest and a Conv")
def made_larger(advised):
    graph = relu(conv(numbers()))
    if advised:
        twice = graph.constant([1, 1, 2, 2])
        graph.then("Resize", "", twice, mode="nearest", nearest_mode="floor",
                   coordinate_transformation_mode="asymmetric")  # fmt: skip
        return scores(relu(conv(graph, pads=[1] * 4)), 256)
    weight = graph.weight(ternary(4, 4, 2, 2), 0.5, 2)
    return scores(relu(graph.then("ConvTranspose", weight, strides=[2, 2])), 256)


@CASES.add("put the padding into the convolution")
def padded_alone(advised):
    graph = relu(conv(numbers()))
    if not advised:
        graph.then("Pad", graph.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    return scores(relu(conv(graph, pads=[1 if advised else 0] * 4)), 64)


@CASES.add("convert it to those", compared=False)
def of_another_domain(advised):
    graph = conv(numbers())
    return followed(graph.then("Relu", domain="" if advised else "com.example"))


@CASES.add("quantise it with Quant instead")
def cast(advised):
    graph = conv(numbers())
    if advised:
        return followed(graph)
    return followed(graph.then("Cast", to=6).then("Cast", to=1))


@CASES.add("quantise them to at most 8 bits")
def weights_of_many_bits(advised):
    graph = Graph((1, 16)).quant(0.25, 4)
    if advised:
        return graph.then("MatMul", graph.weight(ternary(16, 3), 0.5, 2))
    return annotated_floats()


def annotated_floats():
    graph = Graph((1, 3, 8, 8)).quant(1 / 256, 8).then("Flatten")
    return graph.then("MatMul", floats(192, 3))
