# SPDX-License-Identifier: BSD-3-Clause
"""A command reads of each block of a map the bytes with channels of its group, and no more."""

import numpy as np
import pytest

from qnn.engine.maps import BlockMap
from qnn.engine.reading import read_blocks
from qnn.errors import DoesNotFitError


def block_map(pe, blocks):
    return BlockMap(2, 3, 2, pe, blocks)


def bits_read(fields, sources):
    """The channel behind each bit that the loader takes of a pixel, -1 where there is none; maps
    count on behind each other."""
    blocks, before = [], 0
    for source, address in sources:
        for number, (first, count) in enumerate(source.blocks):
            lanes = np.full(source.pe, -1)
            lanes[:count] = np.arange(first, first + count) + before
            blocks.append((address + number * source.block_bytes, lanes))
        before += source.channels
    at, taken = fields["in_address"], []
    for number in range(fields["blocks"]):
        (lanes,) = (lanes for address, lanes in blocks if address == at)
        begin = fields["first_skip"] if number == 0 else 0
        last = number + 1 == fields["blocks"]
        taken.append(lanes[8 * begin : 8 * fields["last_bytes" if last else "block_used"]])
        at = (at + fields["block_bytes"]) % (1 << 32)
    return np.concatenate(taken)


@pytest.mark.parametrize(
    ("pe", "blocks", "groups", "group", "skip", "used", "last"),
    [
        (16, ((0, 16), (16, 16), (32, 3)), 1, 0, 0, 2, 1),
        (32, ((0, 9), (9, 9)), 1, 0, 0, 2, 2),
        (32, ((0, 9), (9, 8)), 1, 0, 0, 2, 1),
        (32, ((0, 8), (8, 17)), 1, 0, 0, 3, 3),
        (32, ((0, 24),), 3, 0, 0, 1, 1),
        (32, ((0, 24),), 3, 1, 1, 2, 2),
        (32, ((0, 24),), 3, 2, 2, 3, 3),
        (16, ((0, 16), (16, 8)), 2, 0, 0, 2, 2),
        (16, ((0, 16), (16, 8)), 2, 1, 1, 2, 1),
        (64, ((0, 32), (32, 2), (34, 32), (66, 2)), 1, 0, 0, 4, 1),
        (64, ((0, 32), (32, 2), (34, 32), (66, 2)), 2, 0, 0, 4, 1),
        (64, ((0, 32), (32, 2), (34, 32), (66, 2)), 2, 1, 0, 4, 1),
    ],
)
def test_the_bytes_of_a_group(pe, blocks, groups, group, skip, used, last):
    source = block_map(pe, blocks)
    read = read_blocks([(source, 4096)], group, groups)
    fields = read.fields
    found = fields["first_skip"], fields["block_used"], fields["last_bytes"]
    assert found == (skip, used, last)
    share = source.channels // groups
    taken = bits_read(fields, [(source, 4096)])
    own = (taken >= group * share) & (taken < (group + 1) * share)
    np.testing.assert_array_equal(read.lanes, np.where(own, taken - group * share, -1))
    assert read.lanes[read.lanes >= 0].tolist() == [*range(share)]
    assert 8 * fields["pixel_bytes"] == len(taken)
    assert fields["row_beats"] == source.row_beats


@pytest.mark.parametrize("behind", [False, True])
def test_maps_side_by_side(behind):
    """The second one behind the first, or before it: the distance wraps then."""
    one, other = block_map(16, ((0, 9),)), block_map(16, ((0, 3),))
    sources = [(one, 4096), (other, 4096 + (512 if behind else -512))]
    read = read_blocks(sources, 0, 1)
    np.testing.assert_array_equal(read.lanes, bits_read(read.fields, sources))
    assert read.lanes[read.lanes >= 0].tolist() == [*range(12)]
    assert (read.fields["block_used"], read.fields["last_bytes"]) == (2, 1)


def test_maps_that_do_not_lie_behind_each_other():
    source = block_map(16, ((0, 16), (16, 16)))
    behind = 2 * source.block_bytes
    assert read_blocks([(source, 0), (source, behind)], 0, 1).fields["blocks"] == 4
    with pytest.raises(DoesNotFitError, match="do not lie behind each other"):
        read_blocks([(source, 0), (source, behind + 64)], 0, 1)
