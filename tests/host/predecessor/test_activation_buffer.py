# SPDX-License-Identifier: BSD-3-Clause
"""Codes are packed bit by bit as the format says, and read back whatever the pitch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qnn.errors import FormatError
from qnn.predecessor.activation_buffer import OVERLAY_PITCH, pack, read, tight_pitch, unpack


@st.composite
def maps(draw):
    """(codes, bits)."""
    bits = draw(st.integers(1, 8))
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 40)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.integers(0, 2**bits, shape, dtype=np.uint8), bits


def numbers(codes, bits):
    """Each pixel as one number: code c in bits [c*bits, c*bits + bits)."""
    return [
        [sum(int(code) << bits * c for c, code in enumerate(pixel)) for pixel in row]
        for row in codes
    ]


def test_by_hand():
    codes = np.array([[[1, 2, 3, 0, 1]]], np.uint8)
    assert pack(codes, 2).tolist() == [[[0b00111001, 0b01]]]
    assert pack(codes, 3).tolist() == [[[0b11010001, 0b00010000]]]
    assert pack(codes, 8).tolist() == codes.tolist()
    assert pack(codes & 1, 1).tolist() == [[[0b10101]]]


@pytest.mark.parametrize(
    ("channels", "bits", "pitch"), [(68, 2, 17), (16, 3, 6), (1, 1, 1), (8, 1, 1), (9, 1, 2)]
)
def test_tight_pitch(channels, bits, pitch):
    assert tight_pitch(channels, bits) == pitch


@given(maps())
def test_pack_follows_its_definition(case):
    codes, bits = case
    packed = pack(codes, bits)
    assert packed.dtype == np.uint8
    assert packed.shape == (*codes.shape[:2], tight_pitch(codes.shape[2], bits))
    found = [[int.from_bytes(bytes(pixel), "little") for pixel in row] for row in packed]
    assert found == numbers(codes, bits)


@given(maps(), st.integers(0, 9))
def test_unpack_undoes_pack(case, surplus):
    codes, bits = case
    packed = np.pad(pack(codes, bits), ((0, 0), (0, 0), (0, surplus)), constant_values=0xA5)
    found = unpack(packed, codes.shape[2], bits)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, codes)


class TestRead:
    @pytest.fixture
    def codes(self):
        return np.random.default_rng(2).integers(0, 4, (3, 5, 17), dtype=np.uint8)

    def write(self, path, codes, bits, pitch, behind=b""):
        packed = pack(codes, bits)
        padded = np.zeros((*codes.shape[:2], pitch), np.uint8)
        padded[..., : packed.shape[2]] = packed
        path.write_bytes(padded.tobytes() + behind)
        return path

    @pytest.mark.parametrize("pitch", [5, 8, 96])
    def test_the_pitch_follows_from_the_size(self, codes, tmp_path, pitch):
        path = self.write(tmp_path / "codes.bin", codes, 2, pitch)
        np.testing.assert_array_equal(read(path, codes.shape, 2), codes)

    @pytest.mark.parametrize("bits", OVERLAY_PITCH)
    @pytest.mark.parametrize("slots", [0, 1, 100])
    def test_slots_behind_the_last_pixel_are_not_read(self, codes, tmp_path, bits, slots):
        pitch = OVERLAY_PITCH[bits]
        path = self.write(tmp_path / "codes.bin", codes, bits, pitch, b"\xff" * pitch * slots)
        np.testing.assert_array_equal(read(path, codes.shape, bits), codes)

    @pytest.mark.parametrize("size", [0, 1, 74, 76, 119, 121, 15 * 96 - 1, 15 * 96 + 1])
    def test_sizes_that_fit_no_pitch(self, tmp_path, size):
        path = tmp_path / "codes.bin"
        path.write_bytes(b"\0" * size)
        with pytest.raises(FormatError, match=f"codes.bin: .*3x5x17 .*2 bits; {size} bytes.* 75"):
            read(path, (3, 5, 17), 2)

    def test_bits_without_an_overlay(self, tmp_path):
        path = tmp_path / "codes.bin"
        path.write_bytes(b"\0" * 15 * 192)
        with pytest.raises(FormatError, match="5 bits"):
            read(path, (3, 5, 17), 5)

    def test_channels_beyond_an_overlay(self, tmp_path):
        path = tmp_path / "codes.bin"
        path.write_bytes(b"\0" * 2 * 96)
        with pytest.raises(FormatError, match="1x2x385"):
            read(path, (1, 2, 385), 2)

    @pytest.mark.parametrize("name", ["nothing.bin", "."])
    def test_files_that_cannot_be_read(self, tmp_path, name):
        with pytest.raises(FormatError, match="cannot be read"):
            read(tmp_path / name, (3, 5, 17), 2)
