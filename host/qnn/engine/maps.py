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
# For each plane its bit of eight codes, and what puts that of code i, 8 * i + plane, to 56 + i.
_PLANE = np.arange(8, dtype="<u8")[:, None]
_LOWEST = np.uint64(0x0101010101010101) << _PLANE
_TO_THE_TOP = np.uint64(0x0102040810204080) >> _PLANE


def check_codes(codes: NDArray[np.integer], shape: tuple[int, int, int], planes: int) -> None:
    """QnnError where codes have another shape, are no integers, or need more planes."""
    if codes.shape != shape or codes.dtype.kind not in "iu":
        raise QnnError(
            f"expected integer codes of shape {shape}, got {codes.dtype} of shape {codes.shape}"
        )
    signed = codes.dtype.kind == "i"
    if codes.size and ((signed and codes.min() < 0) or codes.max() >= 1 << planes):
        raise QnnError(f"codes {codes.min()}..{codes.max()} do not fit {planes} planes")


def _packed(codes: NDArray[np.uint8], planes: int) -> NDArray[np.uint8]:
    """Each plane of codes, eight of them a byte: (..., planes, codes / 8) of (..., codes), which
    lie in one piece. numpy.packbits does it, too; on 32-bit ARM that takes it 20 instructions a
    code."""
    bits = codes.view("<u8")[..., None, :] & _LOWEST[:planes]
    bits *= _TO_THE_TOP[:planes]
    return bits.view(np.uint8)[..., 7::8]


def _places(blocks: Blocks, pe: int) -> NDArray[np.intp] | None:
    """Lane of each channel among those of all blocks; None where each has the channel of its
    number."""
    lanes = np.arange(len(blocks) * pe).reshape(-1, pe)
    places = np.concatenate([lane[:count] for lane, (_, count) in zip(lanes, blocks, strict=True)])
    return places if len(places) < lanes.size else None


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

    @cached_property
    def size(self) -> int:
        """Bytes of the whole map."""
        return self.groups * self.group_bytes

    def pack(self, codes: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Codes, integers of shape (rows, columns, groups * channels), as they lie in memory:
        uint8 (size,).

        Raises:
            QnnError: shape, dtype or a value does not fit.
        """
        memory = np.empty(self.size, np.uint8)
        self.write(codes, memory)
        return memory

    def write(
        self,
        codes: NDArray[np.integer],
        memory: NDArray[np.uint8],
        columns: int | None = None,
        fit: bool = False,
    ) -> None:
        """As `pack`, into memory, uint8 (size,).

        Args:
            columns: of the codes, where they are only the first ones; the others are 0.
            fit: they are known to.
        """
        columns = self.columns if columns is None else columns
        if not fit:
            check_codes(codes, (self.rows, columns, self.groups * self.channels), self.planes)
        lines = np.asarray(codes, np.uint8)
        if self.groups > 1:
            split = lines.reshape(self.rows, columns, self.groups, -1)
            lines = split.transpose(2, 0, 1, 3)
        if without := -self.channels % 4:  # lanes without a channel
            by_pixel = lines.reshape(-1, self.channels)
            lines = np.pad(by_pixel, ((0, 0), (0, without)))
        lines = lines.reshape(self.groups, self.rows, -1)
        if without := -lines.shape[2] % 8:
            lines = np.pad(lines, ((0, 0), (0, 0), (0, without)))
        strings = memory.reshape(self.groups, self.rows, self.planes, -1)
        used = lines.shape[2] // 8
        strings[..., :used] = _packed(np.ascontiguousarray(lines), self.planes)
        strings[..., used:] = 0


@dataclass(frozen=True, eq=False)
class Odd:
    """Codes whose lowest plane is 1, in a map of blocks in memory.

    Attributes:
        words: which words of the lowest plane have some, intp (M,).
        masks: those words, little-endian uint64 (M,).
        firsts: the first code of each word, intp (M,).
        bits: place of each code in its word, intp (N,).
        where: row, column and channel of each code, intp (N,) each.
    """

    words: NDArray[np.intp]
    masks: NDArray[np.uint64]
    firsts: NDArray[np.intp]
    bits: NDArray[np.intp]
    where: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]

    def __len__(self) -> int:
        """Codes."""
        return len(self.bits)


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

    @cached_property
    def size(self) -> int:
        """Bytes of the whole map."""
        return len(self.blocks) * self.block_bytes

    def odd(self, data: NDArray[np.uint8]) -> Odd:
        """The codes of a map in memory, uint8 (size,), whose lowest plane is 1. Looks at no other
        plane."""
        words = data.view("<u8")[:: self.planes]
        (some,) = words.astype(bool).nonzero()  # through numbers numpy looks slower
        masks = words[some]
        if self._real is not None:
            masks &= self._real[some]
        return self._among(some, masks)

    def every(self) -> Odd:
        """All codes, as if they were odd."""
        count = len(self.blocks) * self.rows * self._groups
        masks = np.full(count, -1).astype("<u8") if self._real is None else self._real
        return self._among(np.arange(count), masks)

    def mend(self, data: NDArray[np.uint8], odd: Odd, codes: NDArray[np.uint8]) -> None:
        """Puts some codes in place of those in memory; the lowest plane tells doubts and stays.

        Args:
            data: uint8 (size,), the map in memory.
            odd: which.
            codes: uint8, one for each of them, for the planes above the lowest.
        """
        if not len(odd):
            return
        words = data.view("<u8")
        places = odd.words * self.planes + self._above
        values = self._planes_of.take(codes, 1)
        values <<= odd.bits.astype("<u8")
        mended = words[places]
        mended &= ~odd.masks
        mended |= np.bitwise_or.reduceat(values, odd.firsts, axis=1)
        words[places] = mended

    def pack(self, codes: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Codes, integers of shape (rows, columns, channels), as they lie in memory: uint8 (size,).

        Raises:
            QnnError: shape, dtype or a value does not fit.
        """
        check_codes(codes, (self.rows, self.columns, self.channels), self.planes)
        lanes = len(self.blocks) * self.pe
        whole = np.zeros((self.rows, self._groups * self._share, lanes), np.uint8)
        whole[:, : self.columns, slice(None) if self._places is None else self._places] = codes
        memory = np.empty(self.size, np.uint8)
        pixels = self._pixels(memory)
        for plane in range(self.planes):
            bits = np.packbits(whole & np.uint8(1 << plane), bitorder="little")
            pixels[plane] = bits.view(pixels.dtype).reshape(pixels.shape[1:])
        return memory

    def unpack(self, data: bytes) -> NDArray[np.uint8]:
        """Codes, uint8 (rows, columns, channels), of what lies in memory.

        Raises:
            QnnError: not as many bytes as the map has.
        """
        if len(data) != self.size:
            raise QnnError(f"expected a map of {self.size} bytes, got {len(data)}")
        # pixels come into order before they become bits, for of these there are so many more
        pixels = self._pixels(np.frombuffer(data, np.uint8))
        ordered = pixels.reshape(self.planes, self.rows, -1, len(self.blocks))
        ordered = np.ascontiguousarray(ordered[:, :, : self.columns])
        codes, *higher = np.unpackbits(
            ordered.view(np.uint8).reshape(self.planes, -1), axis=1, bitorder="little"
        )
        for plane, bits in enumerate(higher, start=1):
            eight, whole = bits.view(np.uint64), codes.view(np.uint64)  # at once
            whole |= np.left_shift(eight, np.uint64(plane), out=eight)
        codes = codes.reshape(self.rows, self.columns, -1)
        return codes if self._places is None else codes[..., self._places]

    @property
    def _share(self) -> int:
        """Pixels in a word."""
        return 64 // self.pe

    @cached_property
    def _places(self) -> NDArray[np.intp] | None:
        """Of the channels among the lanes of all blocks; None: they are the same."""
        return _places(self.blocks, self.pe)

    @property
    def _groups(self) -> int:
        """Words of a plane of a row."""
        return -(-self.columns // self._share)

    @cached_property
    def _real(self) -> NDArray[np.uint64] | None:
        """Bits of words that stand for something, little-endian uint64, of each word of a plane;
        None: all do."""
        counts = np.array([count for _, count in self.blocks])
        column = np.arange(self._groups * self._share) < self.columns
        lane = np.arange(self.pe) < counts[:, None]
        real = column[None, :, None] & lane[:, None]
        if real.all():
            return None
        bits = np.packbits(real, bitorder="little").view("<u8")
        return np.repeat(bits.reshape(len(counts), 1, -1), self.rows, axis=1).reshape(-1)

    @cached_property
    def _begin(self) -> NDArray[np.intp]:
        """Row, column and channel of the lowest bit, of each word of a plane: (3, words)."""
        channels, rows, columns = np.meshgrid(
            np.array([first for first, _ in self.blocks], np.intp),
            np.arange(self.rows),
            np.arange(self._groups) * self._share,
            indexing="ij",
        )
        return np.stack([rows, columns, channels]).reshape(3, -1)

    @cached_property
    def _above(self) -> NDArray[np.intp]:
        """Planes above the lowest, (planes - 1, 1)."""
        return np.arange(1, self.planes)[:, None]

    @cached_property
    def _planes_of(self) -> NDArray[np.uint64]:
        """For each plane above the lowest the bit of each code, little-endian uint64."""
        return (np.arange(1 << (self.planes - 1)) >> (self._above - 1) & 1).astype("<u8")

    def _pixels(self, memory: NDArray[np.uint8]) -> NDArray[np.unsignedinteger]:
        """The bits of a pixel in a block, as one number: (planes, rows, words of a plane of a row,
        pixels of a word, blocks)."""
        pixels = memory.view(f"<u{self.pe // 8}")
        split = pixels.reshape(len(self.blocks), self.rows, -1, self.planes, self._share)
        return split.transpose(3, 1, 2, 4, 0)

    def _among(self, words: NDArray[np.intp], masks: NDArray[np.uint64]) -> Odd:
        """Codes by their bits in words of the lowest plane."""
        (found,) = np.unpackbits(masks.view(np.uint8), bitorder="little").view(bool).nonzero()
        nth, bits = found >> 6, found & 63
        rows, columns, channels = self._begin.take(words[nth], 1)
        if self._share == 1:
            channels += bits
        else:
            columns += bits // self.pe
            channels += bits & (self.pe - 1)
        another = np.empty(len(nth), bool)
        another[:1] = True
        np.not_equal(nth[1:], nth[:-1], out=another[1:])
        (firsts,) = another.nonzero()
        if len(firsts) != len(words):  # some have none
            words, masks = words[nth[firsts]], masks[nth[firsts]]
        return Odd(words, masks, firsts, bits, (rows, columns, channels))


@dataclass(frozen=True)
class RawMap:
    """Accumulators; `offset` is what the accelerator counts too much, for each channel."""

    rows: int
    columns: int
    pe: int
    blocks: Blocks
    offset: tuple[int, ...]

    @cached_property
    def size(self) -> int:
        """Bytes of the whole map."""
        return len(self.blocks) * self.rows * self.columns * self.pe * 4

    def unpack(self, data: bytes, columns: int | None = None) -> NDArray[np.int32]:
        """Accumulators, int32 (rows, columns, channels), of what lies in memory.

        Args:
            columns: only so many, the first ones; None: all.

        Raises:
            QnnError: not as many bytes as the map has.
        """
        if len(data) != self.size:
            raise QnnError(f"expected accumulators of {self.size} bytes, got {len(data)}")
        words = np.frombuffer(data, dtype="<i4")
        split = words.reshape(len(self.blocks), self.rows, self.columns, self.pe)[:, :, :columns]
        sums = split.transpose(1, 2, 0, 3).reshape(*split.shape[1:3], -1)
        if self._places is not None:
            sums = sums[..., self._places]
        return sums - self._offsets

    @cached_property
    def _offsets(self) -> NDArray[np.int32]:
        return np.array(self.offset, np.int64).astype(np.int32)  # differences wrap, as sums do

    @cached_property
    def _places(self) -> NDArray[np.intp] | None:
        """Of the channels among the lanes of all blocks; None: they are the same."""
        return _places(self.blocks, self.pe)
