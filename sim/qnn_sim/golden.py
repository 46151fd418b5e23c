# SPDX-License-Identifier: BSD-3-Clause
"""The integer layers, from their definitions. Written to be read; speed is not a concern here.

Feature maps are (row, column, channel), weights (output, kernel row, kernel column, input).
Everything is int64 inside, so nothing can overflow; a float argument is refused, because it would
hide rounding. Sources: Umuroglu et al., "FINN", FPGA 2017 (arXiv:1612.07119) for thresholds in
place of batch norm; Zhou et al., "DoReFa-Net" (arXiv:1606.06160) for bit planes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Padding = tuple[int, int, int, int]  # top, left, bottom, right
NO_PADDING: Padding = (0, 0, 0, 0)


def _integers(name: str, values: ArrayLike, ndim: int) -> NDArray[np.int64]:
    array = np.asarray(values)
    if not (np.issubdtype(array.dtype, np.integer) or array.dtype == np.bool_):
        raise TypeError(f"{name}: expected integers, got {array.dtype}")
    if array.ndim != ndim:
        raise ValueError(f"{name}: expected {ndim} dimensions, got shape {array.shape}")
    return array.astype(np.int64)


def signed_weights(bits: ArrayLike, coefficients: Sequence[int] = (1,)) -> NDArray[np.int64]:
    """Weights of bit planes: w = sum over planes n of c_n * (+1 where the bit is 1, else -1).

    Args:
        bits: 0 or 1, shape (planes, ...).
        coefficients: c_n, one for each plane; (1,) gives -1, +1; (1, 1) gives -2, 0, +2.

    Returns:
        int64, shape of one plane.

    Raises:
        TypeError: floats.
        ValueError: a value is not 0 or 1, or the number of planes and coefficients differ.
    """
    planes = _integers("bits", bits, np.ndim(bits))
    if not np.isin(planes, (0, 1)).all():
        raise ValueError("weight bits are 0 or 1")
    if len(planes) != len(coefficients):
        raise ValueError(f"{len(planes)} weight planes but {len(coefficients)} coefficients")
    weight = np.zeros(planes.shape[1:], dtype=np.int64)
    for plane, coefficient in zip(planes, coefficients, strict=True):
        weight += coefficient * (2 * plane - 1)
    return weight


def binarized_dot(x_bits: ArrayLike, w_bits: ArrayLike) -> int:
    """Dot product of two vectors of -1 and +1 given as bits: equal pairs minus unequal pairs.

    Args:
        x_bits, w_bits: 0 (for -1) or 1 (for +1), shape (n,).

    Returns:
        An integer in -n..n of the parity of n.
    """
    x, w = _integers("x_bits", x_bits, 1), _integers("w_bits", w_bits, 1)
    if x.shape != w.shape:
        raise ValueError(f"vectors of {len(x)} and {len(w)} bits")
    equal = int((x == w).sum())
    return equal - (len(x) - equal)


def convolution(
    x: ArrayLike,
    weight: ArrayLike,
    *,
    stride: int | tuple[int, int] = 1,
    padding: Padding = NO_PADDING,
    groups: int = 1,
) -> NDArray[np.int64]:
    """Accumulators acc[y, x, o] = sum over ky, kx, c of weight[o, ky, kx, c] * in[y', x', c'].

    y' = y * stride + ky - top, x' likewise; outside the map the input is 0. Output o of group g
    sees only the input channels c' = g * C/groups + c. The kernel is not flipped.

    Args:
        x: integers, shape (H, W, C).
        weight: integers, shape (O, KH, KW, C/groups).
        stride: step of the window, in pixels, both ways, or in rows and in columns.
        padding: rows and columns of zeros (top, left, bottom, right).
        groups: number of groups; C and O are multiples of it.

    Returns:
        int64, shape (OH, OW, O), OH = (top + H + bottom - KH) // stride + 1.

    Raises:
        TypeError: floats.
        ValueError: shapes do not fit.
    """
    x, weight = _integers("x", x, 3), _integers("weight", weight, 4)
    top, left, bottom, right = padding
    outputs, kernel_h, kernel_w, per_group = weight.shape
    if x.shape[2] != per_group * groups or outputs % groups:
        raise ValueError(f"input {x.shape}, weight {weight.shape} and {groups} groups do not fit")
    padded = np.pad(x, ((top, bottom), (left, right), (0, 0)))
    down, across = stride if isinstance(stride, tuple) else (stride, stride)
    out_h = (padded.shape[0] - kernel_h) // down + 1
    out_w = (padded.shape[1] - kernel_w) // across + 1
    if out_h < 1 or out_w < 1:
        raise ValueError(f"a {kernel_h}x{kernel_w} kernel does not fit into {padded.shape[:2]}")
    branches = []
    for g, branch in enumerate(split(padded, groups)):
        group_weight = weight[g * outputs // groups : (g + 1) * outputs // groups]
        acc = np.zeros((out_h, out_w, outputs // groups), dtype=np.int64)
        for ky in range(kernel_h):
            for kx in range(kernel_w):
                rows = slice(ky, ky + down * (out_h - 1) + 1, down)
                columns = slice(kx, kx + across * (out_w - 1) + 1, across)
                acc += branch[rows, columns] @ group_weight[:, ky, kx].T
        branches.append(acc)
    return merge(branches)


def word_convolution(
    x: ArrayLike, weight: ArrayLike, *, stride: int = 1, padding: Padding = NO_PADDING
) -> NDArray[np.int64]:
    """Sums of products of 16-bit numbers: floor(acc / 2**18), acc as `convolution` has it.

    Args:
        x: integers from -2**15 to 2**16 - 1, shape (H, W, C).
        weight: integers from -2**15 to 2**15 - 1, shape (O, KH, KW, C).
        stride, padding: as for `convolution`.

    Returns:
        int64, shape (OH, OW, O).

    Raises:
        TypeError: floats.
        ValueError: shapes do not fit, or a number has more than 16 bits.
    """
    x, weight = _integers("x", x, 3), _integers("weight", weight, 4)
    for name, values, most in (("x", x, 2**16 - 1), ("weight", weight, 2**15 - 1)):
        if values.min() < -(2**15) or values.max() > most:
            raise ValueError(f"{name}: {values.min()}..{values.max()} do not fit 16 bits")
    return convolution(x, weight, stride=stride, padding=padding) // 2**18


def multi_threshold(
    acc: ArrayLike,
    thresholds: ArrayLike,
    *,
    strict: bool = False,
    inverted: ArrayLike | None = None,
) -> NDArray[np.uint8]:
    """Activation codes y[..., c] = number of thresholds k with acc[..., c] >= thresholds[c, k].

    Args:
        acc: integers, shape (..., C), in accumulator units (no scale, no zero point).
        thresholds: integers, shape (C, K), 1 <= K <= 255, same unit. Their order does not matter.
        strict: compare with > instead of >=.
        inverted: booleans, shape (C,): channels whose code is K - y (a negative batch-norm scale).

    Returns:
        uint8, shape (..., C), codes 0..K.

    Raises:
        TypeError: floats.
        ValueError: shapes do not fit.
    """
    acc = _integers("acc", acc, np.ndim(acc))
    thresholds = _integers("thresholds", thresholds, 2)
    channels, count = thresholds.shape
    if acc.shape[-1:] != (channels,) or not 1 <= count <= 255:
        raise ValueError(f"acc {acc.shape} and thresholds {thresholds.shape} do not fit")
    compared = acc[..., None] > thresholds if strict else acc[..., None] >= thresholds
    codes = compared.sum(axis=-1)
    if inverted is not None:
        if np.shape(inverted) != (channels,):
            raise ValueError(f"flags {np.shape(inverted)} do not fit {channels} channels")
        codes = np.where(np.asarray(inverted, dtype=bool), count - codes, codes)
    return codes.astype(np.uint8)


def requantise(
    sums: ArrayLike,
    base: ArrayLike,
    shift: ArrayLike,
    multiplier: ArrayLike,
    addend: ArrayLike,
    bits: int,
) -> NDArray[np.uint8]:
    """Activation codes by one multiplication of each sum, saturated to 0..2**bits - 1:

        x = min(max(sum - base, 0), 2**24 - 1)
        y = floor((multiplier * x + addend * 2**15) / 2**(shift + 17))

    Args:
        sums: integers from 0 to 2**32 - 1, shape (..., C).
        base, multiplier: integers from 0 to 2**32 - 1, shape (C,).
        shift: integers from 0 to 31, shape (C,).
        addend: integers from -2**31 to 2**31 - 1, shape (C,).
        bits: of a code, 1 to 8.

    Returns:
        uint8, shape (..., C).

    Raises:
        TypeError: floats.
        ValueError: shapes do not fit, or a number is out of its range.
    """
    sums = _integers("sums", sums, np.ndim(sums))
    channels = sums.shape[-1:]
    ranges = {
        "base": (base, 0, 2**32 - 1),
        "shift": (shift, 0, 31),
        "multiplier": (multiplier, 0, 2**32 - 1),
        "addend": (addend, -(2**31), 2**31 - 1),
    }
    found = {}
    for name, (given, least, most) in ranges.items():
        found[name] = values = _integers(name, given, 1)
        if values.shape != channels:
            raise ValueError(f"{name} {values.shape} does not fit sums {sums.shape}")
        if values.min() < least or values.max() > most:
            raise ValueError(f"{name}: {values.min()}..{values.max()} is not in {least}..{most}")
    if sums.min() < 0 or sums.max() > 2**32 - 1 or not 1 <= bits <= 8:
        raise ValueError(f"sums {sums.min()}..{sums.max()} or {bits} bits are out of range")
    x = np.clip(sums - found["base"], 0, 2**24 - 1)
    y = (found["multiplier"] * x + found["addend"] * 2**15) // 2 ** (found["shift"] + 17)
    return np.clip(y, 0, 2**bits - 1).astype(np.uint8)


def max_pool(
    x: ArrayLike, size: int, stride: int, padding: Padding = NO_PADDING
) -> NDArray[np.int64]:
    """Largest value of each size x size window; outside the map the input is 0.

    Zero is the smallest code, so padding never wins over a real value.

    Args:
        x: unsigned codes, shape (H, W, C).
        size, stride: of the window, in pixels; rows and columns that fill no window are not read.
        padding: rows and columns of zeros (top, left, bottom, right).

    Returns:
        int64, shape ((top + H + bottom - size) // stride + 1, likewise, C).

    Raises:
        TypeError: floats.
        ValueError: negative values, or a window larger than the padded map.
    """
    x = _integers("x", x, 3)
    if (x < 0).any():
        raise ValueError("max_pool pads with 0, so it takes unsigned codes only")
    top, left, bottom, right = padding
    padded = np.pad(x, ((top, bottom), (left, right), (0, 0)))
    out_h = (padded.shape[0] - size) // stride + 1
    out_w = (padded.shape[1] - size) // stride + 1
    if out_h < 1 or out_w < 1:
        raise ValueError(f"a window of {size} does not fit into {padded.shape[:2]}")
    pooled = np.empty((out_h, out_w, x.shape[2]), dtype=np.int64)
    for row in range(out_h):
        for column in range(out_w):
            y, z = row * stride, column * stride
            pooled[row, column] = padded[y : y + size, z : z + size].max(axis=(0, 1))
    return pooled


def split(x: NDArray[np.int64], branches: int) -> list[NDArray[np.int64]]:
    """Channels in order, in equal parts: branch s is channels s*C/branches .. (s+1)*C/branches-1.

    Raises:
        ValueError: the channels are not a multiple of the branches.
    """
    channels = x.shape[-1]
    if channels % branches:
        raise ValueError(f"{channels} channels cannot be split into {branches} branches")
    width = channels // branches
    return [x[..., s * width : (s + 1) * width] for s in range(branches)]


def merge(branches: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Channels of all branches one after the other, branch 0 first: undoes `split`."""
    return np.concatenate(list(branches), axis=-1)


def fully_connected(x: ArrayLike, weight: ArrayLike) -> NDArray[np.int64]:
    """Accumulators acc[o] = sum over i of weight[o, i] * x[i].

    Args:
        x: integers, shape (n,). A feature map is flattened as (row, column, channel).
        weight: integers, shape (O, n).

    Returns:
        int64, shape (O,).
    """
    x, weight = _integers("x", x, 1), _integers("weight", weight, 2)
    if weight.shape[1] != len(x):
        raise ValueError(f"weight {weight.shape} and input {x.shape} do not fit")
    return weight @ x
