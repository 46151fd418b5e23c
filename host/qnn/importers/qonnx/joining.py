# SPDX-License-Identifier: BSD-3-Clause
"""Nodes that read several feature maps: Add, and Concat along the channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qnn.importers.qonnx.feature import Feature, Held, Sum
from qnn.importers.qonnx.fold import through
from qnn.importers.qonnx.graph import MAX_MAP, Array, Node
from qnn.importers.qonnx.reading import Reading
from qnn.importers.qonnx.settling import as_one, settled
from qnn.importers.qonnx.sums import is_even, of_values, require_equal
from qnn.network import MaxPool, describe

MAX_SIDE_BY_SIDE = 256  # maps


def added(reading: Reading, node: Node, one: Feature, other: Feature) -> Feature:
    """Two feature maps, added.

    Raises:
        NetworkError: one is not quantised, or they are of different shapes.
    """
    features = [_ready(reading, node, feature) for feature in (one, other)]
    require_equal(node, features)
    held, values = [], []
    for feature in features:
        assert isinstance(feature.source, Held)
        held.append(feature.source)
        values.append(through(feature.steps, feature.source.values))
    (a, b), (of_a, of_b) = held, values
    like = replace(features[0], steps=())
    if a.names == b.names:
        return replace(like, source=of_values(node, like, a, of_a + of_b))
    a, b = (
        as_one(reading, node, feature) if len(feature.source.parts) > 1 else feature.source
        for feature in features
        if isinstance(feature.source, Held)
    )
    return replace(like, source=Sum(node, one.shape, ((a, of_a), (b, of_b))))


def _ready(reading: Reading, node: Node, feature: Feature) -> Feature:
    """A feature whose codes can be added, in even steps."""
    source, steps = feature.source, feature.steps
    if (
        not isinstance(source, Held)
        or any(isinstance(step, MaxPool) for step in steps)
        or not is_even(through(steps, source.values))
    ):
        return settled(reading, node, feature, required=True)
    return feature


def side_by_side(reading: Reading, node: Node, features: Sequence[Feature], count: int) -> Feature:
    """Feature maps side by side along their channels; the node has `count` inputs.

    Raises:
        NetworkError: one is not quantised, or they do not fit beside each other.
    """
    if len(features) < count:
        raise node.refuse("it lays a constant beside a feature map; leave the constant out")
    ready = [settled(reading, node, feature, required=True) for feature in features]
    rows, columns, _ = ready[0].shape
    if any(one.shape[:2] != (rows, columns) for one in ready):
        raise node.refuse(
            f"it lays maps of {', '.join(describe(one.shape) for one in ready)} side by "
            "side; use maps of the same rows and columns"
        )
    parts = [part for one in ready if isinstance(one.source, Held) for part in one.source.parts]
    channels = sum(one.shape[2] for one in ready)
    if len(parts) > MAX_SIDE_BY_SIDE or rows * columns * channels > MAX_MAP:
        raise node.refuse(
            f"it lays {len(parts)} maps side by side, {rows}x{columns}x{channels} together; at "
            f"most {MAX_SIDE_BY_SIDE} of {MAX_MAP} values can be: leave some out"
        )
    before, found = 0, list[Array]()
    for one in ready:
        pixel, channel = np.divmod(one.index, one.shape[2])
        found.append(pixel * channels + before + channel)
        before += one.shape[2]
    try:
        index = np.concatenate(found, axis=int(node.attributes.get("axis", 1)))
    except (ValueError, IndexError):
        raise node.refuse(
            f"tensors of {', '.join(describe(one.index.shape) for one in ready)} do not lie "
            "side by side along that axis; use axis = 1"
        ) from None
    if index.shape[0] != 1:
        raise node.refuse("it lays inputs of a batch one behind the other; use axis = 1")
    return Feature(Held(node, tuple(parts)), (rows, columns, channels), index)
