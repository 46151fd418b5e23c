# SPDX-License-Identifier: BSD-3-Clause
"""What a network should take on an accelerator, layer by layer."""

import numpy as np
import random_networks
from random_networks import network_of, random_conv

from qnn.engine import estimate
from qnn.engine.capabilities import Capabilities
from qnn.engine.placement import on_host, place_network
from qnn.engine.program import compile_layers
from qnn.measure import forecast

CAPABILITIES = Capabilities()


def three(rng: np.random.Generator):
    return network_of(
        *(random_conv(rng, (6, 6, 8), 8, (3, 3), name=n, padding=(1, 1, 1, 1)) for n in "abc")
    )


def test_each_layer_has_the_cycles_of_its_commands():
    network = three(np.random.default_rng(1))
    found = forecast.layer_cycles(network, place_network(network, CAPABILITIES), CAPABILITIES)
    program = compile_layers(network.layers, CAPABILITIES)
    assert found == estimate.each(program, CAPABILITIES).tolist()
    places = place_network(network, CAPABILITIES)
    assert forecast.cycles(network, places, CAPABILITIES) == sum(found)


def test_layers_of_the_host_have_none():
    network = three(np.random.default_rng(1))
    places = place_network(network, CAPABILITIES, {"b": "host"})
    a, b, c = forecast.layer_cycles(network, places, CAPABILITIES)
    assert a > 0 and b is None and c > 0
    assert forecast.cycles(network, places, CAPABILITIES) == a + c
    nowhere = on_host(network.layers)
    assert forecast.layer_cycles(network, nowhere, CAPABILITIES) == [None] * 3
    assert forecast.cycles(network, nowhere, CAPABILITIES) == 0


def test_a_float_first_layer_and_fully_connected_ones_have_theirs():
    network = random_networks.KINDS["connected"](np.random.default_rng(1))
    found = forecast.layer_cycles(network, place_network(network, CAPABILITIES), CAPABILITIES)
    assert [one is None for one in found] == [False, False, False, True]
