# SPDX-License-Identifier: BSD-3-Clause
"""Where a MaxPool runs: behind the layer that gives its map, or as a layer of the host."""

from __future__ import annotations

from dataclasses import replace

from qnn.importers.qonnx.feature import Feature, Held
from qnn.importers.qonnx.floats import pooled_codes
from qnn.importers.qonnx.graph import Node
from qnn.importers.qonnx.inputs import as_map
from qnn.importers.qonnx.layout import lying, places
from qnn.importers.qonnx.pools import pools_of, windows_pooled
from qnn.importers.qonnx.reading import Reading
from qnn.importers.qonnx.settling import are_codes, in_one_map
from qnn.network import describe


def max_pool(reading: Reading, node: Node, feature: Feature) -> Feature:
    """The largest values of the windows of a MaxPool node that reads no floats.

    Raises:
        NetworkError: its windows contradict each other; or no pools of the accelerator make them,
            and what it reads is not quantised.
    """
    sides = feature.index.ndim
    feature = as_map(node, feature)
    place = windows_pooled(node, feature.shape[:2])
    pools = pools_of(place, feature.shape[:2])
    shape = (*place.counts(feature.shape[:2]), feature.shape[2])
    index = lying(places(shape), sides, node.channels_last)
    if pools is not None:
        if isinstance(feature.source, Held) and feature.source.shape is None:
            feature = replace(feature, source=replace(feature.source, shape=feature.shape))
        return replace(feature, shape=shape, index=index).then(*pools)
    if not are_codes(feature):
        raise node.refuse(
            f"a kernel of {describe(place.kernel)} with strides {place.strides} and pads "
            f"{place.padding} runs on the host, behind a quantiser; put an activation quantiser of "
            "8 bits or fewer before it, or use a square kernel with the same stride both ways, "
            "such as 2x2 with strides (2, 2)"
        )
    feature, part = in_one_map(reading, node, feature)
    name = reading.made.new_name("pool")
    layer = pooled_codes(place, feature.shape, len(part.levels) - 1, name)
    reading.made.append([layer], (part.layer,))
    return Feature(Held(node, (replace(part, layer=name),)), shape, index)
