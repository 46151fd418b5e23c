# SPDX-License-Identifier: BSD-3-Clause
"""A program in two buffers: every address lies where it should, whatever the buffers' addresses."""

from itertools import pairwise

import numpy as np
import pytest
import random_networks

from qnn.engine.command_list import CommandList
from qnn.engine.layout import Layout
from qnn.engine.lowering import compiled, lower
from qnn.engine.program import LINE, PAGE, compile_layers
from qnn.engine.word_parameters import moved

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


def in_stages() -> Layout:
    """Four layers; the second and third end in work of the host."""
    rng = np.random.default_rng(1)
    layers = [
        random_networks.random_conv(rng, (5, 5, 4), 40, (3, 3), name="a"),
        random_networks.random_dense(rng, (3, 3, 40), 70, name="b"),
        random_networks.random_dense(rng, (1, 1, 70), 12, name="c"),
        random_networks.random_conv(rng, (1, 1, 12), 6, (1, 1), name="d", groups=2, levels=None),
    ]
    return Layout(compile_layers(lower(layers)), [1, 2])


def test_stages():
    layout = in_stages()
    stages = [(list(one.layers), one.begin, one.count) for one in layout.stages]
    assert stages == [([0, 1], 0, 2), ([2], 2, 1), ([3], 3, 2)]
    assert [layout.program.names[one.commands] for one in layout.stages] == [
        ("a", "b"), ("c",), ("d/0", "d/1"),
    ]  # fmt: skip
    image = layout.image(READ, WRITE)
    for begin in layout.lists:
        indexes = CommandList(image[begin:], layout.program.commands).get("index")
        assert indexes.tolist() == [0, 1, 0, 0, 1]  # each list is checked to count from 0


def test_a_first_layer_of_a_pictures_own_thresholds_has_its_parameters_in_each_place():
    """Their words in the buffer that is read are the thresholds of the layer, of both places; all
    other commands have one and the same parameters."""
    network = random_networks.KINDS["connected"](np.random.default_rng(1))
    lowered = lower(network.layers[:2], network.picture.limits)
    program = compile_layers([compiled(layer) for layer in lowered])
    layout = Layout(program, [0])
    image = np.frombuffer(layout.image(READ, WRITE).ljust(layout.read_bytes, b"\0"), np.uint8)
    lists = [CommandList(image[at:].tobytes(), program.commands) for at in layout.lists]
    first, second = (one.get("params_address") - READ for one in lists)
    own = program.parts[0]
    assert (first[own:] == second[own:]).all()
    assert layout.inputs[0] >= layout.own[1].stop > layout.own[1].start >= layout.lists[1] + 64
    for place, begins in enumerate((first, second)):
        part = layout.own[place]
        assert begins[0] == part.start and part.start % LINE == 0
        np.testing.assert_array_equal(image[part], image[layout.own[0]])
        np.testing.assert_array_equal(
            image.view("<u4")[layout.thresholds[place]], moved(lowered[0].words.thresholds).T
        )


def test_a_break_behind_the_last_layer_is_none():
    layout = in_stages()
    again = Layout(layout.program, [3, 2, 1])
    assert again.stages == layout.stages
    assert again.apart == layout.apart


def test_what_the_host_makes_has_a_place_for_each_picture():
    layout = in_stages()
    inputs = {one.layer: one.map.size for one in layout.program.inputs}
    assert list(layout.made) == list(inputs)[1:] == [2, 3]
    begins = [*layout.inputs, *layout.made[2], *layout.made[3]]
    sizes = [size for size in inputs.values() for _ in range(2)]
    for begin, size, following in zip(begins, sizes, [*begins[1:], layout.read_bytes], strict=True):
        assert begin % LINE == 0 and begin + size <= following
    image = layout.image(READ, WRITE)
    lists = [CommandList(image[at:], layout.program.commands) for at in layout.lists]
    group = layout.program.inputs[2].map.group_bytes
    for place, commands in enumerate(lists):
        address = commands.get("in_address")
        assert address[0] == READ + layout.inputs[place]
        assert address[1] == WRITE + layout.maps[0] + place * layout.apart
        assert address[2] == READ + layout.made[2][place]
        last = READ + layout.made[3][place]
        assert address[3:].tolist() == [last, last + group]


def test_maps_of_stages_lie_twice_and_of_one_stage_once():
    layout = in_stages()
    apart = layout.apart
    assert apart % LINE == 0 and apart >= layout.maps[-1] + layout.program.out_map.size
    assert layout.write_bytes == 2 * apart
    one = Layout(layout.program, [3])
    assert one.apart == 0 and one.write_bytes == apart
    image = layout.image(READ, WRITE)
    for place, at in enumerate(layout.lists):
        maps = np.array(layout.maps) + place * apart
        commands = CommandList(image[at:], layout.program.commands)
        written = np.repeat(maps, layout.program.parts)
        assert (commands.get("out_address")[:-1] == WRITE + written[:-1]).all()
        assert commands.get("in_address")[1] == WRITE + maps[0]
