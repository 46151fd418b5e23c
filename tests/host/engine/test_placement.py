# SPDX-License-Identifier: BSD-3-Clause
"""Every layer has its place and the reason for it."""

import dataclasses

import numpy as np
import pytest
import random_networks
from random_networks import network_of, random_conv

from qnn.compute.dense import BinaryDense
from qnn.engine.capabilities import Capabilities
from qnn.engine.placement import (
    accelerated,
    hosted,
    integer_layers,
    integer_run,
    on_host,
    place,
    place_network,
)
from qnn.errors import BackendError
from qnn.measure.random_dorefanet import random_dorefanet
from qnn.network import Conv, Dense
from qnn.network.wiring import OUTSIDE

CAPABILITIES = Capabilities()
RNG = np.random.default_rng(1)


def where(places) -> str:
    """A letter a layer: h for host, A for accelerator."""
    return "".join({"host": "h", "accelerator": "A"}[one.where] for one in places)


def chain(*kinds: str):
    """Layers on 8x8x4 codes: c a convolution the accelerator takes, C one of many more products,
    x one it cannot take, of too many kernel rows."""
    layers = []
    for number, kind in enumerate("".join(kinds)):
        facts = {"name": f"{kind}{number}", "padding": (1, 1, 1, 1)}
        if kind == "C":
            facts |= {"padding": (3, 3, 3, 3)}
        if kind == "x":
            facts |= {"padding": (8, 0, 8, 0)}
        kernel = {"c": (3, 3), "C": (7, 7), "x": (17, 1)}[kind]
        layers.append(random_conv(RNG, (8, 8, 4), 4, kernel, **facts))
    return layers


def test_dorefanet():
    layers = random_dorefanet().layers
    places = place(layers, CAPABILITIES)
    assert where(places) == "hAAAAAAh"
    assert places[0].why == "only the first layer behind a picture can be one of floats there"
    assert places[7].why == "float64 sums; the accelerator sums integers"
    assert {one.why for one in places[1:5]} == {"integer codes and weights"}
    assert {one.why for one in places[5:7]} == {"sums of bits and codes; the host scales each sum"}
    assert accelerated(places) == slice(1, 7)
    assert integer_run(layers) == slice(1, 5)
    assert integer_layers(layers) == layers[1:5]


def test_a_float_first_layer_of_a_picture():
    """On the accelerator, but where the user wishes it on the host."""
    network = random_networks.KINDS["connected"](np.random.default_rng(1))
    places = place_network(network, CAPABILITIES)
    assert where(places) == "AAAh"
    assert places[0].why == "16-bit products; the host mends what is in doubt"
    places = place_network(network, CAPABILITIES, {network.layers[0].name: "host"})
    assert (where(places), places[0].why) == ("hAAh", "as wished")


@pytest.mark.parametrize("kind", random_networks.KINDS)
def test_every_kind(kind):
    layers = random_networks.KINDS[kind](np.random.default_rng(2)).layers
    places = place(layers, CAPABILITIES)
    for layer, one in zip(layers, places, strict=True):
        of_bits = isinstance(layer, Dense) and isinstance(layer.matrix, BinaryDense)
        assert (one.where == "accelerator") == (isinstance(layer, Conv) or of_bits)
        assert one.why and "\n" not in one.why


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("c", "A"),
        ("ccc", "AAA"),
        ("xcc", "hAA"),
        ("ccx", "AAh"),
        ("cxcc", "AhAA"),
        ("ccxc", "AAhA"),
        ("xcxxcx", "hAhhAh"),
        ("xx", "hh"),
    ],
)
def test_the_accelerator_takes_all_that_it_can(kinds, expected):
    layers = chain(kinds)
    places = place(layers, CAPABILITIES)
    assert where(places) == expected
    for layer, one in zip(layers, places, strict=True):
        if layer.name[0] == "x":
            assert "17 kernel rows" in one.why
    run = accelerated(places)
    inside = expected[run]
    assert inside == expected.strip("h")
    assert hosted(places, run) == [n for n, letter in enumerate(inside) if letter == "h"]


@pytest.mark.parametrize(
    ("kinds", "reads", "expected", "span"),
    [
        ("cccC", [(0,), (1,), (OUTSIDE,)], "hhhA", "C3"),  # the run with the most products
        ("ccCc", [(0,), (OUTSIDE,), (2,)], "hhAA", "C2 to c3"),
        ("cccc", [(0,), (OUTSIDE,), (2,)], "AAhh", "c0 to c1"),  # of equals the first
        ("cxcc", [(0,), (1,), (OUTSIDE,)], "AhAh", "c0 to c2"),
    ],
)
def test_only_the_first_of_a_run_reads_what_lies_outside(kinds, reads, expected, span):
    layers = chain(kinds)
    places = place(layers, CAPABILITIES, wiring=((OUTSIDE,), *reads))
    assert where(places) == expected
    for layer, one in zip(layers, places, strict=True):
        if one.where == "host" and layer.name[0] != "x":
            assert one.why == f"the accelerator takes one run of layers, here {span}"


def test_a_layer_of_more_groups_than_a_list_has_commands():
    """It is judged as the driver lays it out, of fewer groups; not where it reads several maps."""
    groups = 2 * CAPABILITIES.commands
    rng = np.random.default_rng(2)
    one = random_conv(rng, (6, 6, 3), groups, (1, 1), name="one")
    facts = {"groups": groups, "padding": (1, 1, 1, 1), "levels": 3}
    two = random_conv(rng, (6, 6, groups), groups, (3, 3), name="two", **facts)
    assert where(place([one, two], CAPABILITIES)) == "AA"
    both = random_conv(rng, (6, 6, 2 * groups), groups, (3, 3), name="both", **facts)
    places = place([one, two, both], CAPABILITIES, wiring=((OUTSIDE,), (0,), (0, 1)))
    assert where(places) == "AAh" and "a layer of 128 commands" in places[2].why


def test_capabilities_decide():
    layers = chain("ccc")
    assert where(place(layers, CAPABILITIES)) == "AAA"
    few = dataclasses.replace(CAPABILITIES, planes=1)  # they read 2-bit codes
    places = place(layers, few)
    assert where(places) == "hhh" and "2 activation planes" in places[0].why
    assert accelerated(places) == slice(0, 0)


def test_a_wish_for_the_host():
    layers = chain("cCcc")
    assert where(place(layers, CAPABILITIES, {"c0": "host"})) == "hAAA"
    assert where(place(layers, CAPABILITIES, {"C1": "host"})) == "AhAA"
    assert place(layers, CAPABILITIES, {"C1": "host"})[1].why == "as wished"


@pytest.mark.parametrize(
    ("shape", "less", "sentence"),
    [
        ((1, 1, 70_000), {}, "1094 weight words for 64 outputs; the accelerator holds 512"),
        ((17, 1, 3), {}, "1 weight passes and 17 kernel rows; the accelerator has 8, 15 and 16"),
        ((6, 6, 256), {"window_words": 200}, "window buffer"),
        ((6, 6, 256), {"planes": 1}, "2 activation planes"),
    ],
)
def test_a_fully_connected_layer_that_is_too_large_runs_on_the_host(shape, less, sentence):
    layer = random_networks.random_dense(RNG, shape, 40)
    (place_of_it,) = place([layer], dataclasses.replace(CAPABILITIES, **less))
    assert place_of_it.where == "host" and sentence in place_of_it.why
    assert "\n" not in place_of_it.why and "layer fc" not in place_of_it.why


def test_fully_connected_layers_stay_on_the_host_where_that_is_wished():
    layers = random_dorefanet().layers
    places = place(layers, CAPABILITIES, {"fc0": "host"})
    assert where(places) == "hAAAAhAh"
    assert places[5].why == "as wished"
    assert where(place(layers, CAPABILITIES, {"fc1": "host"})) == "hAAAAAhh"


def test_a_wish_for_the_accelerator():
    layers = chain("Cxc")
    wiring = ((OUTSIDE,), (0,), (OUTSIDE,))
    assert where(place(layers, CAPABILITIES, wiring=wiring)) == "Ahh"
    assert where(place(layers, CAPABILITIES, {"c2": "accelerator"}, wiring=wiring)) == "hhA"
    with pytest.raises(BackendError, match=r"layer x1 cannot run on the accelerator: .*17 kernel"):
        place(layers, CAPABILITIES, {"x1": "accelerator"})
    with pytest.raises(BackendError, match="layers C0, c2 cannot run on the accelerator together"):
        wish = {"C0": "accelerator", "c2": "accelerator"}
        place(layers, CAPABILITIES, wish, wiring=wiring)


def test_a_wish_for_a_layer_that_is_not_there():
    with pytest.raises(BackendError, match="there is no layer conv9 to be placed; known: c0, c1"):
        place(chain("cc"), CAPABILITIES, {"conv9": "host"})


def test_without_an_accelerator():
    layers = chain("cc")
    assert where(on_host(layers)) == "hh"
    assert {one.why for one in on_host(layers)} == {"this backend has no accelerator"}


def test_without_integer_layers():
    layers = [layer for layer in random_dorefanet().layers if isinstance(layer, Dense)]
    assert integer_run(layers) == slice(0, 0) and integer_layers(layers) == ()
    assert network_of(*layers).macs == sum(layer.macs for layer in layers)
