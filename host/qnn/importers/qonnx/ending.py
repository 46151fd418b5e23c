# SPDX-License-Identifier: BSD-3-Clause
"""How a graph ends: what is behind its last quantiser, and how its last tensor lies in the map."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from qnn.importers.qonnx.feature import Feature
from qnn.importers.qonnx.graph import Node
from qnn.importers.qonnx.steps import Clip, Step, sign
from qnn.network import MaxPool, describe
from qnn.network.arithmetic import Arithmetic


def parted(
    node: Node, steps: Sequence[Step], last: int, channels: int
) -> tuple[tuple[Step, ...], tuple[Arithmetic | Clip, ...]]:
    """Steps up to the last quantiser with all pools, and the others behind it.

    Raises:
        NetworkError: a pool stands behind a step that descends.
    """
    inside, behind = list(steps[: last + 1]), list[Arithmetic | Clip]()
    for step in steps[last + 1 :]:
        if isinstance(step, MaxPool):
            if any((sign(one, channels) < 0).any() for one in behind):
                raise node.refuse(
                    "a max-pool stands behind a quantiser and a negative gain; put the pool before "
                    "the gain"
                )
            inside.append(step)
        else:
            assert isinstance(step, Arithmetic | Clip)
            behind.append(step)
    return tuple(inside), tuple(behind)


def layout_of(node: Node, feature: Feature) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How the last tensor lies in the map: axes and shape of a qnn.network.result.FloatMap.

    Raises:
        NetworkError: in another order than a Transpose and a Reshape make.
    """
    found = _layout(feature)
    if found is not None:
        return found
    raise node.refuse(
        f"the network ends with a tensor of {describe(feature.index.shape)} in another order than "
        f"the map of {describe(feature.shape)}, and is not quantised; put a quantiser of 8 bits or "
        "fewer behind it, or remove what moves its values"
    )


def lies_otherwise(feature: Feature) -> bool:
    """Whether the last tensor has no `layout_of`."""
    return _layout(feature) is None


def _layout(feature: Feature) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    index = feature.index
    elements = np.arange(math.prod(feature.shape)).reshape(feature.shape)
    for axes in itertools.permutations(range(3)):
        if np.array_equal(elements.transpose(axes).reshape(-1), index.reshape(-1)):
            return axes, index.shape[1:] if index.shape[0] == 1 else index.shape
    return None
