# SPDX-License-Identifier: BSD-3-Clause
"""Nodes that rank the scores at the end of a graph: the host does it itself, the largest first.

They leave the scores as they are here, so each is taken only where it ranks as the host does.
"""

from __future__ import annotations

import math

from qnn.importers.qonnx.elementwise import Parameters
from qnn.importers.qonnx.feature import Feature
from qnn.importers.qonnx.graph import Node

PROBABILITIES = ("Softmax", "LogSoftmax")  # may be ranked once more
CHOICES = ("TopK", "ArgMax")  # nothing is left to rank
RANKING = PROBABILITIES + CHOICES


def require_ranking(node: Node, feature: Feature, parameters: Parameters, opset: int) -> None:
    """Checks a node of type RANKING.

    Args:
        node: the one.
        feature: the scores as it reads them.
        parameters: its inputs, as in qnn.importers.qonnx.elementwise.
        opset: of the standard operators, on which the axis depends where none is stated.

    Raises:
        NetworkError: it does not rank all scores, or not as the host does.
    """
    shape, count = feature.index.shape, feature.index.size
    from_axis_on = node.op in PROBABILITIES and opset < 13  # else along one axis
    default = 1 if from_axis_on else 0 if node.op == "ArgMax" else -1
    axis = int(node.attributes.get("axis", default))
    place = axis + len(shape) * (axis < 0)
    ranked = math.prod(shape[place:] if from_axis_on else shape[place : place + 1])
    if not 0 <= place < len(shape) or ranked != count:
        raise node.refuse(
            f"it ranks along axis {axis} of a tensor of shape {shape}, where not all scores lie; "
            "name the axis of the classes, or end the network before it"
        )
    if node.op == "TopK":
        k = parameters[1] if len(parameters) > 1 else None
        if k is None or k.size != 1 or not 1 <= k.item() <= count:
            raise node.refuse(f"it does not take 1 to {count} scores (k); export it with as many")
    if not node.attributes.get("largest", 1):
        raise node.refuse(
            "it ranks the smallest scores first (largest = 0), the host the largest; multiply the "
            "scores by -1 before it, and rank with largest = 1"
        )
    if node.attributes.get("select_last_index"):
        raise node.refuse(
            "of equal scores it takes the last (select_last_index = 1), the host the first; "
            "export it without"
        )
