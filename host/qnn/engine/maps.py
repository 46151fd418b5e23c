# SPDX-License-Identifier: BSD-3-Clause
"""Feature maps as they lie in memory.

TightMap  what the host hands in: [group][row][plane] one string of bits each, pixel after pixel,
          the group's channels side by side, filled up to 4 bits a pixel and 64 bits a string.
BlockMap  what the accelerator writes and reads: [block][row][64/pe pixels][plane] one 64-bit word
          each; bit p * pe + c of it is channel c of the block of pixel p.
RawMap    sums: [block][pixel][channel of the block] uint32.

A block is up to `pe` consecutive channels (first, count). Words are little-endian.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qnn.errors import QnnError

Blocks = tuple[tuple[int, int], ...]  # (first channel, channels)


def _bits_to_bytes(bits: NDArray[np.uint8]) -> bytes:
    """Bits, first one lowest, shape (..., n * 8), as bytes."""
    return np.packbits(bits, axis=-1, bitorder="little").tobytes()


def check_codes(codes: NDArray[np.integer], shape: tuple[int, int, int], planes: int) -> None:
    """QnnError where codes have another shape, are no integers, or need more planes."""
    if codes.shape != shape or not np.issubdtype(codes.dtype, np.integer):
        raise QnnError(
            f"expected integer codes of shape {shape}, got {codes.dtype} of shape {codes.shape}"
        )
    if codes.size and (codes.min() < 0 or codes.max() >= 1 << planes):
        raise QnnError(f"codes {codes.min()}..{codes.max()} do not fit {planes} planes")


@dataclass(frozen=True)
class TightMap:
    """Map of `groups` groups of `channels` channels each; see the head of this module."""

    rows: int
    columns: int
    channels: int
    planes: int
    groups: int = 1

    @property
    def pixel_nibbles(self) -> int:
        """Nibbles of one plane of one pixel of one group."""
        return -(-self.channels // 4)

    @property
    def plane_words(self) -> int:
        """64-bit words of one plane of one row."""
        return -(-self.columns * self.pixel_nibbles // 16)

    @property
    def group_bytes(self) -> int:
        return self.rows * self.planes * self.plane_words * 8

    @property
    def size(self) -> int:
        """Bytes of the whole map."""
        return self.groups * self.group_bytes

    def pack(self, codes: NDArray[np.integer]) -> bytes:
        """Codes, integers of shape (rows, columns, groups * channels), as they lie in memory.

        Raises:
            QnnError: shape, dtype or a value does not fit.
        """
        check_codes(codes, (self.rows, self.columns, self.groups * self.channels), self.planes)
        split = codes.astype(np.uint8, copy=False).reshape(self.rows, self.columns, self.groups, -1)
        by_group = split.transpose(2, 0, 1, 3)
        strings = np.zeros((self.groups, self.rows, self.planes, self.plane_words * 64), np.uint8)
        lanes = self.pixel_nibbles * 4
        group, row, plane, bit = strings.strides
        pixels = np.lib.stride_tricks.as_strided(
            strings,
            (self.groups, self.rows, self.planes, self.columns, self.channels),
            (group, row, plane, lanes * bit, bit),
        )
        for number in range(self.planes):
            np.bitwise_and(by_group >> number, 1, out=pixels[:, :, number])
        return _bits_to_bytes(strings)


@dataclass(frozen=True)
class BlockMap:
    """Map of channel blocks; see the head of this module."""

    rows: int
    columns: int
    planes: int
    pe: int
    blocks: Blocks

    @property
    def channels(self) -> int:
        return sum(count for _, count in self.blocks)

    @property
    def row_beats(self) -> int:
        """64-bit words of one row of one block."""
        return -(-self.columns * self.pe // 64) * self.planes

    @property
    def block_bytes(self) -> int:
        return self.rows * self.row_beats * 8

    @property
    def size(self) -> int:
        """Bytes of the whole map."""
        return len(self.blocks) * self.block_bytes

    def odd(self, data: NDArray[np.uint8]) -> NDArray[np.intp]:
        """Where the lowest plane of a map in memory, uint8 (size,), is 1: (N, 3), row, column and
        channel of each. Looks at no other plane."""
        planes = data.view("<u8").reshape(len(self.blocks), self.rows, -1, self.planes)
        words = planes[..., 0].ravel()
        some = np.flatnonzero(words)  # of arrays of more axes numpy finds them ten times slower
        bits = np.unpackbits(words[some].view(np.uint8), bitorder="little")
        word, bit = np.divmod(np.flatnonzero(bits), 64)
        block, row, group = np.unravel_index(some[word], planes.shape[:3])
        column = group * (64 // self.pe) + bit // self.pe
        firsts, counts = np.array(self.blocks)[block].T
        where = np.stack([row, column, firsts + bit % self.pe], axis=1)
        return where[(column < self.columns) & (bit % self.pe < counts)]

    def mend(
        self, data: NDArray[np.uint8], where: NDArray[np.intp], codes: NDArray[np.uint8]
    ) -> None:
        """Puts some codes in place of those in memory; the lowest plane tells doubts and stays.

        Args:
            data: uint8 (size,), the map in memory.
            where: (N, 3): row, column and channel of each.
            codes: uint8 (N,), for the planes above the lowest.
        """
        row, column, channel = where.T
        firsts = np.array([first for first, _ in self.blocks])
        block = np.searchsorted(firsts, channel, side="right") - 1
        share = 64 // self.pe
        groups = -(-self.columns // share)
        word = ((block * self.rows + row) * groups + column // share) * self.planes
        bit = column % share * self.pe + channel - firsts[block]
        mask = np.left_shift(1, bit % 8).astype(np.uint8)
        for plane in range(1, self.planes):
            byte = (word + plane) * 8 + bit // 8
            np.bitwise_and.at(data, byte, ~mask)
            np.bitwise_or.at(data, byte, mask * (codes >> (plane - 1) & 1))

    def pack(self, codes: NDArray[np.integer]) -> bytes:
        """Codes, integers of shape (rows, columns, channels), as they lie in memory.

        Raises:
            QnnError: shape, dtype or a value does not fit.
        """
        check_codes(codes, (self.rows, self.columns, self.channels), self.planes)
        share = 64 // self.pe
        whole = np.zeros(
            (len(self.blocks), self.rows, -(-self.columns // share) * share, self.pe), np.uint8
        )
        for block, (first, count) in zip(whole, self.blocks, strict=True):
            block[:, : self.columns, :count] = codes[..., first : first + count]
        pixels = whole.reshape(len(self.blocks), self.rows, -1, 1, 64)
        planes = np.arange(self.planes, dtype=np.uint8)[:, None]
        return _bits_to_bytes(pixels >> planes & np.uint8(1))

    def unpack(self, data: bytes) -> NDArray[np.uint8]:
        """Codes, uint8 (rows, columns, channels), of what lies in memory.

        Raises:
            QnnError: not as many bytes as the map has.
        """
        if len(data) != self.size:
            raise QnnError(f"expected a map of {self.size} bytes, got {len(data)}")
        bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little")
        bits = bits.reshape(len(self.blocks), self.rows, -1, self.planes, 64 // self.pe, self.pe)
        codes = (bits << np.arange(self.planes, dtype=np.uint8)[:, None, None]).sum(
            axis=3, dtype=np.uint8
        )
        codes = codes.reshape(len(self.blocks), self.rows, -1, self.pe)[:, :, : self.columns]
        return np.concatenate(
            [codes[b, ..., :count] for b, (_, count) in enumerate(self.blocks)], axis=-1
        )


@dataclass(frozen=True)
class RawMap:
    """Accumulators; `offset` is what the accelerator counts too much, for each channel."""

    rows: int
    columns: int
    pe: int
    blocks: Blocks
    offset: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of the whole map."""
        return len(self.blocks) * self.rows * self.columns * self.pe * 4

    def unpack(self, data: bytes) -> NDArray[np.int32]:
        """Accumulators, int32 (rows, columns, channels), of what lies in memory.

        Raises:
            QnnError: not as many bytes as the map has.
        """
        if len(data) != self.size:
            raise QnnError(f"expected accumulators of {self.size} bytes, got {len(data)}")
        words = np.frombuffer(data, dtype="<u4").reshape(len(self.blocks), -1, self.pe)
        parts = [words[b, :, :count] for b, (_, count) in enumerate(self.blocks)]
        sums = np.concatenate(parts, axis=-1).reshape(self.rows, self.columns, -1)
        return (sums - self._offsets).astype(np.int32)

    @cached_property
    def _offsets(self) -> NDArray[np.int64]:
        return np.array(self.offset, np.int64)  # of thousands, as slow as all the rest
