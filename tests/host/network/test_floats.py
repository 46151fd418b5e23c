# SPDX-License-Identifier: BSD-3-Clause
"""A layer of floats: what it says of itself, what does not fit, what it gives, how it is kept."""

import numpy as np
import pytest

from qnn import store
from qnn.backends.host_layers import HostLayers
from qnn.errors import NetworkError
from qnn.network import Floats, Network
from qnn.network.arithmetic import Arithmetic
from qnn_sim import golden_network

RNG = np.random.default_rng(7)
STEPS = (
    Arithmetic("multiply", RNG.normal(0, 1, 4).astype(np.float32)),
    Arithmetic("maximum", np.zeros(4, np.float32)),
)
WEIGHT = RNG.normal(0, 1, (6, 3, 2, 2)).astype(np.float32)
THRESHOLDS = np.sort(RNG.normal(0, 1, (6, 5)), axis=1).astype(np.float32)
SUMS = {"steps": STEPS, "weight": WEIGHT, "groups": 2, "strides": (2, 1), "padding": (1, 0, 2, 1)}
KINDS = {
    "sums": SUMS,
    "codes of sums": SUMS | {"thresholds": THRESHOLDS},
    "sums of codes": SUMS | {"in_bits": 3},
    "pool": {"pool": (3, 2), "strides": (2, 2), "padding": (1, 0, 1, 1)},
    "codes": {"steps": STEPS, "thresholds": THRESHOLDS[:4]},
    "codes of all channels": {"thresholds": THRESHOLDS[:1]},
}


def layer(**changes):
    return Floats(**{"name": "float1", "in_shape": (5, 6, 4)} | changes)


def test_facts():
    one = layer(**SUMS)
    assert (one.kernel, one.out_shape, one.out_bits) == ((3, 2), (3, 6, 6), None)
    assert (one.out_dtype, one.macs) == (np.float64, 3 * 6 * 72)
    one = layer(**KINDS["codes"])
    assert (one.out_shape, one.out_bits, one.out_dtype, one.macs) == ((5, 6, 4), 3, np.uint8, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"in_bits": 9}, "9-bit codes"),
        ({"in_shape": (5, 0, 4)}, "bad input"),
        ({"in_shape": (5, 6, 5), "steps": STEPS}, r"a step \(multiply\) does not fit 5 channels"),
        ({"steps": (Arithmetic("power", STEPS[0].values),)}, r"a step \(power\)"),
        ({"weight": WEIGHT}, "in 1 groups do not fit 4 channels"),
        (SUMS | {"weight": WEIGHT * np.float32(np.nan)}, "not finite"),
        (SUMS | {"pool": (2, 2)}, "weights and a pool"),
        (SUMS | {"padding": (0, 0, -1, 0)}, "bad padding"),
        ({"pool": (7, 7)}, "smaller than its windows"),
        ({"strides": (0, 1)}, "bad groups or strides"),
        ({"thresholds": THRESHOLDS}, "do not fit its outputs"),
        ({"thresholds": THRESHOLDS[:4, ::-1]}, "do not ascend"),
    ],
)
def test_what_does_not_fit(changes, message):
    with pytest.raises(NetworkError, match=message):
        layer(**changes)


def given(one):
    rng = np.random.default_rng(3)
    if one.in_bits:
        return rng.integers(0, 8, (2, *one.in_shape)).astype(np.uint8)
    return rng.normal(0, 1, (2, *one.in_shape)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_those_of_the_golden_model(kind):
    one = layer(**KINDS[kind])
    maps = given(one)
    found = HostLayers([one])(maps)
    assert found.dtype == one.out_dtype and len(np.unique(found)) > 3
    for x, out in zip(maps, found, strict=True):
        assert np.allclose(golden_network.run_layer(one, x), out, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_on_disk(kind, tmp_path):
    one = layer(**KINDS[kind])
    store.save(Network("floats", "Floats", "classify", (), (one,)), tmp_path)
    (found,) = store.load(tmp_path).layers
    assert isinstance(found, Floats)
    assert (found.out_shape, found.in_bits) == (one.out_shape, one.in_bits)
    assert np.array_equal(HostLayers([found])(given(one)), HostLayers([one])(given(one)))


@pytest.mark.parametrize("kind", ["sums", "sums of codes", "pool", "codes"])
def test_rounding_of_what_it_reads(kind):
    """Values that are a little off lead to outputs within the leeway that is told."""
    one = layer(**KINDS[kind])
    x = given(one)[0].astype(np.float64)
    off = np.random.default_rng(4).uniform(-1e-3, 1e-3, x.shape)
    if one.out_bits or one.in_bits:
        off = off * 0
    leeway = golden_network.rounding(one, x, abs(off))
    moved = abs(golden_network.run_layer(one, x + off) - golden_network.run_layer(one, x))
    assert leeway.shape == one.out_shape
    assert (moved <= leeway).all()
    assert leeway.max() < 0.1 and (leeway.max() > 0) == (one.out_bits is None)
