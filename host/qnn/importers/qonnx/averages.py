# SPDX-License-Identifier: BSD-3-Clause
"""Average pools, exact in integers: a layer whose weights are 1, and the division in its unit.

An average between sums and what reads them without a quantiser is no layer of its own: sums of sums
are sums, with weights that are added up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from qnn.importers.qonnx.elementwise import Parameters
from qnn.importers.qonnx.feature import Codes, Feature, Products
from qnn.importers.qonnx.fold import last_quantizer
from qnn.importers.qonnx.graph import Array, Node
from qnn.importers.qonnx.inputs import as_map
from qnn.importers.qonnx.layout import lying, places
from qnn.importers.qonnx.rounding import ROUNDINGS
from qnn.importers.qonnx.steps import is_linear
from qnn.importers.qonnx.weights import LARGEST
from qnn.importers.qonnx.windows import Windows, strides_of, windows_of
from qnn.network import Shape, describe

AVERAGES = ("AveragePool", "GlobalAveragePool", "ReduceMean")
Read = Callable[[Feature, Shape], Codes]


def average(node: Node, feature: Feature, parameters: Parameters, read: Read) -> Feature:
    """The averages of a node of type AVERAGES.

    Args:
        node: the average.
        feature: what it reads.
        parameters: its inputs, as in qnn.importers.qonnx.elementwise.
        read: ends the layer that gives a feature, which is now to be read in that shape.

    Raises:
        NetworkError: its windows are none of the accelerator.
    """
    sides, node, keep = _as_pool(node, feature, parameters)
    feature = as_map(node, feature)
    place = _windows(node, feature.shape)
    rows, columns = place.counts(feature.shape[:2])
    shape = (rows, columns, feature.shape[2])
    index = lying(places(shape), sides, node.channels_last) if keep else places(shape)[:, :, 0, 0]
    source = feature.source
    if isinstance(source, Products) and last_quantizer(feature.steps) is None:
        return _of_sums(node, feature, source, place, Feature(source, shape, index))
    codes = read(feature, feature.shape)
    if any(place.padding) and codes.zero:
        raise node.refuse(
            f"it pads with 0, but the lowest level of its input is {codes.zero:g}; use no padding, "
            "or an activation whose lowest level is 0 (ReLU)"
        )
    channels, (height, width) = feature.shape[2], place.kernel
    each: Array = np.eye(channels, dtype=np.int64)[:, None, None, :]
    count = height * width
    exact = codes.exact and count & (count - 1) == 0
    products = Products(
        node=node,
        in_shape=feature.shape,
        in_bits=codes.bits,
        top=codes.top,
        weight=np.broadcast_to(each, (channels, height, width, channels)),
        unit=np.broadcast_to(codes.step if codes.steps is None else codes.steps, channels) / count,
        offset=np.broadcast_to(codes.zero if codes.zeros is None else codes.zeros, channels),
        strides=strides_of(node, place, feature.shape[:2]),
        padding=place.padding,
        stray=np.full(channels, 0.0 if exact else ROUNDINGS),
        averaged=codes,
        sources=codes.sources,
    )
    return Feature(products, shape, index)


def spread_over(products: Products, weight: Array) -> Array:
    """Weights of averages, float32 (O, rows, columns, C), as weights of what is averaged.

    float32 (O, H, W, C), not yet divided by the size of a window.
    """
    top, left, _, _ = products.padding
    rows, columns, channels = products.in_shape
    height, width = products.weight.shape[1:3]
    if weight.shape[1:3] == (1, 1) and (height, width) == (rows, columns):
        return np.broadcast_to(weight, (len(weight), rows, columns, channels))
    spread: Array = np.zeros((len(weight), rows, columns, channels), np.float64)
    for down in range(weight.shape[1]):
        for across in range(weight.shape[2]):
            y, x = down * products.strides[0] - top, across * products.strides[1] - left
            inside = slice(max(y, 0), y + height), slice(max(x, 0), x + width)
            spread[:, inside[0], inside[1]] += weight[:, down, across][:, None, None]
    return spread.astype(np.float32)


def _as_pool(node: Node, feature: Feature, parameters: Parameters) -> tuple[int, Node, bool]:
    """Sides of the tensor; the node as one of its maps; whether its sides stay."""
    sides = feature.index.ndim
    if node.op != "ReduceMean":
        return sides, node, True
    given = parameters[1] if len(parameters) > 1 else None
    axes = node.attributes.get("axes") if given is None else given.reshape(-1).tolist()
    found = sorted(int(axis) % sides for axis in axes or ())
    last = found == list(range(1, sides - 1))
    if sides not in (3, 4) or not (last or found == list(range(2, sides))):
        raise node.refuse(
            f"it takes the mean along axes {found} of a tensor of shape {feature.index.shape}; "
            "take it along rows and columns, all of them"
        )
    attributes = node.attributes | {"channels_last": last}
    return sides, replace(node, attributes=attributes), bool(node.attributes.get("keepdims", 1))


def _windows(node: Node, shape: Shape) -> Windows:
    if node.op != "AveragePool":
        return Windows((shape[0], shape[1]), (1, 1), (0, 0, 0, 0), (1, 1))
    place = windows_of(node, shape[:2], tuple(node.attributes.get("kernel_shape", ())))
    if place.dilations != (1, 1):
        raise node.refuse(f"dilations {place.dilations}; use a dense kernel")
    if min(place.counts(shape[:2])) < 1:
        raise node.refuse(
            f"its kernel of {describe(place.kernel)} does not fit into a map of {describe(shape)}; "
            f"use a kernel of at most {describe(place.largest_kernel(shape[:2]))}"
        )
    if any(place.padding) and not node.attributes.get("count_include_pad"):
        raise node.refuse(
            f"pads {place.padding} that it does not count; use no padding, or count_include_pad = 1"
        )
    if node.attributes.get("ceil_mode"):
        raise node.refuse("its last window reaches over the map (ceil_mode); use ceil_mode = 0")
    return place


def _of_sums(
    node: Node, feature: Feature, source: Products, place: Windows, to: Feature
) -> Feature:
    """The average of sums that are not quantised: one sum, over the whole map."""
    linear = all(is_linear(step) for step in feature.steps)
    if not linear or to.shape[:2] != (1, 1) or any(place.padding):
        raise node.refuse(
            f"it averages what node {source.node.name!r} gives, which is not quantised; put an "
            "activation quantiser of 8 bits or fewer between them, or average the whole map"
        )
    top, left, bottom, right = source.padding
    rows, columns, _ = source.in_shape
    outputs, height, width, per_group = source.weight.shape
    summed: Array = np.zeros((outputs, rows + top + bottom, columns + left + right, per_group), int)
    for down in range(feature.shape[0]):
        for across in range(feature.shape[1]):
            y, x = down * source.strides[0], across * source.strides[1]
            summed[:, y : y + height, x : x + width] += source.weight
    if np.abs(summed).max(initial=0) > LARGEST:
        raise node.refuse(
            f"it averages the sums of node {source.node.name!r}, whose weights add up to "
            f"{np.abs(summed).max()} over the map, and {LARGEST} is the most; quantise what it "
            "averages to 8 bits or fewer before it"
        )
    count = feature.shape[0] * feature.shape[1]
    products = replace(
        source,
        weight=summed[:, top : top + rows, left : left + columns],
        unit=source.unit / count,
        strides=(1, 1),
        padding=(0, 0, 0, 0),
        stray=np.full(outputs, ROUNDINGS),
        averaged=None,
    )
    return replace(to, source=products, steps=feature.steps)
