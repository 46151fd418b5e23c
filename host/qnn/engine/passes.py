# SPDX-License-Identifier: BSD-3-Clause
"""Weights as the accelerator takes them: planes of +-1 by falling powers of two, one plane a pass.

The exponent of pass i is max(exponent - i, 0): it falls by one from pass to pass and stays at 0 for
the last `passes - exponent`. Those passes have the sum

    total = 2**(exponent + 1) - 2 + passes - exponent

and give every number from -total to total that is odd where total is odd, even where it is even.
So any weights, whatever their planes and coefficients, take one pass for each bit of the largest
of them where they are odd, and at most one more where they are even.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qnn.compute.dense import count_ones
from qnn.network import Conv, Shape

_OUTPUTS_AT_ONCE = 128  # while counting packed bits: small against all of them


@dataclass(frozen=True, eq=False)
class PackedBits:
    """One plane of weights over a whole map, eight bits a byte until an output is asked for.

    Attributes:
        words: little-endian uint64 (O, ceil(inputs / 64)), as qnn.compute.dense.BinaryDense has
            them; a memory map stays one.
        kernel: (KH, KW, C), of the map.
    """

    words: NDArray[np.uint64]
    kernel: Shape

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Of the array of bits that this stands for: (1, O, KH, KW, C)."""
        return (1, len(self.words), *self.kernel)

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: tuple[slice, slice]) -> NDArray[np.uint8]:
        """Bits, uint8 0 or 1, of a slice of the planes and one of the outputs."""
        planes, outputs = index
        some = np.ascontiguousarray(self.words[outputs]).view(np.uint8)
        bits = np.unpackbits(some, axis=1, count=int(np.prod(self.kernel)), bitorder="little")
        return bits.reshape(1, len(some), *self.kernel)[planes]

    @property
    def zeros(self) -> NDArray[np.int64]:
        """Bits that are 0, int64 (1, O)."""
        inputs = int(np.prod(self.kernel))
        lanes = np.arange(self.words.shape[1] * 64) < inputs
        mask = np.packbits(lanes, bitorder="little").view("<u8")
        ones = [
            count_ones(self.words[start : start + _OUTPUTS_AT_ONCE] & mask)
            for start in range(0, len(self.words), _OUTPUTS_AT_ONCE)
        ]
        return inputs - np.concatenate(ones)[None]


@dataclass(frozen=True, eq=False)
class Passes:
    """Weights of one layer.

    Attributes:
        bits: uint8 0 or 1, shape (passes, O, KH, KW, C/groups); 1 stands for +1, 0 for -1.
        exponent: of the first pass.
    """

    bits: NDArray[np.uint8] | PackedBits
    exponent: int

    def __len__(self) -> int:
        return len(self.bits)

    @property
    def zeros(self) -> NDArray[np.int64]:
        """Bits that are 0, int64 (passes, O)."""
        if isinstance(self.bits, PackedBits):
            return self.bits.zeros
        return (self.bits == 0).sum(axis=(2, 3, 4), dtype=np.int64)

    @property
    def factors(self) -> NDArray[np.int64]:
        """What each pass counts."""
        return factors(len(self), self.exponent)


def factors(passes: int, exponent: int) -> NDArray[np.int64]:
    """What each pass counts, highest first."""
    falling = exponent - np.arange(passes, dtype=np.int64)
    return np.int64(1) << np.maximum(falling, 0)


def shape_of(largest: int) -> tuple[int, int]:
    """The fewest passes for numbers from -largest to largest, all odd or all even as it is, and
    the exponent of the first one."""
    if largest % 2:
        passes = largest.bit_length()
        return passes, passes - 1
    exponent = max(largest - 1, 1).bit_length() - 1
    return exponent + 2, exponent


def passes_of(layer: Conv) -> Passes:
    """The weights of a layer in the fewest passes."""
    if layer.coefficients == (1,):
        return Passes(layer.weight, 0)
    total = sum(layer.coefficients)
    level = np.zeros(layer.weight.shape[1:], np.int16)  # (weight + total) / 2
    for plane, coefficient in zip(layer.weight, layer.coefficients, strict=True):
        level += np.int16(coefficient) * plane
    largest = max(total - 2 * int(level.min()), 2 * int(level.max()) - total)
    passes, exponent = shape_of(largest)
    each = factors(passes, exponent)
    level += np.int16((int(each.sum()) - total) // 2)
    bits = np.empty((passes, *level.shape), np.uint8)
    for plane, factor in zip(bits, each, strict=True):
        np.greater_equal(level, factor, out=plane, casting="unsafe")
        level -= np.int16(factor) * plane
    return Passes(bits, exponent)
