# SPDX-License-Identifier: BSD-3-Clause
"""Each map has one place in memory, so one neighbour on either side."""

from qnn.importers.qonnx.neighbours import Neighbours


def test_maps_that_lie_so_already_can_lie_so_again():
    neighbours = Neighbours()
    neighbours.lay(["a", "b", "c"])
    assert neighbours.can_lie(["a", "b"]) and neighbours.can_lie(["c", "d"])
    assert neighbours.can_lie(["d"]) and neighbours.can_lie(["d", "a"])


def test_no_map_lies_at_two_places():
    neighbours = Neighbours()
    neighbours.lay(["a", "b", "c"])
    assert not neighbours.can_lie(["a", "c"])  # behind a lies b
    assert not neighbours.can_lie(["d", "b"])  # before b lies a
    assert not neighbours.can_lie(["b", "a"]) and not neighbours.can_lie(["d", "d"])
