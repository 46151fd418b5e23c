# SPDX-License-Identifier: BSD-3-Clause
"""A layer that moves values: what it says of itself, what does not fit, and what it gives."""

import numpy as np
import pytest

from qnn import store
from qnn.backends.host_layers import HostLayers
from qnn.errors import NetworkError
from qnn.network import Network, Rearrange
from qnn_sim import golden_network

PLACES = np.random.default_rng(2).integers(0, 24, (4, 6, 5)).astype(np.int32)


def layer(**changes):
    return Rearrange(
        **{"name": "move1", "in_shape": (2, 4, 3), "in_bits": 3, "places": PLACES} | changes
    )


@pytest.mark.parametrize(("bits", "dtype"), [(3, np.uint8), (None, np.float64)])
def test_facts(bits, dtype):
    one = layer(in_bits=bits)
    assert (one.out_shape, one.out_bits, one.out_dtype, one.macs) == ((4, 6, 5), bits, dtype, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"in_bits": 9}, "9-bit codes"),
        ({"in_shape": (0, 4, 3)}, "bad input"),
        ({"places": PLACES.astype(np.int64)}, "places int64 4x6x5"),
        ({"places": PLACES[0]}, "places int32 6x5"),
        ({"places": PLACES - 1}, "places from -1"),
        ({"places": PLACES + 1}, "to 24 in a map of 2x4x3"),
    ],
)
def test_what_does_not_fit(changes, message):
    with pytest.raises(NetworkError, match=message):
        layer(**changes)


def test_values_and_the_golden_model():
    maps = np.random.default_rng(3).integers(0, 8, (2, 2, 4, 3)).astype(np.uint8)
    found = HostLayers([layer()])(maps)
    assert found.shape == (2, 4, 6, 5)
    assert found[1, 3, 2, 4] == maps[1].reshape(-1)[PLACES[3, 2, 4]]
    for one, out in zip(maps, found, strict=True):
        assert np.array_equal(golden_network.run_layer(layer(), one), out)


@pytest.mark.parametrize("bits", [3, None])
def test_on_disk(bits, tmp_path):
    network = Network("moved", "Moved", "classify", (), (layer(in_bits=bits),))
    store.save(network, tmp_path)
    (found,) = store.load(tmp_path).layers
    assert isinstance(found, Rearrange)
    assert (found.in_shape, found.in_bits) == ((2, 4, 3), bits)
    assert np.array_equal(found.places, PLACES)
