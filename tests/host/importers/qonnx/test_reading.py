# SPDX-License-Identifier: BSD-3-Clause
"""A layer is ended once for each way in which it is read."""

from dataclasses import replace

import numpy as np

from qnn.importers.qonnx.feature import Feature, Products
from qnn.importers.qonnx.graph import Node
from qnn.importers.qonnx.layers import Layers
from qnn.importers.qonnx.layout import places
from qnn.importers.qonnx.reading import Reading
from qnn.importers.qonnx.steps import Bipolar

SHAPE = (2, 2, 3)
STEPS = (Bipolar(np.float32(2)),)


def products(name: str, outputs: int) -> Feature:
    weight = np.ones((outputs, 1, 1, 3), int)
    node = Node("Conv", name, (), (), {})
    source = Products(node, SHAPE, 2, 3, weight, np.ones(outputs), np.zeros(outputs))
    shape = (2, 2, outputs)
    return Feature(source, shape, places(shape), STEPS)


def test_a_layer_that_is_read_again():
    """Behind another one, which was ended meanwhile, it is itself that is read, and the same."""
    reading = Reading(Layers())
    one, other = products("one", 4), products("other", 5)
    levels = reading.fold(one.source.node, one)
    parts = reading.parts
    reading.fold(other.source.node, other)
    assert [part.channels for part in reading.parts] == [5]
    again = reading.fold(other.source.node, one)
    assert reading.parts is parts and again is levels
    assert [part.channels for part in parts] == [4]
    assert [layer.outputs for layer in reading.made.convs] == [4, 5]
    reading.fold(one.source.node, replace(one, steps=(Bipolar(np.float32(3)),)))
    assert [layer.outputs for layer in reading.made.convs] == [4, 5, 4]
    reading.forget()
    reading.fold(one.source.node, one)
    assert reading.parts is not parts and len(reading.made.convs) == 4
