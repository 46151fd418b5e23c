# SPDX-License-Identifier: BSD-3-Clause
"""The CPU backend equals the golden model in every value; every backend keeps the protocol."""

import importlib.util

import drawn_layers
import numpy as np
import pytest
import random_networks
from hypothesis import example, given
from hypothesis import strategies as st
from random_networks import network_of, random_codes, random_conv

from qnn.backends import BACKENDS, cpu, open_session
from qnn.errors import BackendError
from qnn.measure.random_dorefanet import random_dorefanet
from qnn.network import Conv, MaxPool
from qnn_sim import golden_network

KINDS = random_networks.KINDS
SEEDS = st.integers(0, 2**32 - 1)


def golden(network, codes):
    """Outputs of every layer, each (N, H, W, C)."""
    return [
        np.stack(maps)
        for maps in zip(*(golden_network.trace(network.layers, one) for one in codes), strict=True)
    ]


def assert_same(found, expected):
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    if found.dtype == np.float64:  # of another order of sums
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    else:
        np.testing.assert_array_equal(found, expected)


class TestEqualsGolden:
    @given(drawn_layers.convs(), st.integers(1, 4), SEEDS)
    @example(random_conv(np.random.default_rng(1), (4, 4, 2), 2, (1, 1), pool=MaxPool(1, 2)), 3, 0)
    def test_every_layer(self, layer, count, seed):
        network = network_of(layer)
        codes = random_codes(np.random.default_rng(seed), network, count)
        (expected,) = golden(network, codes)
        session = cpu.CpuBackend().open(network)
        assert_same(session.run(codes), expected)
        assert_same(next(session.trace(codes)), expected)

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("kind", KINDS)
    def test_networks(self, kind, seed):
        rng = np.random.default_rng(seed)
        network = KINDS[kind](rng)
        codes = random_codes(rng, network, 4)
        session, expected = cpu.CpuBackend().open(network), golden(network, codes)
        assert_same(session.run(codes), expected[-1])
        for found, layer in zip(session.trace(codes), expected, strict=True):
            assert_same(found, layer)

    def test_sums_on_every_threshold(self):
        """All sums of 8 products, each of them a threshold, and one on each side of it."""
        weight = np.ones((1, 3, 1, 1, 8), np.uint8)
        steps = np.arange(-8, 9, dtype=np.int32)
        thresholds = np.stack([steps - 1, steps, steps + 1])
        layer = Conv("conv", (1, 1, 8), 1, weight, thresholds)
        network = network_of(layer)
        codes = np.tril(np.ones((9, 8), np.uint8), -1)[:, None, None]
        (expected,) = golden(network, codes)
        assert expected[:, 0, 0, 1].tolist() == list(range(9, 18))
        assert_same(cpu.CpuBackend().open(network).run(codes), expected)


class TestBeyondFloat32:
    """One layer whose sums pass 2**24, where a float32 knows every other integer only."""

    TOTAL = 259 * 255 * 255  # odd

    def layer(self, thresholds, bit=1):
        weight = np.full((2, 1, 1, 1, 259), bit, np.uint8)
        return Conv("conv", (1, 1, 259), 8, weight, thresholds, coefficients=(127, 128))

    def run(self, layer):
        codes = np.full((1, 1, 1, 259), 255, np.uint8)
        out = cpu.CpuBackend().open(network_of(layer)).run(codes)
        assert_same(out, golden(network_of(layer), codes)[0])
        return out.item()

    def test_a_float32_would_be_wrong(self):
        assert self.TOTAL > 2**24
        assert int(np.float32(self.TOTAL)) != self.TOTAL

    @pytest.mark.parametrize("bit", [0, 1])
    def test_accumulators_are_exact(self, bit):
        layer = self.layer(None, bit)
        assert layer.bound == self.TOTAL
        assert self.run(layer) == (self.TOTAL if bit else -self.TOTAL)

    def test_thresholds_are_exact(self):
        thresholds = self.TOTAL + np.array([[-1, 0, 1, 2]], np.int32)
        assert self.run(self.layer(thresholds)) == 2
        assert self.run(self.layer(thresholds - 2 * self.TOTAL, 0)) == 2

    def test_far_thresholds_of_a_float32_layer(self):
        """Thresholds that a float32 rounds lie beyond every sum, and stay there."""
        codes = np.full((1, 1, 1, 16), 255, np.uint8)
        far = [-(2**31), -(2**24) - 1, 0, 2**24 + 1]
        layer = random_conv(np.random.default_rng(3), (1, 1, 16), 1, (1, 1), in_bits=8)
        layer = Conv("conv", (1, 1, 16), 8, 0 * layer.weight + 1, np.array([far], np.int32))
        out = cpu.CpuBackend().open(network_of(layer)).run(codes)
        assert out.item() == 3

    @pytest.mark.parametrize("groups", [1, 2])
    def test_random_codes(self, groups):
        rng = np.random.default_rng(groups)
        layer = random_conv(
            rng,
            (2, 3, 160 * groups),
            2 * groups,
            (2, 2),
            in_bits=8,
            levels=15,
            coefficients=(127, 127),
            groups=groups,
        )
        assert layer.bound > 2**24
        network = network_of(layer)
        codes = random_codes(rng, network, 5)
        assert_same(cpu.CpuBackend().open(network).run(codes), golden(network, codes)[0])


class TestBuffers:
    @pytest.mark.parametrize("kind", KINDS)
    def test_batches_of_changing_size(self, kind):
        rng = np.random.default_rng(8)
        network = KINDS[kind](rng)
        session = cpu.CpuBackend().open(network)
        kept = []
        for count in (3, 1, 5, 5, 2, 1):
            codes = random_codes(rng, network, count)[rng.permutation(count)]
            kept.append((codes, codes.copy(), session.run(codes)))
        for codes, before, found in kept:
            np.testing.assert_array_equal(codes, before)  # the input is left alone
            assert_same(found, golden(network, codes)[-1])  # and so are earlier results

    @pytest.mark.parametrize("kind", KINDS)
    def test_results_are_the_callers_own(self, kind):
        rng = np.random.default_rng(9)
        network = KINDS[kind](rng)
        session = cpu.CpuBackend().open(network)
        codes = random_codes(rng, network, 3)
        expected = golden(network, codes)
        session.run(codes)[:] = 99
        for maps in list(session.trace(codes)):
            maps[:] = 99
        assert_same(session.run(codes), expected[-1])

    def test_the_padding_stays_zero(self):
        """A batch of ones leaves nothing behind around the next batch."""
        layer = random_conv(np.random.default_rng(2), (3, 3, 2), 3, (3, 3), padding=(2, 1, 1, 2))
        network = network_of(layer)
        session = cpu.CpuBackend().open(network)
        codes = random_codes(np.random.default_rng(2), network, 3)
        session.run(np.full_like(codes, 3))
        assert_same(session.run(codes), golden(network, codes)[0])

    @pytest.mark.parametrize("size", [1, 2000, 10**9])
    def test_large_batches_go_in_steps(self, size, monkeypatch):
        monkeypatch.setattr(cpu, "BATCH_BYTES", size)
        rng = np.random.default_rng(4)
        network = KINDS["layered"](rng)
        codes = random_codes(rng, network, 7)
        assert_same(cpu.CpuBackend().open(network).run(codes), golden(network, codes)[-1])

    def test_any_memory_layout(self):
        rng = np.random.default_rng(6)
        network = network_of(random_conv(rng, (4, 5, 6), 4, (3, 3), groups=2))
        codes = random_codes(rng, network, 3)
        (expected,) = golden(network, codes)
        session = cpu.CpuBackend().open(network)
        turned = np.ascontiguousarray(codes.transpose(3, 1, 2, 0)).transpose(3, 1, 2, 0)
        spread = np.repeat(codes, 2, axis=2)[:, :, ::2]
        locked = codes.copy()
        locked.flags.writeable = False
        for variant in (turned, spread, codes[::-1][::-1], locked):
            assert_same(session.run(variant), expected)


SIM = pytest.mark.skipif(
    bool(BACKENDS["sim"].unavailable()), reason=f"sim: {BACKENDS['sim'].unavailable()}"
)


@pytest.mark.parametrize("name", ["cpu", "golden", pytest.param("sim", marks=SIM)])
class TestProtocol:
    def open(self, name, network=None):
        network = network or KINDS["layered"](np.random.default_rng(1))
        found, session = open_session(name, network)
        assert found == name
        return network, session

    def test_runs_every_kind_of_network(self, name):
        for kind in KINDS.values():
            rng = np.random.default_rng(1)
            network, session = self.open(name, kind(rng))
            codes = random_codes(rng, network, 2)
            expected = golden(network, codes)
            assert_same(session.run(codes), expected[-1])
            for found, layer in zip(session.trace(codes), expected, strict=True):
                assert_same(found, layer)
            session.close()

    def test_streams_batches(self, name):
        network, session = self.open(name)
        rng = np.random.default_rng(2)
        batches = [random_codes(rng, network, count) for count in (1, 3, 1, 2)]
        offloads = list(session.stream(batches))
        for codes, offload in zip(batches, offloads, strict=True):
            assert_same(offload.maps, golden(network, codes)[-1])
            assert offload.offload_us > 0
            assert (offload.cycles is None) == (session.clock_mhz is None)
        session.close()

    def test_no_picture_gives_no_output(self, name):
        network, session = self.open(name)
        out = session.run(np.empty((0, *network.in_shape), np.uint8))
        assert out.shape == (0, *network.out_shape)

    @pytest.mark.parametrize(
        "codes",
        [
            np.zeros((1, 9, 7, 6), np.int64),
            np.zeros((1, 9, 7, 6), np.float32),
            np.zeros((1, 9, 7, 6), bool),
            np.zeros((9, 7, 6), np.uint8),
            np.zeros((1, 7, 9, 6), np.uint8),
            np.zeros((1, 9, 7, 5), np.uint8),
            np.zeros((1, 1, 9, 7, 6), np.uint8),
        ],
        ids=["int64", "float32", "bool", "one picture", "turned", "channels", "five axes"],
    )
    def test_other_arrays_are_refused_with_both_shapes(self, name, codes):
        _, session = self.open(name)
        shape = "x".join(map(str, codes.shape))
        match = f"network net reads uint8 codes of shape Nx9x7x6, not {codes.dtype} {shape}"
        with pytest.raises(BackendError, match=match):
            session.run(codes)
        with pytest.raises(BackendError, match=match):
            list(session.trace(codes))

    def test_codes_that_are_too_large_are_refused(self, name):
        network, session = self.open(name)
        codes = np.zeros((2, *network.in_shape), np.uint8)
        codes[1, 8, 6, 5] = 4
        with pytest.raises(BackendError, match="network net reads 2-bit codes, not 4"):
            session.run(codes)
        with pytest.raises(BackendError, match="2-bit codes"):
            list(session.trace(codes))
        codes[1, 8, 6, 5] = 3
        session.run(codes)

    def test_a_closed_session_does_not_run(self, name):
        network, session = self.open(name)
        codes = np.zeros((1, *network.in_shape), np.uint8)
        session.close()
        with pytest.raises(BackendError, match="closed"):
            session.run(codes)
        with pytest.raises(BackendError, match="closed"):
            list(session.trace(codes))

    def test_closing_twice_is_harmless(self, name):
        _, session = self.open(name)
        session.close()
        session.close()


class TestOpenSession:
    network = network_of(random_conv(np.random.default_rng(1)))

    def test_auto_takes_the_first_that_can_run(self, monkeypatch):
        assert open_session("auto", self.network)[0] == next(
            name for name, backend in BACKENDS.items() if backend.unavailable() is None
        )
        monkeypatch.setattr(cpu.CpuBackend, "unavailable", lambda self: "it is too hot")
        name, _ = open_session("auto", self.network)
        assert name != "cpu"
        assert BACKENDS[name].unavailable() is None

    def test_the_cpu_comes_before_the_golden_model(self):
        names = list(BACKENDS)
        assert names.index("cpu") < names.index("golden")

    def test_unknown(self):
        with pytest.raises(BackendError, match=r"unknown backend 'gpu'; known are auto, .*cpu"):
            open_session("gpu", self.network)

    def test_unavailable(self, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        reason = "backend golden cannot run here: package qnn_sim is not installed; use a checkout"
        with pytest.raises(BackendError, match=reason):
            open_session("golden", self.network)

    def test_names(self):
        assert all(backend.name == name for name, backend in BACKENDS.items())


def test_large_pictures_are_run_in_smaller_batches():
    """Those that go in as floats, too: no batch takes more than 32 MB."""
    small, large = KINDS["connected"](np.random.default_rng(1)), random_dorefanet()
    assert cpu.CpuBackend().open(small).batch == cpu.CpuSession.batch == 100
    assert cpu.CpuBackend().open(large).batch == (32 << 20) // (224 * 224 * 3 * 4) == 55
