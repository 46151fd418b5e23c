# SPDX-License-Identifier: BSD-3-Clause
"""Which maps layers read, and what is refused."""

import numpy as np
import pytest
from random_networks import network_of, plain_conv, random_conv

from qnn.errors import NetworkError
from qnn.network import Head
from qnn.network.result import FloatScores
from qnn.network.wiring import OUTSIDE, chain, part, readers, side_by_side


def test_each_group_reads_its_share_of_every_map():
    one, other = np.arange(4), 10 + np.arange(6)
    assert side_by_side([one]) is one
    assert side_by_side([one, other]).tolist() == [*range(4), *range(10, 16)]
    assert side_by_side([one, other], 2).tolist() == [0, 1, 10, 11, 12, 2, 3, 13, 14, 15]


def test_parts_of_a_wiring():
    assert chain(3) == ((OUTSIDE,), (0,), (1,))
    wiring = ((OUTSIDE,), (0,), (0, 1), (2,))
    assert part(wiring, slice(1, 4)) == ((OUTSIDE,), (OUTSIDE, 0), (1,))
    assert readers(wiring) == [[1, 2], [2], [3], []]


def layers():
    rng = np.random.default_rng(0)
    return (
        random_conv(rng, (5, 5, 2), 4, (1, 1), name="a"),
        random_conv(rng, (5, 5, 4), 4, (1, 1), name="b"),
        random_conv(rng, (5, 5, 8), 3, (5, 5), name="c", levels=None),
    )


def test_a_layer_reads_what_is_named():
    network = network_of(*layers(), inputs={"c": ("a", "b")})
    assert network.wiring == ((OUTSIDE,), (0,), (0, 1)) and network.outputs == (2,)


RESULT = FloatScores((), np.zeros(4, np.float32))
REFUSED = {
    "layer c cannot read a, d": {"inputs": {"c": ("a", "d")}},
    "layer d cannot read a": {"inputs": {"c": ("a", "b"), "d": ("a",)}},
    "layer c cannot read $": {"inputs": {"c": ()}},
    "layer b: it reads a layer that stands behind it": {"inputs": {"c": ("a", "b"), "b": ("c",)}},
    "layer b: nothing reads what it gives": {"inputs": {"c": ("a", "a")}},
    "layer c: it reads 5x5x8, but the maps side by side give 5x5x6": {"inputs": {"c": ("a", "")}},
    "output boxes is of no layer": {
        "inputs": {"c": ("a", "b")}, "heads": (Head("boxes", "d", RESULT),),
    },
    "4 classes want a map of 1x1x4": {
        "inputs": {"c": ("a", "b")}, "heads": (Head("boxes", "b", RESULT),),
    },
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSED)
def test_what_does_not_fit_is_refused(reason):
    with pytest.raises(NetworkError, match=reason):
        network_of(*layers(), **REFUSED[reason])


def test_maps_of_other_sides_are_no_neighbours():
    a, _, c = layers()
    smaller = plain_conv(name="b", in_shape=(5, 5, 4))
    with pytest.raises(NetworkError, match="5x5x4, 3x3x2 cannot lie side by side"):
        network_of(a, smaller, c, inputs={"c": ("a", "b")})
