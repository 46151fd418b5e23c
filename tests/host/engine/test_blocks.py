# SPDX-License-Identifier: BSD-3-Clause
"""Blocks end at borders of groups, and are crossed by those of readers at whole bytes only."""

import pytest

from qnn.engine.blocks import blocks_of, borders_of


@pytest.mark.parametrize(
    ("channels", "groups", "following", "blocks"),
    [
        (64, 1, 1, ((0, 32), (32, 32))),
        (180, 2, 1, ((0, 32), (32, 32), (64, 26), (90, 32), (122, 32), (154, 26))),
        # 136 lies 8 channels into its block: the reader leaves them out
        (272, 1, 2, (*tuple((32 * i, 32) for i in range(8)), (256, 16))),
        # 25 does not lie at a byte of a block: a block begins there
        (50, 1, 2, ((0, 25), (25, 25))),
    ],
)
def test_blocks(channels, groups, following, blocks):
    cuts, borders = borders_of(channels, groups), borders_of(channels, following)
    assert blocks_of(channels, 32, cuts, borders) == blocks
