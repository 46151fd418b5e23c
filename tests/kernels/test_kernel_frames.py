# SPDX-License-Identifier: BSD-3-Clause
"""Frames say what is wrong with an answer; some of them, worked out by hand."""

import numpy as np
import pytest
from random_networks import random_conv

from qnn.engine.capabilities import Capabilities
from qnn.network import Conv
from qnn_sim import agreement, kernel_frames

CAPS = Capabilities(pe=8, pixels=2, window_words=512)


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def test_every_wrong_missing_and_extra_value_counts(rng):
    frame = kernel_frames.threshold(rng, CAPS, 3, (1, 5))
    right = frame.expected
    assert frame.values(right).size == 5 * 8
    assert frame.differing(right) == 0
    wrong = right.copy()
    wrong[2] ^= np.uint64(0xFF_00_00_FF)  # two codes
    assert frame.differing(wrong) == 2
    assert frame.differing(wrong[:-1]) == 2 + 8
    assert frame.differing(right[:0]) == 5 * 8
    assert frame.differing(np.append(right, right[:3])) == 3


def test_bits_without_a_meaning_count_too(rng):
    frame = kernel_frames.pack(rng, CAPS, 2, (1, 3))
    assert frame.values(frame.expected).size == 3 * 8
    wrong = frame.expected.copy()
    wrong[1] |= np.uint64(1 << 63)  # of a pixel beyond the row
    assert frame.differing(wrong) == 1


def test_popcounts_are_those_of_python(rng):
    frame = kernel_frames.popcount(rng, 200)
    pairs = frame.words.reshape(-1, 2).tolist()
    assert frame.expected.tolist() == [64 - (w ^ x).bit_count() for w, x in pairs]
    assert {0, 63, 64} <= set(frame.expected.tolist())


def test_windows_by_hand():
    """A 1x3 kernel over a row of three pixels of one 2-bit channel, padded left by one."""
    layer = Conv(
        "layer", (1, 3, 1), 2, np.ones((1, 1, 1, 3, 1), np.uint8), np.zeros((1, 1), np.int32),
        padding=(0, 1, 0, 0),
    )  # fmt: skip
    codes = np.array([1, 2, 3]).reshape(1, 3, 1)
    (frame,) = kernel_frames.window(layer, codes, CAPS)
    # a pixel takes four bits; planes 0: 1 0 1, 1: 0 1 1
    assert frame.words[8:].tolist() == [0x101, 0x110]
    assert frame.expected.tolist() == [0x100, 0x110, 0x010, 0x101]
    (frame,) = kernel_frames.window(layer, codes, CAPS, source="blocks")
    assert frame.words[8:].tolist() == [0x010001, 0x010100]
    assert frame.expected.tolist() == [0x010000, 0x010100, 0x000100, 0x010001]


def test_of_parts_of_blocks_the_first_bytes_count(rng):
    """Three blocks of eight channels where there is room for 16; the other bytes are ones."""
    caps = Capabilities(pe=16, pixels=2, weight_words=256, window_words=512)
    layer = random_conv(rng, (1, 1, 24), 4, (1, 1), in_bits=1)
    codes = np.zeros(layer.in_shape, int)
    (command,) = kernel_frames.commands(layer, codes, caps, "parts of blocks")
    names = ("blocks", "block_used", "last_bytes", "pixel_bytes")
    assert [command.fields[name] for name in names] == [3, 1, 1, 3]
    assert command.map.tolist() == [0xFF00] * 3
    (command,) = kernel_frames.commands(layer, codes, caps, "blocks")
    assert [command.fields[name] for name in names] == [2, 2, 1, 3]
    assert command.map.tolist() == [0, 0xFF00]


def test_a_layer_by_hand():
    """One channel, one pixel of code 2, weight -1: the sum is -2, and counts 3 too many."""
    layer = Conv("layer", (1, 1, 1), 2, np.zeros((1, 1, 1, 1, 1), np.uint8), None)
    (frame,) = kernel_frames.conv(layer, np.full((1, 1, 1), 2), CAPS)
    # the other channels have weights of 1 and count 2
    assert frame.expected.tolist() == [1 | 2 << 32, *[2 | 2 << 32] * 3]
    assert frame.values(frame.expected).ravel().tolist() == [1]


def test_each_group_is_a_frame_and_a_large_map_comes_for_each_tile(rng):
    layer = random_conv(rng, (4, 4, 6), 4, (2, 2), groups=2)
    codes = rng.integers(0, 4, layer.in_shape)
    assert len(kernel_frames.conv(layer, codes, CAPS)) == 2
    large = random_conv(rng, (12, 8, 64), 9, (1, 1), in_bits=8)
    (frame,) = kernel_frames.window(large, rng.integers(0, 256, large.in_shape), CAPS)
    assert len(frame.words) == 8 + 2 * 12 * 8 * 8


def test_counts_are_recorded_where_one_asks_for_it(tmp_path, monkeypatch):
    counts = [agreement.Count("pack", "rtl", "small", 7, n) for n in range(3)]
    monkeypatch.delenv("AGREEMENT", raising=False)
    agreement.record(counts[0])
    assert agreement.read(tmp_path) == []
    monkeypatch.setenv("AGREEMENT", str(tmp_path))
    for count in counts:
        agreement.record(count)
    assert agreement.read(tmp_path) == counts
