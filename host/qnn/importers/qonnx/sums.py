# SPDX-License-Identifier: BSD-3-Clause
"""Maps side by side and maps added, as layers of integers.

Two maps of codes a and b are added, and steps with a quantiser follow: what comes of it is a table
of a and b, exact, for the steps themselves are asked. The layer is a convolution of 1x1 that reads
both maps side by side, with weights p for a and q for b, where there are p and q up to 128 such
that p a + q b orders the table: then thresholds give the very same codes. That is so wherever one
scale is a multiple of the other, and for codes of few bits nearly always.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from qnn.importers.qonnx.feature import Codes, Feature, Held, Products, Sum
from qnn.importers.qonnx.fold import (
    MAX_LEVELS,
    codes_behind,
    direction_of,
    down_to_zero,
    even,
    last_quantizer,
    levels_of,
    pools_among,
)
from qnn.importers.qonnx.graph import Array, Node
from qnn.importers.qonnx.pools import leaves_out, pool_layers
from qnn.importers.qonnx.steps import Step, select
from qnn.importers.qonnx.weights import LARGEST, planes
from qnn.network import MAX_BITS, Conv, describe

MAX_TABLE = 1 << 22  # entries at a time
MAX_KINDS = 64  # different tables of the channels of one sum, of codes of 8 bits
_SAME = 1 / (1 << 20)  # of a step: float32 rounds a multiple of a scale
_SOME = 997  # entries that are looked at first
_BLOCK = 32  # channels that the accelerator reads at a time


@dataclass(frozen=True)
class Weights:
    """p and q, and the least p a + q b that reaches each rank, int64 (ranks,).

    `undecided`: of sums that are equal in exact arithmetic float32 rounds some to either side of a
    step of the quantiser.
    """

    p: int
    q: int
    thresholds: Array
    undecided: bool = False


def codes_of(node: Node, held: Held) -> Codes:
    """Maps side by side as what a layer reads.

    Raises:
        NetworkError: the levels of a map are not evenly spaced.
    """
    found, counts = list[Codes](), list[int]()
    for part in held.parts:
        columns = part.levels.T if part.levels.ndim > 1 else part.levels[None]
        found += [even(node, np.ascontiguousarray(column)) for column in columns]
        counts += [part.channels // len(columns)] * len(columns)
    first, names = found[0], held.names
    if len(found) == 1:
        return replace(first, sources=names)
    step = min((one.step for one in found if one.top), default=1.0)
    steps = np.array([one.step if one.top else step for one in found])
    zeros = np.array([one.zero for one in found])
    top, exact = max(one.top for one in found), all(one.exact for one in found)
    if (steps == step).all() and (zeros == first.zero).all():
        return Codes(first.zero, step, top, exact, names)
    if (abs(steps - step) <= _SAME * step).all() and (zeros == first.zero).all():
        return Codes(first.zero, step, top, False, names)
    zeros = np.repeat(zeros, counts)
    return Codes(float(zeros.min()), step, top, exact, names, np.repeat(steps, counts), zeros)


def as_products(node: Node, feature: Feature, held: Held) -> Products:
    """Maps that steps follow, as sums of one code each."""
    return of_values(node, feature, held, held.values)


def of_values(node: Node, feature: Feature, held: Held, values: Array) -> Products:
    """The same, where the codes of each channel stand for others, float32 (codes, C)."""
    channels, top = values.shape[1], len(values) - 1
    rows, columns, _ = held.shape or feature.shape
    return Products(
        node=node,
        in_shape=(rows, columns, channels),
        in_bits=max(top, 1).bit_length(),
        top=top,
        weight=np.eye(channels, dtype=np.int64)[:, None, None, :],
        unit=np.ones(channels),
        offset=np.zeros(channels),
        sources=held.names,
        levels=values,
    )


def is_even(values: Array) -> bool:
    """Whether the codes of each channel stand for even steps, float32 (codes, C)."""
    steps = np.diff(values.astype(np.float64), axis=0)
    if not len(steps):
        return True
    size = abs(values).max(axis=0)
    return bool((abs(steps - steps[:1]).max(axis=0) <= _SAME * size).all())


def fold_sum(node: Node, feature: Feature, source: Sum, name: str) -> tuple[list[Conv], Array, int]:
    """A layer that adds two maps, whose codes are those of the last quantiser behind it, and
    layers behind it where more pools follow than one; the values of its codes, float32; and how
    many outputs have sums on a step of the quantiser.

    Raises:
        NetworkError: there is no quantiser, or no weights give its codes.
    """
    steps, (rows, columns, channels) = feature.steps, source.shape
    last = last_quantizer(steps)
    if last is None:
        raise node.refuse(
            f"the sum of node {source.node.name!r} is not quantised; put an activation quantiser "
            f"of {MAX_BITS} bits or fewer behind it"
        )
    (_, of_a), (_, of_b) = source.operands
    pools = pools_among(node, steps, last, channels)
    own = pools[:1] if pools and not leaves_out(pools[0]) else []
    flip = np.where(direction_of(steps[: last + 1], channels) < 0, -1, 1)
    tables, which, levels = _tables(node, steps, last, (of_a, of_b), flip)
    kinds = [_weights(source, table, max(len(levels) - 1, 1)) for table in tables]
    groups = _groups(channels)
    share, each = channels // groups, np.arange(channels)
    p, q = (np.array([getattr(kinds[kind], one) for kind in which]) for one in "pq")
    weight: Array = np.zeros((channels, 1, 1, 2 * share), np.int64)
    weight[each, 0, 0, each % share] = flip * p
    weight[each, 0, 0, share + each % share] = flip * q
    bits, coefficients, factor = planes(source.node, weight)
    found = np.array([kinds[kind].thresholds for kind in which])
    found -= np.where(flip < 0, p * (len(of_a) - 1) + q * (len(of_b) - 1), 0)[:, None]
    layer = Conv(
        name=name,
        in_shape=(rows, columns, 2 * channels),
        in_bits=max(len(of_a) - 1, len(of_b) - 1, 1).bit_length(),
        weight=bits,
        thresholds=np.ascontiguousarray((factor * found).astype(np.int32)),
        coefficients=coefficients,
        groups=groups,
        pool=own[0] if own else None,
    )
    more = pool_layers(source.node, pools[len(own) :], layer.out_shape, found.shape[1], name)
    undecided = sum(kinds[kind].undecided for kind in which)
    return [layer, *more], levels, undecided


def _groups(channels: int) -> int:
    """The fewest groups of so many channels as the accelerator reads at a time; one, where they
    would be many."""
    fewest = next(
        groups for groups in range(-(-channels // _BLOCK), channels + 1) if channels % groups == 0
    )
    return fewest if fewest * _BLOCK <= 2 * max(channels, _BLOCK) else 1


def _tables(
    node: Node, steps: Sequence[Step], last: int, values: tuple[Array, Array], flip: Array
) -> tuple[list[Array], Array, Array]:
    """Ranks of the sums of two codes, int64 (codes of a, codes of b), where they differ between
    channels; which of them each channel has; and the values of the ranks.

    Of channels where `flip` is -1 the largest codes come first.
    """
    found: dict[bytes, int] = {}
    kinds: list[Array] = []
    which: Array = np.empty(len(flip), np.int64)
    for channel, table in _codes(steps[: last + 1], *values):
        table = np.ascontiguousarray(table[::-1, ::-1] if flip[channel] < 0 else table)
        which[channel] = found.setdefault(table.tobytes(), len(kinds))
        if which[channel] == len(kinds):
            kinds.append(table)
        if len(kinds) * table.size > MAX_KINDS << 2 * MAX_BITS:
            raise node.refuse(
                f"it reads a sum that is quantised otherwise in each of {len(flip)} channels; "
                "quantise to 4 bits or fewer"
            )
    least, most = min(int(t.min()) for t in kinds), max(int(t.max()) for t in kinds)
    least = down_to_zero(steps[last], least)
    levels, rank = levels_of(node, steps, last, least, most)
    if len(levels) > MAX_LEVELS:
        raise node.refuse(f"it reads {len(levels)} levels; quantise to at most {MAX_BITS} bits")
    return [rank[table - least] for table in kinds], which, levels


def _codes(steps: Sequence[Step], of_a: Array, of_b: Array) -> Iterator[tuple[int, Array]]:
    """Each channel, and the codes of its sums, int32 (codes of a, codes of b)."""
    channels = of_a.shape[1]
    at_once = max(1, MAX_TABLE // (len(of_a) * len(of_b)))
    for begin in range(0, channels, at_once):
        some = np.arange(begin, min(begin + at_once, channels))
        with np.errstate(over="ignore"):
            x = of_a[:, None, some] + of_b[None, :, some]
        codes = codes_behind([select(step, some) for step in steps])(x)
        yield from zip(some, np.moveaxis(codes.astype(np.int32), -1, 0), strict=True)


def _weights(source: Sum, table: Array, ranks: int) -> Weights:
    """The least p and q for a table of so many ranks above 0.

    Raises:
        NetworkError: there are none.
    """
    steps = [_step(values) for _, values in source.operands]
    ratio = steps[1] / steps[0]
    found = weights_for(table, ratio, ranks) or _weights_of_multiples(table, ratio, ranks)
    if found is None:
        raise source.node.refuse(
            f"it adds maps in steps of {steps[0]:g} and {steps[1]:g}, of which no multiples up to "
            f"{LARGEST} give the codes of the quantiser behind it; quantise both with the same "
            "scale, or to fewer bits"
        )
    return found


def _step(values: Array) -> float:
    """The value of a code, about; of the first channel."""
    if len(values) < 2:
        return 1.0
    return max(float(values[-1, 0]) - float(values[0, 0]), 1e-30) / (len(values) - 1)


def weights_for(table: Array, ratio: float, ranks: int) -> Weights | None:
    """The least p and q such that p a + q b orders a table.

    Args:
        table: int64 (codes of a, codes of b), ascending in both.
        ratio: about q / p.
        ranks: so many above 0 may be in it.
    """
    rows, columns = table.shape
    a, b = (each.reshape(-1) for each in np.indices(table.shape))
    flat = table.reshape(-1)
    some = np.random.default_rng(0).integers(0, table.size, _SOME)
    for largest in range(1, LARGEST + 1):
        for p, q in _pairs(largest, ratio):
            if not (
                _orders(p * a[some] + q * b[some], flat[some]) and _orders(p * a + q * b, flat)
            ):
                continue
            sums = p * a + q * b
            beyond = p * (rows - 1) + q * (columns - 1) + 1
            least = [int(sums[flat > rank].min(initial=beyond)) for rank in range(ranks)]
            return Weights(p, q, np.array(least, np.int64))
    return None


def _weights_of_multiples(table: Array, ratio: float, ranks: int) -> Weights | None:
    """As weights_for, where scales are multiples of one: of equal sums the middle rank counts."""
    for largest in range(1, LARGEST + 1):
        for p, q in _pairs(largest, ratio):
            if not p or not q or abs(q / p - ratio) > _SAME * ratio:
                continue
            sums = p * np.arange(table.shape[0])[:, None] + q * np.arange(table.shape[1])
            each, where = np.unique(sums.reshape(-1), return_inverse=True)
            order = np.lexsort((table.reshape(-1), where))
            counts = np.bincount(where)
            ends = np.cumsum(counts)
            sorted_ranks = table.reshape(-1)[order]
            first, last = sorted_ranks[ends - counts], sorted_ranks[ends - 1]
            middle = sorted_ranks[ends - counts + (counts - 1) // 2]
            if (last - first).max() > 1 or (np.diff(middle) < 0).any():
                return None
            beyond = int(each[-1]) + 1
            least = [int(each[middle > rank].min(initial=beyond)) for rank in range(ranks)]
            return Weights(p, q, np.array(least, np.int64), undecided=True)
    return None


def _pairs(largest: int, ratio: float) -> Iterator[tuple[int, int]]:
    """p and q of about that ratio, the larger of them given."""
    other = largest / ratio if ratio >= 1 else largest * ratio
    for less in sorted({int(other), -int(-other // 1)}):
        if 0 <= less <= largest:
            yield (less, largest) if ratio >= 1 else (largest, less)


def _orders(sums: Array, ranks: Array) -> bool:
    """Whether ranks ascend with sums, and are equal where those are."""
    order = np.lexsort((ranks, sums))
    sums, ranks = sums[order], ranks[order]
    steps = np.diff(ranks)
    return bool((steps >= 0).all() and not steps[np.diff(sums) == 0].any())


def require_equal(node: Node, features: Sequence[Feature]) -> None:
    """NetworkError unless features lie in their maps alike."""
    first = features[0]
    for other in features[1:]:
        if other.shape != first.shape or not np.array_equal(other.index, first.index):
            raise node.refuse(
                f"it adds tensors of shapes {first.index.shape} and {other.index.shape} that lie "
                f"in maps of {describe(first.shape)} and {describe(other.shape)}; add maps of the "
                "same shape"
            )
