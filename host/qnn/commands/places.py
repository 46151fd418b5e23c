# SPDX-License-Identifier: BSD-3-Clause
"""Where the layers of a network run, as it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from qnn.engine.placement import Place
from qnn.network import Layer


def sentences(layers: Sequence[Layer], places: Sequence[Place]) -> list[str]:
    """A line for each run of layers with the same place: "conv1 to conv4: accelerator (why)"."""
    found = []
    for place, group in groupby(zip(layers, places, strict=True), key=lambda pair: pair[1]):
        names = [layer.name for layer, _ in group]
        span = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        found.append(f"{span}: {place.where} ({place.why})")
    return found


def spans(layers: Sequence[Layer], places: Sequence[Place]) -> list[str]:
    """The same without reasons: "conv1 to conv4: accelerator"."""
    found = []
    for where, group in groupby(zip(layers, places, strict=True), key=lambda pair: pair[1].where):
        names = [layer.name for layer, _ in group]
        found.append(f"{names[0]}{f' to {names[-1]}' if len(names) > 1 else ''}: {where}")
    return found


def documents(layers: Sequence[Layer], places: Sequence[Place]) -> list[dict[str, object]]:
    """The same, for JSON, layer by layer."""
    return [
        {"layer": layer.name, "where": place.where, "why": place.why}
        for layer, place in zip(layers, places, strict=True)
    ]
