# SPDX-License-Identifier: BSD-3-Clause
"""Fully connected layers: y = x W + b, with one bit per weight wherever a column allows it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qnn.errors import NetworkError, QnnError

_COLUMNS_AT_ONCE = 128  # while packing: small against the matrix
_OUTPUTS_AT_ONCE = 128  # while computing: the scratch memory stays in the cache
_ROWS_AT_ONCE = 256


class PackedColumns(NamedTuple):
    """A matrix (n_in, n_out) with two values in each column.

    bits: little-endian uint64 (n_out, ceil(n_in/64)); bit i of word k of row o belongs to weight
        (64*k+i, o) and chooses hi (1) or lo (0). Bits from n_in up are 0.
    lo, hi: float32 (n_out,), lo <= hi.
    """

    bits: NDArray[np.uint64]
    lo: NDArray[np.float32]
    hi: NDArray[np.float32]


def pack_columns(weight: NDArray[np.float32]) -> PackedColumns | None:
    """Pack a matrix, float32 (n_in, n_out), or None if a column has more than two values.

    Raises:
        NetworkError: another dtype or shape.
    """
    _check_matrix(weight)
    n_in, n_out = weight.shape
    lo, hi = weight.min(axis=0), weight.max(axis=0)
    packed = np.zeros((n_out, -(-n_in // 64) * 8), np.uint8)
    for start in range(0, n_out, _COLUMNS_AT_ONCE):
        some = slice(start, start + _COLUMNS_AT_ONCE)
        block = weight[:, some]
        if not ((block == lo[some]) | (block == hi[some])).all():
            return None
        bits = np.packbits(block > lo[some], axis=0, bitorder="little")
        packed[some, : len(bits)] = bits.T
    return PackedColumns(packed.view("<u8"), lo, hi)


@dataclass(frozen=True, eq=False)
class BinaryDense:
    """A fully connected layer on small unsigned codes, with two weight values for each output.

    bits, lo, hi: see PackedColumns; kept as given, so a memory map stays one.
    bias: float32 (n_out,).
    n_in: number of inputs.

    Raises:
        NetworkError: the parts do not fit together.
    """

    bits: NDArray[np.uint64]
    lo: NDArray[np.float32]
    hi: NDArray[np.float32]
    bias: NDArray[np.float32]
    n_in: int

    def __post_init__(self) -> None:
        want = (len(self.bias), -(-self.n_in // 64))
        if self.n_in < 1 or self.bits.dtype != np.dtype("<u8") or self.bits.shape != want:
            raise NetworkError(
                f"want packed weights little-endian uint64 {want} for {self.n_in} inputs, "
                f"got {self.bits.dtype.str} {self.bits.shape}"
            )
        for name in ("lo", "hi", "bias"):
            _check_vector(getattr(self, name), name, want[0])

    def __call__(self, codes: NDArray[np.uint8], scale: float) -> NDArray[np.float64]:
        """Outputs, float64 (n_out,), of inputs x = codes * scale, codes uint8 (n_in,).

        The sums over the codes are exact integers: with S the sum of all codes and B the sum of
        those that meet hi, y = scale * (lo*S + (hi-lo)*B) + bias. Only this last line, `of_sums`,
        in float64, is rounded.

        Raises:
            QnnError: another dtype or shape.
        """
        if codes.dtype != np.uint8 or codes.shape != (self.n_in,):
            raise QnnError(
                f"want codes uint8 ({self.n_in},) for a dense layer, got {codes.dtype} "
                f"{codes.shape}"
            )
        planes = self._planes(codes)
        met_hi = np.empty(len(self.bits), np.int64)
        for start in range(0, len(self.bits), _OUTPUTS_AT_ONCE):
            some = slice(start, start + _OUTPUTS_AT_ONCE)
            block = np.asarray(self.bits[some])
            met_hi[some] = sum(count_ones(block & plane) << k for k, plane in enumerate(planes))
        return self.of_sums(int(codes.sum(dtype=np.int64)), 2 * met_hi, scale)

    def of_sums(
        self, total: int, twice: NDArray[np.int64 | np.float64], scale: float
    ) -> NDArray[np.float64]:
        """Outputs, float64 (n_out,), of the sum of all codes and, for each output, whole numbers
        (n_out,), twice the sum of those that meet hi: half of a difference times such a number is
        the very float64 that the difference times half of it is."""
        lo, half, bias = self._exact
        y: NDArray[np.float64] = lo * total
        y += half * twice
        y *= scale
        y += bias
        return y

    def of_differences(
        self, codes: NDArray[np.integer[Any]], differences: NDArray[np.int32], scale: float
    ) -> NDArray[np.float64]:
        """Outputs, float64 (n_out,), of the codes and, for each output, the sum of those that meet
        hi less the sum of those that meet lo: the same as of `of_sums`.

        Where lo = -hi, the sum of all codes goes away: before it is scaled, an output is hi, which
        is a float32, times whole numbers below 2**29, which float64 does not round.
        """
        if self.opposite:
            return self.of_opposite(differences, scale)
        total = int(codes.sum())
        twice = differences + np.float64(total)  # in float64 the whole numbers
        return self.of_sums(total, twice, scale)

    def of_opposite(self, differences: NDArray[np.int32], scale: float) -> NDArray[np.float64]:
        """As `of_differences`, where values are `opposite`; grows with the difference, or stays."""
        _, half, bias = self._exact
        y: NDArray[np.float64] = half * differences
        y *= scale
        y += bias
        return y

    @cached_property
    def opposite(self) -> bool:
        """Weights are only hi and -hi, and twice the sum of codes of 8 bits is below 2**29."""
        return self.n_in < 1 << 20 and bool((self.lo == -self.hi).all() and self.hi.min() >= 0)

    @cached_property
    def _exact(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """lo, half of hi - lo, and bias in float64."""
        lo, hi, bias = (one.astype(np.float64) for one in (self.lo, self.hi, self.bias))
        return lo, (hi - lo) / 2, bias

    def _planes(self, codes: NDArray[np.uint8]) -> list[NDArray[np.uint64]]:
        """Bit k of every code, packed as a row of `bits`, for every k that occurs."""
        padded = np.zeros(self.bits.shape[1] * 64, np.uint8)
        padded[: self.n_in] = codes
        return [
            np.packbits(padded >> k & 1, bitorder="little").view("<u8")
            for k in range(int(codes.max()).bit_length())
        ]


class FloatDense:
    """A fully connected layer that keeps its weights in float32 and computes in float64.

    Args:
        weight: float32 (n_in, n_out); kept as given, so a memory map stays one.
        bias: float32 (n_out,), or None.

    Raises:
        NetworkError: the parts do not fit together.
    """

    def __init__(self, weight: NDArray[np.float32], bias: NDArray[np.float32] | None) -> None:
        _check_matrix(weight)
        self.weight = weight
        self.bias = np.zeros(weight.shape[1], np.float32) if bias is None else bias
        _check_vector(self.bias, "bias", weight.shape[1])

    def __call__(self, x: NDArray[np.number[Any]], scale: float = 1.0) -> NDArray[np.float64]:
        """Outputs, float64 (..., n_out), of inputs x * scale, x numbers (..., n_in).

        Raises:
            QnnError: another shape.
        """
        n_in, n_out = self.weight.shape
        if x.ndim < 1 or x.shape[-1] != n_in:
            raise QnnError(f"want {n_in} inputs for a dense layer, got an array {x.shape}")
        rows = x.reshape(-1, n_in).astype(np.float64)
        y = np.zeros((len(rows), n_out))
        for start in range(0, n_in, _ROWS_AT_ONCE):
            some = slice(start, start + _ROWS_AT_ONCE)
            y += rows[:, some] @ self.weight[some].astype(np.float64)
        return (y * scale + self.bias).reshape(*x.shape[:-1], n_out)


def _add_up_ones(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The number of ones in each uint64, by adding neighbours of 1, 2, 4, then all 8 bytes."""
    pairs, nibbles, octets, ones = (
        np.uint64(int(byte * 8, 16)) for byte in ("55", "33", "0f", "01")
    )
    # In place, because new memory costs more than the arithmetic.
    neighbour = words >> np.uint64(1)
    neighbour &= pairs
    count: NDArray[np.uint64] = words - neighbour
    np.right_shift(count, np.uint64(2), out=neighbour)
    neighbour &= nibbles
    count &= nibbles
    count += neighbour
    np.right_shift(count, np.uint64(4), out=neighbour)
    count += neighbour
    count &= octets
    count *= ones
    count >>= np.uint64(56)
    return count


def count_ones(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Number of ones in each row, int64 (N,), of words, uint64 (N, M)."""
    each = np.bitwise_count(words) if hasattr(np, "bitwise_count") else _add_up_ones(words)
    total: NDArray[np.int64] = each.sum(axis=1).astype(np.int64)  # a dtype in sum is slow
    return total


def _check_matrix(weight: NDArray[np.float32]) -> None:
    if weight.dtype != np.float32 or weight.ndim != 2 or 0 in weight.shape:
        raise NetworkError(
            f"want dense weights float32 (inputs, outputs), got {weight.dtype} {weight.shape}"
        )
    if not (np.isfinite(weight.min()) and np.isfinite(weight.max())):
        raise NetworkError("a dense layer has weights that are not finite")


def _check_vector(vector: NDArray[np.float32], name: str, length: int) -> None:
    if vector.dtype != np.float32 or vector.shape != (length,) or not np.isfinite(vector).all():
        raise NetworkError(
            f"want a finite {name} float32 ({length},) for a dense layer, got {vector.dtype} "
            f"{vector.shape}"
        )
