# SPDX-License-Identifier: BSD-3-Clause
"""A network that contradicts itself cannot be made; one that can tells the truth about itself."""

import numpy as np
import pytest
from random_networks import network_of, plain_conv

from qnn.compute.dense import FloatDense
from qnn.errors import NetworkError
from qnn.network import Dense, Lookup, PictureInput
from qnn.network.result import Scores

TABLE = np.arange(256, dtype=np.uint8)


def dense(**options):
    """A valid matrix over the 3x4x2 floats or codes that `plain_conv` gives, to 2 values."""
    facts = {
        "name": "fc",
        "in_shape": (3, 4, 2),
        "in_bits": 2,
        "matrix": FloatDense(np.ones((24, 2), np.float32), None),
        "levels": 0,
    }
    return Dense(**(facts | options))


def ones(*shape):
    return np.ones(shape, np.uint8)


def test_facts_of_a_network():
    first, second = (
        plain_conv(),
        plain_conv(name="conv2", in_shape=(3, 4, 2), weight=ones(1, 2, 1, 1, 2)),
    )
    network = network_of(first, second)
    assert (network.in_shape, network.in_bits, network.out_shape) == ((5, 6, 4), 2, (3, 4, 2))
    assert network.macs == first.macs + second.macs == 3 * 4 * 2 * 36 + 3 * 4 * 2 * 2


@pytest.mark.parametrize("name", ["", "-net", ".net", "Net", "a b", "a/b", "..", "ü", "a\n"])
def test_bad_names_are_refused(name):
    with pytest.raises(NetworkError, match="network name"):
        network_of(plain_conv(), name=name)


@pytest.mark.parametrize("name", ["a", "9", "cnv-w1a1", "a.b_c"])
def test_good_names(name):
    assert network_of(plain_conv(), name=name).name == name


def test_unknown_task_is_refused():
    with pytest.raises(NetworkError, match="network net: unknown task 'paint'"):
        network_of(plain_conv(), task="paint")


def test_no_layers_are_refused():
    with pytest.raises(NetworkError, match="network net: it has no layers"):
        network_of()


def test_layers_that_do_not_chain_are_refused_with_both_shapes():
    reason = "layer conv2: it reads 4x3x2, but layer conv1 before it gives 3x4x2"
    with pytest.raises(NetworkError, match=reason):
        network_of(
            plain_conv(), plain_conv(name="conv2", in_shape=(4, 3, 2), weight=ones(1, 2, 1, 1, 2))
        )


def test_too_wide_codes_are_refused_with_both_widths():
    narrow = {"name": "conv2", "in_shape": (3, 4, 2), "weight": ones(1, 2, 1, 1, 2), "in_bits": 1}
    reason = "layer conv2: it reads 1-bit codes, but layer conv1 before it gives 2-bit codes"
    with pytest.raises(NetworkError, match=reason):
        network_of(plain_conv(), plain_conv(**narrow))
    wider = plain_conv(**(narrow | {"in_bits": 3}))
    assert network_of(plain_conv(), wider).layers[1] is wider


def test_accumulators_in_the_middle_are_refused():
    after = plain_conv(name="conv2", in_shape=(3, 4, 2), weight=ones(1, 2, 1, 1, 2))
    with pytest.raises(NetworkError, match="layer conv1: only the last layer may hand out acc"):
        network_of(plain_conv(thresholds=None), after)


def test_two_layers_of_one_name_are_refused():
    again = plain_conv(in_shape=(3, 4, 2), weight=ones(1, 2, 1, 1, 2))
    with pytest.raises(NetworkError, match="two layers are called conv1"):
        network_of(plain_conv(), again)


def lookup(size, top):
    shape = (size, size, 1)
    return Lookup("pixels", shape, np.full(256, top, np.uint8), shape)


@pytest.mark.parametrize(
    ("size", "top", "reason"),
    [
        (2, 3, "it reads 3x3x1, but layer pixels before it gives 2x2x1"),
        (3, 15, "it reads 2-bit codes, but layer pixels before it gives 4-bit codes"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_both(size, top, reason):
    layer = plain_conv(in_shape=(3, 3, 1), weight=ones(1, 2, 3, 3, 1))
    with pytest.raises(NetworkError, match=f"layer conv1: {reason}"):
        network_of(lookup(size, top), layer)


def test_a_table_of_fewer_bits_fits():
    layer = plain_conv(in_shape=(3, 3, 1), weight=ones(1, 2, 3, 3, 1))
    network = network_of(lookup(3, 0), layer, picture=PictureInput("fit-grey", 3))
    assert (network.in_shape, network.in_bits) == ((3, 3, 1), 8)


@pytest.mark.parametrize(
    ("picture", "layer", "reason"),
    [
        (("fit-grey", 3), lookup(2, 1), "it reads 2x2x1, but the picture gives 3x3x1"),
        (("thumbnail-on-white", 2), lookup(2, 1), "it reads 2x2x1, but the picture gives 2x2x3"),
        (
            ("letterbox", 3),
            plain_conv(in_shape=(3, 3, 3), weight=ones(1, 2, 3, 3, 3), in_bits=8),
            "it reads 8-bit codes, but the picture gives floats",
        ),
        (
            ("fit-grey", 3),
            plain_conv(in_shape=(3, 3, 1), weight=ones(1, 2, 3, 3, 1), in_bits=7),
            "it reads 7-bit codes, but the picture gives 8-bit codes",
        ),
    ],
)
def test_a_picture_that_does_not_fit_is_refused_with_both(picture, layer, reason):
    with pytest.raises(NetworkError, match=f"layer {layer.name}: {reason}"):
        network_of(layer, picture=PictureInput(*picture))


def test_pixels_may_go_into_integers_as_they_are():
    layer = plain_conv(in_shape=(3, 3, 1), weight=ones(1, 2, 3, 3, 1), in_bits=8)
    assert network_of(layer, picture=PictureInput("fit-grey", 3)).in_bits == 8


def test_floats_and_codes_are_told_apart():
    floats = dense(name="float", levels=0)
    codes = dense(name="fct", in_shape=(1, 1, 2), matrix=FloatDense(np.ones((2, 2), "f4"), None))
    with pytest.raises(NetworkError, match=r"fct: it reads 2-bit codes, but layer float .* floats"):
        network_of(plain_conv(), floats, codes)
    values = dense(
        name="fct", in_shape=(1, 1, 2), in_bits=None, matrix=FloatDense(np.ones((2, 2), "f4"), None)
    )
    with pytest.raises(NetworkError, match=r"fct: it reads floats, but layer fc .* 2-bit codes"):
        network_of(plain_conv(), dense(levels=3), values)
    assert network_of(plain_conv(), floats, values).out_shape == (1, 1, 2)


def test_layers_may_stand_anywhere():
    """Integer layers behind a matrix, and behind a table behind a matrix."""
    layers = (
        plain_conv(),
        dense(levels=3),
        plain_conv(name="conv2", in_shape=(1, 1, 2), weight=ones(1, 5, 1, 1, 2), thresholds=None),
    )
    assert network_of(*layers).out_shape == (1, 1, 5)


def test_a_result_that_does_not_fit_is_refused():
    result = Scores(np.zeros(2, np.int64), 1, 1.0)
    scores = {"weight": ones(1, 2, 5, 6, 4), "thresholds": None}
    assert network_of(plain_conv(**scores), result=result, classes=("a", "b")).result is result
    for layer, classes in (
        (plain_conv(**scores), ("a",)),
        (plain_conv(thresholds=None), ("a", "b")),
        (plain_conv(weight=ones(1, 2, 5, 6, 4)), ("a", "b")),
    ):
        with pytest.raises(NetworkError, match="layer conv1 gives"):
            network_of(layer, result=result, classes=classes)
