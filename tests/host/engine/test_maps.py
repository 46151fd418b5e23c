# SPDX-License-Identifier: BSD-3-Clause
"""Feature maps lie in memory bit for bit as their head says."""

import numpy as np
import pytest

from qnn.engine.maps import BlockMap, RawMap, TightMap
from qnn.errors import QnnError


@pytest.mark.parametrize(("channels", "groups", "planes"), [(3, 1, 8), (34, 2, 2), (16, 1, 3)])
def test_every_bit_of_a_tight_map(channels, groups, planes):
    tight = TightMap(3, 5, channels, planes, groups)
    codes = np.random.default_rng(7).integers(0, 2**planes, (3, 5, channels * groups))
    data = tight.pack(codes)
    assert len(data) == tight.size
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    strings = bits.reshape(groups, 3, planes, -1)
    assert strings.shape[3] % 64 == 0
    used = np.zeros_like(strings)
    for g in range(groups):
        for y, x in np.ndindex(3, 5):
            for c in range(channels):
                at = x * -(-channels // 4) * 4 + c
                code = (strings[g, y, :, at].astype(int) << np.arange(planes)).sum()
                assert code == codes[y, x, g * channels + c]
                used[g, y, :, at] = 1
    assert not (strings & ~used & 1).any()


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
@pytest.mark.parametrize("shape", [(3, 8, 4), (2, 2, 16), (5, 1, 8), (4, 3, 3)])
@pytest.mark.parametrize("groups", [1, 2])
def test_codes_may_lie_in_any_order(order, shape, groups):
    """Of what another layer or a transpose has handed out; every second one, too."""
    tight = TightMap(*shape[:2], shape[2], 2, groups)
    shape = (*shape[:2], shape[2] * groups)
    codes = np.random.default_rng(8).integers(0, 4, shape, dtype=np.uint8)
    lying = np.ascontiguousarray(codes.transpose(order)).transpose(np.argsort(order))
    wide = np.repeat(codes, 2, axis=2)[..., ::2]
    for other in (lying, wide, codes[::-1][::-1]):
        np.testing.assert_array_equal(other, codes)
        assert tight.pack(other).tobytes() == tight.pack(codes).tobytes()


@pytest.mark.parametrize("pe", [8, 16, 32])
@pytest.mark.parametrize("columns", [1, 2, 5, 8])
def test_every_bit_of_a_block_map(pe, columns):
    blocks = ((0, pe), (pe, 3))
    planes, share = 3, 64 // pe
    image = BlockMap(2, columns, planes, pe, blocks)
    words = np.random.default_rng(3).integers(0, 2**64, image.size // 8, dtype=np.uint64)
    codes = image.unpack(words.astype("<u8").tobytes())
    assert codes.shape == (2, columns, pe + 3)
    shaped = words.reshape(2, 2, -1, planes)
    for b, (first, count) in enumerate(blocks):
        for y, x, c in np.ndindex(2, columns, count):
            position = np.uint64(x % share * pe + c)
            bits = shaped[b, y, x // share] >> position & np.uint64(1)
            assert codes[y, x, first + c] == (bits.astype(int) << np.arange(planes)).sum()
    packed = np.frombuffer(image.pack(codes), np.uint8)
    np.testing.assert_array_equal(image.unpack(packed.tobytes()), codes)
    assert np.count_nonzero(np.unpackbits(packed)) == np.unpackbits(codes).sum()  # no other is set


@pytest.mark.parametrize("pe", [8, 16, 32])
@pytest.mark.parametrize("columns", [1, 7, 8])
def test_odd_codes_are_found_and_mended_in_memory(pe, columns):
    rng = np.random.default_rng(pe)
    image = BlockMap(5, columns, 3, pe, ((0, pe), (pe, 5), (pe + 5, pe - 1)))
    words = rng.integers(0, 2**64, (image.size // 24, 3), dtype=np.uint64)
    words[rng.random(len(words)) < 0.5, 0] = 0  # none of them is odd
    data = words.astype("<u8").view(np.uint8).ravel()
    codes = image.unpack(data.tobytes())
    odd = image.odd(data)
    assert sorted(np.transpose(odd.where).tolist()) == np.argwhere(codes & 1).tolist()
    right = rng.integers(0, 4, len(odd), dtype=np.uint8)
    before = data.copy()
    image.mend(data, odd, right)
    codes[odd.where] = 2 * right + 1
    np.testing.assert_array_equal(image.unpack(data.tobytes()), codes)
    changed = np.unpackbits(data ^ before).sum()
    assert changed == np.unpackbits(image.unpack((data ^ before).tobytes())).sum()  # no other bit
    every = image.every()
    assert sorted(np.transpose(every.where).tolist()) == np.argwhere(codes >= 0).tolist()
    image.mend(data, every, right := rng.integers(0, 4, len(every), dtype=np.uint8))
    codes[every.where] = 2 * right + (codes[every.where] & 1)
    np.testing.assert_array_equal(image.unpack(data.tobytes()), codes)
    data[:] = 0
    none = image.odd(data)
    assert len(none) == 0
    image.mend(data, none, right[:0])
    assert not data.any()


@pytest.mark.parametrize("pe", [8, 32])
def test_odd_bits_of_no_channel_are_not_found(pe):
    """Also where a word has none but these."""
    image = BlockMap(2, 3, 2, pe, ((0, pe), (pe, 1)))
    real = image.pack(np.full((2, 3, pe + 1), 1))
    junk = np.full(image.size, 0xFF, np.uint8)
    junk.view("<u8").reshape(-1, 2)[:, 0] &= ~real.view("<u8").reshape(-1, 2)[:, 0]
    assert len(image.odd(junk)) == 0
    assert len(image.odd(junk | real)) == 6 * (pe + 1)
    real[: image.block_bytes] = 0  # words of the first block have none but junk
    both = junk | real
    odd = image.odd(both)
    assert len(odd) == 6
    image.mend(both, odd, right := np.array([0, 1, 1, 0, 1, 0], np.uint8))
    assert image.unpack(both.tobytes())[odd.where].tolist() == (2 * right + 1).tolist()


def test_a_row_that_has_fewer_columns():
    """As of pictures: the others are 0 on the way in, and left out on the way out."""
    tight = TightMap(1, 4, 18, 3)
    codes = np.random.default_rng(2).integers(0, 8, (1, 4, 18), dtype=np.uint8)
    codes[:, 2:] = 0
    memory = np.full(tight.size, 0xA5, np.uint8)
    tight.write(codes[:, :2], memory, 2)
    np.testing.assert_array_equal(memory, tight.pack(codes))
    with pytest.raises(QnnError, match="expected integer codes of shape"):
        tight.write(codes[:, :2], memory)
    raw = RawMap(1, 4, 8, ((0, 8), (8, 3)), tuple(range(11)))
    words = np.random.default_rng(3).integers(-9, 9, raw.size // 4).astype("<i4").tobytes()
    np.testing.assert_array_equal(raw.unpack(words, 3), raw.unpack(words)[:, :3])


def test_raw_map_takes_the_offset_away():
    raw = RawMap(1, 2, 8, ((0, 8), (8, 2)), tuple(range(10)))
    words = np.arange(32, dtype="<i4")
    out = raw.unpack(words.tobytes())
    assert out.dtype == np.int32
    assert out.tolist() == [[[0] * 8 + [8, 8], [8] * 8 + [16, 16]]]


def test_what_does_not_fit_is_refused():
    tight = TightMap(2, 2, 3, 2)
    with pytest.raises(QnnError, match="expected integer codes of shape"):
        tight.pack(np.zeros((2, 2, 4), int))
    with pytest.raises(QnnError, match="expected integer codes of shape"):
        tight.pack(np.zeros((2, 2, 3)))
    with pytest.raises(QnnError, match="do not fit 2 planes"):
        tight.pack(np.full((2, 2, 3), 4))
    with pytest.raises(QnnError, match="do not fit 2 planes"):
        BlockMap(2, 2, 2, 8, ((0, 3),)).pack(np.full((2, 2, 3), 4))
    with pytest.raises(QnnError, match="expected a map of 64 bytes, got 3"):
        BlockMap(2, 4, 2, 32, ((0, 32),)).unpack(b"abc")
    with pytest.raises(QnnError, match="expected accumulators of 128 bytes, got 3"):
        RawMap(1, 1, 32, ((0, 3),), (0, 0, 0)).unpack(b"abc")
