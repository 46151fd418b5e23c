# SPDX-License-Identifier: BSD-3-Clause
"""Equal digests are equal networks, wherever they were stored; another value, another digest."""

import dataclasses

import numpy as np
import pytest
import random_networks

from qnn import store
from qnn.store.digest import digest

KINDS = random_networks.KINDS


def made(kind):
    return KINDS[kind](np.random.default_rng(5))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stored_and_loaded_has_the_same(kind, tmp_path):
    network = made(kind)
    store.save(network, tmp_path)
    assert digest(store.load(tmp_path)) == digest(network) == digest(made(kind))


def test_kinds_differ():
    found = {digest(made(kind)) for kind in KINDS}
    assert len(found) == len(KINDS) and all(len(one) == 64 for one in found)


def test_what_it_says_to_people_is_left_out():
    network = made("scoring")
    prose = {"name": "other", "title": "b", "source": "c", "licence": "d", "reads": "g"}
    other = dataclasses.replace(network, **prose, missing=("e",), notes=("f",))
    assert digest(other) == digest(network)


def test_one_value_of_a_layer_or_the_order_of_classes():
    network = made("scoring")
    conv = network.layers[-1]
    weight = conv.weight.copy()
    weight.flat[0] += 1 if weight.flat[0] == 0 else -1
    altered = dataclasses.replace(conv, weight=weight)
    one = dataclasses.replace(network, layers=(*network.layers[:-1], altered))
    two = dataclasses.replace(network, classes=network.classes[::-1])
    assert len({digest(network), digest(one), digest(two)}) == 3


def test_the_order_of_bytes_of_a_machine_is_left_out():
    network = made("scoring")
    conv = network.layers[-1]
    swapped = conv.weight.astype(conv.weight.dtype.newbyteorder(">"))
    other = dataclasses.replace(
        network, layers=(*network.layers[:-1], dataclasses.replace(conv, weight=swapped))
    )
    assert digest(other) == digest(network)
