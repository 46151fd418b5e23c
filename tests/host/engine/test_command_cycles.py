# SPDX-License-Identifier: BSD-3-Clause
"""Cycles and beats of single commands by the formulas of rtl/README.md, worked out by hand."""

import numpy as np
import pytest

from qnn.engine import command_cycles
from qnn.engine.capabilities import Capabilities

ONE_PIXEL_GROUP = {
    "conv_rows": 1, "conv_columns": 4, "tiles": 2, "planes": 1, "tile_words": 1, "in_rows": 1,
    "out_rows": 1, "out_columns": 4, "out_planes": 8, "tight": 1, "row_beats": 3,
}  # fmt: skip


def getter(**fields):
    found = ONE_PIXEL_GROUP | fields
    return lambda name: np.array([found.get(name, 0)])


@pytest.mark.parametrize(
    ("fields", "cycles"),
    [
        ({"thresholds": 1}, 5),  # a pixel a cycle, and one
        ({"thresholds": 3}, 6),
        ({"thresholds": 255}, 510),  # two cycles each
        ({"thresholds": 255, "short_sums": 1}, 255),
        ({"thresholds": 32, "requantise": 1}, 34),  # 8 * 4 + 2
        ({"raw": 1}, 34),
        ({"thresholds": 32, "requantise": 1, "planes": 8, "tile_words": 9}, 72),
        ({"thresholds": 3, "wide_sums": 1}, 2 * 6),  # half as many pixels at a time
    ],
)
def test_products(fields, cycles):
    assert command_cycles.products(getter(**fields), Capabilities()).tolist() == [2 * cycles]


def test_products_of_two_pixels():
    two = Capabilities(pe=32, pixels=2)
    for fields, cycles in (({"thresholds": 3}, 6), ({"raw": 1}, 10), ({"requantise": 1}, 18)):
        assert command_cycles.products(getter(**fields), two).tolist() == [2 * 2 * cycles]


def test_products_of_one_group_of_channels():
    one = Capabilities(pe=8)
    for fields, cycles in (({"thresholds": 3}, 6), ({"raw": 1}, 7), ({"requantise": 1}, 7)):
        assert command_cycles.products(getter(**fields), one).tolist() == [2 * cycles]


def test_beats_of_either_port():
    """Thresholds and weights by halves, the map by the second, results by the first one."""
    ports = command_cycles.by_port(getter(thresholds=255), Capabilities())
    parameters = 2 * (255 * 64 // 2 // 2 + 32)
    assert ports.tolist() == [[parameters + 2 * 4 * 8], [parameters + 3]]


def test_what_takes_longer_counts():
    slow = command_cycles.each(getter(thresholds=255), Capabilities())
    assert slow.tolist() == [int(np.ceil((2 * (4080 + 32) + 64) * 5 / 4)) + command_cycles.BETWEEN]
