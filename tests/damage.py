# SPDX-License-Identifier: BSD-3-Clause
"""Damaged documents and files, as hypothesis draws them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

WRONG_VALUES = (
    None,
    True,
    False,
    -1,
    0,
    1,
    2,
    3,
    7,
    64,
    255,
    2**24,
    2**24 + 1,
    2**63,
    10**400,
    -(10**400),
    0.5,
    1.0,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "conv1",
    "\0",
    "\ud800",
    "../../x",
    "x" * 5000,
    [],
    {},
    [[]],
    [1],
    [0, 0],
    [1, 2, 3],
    [2**24] * 3,
    [1, 1, 1, 1],
    ["x", "y"],
    [1, True, None],
)


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in a JSON document, the document itself first."""
    yield path
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _places(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _places(value, (*path, index))


@st.composite
def damaged_documents(draw: st.DrawFn, document: Any) -> Any:
    """The document with one or two of its values replaced, deleted, doubled or exchanged."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 2))):
        places = list(_places(document))
        path = draw(st.sampled_from(places))
        action = draw(st.sampled_from(["replace", "replace", "delete", "double", "exchange"]))
        if not path:
            if action == "replace":
                return copy.deepcopy(draw(st.sampled_from(WRONG_VALUES)))
            continue
        *above, last = path
        parent = document
        for key in above:
            parent = parent[key]
        if action == "delete":
            del parent[last]
        elif action == "double" and isinstance(parent, list):
            parent.insert(last, copy.deepcopy(parent[last]))
        elif action == "exchange":
            other = document
            for key in draw(st.sampled_from(places)):
                other = other[key]
            parent[last] = copy.deepcopy(other)
        else:
            parent[last] = copy.deepcopy(draw(st.sampled_from(WRONG_VALUES)))
    return document


@st.composite
def damaged_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """The content with some bytes altered, inserted, or cut off."""
    damaged = bytearray(content)
    action = draw(st.sampled_from(["alter", "alter", "insert", "remove", "cut"]))
    if action == "cut":
        return bytes(damaged[: draw(st.integers(0, len(damaged)))])
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(damaged) - 1, 0)))
        value = draw(st.integers(0, 255))
        if action == "insert":
            damaged.insert(place, value)
        elif action == "remove":
            del damaged[place : place + 1 + value % 9]
        elif damaged:
            damaged[place] = value
    return bytes(damaged)
