# SPDX-License-Identifier: BSD-3-Clause
"""A program in two buffers: every address lies where it should, whatever the buffers' addresses."""

from itertools import pairwise

import numpy as np
import pytest
import random_networks

from qnn.engine.command_list import CommandList
from qnn.engine.layout import Layout
from qnn.engine.program import LINE, PAGE, compile_layers

READ, WRITE = 0x1000_0000, 0x3FF0_0000


def layouts():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        layers = [
            random_networks.random_conv(rng, (9, 9, 6), 34, (3, 3), padding=(1, 1, 1, 1)),
            random_networks.random_conv(rng, (9, 9, 34), 20, (3, 3), groups=2, levels=1),
            random_networks.random_conv(rng, (7, 7, 20), 5, (7, 7), in_bits=1, levels=None),
        ]
        yield Layout(compile_layers(layers[: 1 + seed % 3]))


@pytest.mark.parametrize("layout", layouts(), ids=range(20))
def test_addresses(layout):
    program = layout.program
    image = layout.image(READ, WRITE)
    first, second = (CommandList(image[begin:], program.commands) for begin in layout.lists)
    original = CommandList(program.image, program.commands)

    # parameters: where they were, from the beginning of the buffer on
    assert (
        image[: layout.lists[1]][64 * program.commands : len(program.image)]
        == (program.image[64 * program.commands :])
    )
    for commands in (first, second):
        moved = commands.get("params_address") - original.get("params_address")
        assert (moved == READ - program.base).all()

    # maps: one after the other in the other buffer, and read where they were written
    places = np.array(program.places) - program.places[0]
    assert layout.maps == tuple(places.tolist())
    assert (first.get("out_address") >= WRITE).all()
    assert (first.get("out_address") < WRITE + layout.write_bytes).all()
    blocks = first.get("tight") == 0
    moved = (first.get("in_address") - original.get("in_address"))[blocks]
    assert (moved == WRITE - program.places[0]).all()

    # the two lists differ in the address of the picture alone
    apart = second.get("in_address") - first.get("in_address")
    assert (apart[blocks] == 0).all()
    assert (apart[~blocks] == layout.inputs[1] - layout.inputs[0]).all()
    second.set("in_address", first.get("in_address"))
    assert second.tobytes() == first.tobytes()
    assert (first.get("in_address")[~blocks] >= READ + layout.inputs[0]).all()
    assert (first.get("in_address")[~blocks] < READ + layout.inputs[1]).all()


@pytest.mark.parametrize("layout", layouts(), ids=range(20))
def test_nothing_overlaps_and_all_is_aligned(layout):
    program, size = layout.program, layout.program.tight.size
    parts = [
        (0, len(program.image)),
        (layout.lists[1], 64 * program.commands),
        *((place, size) for place in layout.inputs),
    ]
    for (begin, length), (following, _) in pairwise(parts):
        assert begin + length <= following
        assert following % LINE == 0
    assert layout.inputs[1] + size <= layout.read_bytes
    ends = [begin + out.size for begin, out in zip(layout.maps, program.maps, strict=True)]
    assert all(end <= begin for end, begin in zip(ends, layout.maps[1:], strict=False))
    assert ends[-1] <= layout.write_bytes
    assert layout.read_bytes % PAGE == layout.write_bytes % PAGE == 0
